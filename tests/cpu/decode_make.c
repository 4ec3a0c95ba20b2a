/*
 * See decode_make.h.
 *
 * Not modelled: see decode_make.h.
 */
#include "tests/cpu/decode_make.h"

/* SplitMix64: small, fast and the same everywhere. */
static uint64_t next_random(struct decode_maker *m)
{
    uint64_t z = m->seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static unsigned pick(struct decode_maker *m, unsigned n)
{
    return (unsigned)((next_random(m) >> 32) * n >> 32);
}

static void put(struct decode_maker *m, uint8_t b)
{
    if (m->left) {
        *m->at++ = b;
        m->left--;
    }
}

static void put_prefixes(struct decode_maker *m, const struct op_row *row, unsigned code)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26,
                                       0x2e, 0x36, 0x3e, 0x64, 0x65};

    for (unsigned n = pick(m, 4); n > 1; n--) {
        put(m, prefixes[pick(m, ARRAY_LEN(prefixes))]);
    }
    if (row->map >= MAP_VEX_0F) {
        return;
    }
    if (row->pfx == PFX_66 || row->pfx == PFX_66W) {
        put(m, 0x66);
    } else if (row->pfx == PFX_F3 || row->pfx == PFX_F2) {
        put(m, row->pfx == PFX_F3 ? 0xf3 : 0xf2);
    }
    if (code == MODE_CODE64 && pick(m, 2)) {
        put(m, (uint8_t)(0x40 + pick(m, 16)));
    }
}

static void put_opcode(struct decode_maker *m, const struct op_row *row)
{
    static const uint8_t pp[] = {
        [PFX_ANY] = 0, [PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3, [PFX_66W] = 1};
    uint8_t last = (uint8_t)next_random(m);

    if (row->map >= MAP_VEX_0F) {
        last = (last & 0xf8) | pp[row->pfx] | (row->vex_l == 2 ? last & 4 : row->vex_l << 2);
        if (pick(m, 4)) {
            last |= 0x78; /* most instructions want no register there */
        }
        if (row->map == MAP_VEX_0F && pick(m, 2)) {
            put(m, 0xc5);
            put(m, last);
        } else {
            put(m, 0xc4);
            put(m, (uint8_t)((next_random(m) & 0xe0) | (row->map - MAP_VEX_0F + 1u)));
            put(m, last);
        }
    } else if (row->map != MAP_1) {
        put(m, 0x0f);
        if (row->map != MAP_0F) {
            put(m, row->map == MAP_0F38 ? 0x38 : 0x3a);
        }
    }
    put(m, row->op);
}

static void put_modrm(struct decode_maker *m, const struct op_row *row)
{
    uint8_t modrm = (uint8_t)next_random(m);

    if (row->ext >= 0 && pick(m, 8)) {
        modrm = (uint8_t)((modrm & 0xc7) | row->ext << 3);
    }
    if (row->rm >= 0 && pick(m, 8)) {
        modrm = (uint8_t)((modrm & 0xf8) | row->rm);
    }
    if (row->mod == MOD_REG && pick(m, 8)) {
        modrm |= 0xc0;
    }
    put(m, modrm);
}

static void make(struct decode_maker *m, const struct op_row *row, unsigned code, uint8_t *bytes)
{
    *m = (struct decode_maker){.seed = m->seed, .at = bytes, .left = DECODE_BYTES};
    if (row) {
        put_prefixes(m, row, code);
        put_opcode(m, row);
        if (row->enc & ENC_MODRM) {
            put_modrm(m, row);
        }
    }
    while (m->left) {
        put(m, (uint8_t)next_random(m));
    }
}

void decode_make(struct decode_maker *m, const struct decoder *dec, unsigned code, uint8_t *bytes)
{
    bool any = !pick(m, 8);

    make(m, any ? NULL : decoder_row(dec, pick(m, decoder_row_count(dec))), code, bytes);
}

void decode_make_row(struct decode_maker *m, const struct op_row *row, unsigned code,
                     uint8_t *bytes)
{
    make(m, row, code, bytes);
}
