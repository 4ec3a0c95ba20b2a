/*
 * Disassembly through Capstone, as machine.disassemble wants it.
 */
#ifndef CANDELA_UI_DISAS_H
#define CANDELA_UI_DISAS_H

#include <stddef.h>
#include <stdint.h>

/*
 * One instruction of 16-, 32- or 64-bit code at `ip`, Intel syntax: text (always ended, cut to max)
 * and its length in bytes; 0 when it is none.  Any thread.
 */
int disas_insn(const uint8_t *bytes, size_t len, uint64_t ip, unsigned bits, char *text,
               size_t max);

#endif
