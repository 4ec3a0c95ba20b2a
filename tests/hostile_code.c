/* See hostile_code.h.  Not modelled: programs that make sense. */
#include "tests/hostile_code.h"

uint64_t hostile_next(struct hostile_rand *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void hostile_seed(struct hostile_rand *r, uint64_t seed, unsigned stream)
{
    r->s = seed;
    r->s = hostile_next(r) ^ (uint64_t)stream << 32;
    r->s = hostile_next(r);
}

uint64_t hostile_below(struct hostile_rand *r, uint64_t n)
{
    return n ? hostile_next(r) % n : 0;
}

uint64_t hostile_value(struct hostile_rand *r)
{
    static const uint64_t places[] = {
        0xfee00000, 0xfee00300, 0xfec00000, 0xfec00010,  0xfed00000, 0xa0000,    0xb8000,  0xf0000,
        0xfffffff0, 0xc0000000, 0xe0000000, 0xfebf0000,  0xffffffff, 0xfffff000, 0x100000, 0x70000,
        0x40000,    0xffffff,   0x1000000,  0x100000000, 1ull << 47, 0xfd000000,
    };

    switch (hostile_below(r, 8)) {
    case 0:
        return hostile_below(r, 16);
    case 1:
        return (1ull << hostile_below(r, 64)) - hostile_below(r, 3) + 1;
    case 2:
        return places[hostile_below(r, ARRAY_LEN(places))] + hostile_below(r, 16);
    case 3:
        return -hostile_below(r, 4096);
    case 4:
        return hostile_next(r);
    default:
        return hostile_below(r, 16 << 20);
    }
}

/* Instruction streams -------------------------------------------------------------------------- */

struct gen {
    struct hostile_rand *r;
    uint8_t *p, *end;
    unsigned bits;
};

static uint64_t rnd(struct gen *g, uint64_t n)
{
    return hostile_below(g->r, n);
}

static void emit(struct gen *g, uint64_t bytes, unsigned n)
{
    for (unsigned k = 0; k < n && g->p < g->end; k++) {
        *g->p++ = (uint8_t)(bytes >> 8 * k);
    }
}

static void emit8(struct gen *g, unsigned byte)
{
    emit(g, byte, 1);
}

/* MOV r32, imm32 in any code. */
static void mov32(struct gen *g, unsigned reg, uint32_t val)
{
    if (g->bits == 16) {
        emit8(g, 0x66);
    }
    emit8(g, 0xb8 + reg);
    emit(g, val, 4);
}

enum { AX, CX, DX, BX, SI = 6, DI = 7 };

static void any_tail(struct gen *g)
{
    emit(g, hostile_next(g->r), (unsigned)rnd(g, 9));
}

static void some_prefixes(struct gen *g)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36,
                                       0x3e, 0x26, 0x64, 0x65, 0x48, 0x4f, 0x41};

    while (rnd(g, 3) == 0) {
        emit8(g, prefixes[rnd(g, ARRAY_LEN(prefixes))]);
    }
}

static void one_map(struct gen *g)
{
    some_prefixes(g);
    emit8(g, (unsigned)rnd(g, 256));
    any_tail(g);
}

static void other_maps(struct gen *g)
{
    static const uint8_t third[] = {0x38, 0x3a};

    some_prefixes(g);
    switch (rnd(g, 4)) {
    case 0:
        emit8(g, 0x0f);
        emit8(g, third[rnd(g, 2)]);
        break;
    case 1: /* VEX */
        emit8(g, 0xc4);
        emit8(g, (unsigned)(rnd(g, 8) << 5 | (1 + rnd(g, 3))));
        emit8(g, (unsigned)rnd(g, 256));
        break;
    case 2:
        emit8(g, 0xc5);
        emit8(g, (unsigned)rnd(g, 256));
        break;
    default:
        emit8(g, 0x0f);
        break;
    }
    emit8(g, (unsigned)rnd(g, 256));
    any_tail(g);
}

static void x87(struct gen *g)
{
    emit8(g, 0xd8 + (unsigned)rnd(g, 8));
    emit8(g, (unsigned)rnd(g, 256));
    any_tail(g);
}

static void system_op(struct gen *g)
{
    /* lgdt & co., smsw, mov cr/dr, wrmsr, rdmsr, invlpg, clts, sysenter ..., xsave group, cpuid,
       rsm, push/pop fs, syscall, sysret, iret, int, hlt, retf, ljmp, lcall, bound, arpl, enter */
    static const uint16_t ops[] = {0x010f, 0x000f, 0x200f, 0x220f, 0x210f, 0x230f, 0x300f, 0x320f,
                                   0x010f, 0x060f, 0x340f, 0x350f, 0xae0f, 0xc70f, 0xa20f, 0xaa0f,
                                   0xa10f, 0x050f, 0x070f, 0xcf90, 0x80cd, 0xf4fb, 0xcb90, 0xea90,
                                   0x9a90, 0x6290, 0x6390, 0xc890, 0x8e90, 0x310f, 0x090f, 0x020f};

    some_prefixes(g);
    if (rnd(g, 3) == 0) {
        mov32(g, AX, (uint32_t)hostile_value(g->r));
    }
    emit(g, ops[rnd(g, ARRAY_LEN(ops))], 2);
    any_tail(g);
}

static void msr(struct gen *g)
{
    static const uint32_t msrs[] = {
        0x1b,       0x10,       0x3a,       0x3b,       0x174,      0x175, 0x176, 0x1a0,
        0x200,      0x20f,      0x250,      0x277,      0x2ff,      0x6e0, 0x800, 0x808,
        0x80b,      0x80f,      0x830,      0x832,      0x838,      0x83e, 0x83f, 0xc0000080,
        0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000102, 0x48};

    mov32(g, CX, rnd(g, 4) ? msrs[rnd(g, ARRAY_LEN(msrs))] : (uint32_t)rnd(g, 0x1000));
    mov32(g, AX, (uint32_t)hostile_value(g->r));
    mov32(g, DX, rnd(g, 2) ? 0 : (uint32_t)hostile_value(g->r));
    emit(g, rnd(g, 4) ? 0x300f : 0x320f, 2);
}

/* OUT DX with AL, AX or EAX. */
static void out(struct gen *g, unsigned port, uint32_t val, unsigned size)
{
    mov32(g, DX, port);
    mov32(g, AX, val);
    if (size != 1 && (size == 2) != (g->bits == 16)) {
        emit8(g, 0x66);
    }
    emit8(g, size == 1 ? 0xee : 0xef);
}

static void in(struct gen *g, unsigned port, unsigned size)
{
    mov32(g, DX, port);
    if (size != 1 && (size == 2) != (g->bits == 16)) {
        emit8(g, 0x66);
    }
    emit8(g, size == 1 ? 0xec : 0xed);
}

static unsigned some_port(struct gen *g)
{
    static const uint16_t bases[] = {0x00,
                                     0x20,
                                     0x40,
                                     0x60,
                                     0x70,
                                     0x80,
                                     0x92,
                                     0xa0,
                                     0xb2,
                                     0xc0,
                                     0xe9,
                                     0xf4,
                                     0x170,
                                     0x1ce,
                                     0x1f0,
                                     0x2f8,
                                     0x376,
                                     0x3b0,
                                     0x3c0,
                                     0x3d0,
                                     0x3f0,
                                     0x3f6,
                                     0x3f8,
                                     0x402,
                                     0x4d0,
                                     0x510,
                                     0x514,
                                     0x600,
                                     0xcf8,
                                     0xcf9,
                                     0xcfc,
                                     HOSTILE_IDE_MASTER,
                                     HOSTILE_IDE_MASTER + 8};

    return rnd(g, 8) ? bases[rnd(g, ARRAY_LEN(bases))] + (unsigned)rnd(g, 8)
                     : (unsigned)rnd(g, 65536);
}

static void port_access(struct gen *g)
{
    unsigned port = some_port(g), size = 1u << rnd(g, 3);

    if (rnd(g, 8) == 0) { /* a string of them, from and to anywhere */
        mov32(g, DX, port);
        mov32(g, CX, rnd(g, 32) ? (uint32_t)rnd(g, 600) : (uint32_t)hostile_value(g->r));
        mov32(g, rnd(g, 2) ? SI : DI, (uint32_t)hostile_value(g->r));
        emit8(g, 0xf3);
        emit8(g, 0x6c + (unsigned)rnd(g, 4));
    } else if (rnd(g, 3) == 0) {
        in(g, port, size);
    } else {
        out(g, port, (uint32_t)hostile_value(g->r), size);
    }
}

static void pci_config(struct gen *g)
{
    unsigned reg = (unsigned)rnd(g, 4) ? (unsigned)rnd(g, 24) * 4 : (unsigned)rnd(g, 64) * 4;
    unsigned fn = rnd(g, 4) ? 0 : (unsigned)rnd(g, 4),
             dev = rnd(g, 8) ? (unsigned)rnd(g, 4) : (unsigned)rnd(g, 32);

    out(g, 0xcf8, 0x80000000u | dev << 11 | fn << 8 | reg, 4);
    out(g, 0xcfc + (unsigned)rnd(g, 4), (uint32_t)hostile_value(g->r), 1u << rnd(g, 3));
}

/* A fw_cfg request: at a random place, what stands there is noise or, half the time, this. */
static void fw_cfg_dma(struct gen *g)
{
    uint32_t at = (uint32_t)hostile_value(g->r);

    if (rnd(g, 4)) {
        at &= 0x8fff0;
    }
    out(g, 0x514, rnd(g, 4) ? 0 : (uint32_t)hostile_next(g->r), 4);
    out(g, 0x518, __builtin_bswap32(at), 4);
}

/* The bus master of a channel; what memory holds there is the table. */
static void bus_master(struct gen *g, unsigned channel)
{
    unsigned master = HOSTILE_IDE_MASTER + 8 * channel;

    out(g, master, 0, 1);
    out(g, master + 2, (uint32_t)rnd(g, 256), 1);
    out(g, master + 4, (uint32_t)rnd(g, 0x90000), 4);
    out(g, master, (rnd(g, 4) ? 8 : 0) | 1, 1);
}

static void disk_command(struct gen *g)
{
    static const uint8_t commands[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x42,
                                       0x70, 0x90, 0x91, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8, 0xca,
                                       0xe7, 0xea, 0xec, 0xef, 0xf8, 0x00, 0x08, 0x10, 0xb0, 0xe0,
                                       0x27, 0x3d, 0xce, 0xc9, 0xcb, 0x3c, 0xe5};
    unsigned base = rnd(g, 2) ? 0x1f0 : 0x170;

    out(g, base + 6, (uint32_t)rnd(g, 256) | 0xa0, 1);
    for (unsigned k = 1; k <= 5; k++) {
        out(g, base + k, rnd(g, 3) ? 0 : (uint32_t)rnd(g, 256), 1);
    }
    out(g, base + 7, commands[rnd(g, ARRAY_LEN(commands))], 1);
    if (rnd(g, 2)) {
        bus_master(g, base == 0x170);
        return;
    }
    mov32(g, CX, (uint32_t)rnd(g, 1000));
    mov32(g, rnd(g, 2) ? SI : DI, 0x60000 + (uint32_t)rnd(g, 0x8000));
    mov32(g, DX, base);
    emit(g, rnd(g, 2) ? 0x6df3 : 0x6ff3, 2);
}

/* SMART, whose commands lie behind a signature. */
static void smart(struct gen *g)
{
    static const uint8_t features[] = {0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd4,
                                       0xd4, 0xd5, 0xd8, 0xd8, 0xd9, 0xda};

    out(g, 0x1f6, 0xa0, 1);
    out(g, 0x1f1, features[rnd(g, ARRAY_LEN(features))], 1);
    out(g, 0x1f2, rnd(g, 4) ? 1 : (uint32_t)rnd(g, 256), 1);
    out(g, 0x1f3, (uint32_t)(rnd(g, 8) | (rnd(g, 2) ? 0 : 0x80)), 1);
    out(g, 0x1f4, 0x4f, 1);
    out(g, 0x1f5, 0xc2, 1);
    out(g, 0x1f7, 0xb0, 1);
    if (rnd(g, 4) == 0) { /* a reset while it may still be busy */
        out(g, 0x3f6, 4, 1);
        out(g, 0x3f6, 0, 1);
    }
}

static void packet_command(struct gen *g)
{
    static const uint8_t commands[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b,
                                       0x42, 0x43, 0x44, 0x46, 0x4a, 0x51, 0x52, 0x55,
                                       0x5a, 0xa8, 0xad, 0xbe, 0xb9, 0xbd};

    bool dma = rnd(g, 2);

    out(g, 0x176, 0xa0, 1);
    out(g, 0x171, dma, 1);
    out(g, 0x174, (uint32_t)rnd(g, 256), 1);
    out(g, 0x175, (uint32_t)rnd(g, 256), 1);
    out(g, 0x177, 0xa0, 1);
    if (rnd(g, 2)) { /* a read of sectors that are there: READ, READ CD */
        unsigned count = (unsigned)rnd(g, 200);

        out(g, 0x170, rnd(g, 2) ? 0x28 : 0xbe, 4);
        out(g, 0x170, (uint32_t)(rnd(g, 2) | rnd(g, 200) << 8), 4);
        out(g, 0x170, count | (rnd(g, 2) ? 0xf800 : 0x1000), 4);
    } else {
        out(g, 0x170, commands[rnd(g, ARRAY_LEN(commands))] | (uint32_t)rnd(g, 65536) << 16, 4);
        out(g, 0x170, (uint32_t)(hostile_next(g->r) & hostile_next(g->r)), 4);
        out(g, 0x170, (uint32_t)(hostile_next(g->r) & hostile_next(g->r)), 4);
    }
    if (dma) {
        bus_master(g, 1);
        return;
    }
    mov32(g, CX, (uint32_t)rnd(g, 3000));
    mov32(g, DX, 0x170);
    emit(g, 0x6df3, 2);
}

/* A transfer that the drive can do, at the rate of its disk. */
static void floppy_transfer(struct gen *g)
{
    static const uint8_t commands[] = {0xe6, 0xc6, 0xcc, 0x42, 0xc5, 0x45, 0xd6,
                                       0x4d, 0x51, 0x59, 0x5d, 0x4a, 0x66};
    unsigned code = commands[rnd(g, ARRAY_LEN(commands))], head = (unsigned)rnd(g, 2);
    const unsigned ids[] = {
        head << 2, (unsigned)rnd(g, 80), head, 1 + (unsigned)rnd(g, 18), 2, 18, 0x1b, 0xff};
    const unsigned format[] = {head << 2, 2, 1 + (unsigned)rnd(g, 18), 0x54, 0xf6};

    out(g, 0x3f7, 0, 1);
    out(g, 0x0b, rnd(g, 2) ? 0x46 : 0x4a, 1);
    out(g, 0x3f5, code, 1);
    for (unsigned k = 0; k < (code == 0x4a ? 1 : code == 0x4d ? 5 : 8); k++) {
        out(g, 0x3f5, code == 0x4d ? format[k] : ids[k], 1);
    }
}

static void floppy_command(struct gen *g)
{
    static const uint8_t commands[] = {0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
                                       0x0c, 0x0d, 0x0f, 0x0e, 0x10, 0x12, 0x13, 0x14, 0x16,
                                       0x17, 0x18, 0x33, 0x4d, 0x8e, 0xc5, 0xe6, 0xff};

    out(g, 0x3f2, rnd(g, 8) ? 0x1c : (uint32_t)rnd(g, 256), 1);
    out(g, 0x0b, (uint32_t)rnd(g, 256), 1);
    out(g, 0x0c, 0, 1);
    for (unsigned k = 0; k < 2; k++) {
        out(g, 0x04, (uint32_t)rnd(g, 256), 1);
        out(g, 0x05, (uint32_t)rnd(g, 256), 1);
    }
    out(g, 0x81, (uint32_t)rnd(g, 16), 1);
    out(g, 0x0a, 2, 1);
    if (rnd(g, 2)) {
        floppy_transfer(g);
    } else {
        out(g, 0x3f5, commands[rnd(g, ARRAY_LEN(commands))], 1);
        for (unsigned k = 0; k < 8; k++) {
            out(g, 0x3f5, rnd(g, 2) ? (uint32_t)rnd(g, 20) : (uint32_t)rnd(g, 256), 1);
        }
    }
    for (unsigned k = (unsigned)rnd(g, 8); k > 0; k--) {
        in(g, 0x3f5, 1);
    }
}

/* The keyboard controller and what hangs at it. */
static void keyboard(struct gen *g)
{
    static const uint8_t commands[] = {0x20, 0x60, 0x7f, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae,
                                       0xc0, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd4, 0xd4, 0xdd, 0xdf};
    static const uint8_t bytes[] = {0xff, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf0, 0xee, 0xed, 0xeb,
                                    0xea, 0xe9, 0xe8, 0xe7, 0xe6, 0x00, 0x02, 0x47, 0xc8, 0x64};

    out(g, 0x64, commands[rnd(g, ARRAY_LEN(commands))], 1);
    for (unsigned k = (unsigned)rnd(g, 4); k > 0; k--) {
        out(g, 0x60, rnd(g, 4) ? bytes[rnd(g, ARRAY_LEN(bytes))] : (uint32_t)rnd(g, 256), 1);
        in(g, 0x60, 1);
    }
}

/* Power management comes into being through configuration space. */
static void power(struct gen *g)
{
    out(g, 0xcf8, 0x80000b40, 4);
    out(g, 0xcfc, 0x601, 4);
    out(g, 0xcf8, 0x80000b80, 4);
    out(g, 0xcfc, 1, 1);
    if (rnd(g, 2)) { /* the SMBus host controller likewise, by the command register too */
        out(g, 0xcf8, 0x80000b04, 4);
        out(g, 0xcfc, 1, 1);
        out(g, 0xcf8, 0x80000b90, 4);
        out(g, 0xcfc, 0x701, 4);
        out(g, 0xcf8, 0x80000bd0, 4);
        out(g, 0xcfe, 9, 1);
        out(g, 0x700 + (unsigned)rnd(g, 16), (uint32_t)rnd(g, 256), 1);
    }
    for (unsigned k = 0; k < 4; k++) {
        out(g, 0x600 + (unsigned)rnd(g, 64), (uint32_t)hostile_value(g->r), 1u << rnd(g, 3));
    }
}

/* The display: its registers by index, then a mode that somebody will have to draw. */
static void display(struct gen *g)
{
    static const uint16_t pairs[] = {0x3c4, 0x3ce, 0x3d4, 0x3b4, 0x1ce};
    unsigned port = pairs[rnd(g, ARRAY_LEN(pairs))];

    for (unsigned k = 0; k < 4; k++) {
        if (port == 0x1ce) {
            out(g, 0x1ce, (uint32_t)rnd(g, 12), 2);
            out(g, 0x1cf, (uint32_t)hostile_value(g->r), 2);
        } else {
            out(g, port, (uint32_t)(rnd(g, 26) | rnd(g, 256) << 8), 2);
        }
    }
    in(g, 0x3da, 1);
    out(g, 0x3c0, (uint32_t)rnd(g, 64), 1);
    out(g, 0x3c0, (uint32_t)rnd(g, 256), 1);
}

/* Saved state of the processor's extensions, at any address and of any contents. */
static void extended_state(struct gen *g)
{
    static const uint16_t ops[] = {0x03ae, 0x0bae, 0x23ae, 0x2bae, 0x33ae, 0x23c7, 0x13ae, 0x1bae};

    mov32(g, BX, ((uint32_t)rnd(g, 0x80000) & ~63u) | (rnd(g, 8) ? 0 : (uint32_t)rnd(g, 64)));
    mov32(g, AX, (uint32_t)rnd(g, 8));
    mov32(g, DX, rnd(g, 8) ? 0 : (uint32_t)hostile_next(g->r));
    if (rnd(g, 4) == 0) {
        mov32(g, CX, 0);
        emit(g, 0xd1010f, 3); /* xsetbv */
    }
    if (g->bits == 16) {
        emit8(g, 0x67);
    }
    if (g->bits == 64 && rnd(g, 2)) {
        emit8(g, 0x48);
    }
    emit8(g, 0x0f);
    emit(g, ops[rnd(g, ARRAY_LEN(ops))], 2);
}

/* Far transfers to selectors that stand for something, also for tasks. */
static void far_transfer(struct gen *g)
{
    unsigned sel = (unsigned)rnd(g, 0x20) * 8 + (rnd(g, 4) ? 0 : 3);

    if (g->bits == 64) {
        mov32(g, BX, (uint32_t)rnd(g, 0x80000) & ~7u);
        emit(g, rnd(g, 2) ? 0x2bff : 0x1bff, 2); /* jmp, call far [rbx] */
        return;
    }
    emit8(g, rnd(g, 2) ? 0xea : 0x9a);
    emit(g, 0x40000 + rnd(g, 0x20000), g->bits / 8);
    emit(g, sel, 2);
}

/* A store to a device's or any other address. */
static void mmio(struct gen *g)
{
    static const uint32_t bases[] = {0xfee00000, 0xfec00000, 0xa0000,    0xb8000,
                                     0xe0000,    0xf0000,    0xfd000000, 0xfed00000};
    unsigned which = (unsigned)rnd(g, ARRAY_LEN(bases));
    uint32_t at = bases[which] + (uint32_t)(which == 0 ? rnd(g, 0x40) * 16 : rnd(g, 0x4000));
    static const uint8_t ops[] = {0x89, 0x8b, 0x88, 0x01, 0x87, 0x31, 0x8a, 0x21};

    mov32(g, AX, (uint32_t)hostile_value(g->r));
    mov32(g, BX, rnd(g, 8) ? at : (uint32_t)hostile_value(g->r));
    if (g->bits == 16) {
        emit8(g, 0x67);
        if (rnd(g, 2)) {
            emit8(g, 0x66);
        }
    }
    emit8(g, ops[rnd(g, ARRAY_LEN(ops))]);
    emit8(g, 0x03); /* [(e)bx], eax */
}

/* Accesses that straddle pages, strings with any count and direction, stores into code. */
static void memory(struct gen *g)
{
    static const uint8_t strings[] = {0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xae, 0xaf, 0xac, 0xad};

    if (rnd(g, 2)) {
        mov32(g, CX, rnd(g, 32) ? (uint32_t)rnd(g, 300) : (uint32_t)hostile_value(g->r));
        mov32(g, SI, (uint32_t)hostile_value(g->r));
        mov32(g, DI,
              rnd(g, 2) ? (uint32_t)hostile_value(g->r) : 0x40000 + (uint32_t)rnd(g, 0x20000));
        emit8(g, rnd(g, 4) ? 0xfc : 0xfd);
        emit8(g, rnd(g, 2) ? 0xf3 : 0xf2);
        some_prefixes(g);
        emit8(g, strings[rnd(g, ARRAY_LEN(strings))]);
    } else {
        mov32(g, BX, (uint32_t)rnd(g, 16 << 20) | 0xff8);
        other_maps(g);
    }
}

/* The event timers, on a short leash: run, route, interrupt. */
static void event_timer_access(struct gen *g, uint32_t reg, uint32_t val, bool write)
{
    mov32(g, AX, val);
    mov32(g, BX, 0xfed00000 + reg);
    if (g->bits == 16) {
        emit(g, 0x6667, 2);
    }
    emit8(g, write ? 0x89 : 0x8b);
    emit8(g, 0x03);
}

static void event_timers(struct gen *g)
{
    if (rnd(g, 2)) {
        event_timer_access(g, 0x10, 1 | (uint32_t)rnd(g, 4), true);
    }
    for (unsigned k = 2 + (unsigned)rnd(g, 4); k > 0; k--) {
        uint32_t reg = rnd(g, 4) ? 0x100 + 0x20 * (uint32_t)rnd(g, 3) + 4 * (uint32_t)rnd(g, 6)
                                 : 0x10 * (uint32_t)rnd(g, 16);

        event_timer_access(g, reg,
                           rnd(g, 2) ? (uint32_t)rnd(g, 0x8000) : (uint32_t)hostile_value(g->r),
                           rnd(g, 4));
    }
}

/* A jump to somewhere near, so that code is run again, also from its middle. */
static void branch(struct gen *g)
{
    switch (rnd(g, 5)) {
    case 0:
        emit8(g, 0xeb);
        emit8(g, (unsigned)rnd(g, 256));
        break;
    case 1:
        emit8(g, 0x70 + (unsigned)rnd(g, 16));
        emit8(g, (unsigned)rnd(g, 256));
        break;
    case 2:
        emit8(g, rnd(g, 2) ? 0xe8 : 0xe9);
        emit(g, (uint64_t)(int64_t)((int)rnd(g, 0x4000) - 0x2000), g->bits == 16 ? 2 : 4);
        break;
    case 3:
        emit8(g, 0xe0 + (unsigned)rnd(g, 4));
        emit8(g, (unsigned)rnd(g, 256));
        break;
    default:
        emit8(g, 0xc3);
        break;
    }
}

static void noise(struct gen *g)
{
    emit(g, hostile_next(g->r), 1 + (unsigned)rnd(g, 8));
}

void hostile_code(struct hostile_rand *r, uint8_t *buf, size_t len, unsigned bits)
{
    static void (*const kinds[])(struct gen * g) = {
        one_map,        one_map,        other_maps, other_maps,   x87,
        system_op,      system_op,      msr,        port_access,  port_access,
        pci_config,     mmio,           mmio,       fw_cfg_dma,   disk_command,
        packet_command, floppy_command, memory,     memory,       branch,
        branch,         keyboard,       power,      display,      extended_state,
        far_transfer,   noise,          smart,      event_timers,
    };
    struct gen g = {r, buf, buf + len, bits};

    while (g.p < g.end) {
        kinds[rnd(&g, ARRAY_LEN(kinds))](&g);
    }
}

/* Data ----------------------------------------------------------------------------------------- */

void hostile_noise(struct hostile_rand *r, uint8_t *buf, size_t len, uint32_t code,
                   uint32_t code_len)
{
    for (size_t k = 0; k + 8 <= len; k += 8) {
        uint64_t v = hostile_next(r);

        switch (v >> 60) {
        case 0:
        case 1: /* an address */
            v = hostile_value(r);
            break;
        case 2:
        case 3:
        case 4: /* a pointer to code, near or far */
            v = code + hostile_below(r, code_len) + (v & 3 ? 0 : (v & 0xfff8) << 32);
            break;
        case 5: /* what fw_cfg takes for a request, big-endian */
            v = __builtin_bswap64((v & 0x3f0000001full) << 32 | (v >> 20 & 0x1ffff));
            break;
        case 6: /* and its address */
            v = __builtin_bswap64(hostile_value(r));
            break;
        case 7: /* a page-table entry */
            v = (hostile_value(r) & 0xfffffff000ull) | 0x67;
            break;
        case 8: /* a descriptor of any kind with a low base */
            v = (v & 0x00ffff000000ffffull) | 0x0000800000000000ull | (v & 0xffff) << 16;
            break;
        default:
            break;
        }
        st_le64(buf + k, v);
    }
}
