/*
 * Instances of the decoder's rows for tests (see forms.h).
 *
 * Not modelled: see forms.h.
 */
#include "tests/cpu/forms.h"
#include "cpu/native.h"

static bool in_table(const struct op_table *t, const struct op_row *row)
{
    return row >= t->rows && row < t->rows + t->count;
}

static bool name_is(const struct op_row *row, const char *const *names)
{
    for (; *names; names++) {
        if (!strcmp(row->name, *names)) {
            return true;
        }
    }
    return false;
}

const char *form_excluded(const struct op_row *row)
{
    static const char *const ports[] = {"ins", "outs", NULL};
    static const char *const transfers[] = {"call", "jmp", "ret", NULL};

    if (in_table(&ops_system, row)) {
        return "system instruction: unit tests and boots";
    }
    if (row->enc & ENC_NO64) {
        return "not in 64-bit code: see the 16- and 32-bit runs";
    }
    if (name_is(row, ports)) {
        return "port access";
    }
    if (name_is(row, transfers) && !(row->enc & (ENC_JB | ENC_JZ))) {
        return "indirect transfer: boots";
    }
    if ((in_table(&ops_simd, row) || in_table(&ops_x87, row)) && row->aux & NAT_CONTROL) {
        return "state management: unit tests";
    }
    if (row->enc & ENC_MEM_RAW && row->fns && !strcmp(row->name, "prefetchw")) {
        return NULL;
    }
    return NULL;
}

static bool memory_allowed(const struct op_row *row, unsigned vex_l, unsigned size)
{
    struct native_desc d;

    if (!(row->enc & ENC_MODRM) || row->mod == MOD_REG) {
        return false;
    }
    if (in_table(&ops_simd, row) || in_table(&ops_x87, row)) {
        native_describe(row, vex_l, size, &d);
        return d.mem_bytes != 0;
    }
    return true;
}

static bool register_allowed(const struct op_row *row)
{
    return row->mod != MOD_MEM;
}

unsigned form_list(const struct op_row *row, struct form_spec *out, unsigned max)
{
    bool sized = row->size == SZ_V || row->size == SZ_V64 || row->size == SZ_Y || row->size == SZ_Z;
    bool vex = row->map >= MAP_VEX_0F;
    unsigned n = 0;

    for (unsigned size = sized ? 1 : 0; size <= (sized ? 3u : 0u); size++) {
        if ((row->size == SZ_Y && size == 1) || (row->size == SZ_V64 && size == 2) ||
            (row->size == SZ_Z && size == 3) || (row->pfx == PFX_NP && size == 1) ||
            (row->pfx == PFX_66W && size != 1)) {
            continue;
        }
        for (unsigned l = 0; l < 2; l++) {
            if (row->vex_l != 2 && l != row->vex_l) {
                continue;
            }
            if (!vex && l) {
                continue;
            }
            for (unsigned mem = 0; mem < 2; mem++) {
                if ((mem ? memory_allowed(row, l, size) : register_allowed(row)) && n < max) {
                    unsigned w = row->vex_w != 2 ? row->vex_w : size == 3;

                    out[n++] = (struct form_spec){row, size, mem, l, w};
                }
            }
        }
    }
    return n;
}

/* ---- encoding ---- */

struct enc {
    GRand *rng;
    struct silicon_state *in;
    uint8_t *code;
    unsigned len;
    unsigned reg, rm, base, index, vvvv;
    int32_t disp;
    unsigned scale;
    bool has_index, uses_rex;
};

static unsigned rnd(struct enc *e, unsigned n)
{
    return (unsigned)g_rand_int_range(e->rng, 0, (gint32)n);
}

static void put(struct enc *e, uint8_t b)
{
    e->code[e->len++] = b;
}

static void put_imm(struct enc *e, unsigned bytes)
{
    uint64_t v = (uint64_t)g_rand_int(e->rng) << 32 | g_rand_int(e->rng);

    if (rnd(e, 3) == 0) {
        v = rnd(e, 3) - 1ull;
    }
    for (unsigned n = 0; n < bytes; n++) {
        put(e, (uint8_t)(v >> 8 * n));
    }
}

/* A register for addresses: any but RSP and RBP's special encodings are allowed with the right
 * bytes. */
static void choose_address(struct enc *e, bool vsib)
{
    uint32_t target = SILICON_DATA + 1024 + rnd(e, 6) * 64 + (rnd(e, 4) ? 0 : rnd(e, 64));

    e->base = rnd(e, 15);
    e->base += e->base >= R_RSP;
    e->has_index = vsib || rnd(e, 3) == 0;
    e->scale = rnd(e, 4);
    e->disp = (int32_t)rnd(e, 200) - 100;
    uint64_t part = 0;
    if (e->has_index && !vsib) {
        do {
            e->index = rnd(e, 16);
        } while (e->index == R_RSP || e->index == e->base);
        e->in->r[e->index] = rnd(e, 50);
        part = e->in->r[e->index] << e->scale;
    } else if (vsib) {
        e->index = rnd(e, 16);
    }
    e->in->r[e->base] = target - (uint64_t)(int64_t)e->disp - part;
}

static void put_modrm_memory(struct enc *e)
{
    bool sib = e->has_index || (e->base & 7) == R_RSP;

    put(e, 0x40 | (e->reg & 7) << 3 | (sib ? 4 : e->base & 7));
    if (sib) {
        put(e, e->scale << 6 | (e->has_index ? (e->index & 7) << 3 : 0x20) | (e->base & 7));
    }
    put(e, (uint8_t)e->disp);
}

static unsigned rex_bits(const struct form_spec *f, const struct enc *e)
{
    unsigned b = 0;

    if (f->row->enc & ENC_MODRM) {
        b |= e->reg & 8 ? 4 : 0;
        b |= f->memory ? (e->base & 8 ? 1 : 0) | (e->has_index && e->index & 8 ? 2 : 0)
                       : (e->rm & 8 ? 1 : 0);
    } else if (f->row->enc & ENC_OPREG) {
        b |= e->rm & 8 ? 1 : 0;
    }
    return b;
}

static void put_legacy(const struct form_spec *f, struct enc *e)
{
    const struct op_row *r = f->row;
    unsigned rex = rex_bits(f, e);

    if (f->size == 1 || r->pfx == PFX_66) {
        put(e, 0x66);
    }
    if (r->pfx == PFX_F3 || r->pfx == PFX_F2) {
        put(e, r->pfx == PFX_F3 ? 0xf3 : 0xf2);
    }
    if (r->enc & ENC_REP && rnd(e, 3)) {
        put(e, rnd(e, 2) ? 0xf3 : 0xf2);
    }
    if (f->size == 3 && r->size != SZ_V64) {
        rex |= 8;
    }
    if (rex || (e->uses_rex && r->map == MAP_1)) {
        put(e, 0x40 | rex);
    }
    if (r->map != MAP_1) {
        put(e, 0x0f);
    }
    if (r->map == MAP_0F38 || r->map == MAP_0F3A) {
        put(e, r->map == MAP_0F38 ? 0x38 : 0x3a);
    }
}

static void put_vex(const struct form_spec *f, struct enc *e)
{
    static const uint8_t pp[] = {
        [PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2, [PFX_F2] = 3, [PFX_ANY] = 0};
    unsigned rex = rex_bits(f, e);

    put(e, 0xc4);
    put(e, (~rex << 5 & 0xe0) | (f->row->map - MAP_VEX_0F + 1));
    put(e, f->vex_w << 7 | (~e->vvvv & 15) << 3 | f->vex_l << 2 | pp[f->row->pfx]);
}

static void put_immediates(const struct form_spec *f, struct enc *e)
{
    uint32_t enc = f->row->enc;
    unsigned v = f->size == 1 ? 2 : 4;

    if (enc & (ENC_IB | ENC_IBS)) {
        put_imm(e, 1);
    } else if (enc & ENC_IW) {
        put_imm(e, 1);
        put(e, 0);
    } else if (enc & ENC_IZ) {
        put_imm(e, v);
    } else if (enc & ENC_IV) {
        put_imm(e, f->row->size == SZ_B ? 1 : f->size == 3 ? 8 : v);
    } else if (enc & ENC_JB) {
        put(e, SILICON_SKIP);
    } else if (enc & ENC_JZ) {
        put(e, SILICON_SKIP);
        put(e, 0);
        put(e, 0);
        put(e, 0);
    } else if (enc & ENC_MOFFS) {
        uint64_t at = SILICON_DATA + 512 + rnd(e, 512);

        for (unsigned n = 0; n < 8; n++) {
            put(e, (uint8_t)(at >> 8 * n));
        }
    }
    if (enc & ENC_IB2) {
        put(e, rnd(e, 4));
    }
}

/* Registers that instructions use as addresses or counts without saying so in their operands. */
static void set_implicit(const struct form_spec *f, struct enc *e)
{
    static const char *const strings[] = {"movs", "stos", "lods", "cmps", "scas", NULL};
    static const char *const frames[] = {"enter", "leave", "push", "pop", "call", NULL};
    const struct op_row *r = f->row;
    uint64_t *g = e->in->r;

    if (name_is(r, strings)) {
        g[R_RSI] = SILICON_DATA + 2048 + rnd(e, 256);
        g[R_RDI] = rnd(e, 3) ? SILICON_DATA + 4096 - 64 + rnd(e, 256) : g[R_RSI] + rnd(e, 9);
        g[R_RCX] = rnd(e, 40);
    }
    if (name_is(r, frames)) {
        g[R_RSP] = SILICON_DATA + 4096 + rnd(e, 64) * 8;
        g[R_RBP] = SILICON_DATA + 5000 + rnd(e, 64) * 8;
    }
    if (!strcmp(r->name, "xlat")) {
        g[R_RBX] = SILICON_DATA + rnd(e, 2048);
    }
    if ((!strcmp(r->name, "div") || !strcmp(r->name, "idiv")) && rnd(e, 4)) {
        g[R_RDX] = rnd(e, 2) ? 0 : ~0ull;
    }
    if (r->aux & NAT_IMPLICIT) {
        g[R_RDI] = SILICON_DATA + 512 + rnd(e, 64);
    }
}

/* A bit offset in a register reaches far from the address. */
static void set_bit_offset(const struct form_spec *f, struct enc *e)
{
    static const char *const bits[] = {"bt", "bts", "btr", "btc", NULL};

    if (name_is(f->row, bits) && f->memory && !(f->row->enc & ENC_IB)) {
        while (e->reg == e->base || (e->has_index && e->reg == e->index)) {
            e->reg = rnd(e, 16);
        }
        e->in->r[e->reg] = (uint64_t)(int64_t)((int)rnd(e, 4000) - 2000);
    }
}

unsigned form_encode(const struct form_spec *f, GRand *rng, struct silicon_state *in, uint8_t *code)
{
    const struct op_row *r = f->row;
    struct enc e = {.rng = rng, .in = in, .code = code};
    bool native = in_table(&ops_simd, r) || in_table(&ops_x87, r);
    bool vsib = native && r->aux & NAT_GATHER;

    e.reg = r->ext >= 0 ? (unsigned)r->ext : rnd(&e, 16);
    e.rm = r->rm >= 0 ? (unsigned)r->rm : rnd(&e, 16);
    if (in_table(&ops_x87, r) || (native && r->ext < 0 && !(r->aux & 3))) {
        e.reg &= 7;
        e.rm &= 7;
    }
    e.uses_rex = rnd(&e, 2);
    e.vvvv = native && !(r->aux >> 4 & 3) ? 0 : rnd(&e, 16);
    if (!native && r->enc & ENC_IB) {
        e.vvvv = 0;
    }
    set_implicit(f, &e);
    if (f->memory) {
        choose_address(&e, vsib);
        set_bit_offset(f, &e);
    }
    if (r->enc & ENC_OPREG) {
        e.rm = rnd(&e, 16);
    }
    if (r->map >= MAP_VEX_0F) {
        put_vex(f, &e);
    } else {
        put_legacy(f, &e);
    }
    put(&e, r->enc & ENC_OPREG ? (r->op & ~7u) | ((r->op & 7) ^ 0) : r->op);
    if (r->enc & ENC_MODRM) {
        if (f->memory) {
            put_modrm_memory(&e);
        } else {
            put(&e, 0xc0 | (e.reg & 7) << 3 | (e.rm & 7));
        }
    }
    put_immediates(f, &e);
    return e.len;
}
