/*
 * Disassembly through Capstone.
 *
 * A handle is opened for each instruction: opening costs little beside the decoding, and nothing
 * has to be kept.
 */
#include "ui/disas.h"
#include <capstone/capstone.h>
#include <glib.h>

int disas_insn(const uint8_t *bytes, size_t len, uint64_t ip, unsigned bits, char *text, size_t max)
{
    cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
    cs_insn *insn = NULL;
    csh handle;
    int size = 0;

    if (max) {
        text[0] = '\0';
    }
    if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK) {
        return 0;
    }
    if (cs_disasm(handle, bytes, len, ip, 1, &insn) == 1) {
        g_snprintf(text, max, "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
        size = insn->size;
        cs_free(insn, 1);
    }
    cs_close(&handle);
    return size;
}
