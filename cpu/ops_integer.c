/*
 * The table of integer instructions: rows from ops.inc with the handlers from op_*.c.
 *
 * Follows: Intel SDM volume 2, appendix A.  Not modelled: see the handlers.
 */
#include "cpu/ops.h"

/* The first 64-bit processors had LAHF and SAHF outside 64-bit code only. */
static bool prepare_lahf(struct cpu *c, struct decode *d, struct insn *i)
{
    (void)i;
    return d->code != MODE_CODE64 || cpu_has(c, FEAT_LAHF_LM);
}

/* With REX.W it is CMPXCHG16B. */
static bool prepare_cmpxchg8b(struct cpu *c, struct decode *d, struct insn *i)
{
    (void)i;
    return d->size != 3 || cpu_has(c, FEAT_CX16);
}

#define PFX_PF3  PFX_F3
#define PFX_PF2  PFX_F2
#define PFX_P66  PFX_66
#define PFX_P66W PFX_66W
#define R(...)   RP(__VA_ARGS__, NULL)
#define RP(map_, op_, pfx_, mod_, ext_, rm_, name_, size_, isa_, enc_, fns_, prepare_)             \
    {.name = name_,                                                                                \
     .map = MAP_##map_,                                                                            \
     .op = op_,                                                                                    \
     .pfx = PFX_##pfx_,                                                                            \
     .mod = MOD_##mod_,                                                                            \
     .ext = ext_,                                                                                  \
     .rm = rm_,                                                                                    \
     .size = SZ_##size_,                                                                           \
     .isa = FEAT_##isa_,                                                                           \
     .enc = enc_,                                                                                  \
     .fns = &fns_,                                                                                 \
     .vex_w = 2,                                                                                   \
     .prepare = prepare_},

static const struct op_row rows[] = {
#include "cpu/ops.inc"
};

const struct op_table ops_integer = {rows, ARRAY_LEN(rows)};
