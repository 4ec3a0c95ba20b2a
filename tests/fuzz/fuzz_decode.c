/*
 * Fuzzer: the decoder on any bytes in any mode.  It reads no byte it was not given, says how long
 * an instruction is, and says the same when more bytes follow.
 *
 * Input: mode (2 bytes), model, then code.
 *
 * Not modelled: execution; that is fuzz_guest's.
 */
#include "accel/interp.h"
#include "cpu/insn.h"
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODELS = 3, INSN_MAX = 15 };
static struct cpu *cpus[MODELS];

static void expect(bool good)
{
    if (!good) {
        abort();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const models[MODELS] = {"486", "pentium3", "x86-64-v3"};
    struct vm_config config;

    (void)argc;
    (void)argv;
    vm_config_init(&config);
    for (unsigned k = 0; k < MODELS; k++) {
        struct machine *m = machine_new(&config, NULL);

        cpus[k] = cpu_new(m->vcpus[0], models[k], NULL);
        expect(cpus[k]);
    }
    vm_config_clear(&config);
    return 0;
}

/* The decoder gets a block of exactly `len` bytes, so that a read beyond is found. */
static enum decode_result decode(struct cpu *c, const uint8_t *code, unsigned len, struct insn *out,
                                 struct decode *d)
{
    uint8_t *bytes = g_memdup2(code, len);
    bool end = false;

    *out = (struct insn){.n = 1};
    enum decode_result result = cpu_decode(c, bytes, len, out, &end, d);
    expect(result == DECODE_TRUNCATED || (out->fn && out->len <= INSN_MAX));
    expect(result != DECODE_OK || (out->len && out->len <= len));
    g_free(bytes);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct insn whole, part;
    struct decode d;

    if (size < 4) {
        return -1;
    }
    struct cpu *c = cpus[data[2] % MODELS];
    unsigned avail = (unsigned)MIN(size - 3, INSN_MAX);
    uint16_t mode = (uint16_t)((data[0] | data[1] << 8) & (BIT(MODE_BITS) - 1));

    if ((mode & MODE_CODE) == MODE_CODE) {
        mode &= (uint16_t)~1u; /* there are three sizes of code */
    }
    c->mode = mode;
    enum decode_result result = decode(c, data + 3, avail, &whole, &d);
    expect(result != DECODE_TRUNCATED || avail < INSN_MAX);
    if (result == DECODE_OK) {
        expect(decode(c, data + 3, whole.len, &part, &d) == DECODE_OK && part.len == whole.len &&
               part.row == whole.row);
        for (unsigned k = 1; k < whole.len; k++) {
            expect(decode(c, data + 3, k, &part, &d) == DECODE_TRUNCATED);
        }
    }
    return 0;
}
