/* See hostile.h.  Not modelled: several processors. */
#include "tests/hostile.h"
#include "tests/rig.h"
#include "accel/interp.h"
#include "cpu/sys.h"
#include "hw/pc.h"
#include "tests/hostile_code.h"
#include <errno.h>
#include <sys/mman.h>

enum {
    RAM_BYTES = 16 * MiB,
    ROM_BYTES = 64 * KiB,
    IVT = 0,
    GDT = 0x1000,
    IDT = 0x2000,
    TSS = 0x3000,
    TASKS = 0x3800,   /* more TSSs, of 256 bytes */
    TABLES = 0x10000, /* page tables: 32 pages, every mode makes its own tree */
    CODE = 0x40000,
    CODE_BYTES = 0x20000,
    STACKS = 0x70000,
    FRESH_BYTES = 0x90000, /* filled for every program; the memory above begins with zeros */
    PAGE = 4096,
};
/* Selectors that are what they seem to be; the other descriptors are random. */
enum { K_CODE = 0x08, K_DATA = 0x10, U_CODE = 0x1b, U_DATA = 0x23, K_TSS = 0x28, U_CODE64 = 0x33 };

struct hostile {
    struct machine *m;
    struct vcpu *v;
    struct cpu *c;
    uint8_t *ram;
    struct ram *block;
    struct hostile_rand r;
    enum hostile_mode mode;
    enum hostile_kind kind;
    /* the watchdog asks the processor to stop when this time (monotonic, us) has come; 0: never */
    _Atomic int64_t stop_at;
    _Atomic bool quit;
    GThread *watchdog;
};

/* The machine -----------------------------------------------------------------------------------
 */

static int disk_read(void *img, uint64_t off, void *buf, size_t len)
{
    memset(buf, (int)(off / SECTOR_BYTES), len);
    return img && off % (97 * SECTOR_BYTES) == 0 ? EIO : 0;
}

static int disk_write(void *img, uint64_t off, const void *buf, size_t len)
{
    (void)img;
    (void)buf;
    (void)len;
    return off % (89 * SECTOR_BYTES) == 0 ? EIO : 0;
}

static int disk_flush(void *img)
{
    (void)img;
    return 0;
}

static void disk_close(void *img)
{
    (void)img;
}

/* A medium without contents, some of whose sectors are bad. */
static struct block *disk_new(uint64_t sectors, bool readonly)
{
    static const struct block_ops ops = {.name = "nothing",
                                         .read_at = disk_read,
                                         .write_at = disk_write,
                                         .flush = disk_flush,
                                         .close = disk_close};
    struct block *b = g_new0(struct block, 1);

    b->ops = &ops;
    b->img = b;
    b->sectors = sectors;
    b->readonly = readonly;
    b->path = g_strdup("nothing");
    return b;
}

static GBytes *random_rom(struct hostile_rand *r)
{
    uint8_t *rom = g_malloc(ROM_BYTES);

    hostile_code(r, rom, ROM_BYTES, 16);
    return g_bytes_new_take(rom, ROM_BYTES);
}

static void configure(struct vm_config *c)
{
    vm_config_init(c);
    c->memory = RAM_BYTES;
    c->rtc_base = g_strdup("2001-02-03T04:05:06");
    c->debug_exit_port = 0xf4;
    c->drives[0] = (struct drive_config){.used = true, .file = g_strdup("disk")};
    c->drives[1] = (struct drive_config){
        .used = true, .file = g_strdup("cd"), .media = DRIVE_CDROM, .index = 2};
    c->drives[2] =
        (struct drive_config){.used = true, .file = g_strdup("floppy"), .interface = DRIVE_FLOPPY};
    c->nics[0].used = true;
    c->no_shutdown = true;
}

static gpointer watch(gpointer data)
{
    struct hostile *h = data;

    while (!atomic_load(&h->quit)) {
        int64_t at = atomic_load(&h->stop_at);

        if (at && g_get_monotonic_time() >= at) {
            vcpu_request(h->v, VCPU_REQ_STOP);
        }
        g_usleep(1000);
    }
    return NULL;
}

struct hostile *hostile_new(enum hostile_kind kind, GError **err)
{
    struct hostile *h = g_new0(struct hostile, 1);
    struct vm_config c;

    hostile_seed(&h->r, 0, 0);
    h->kind = kind;
    configure(&c);
    c.jit_hot = 1;
    c.max_insns = kind == HOSTILE_COUNTED ? HOSTILE_BUDGET : 0;
    h->m = machine_new(&c, rig_accel_ops());
    vm_config_clear(&c);
    if (kind != HOSTILE_LIVE) {
        machine_lock(h->m);
        clock_set_stepped(h->m);
        machine_unlock(h->m);
    }
    h->m->bios_image = random_rom(&h->r);
    h->m->vga_bios_image = random_rom(&h->r);
    h->m->drives[0] = disk_new(20000, false);
    h->m->drives[1] = disk_new(2000, true);
    h->m->drives[2] = disk_new(2880, false);
    h->m->fault_shown = true; /* triple faults are what we are here for */
    if (!machine_build(h->m, &pc_board, err)) {
        machine_free(h->m);
        g_free(h);
        return NULL;
    }
    h->v = h->m->vcpus[0];
    h->c = h->v->cpu;
    h->block = g_ptr_array_index(h->m->rams, 0);
    for (unsigned i = 0; i < h->m->rams->len; i++) {
        struct ram *ram = g_ptr_array_index(h->m->rams, i);

        h->block = ram->size > h->block->size ? ram : h->block;
    }
    h->ram = h->block->host;
    h->watchdog = kind == HOSTILE_LIVE ? NULL : g_thread_new("watchdog", watch, h);
    return h;
}

void hostile_free(struct hostile *h)
{
    if (h->watchdog) {
        atomic_store(&h->quit, true);
        g_thread_join(h->watchdog);
    }
    machine_free(h->m);
    g_free(h);
}

struct machine *hostile_machine(struct hostile *h)
{
    return h->m;
}

/* The tables in memory --------------------------------------------------------------------------
 */

static uint64_t below(struct hostile *h, uint64_t n)
{
    return hostile_below(&h->r, n);
}

static uint64_t some_code(struct hostile *h)
{
    return CODE + below(h, CODE_BYTES);
}

static void put_desc(struct hostile *h, unsigned sel, uint32_t base, uint32_t limit, unsigned attr)
{
    uint8_t *p = h->ram + GDT + (sel & ~7u);

    st_le32(p, (limit & 0xffff) | base << 16);
    st_le32(p + 4, (base >> 16 & 0xff) | attr << 8 | (limit & 0xf0000) | (base & 0xff000000));
}

/* A gate of any type; most lead into code. */
static void put_gate(struct hostile *h, uint8_t *p, bool wide)
{
    static const uint8_t types[] = {0x8e, 0xee, 0x8f, 0xef, 0x85, 0xe5, 0x86, 0xe7, 0x8c, 0xec};
    static const uint16_t sels[] = {K_CODE, K_CODE, K_CODE, U_CODE, K_TSS,
                                    0x40,   0x48,   0x50,   0x58,   0x80};
    uint64_t off = some_code(h);

    st_le16(p, (uint16_t)off);
    st_le16(p + 2, sels[below(h, below(h, 8) ? 3 : ARRAY_LEN(sels))]);
    p[4] = (uint8_t)(below(h, 16) ? 0 : below(h, 256));
    p[5] = types[below(h, below(h, 8) ? 4 : ARRAY_LEN(types))];
    st_le16(p + 6, (uint16_t)(off >> 16));
    if (wide) {
        st_le64(p + 8, below(h, 32) ? 0 : hostile_next(&h->r));
    }
}

/* Tasks to switch to, of both kinds; their state is mostly fit to run. */
static void put_tasks(struct hostile *h)
{
    for (unsigned k = 0; k < 8; k++) {
        uint8_t *p = h->ram + TASKS + 0x100 * k;
        bool old = k & 1; /* of the 286 */

        hostile_noise(&h->r, p, 0x100, CODE, CODE_BYTES);
        put_desc(h, 0x40 + 8 * k, TASKS + 0x100 * k, old ? 0x2b : 0xff, old ? 0xe1 : 0xe9);
        for (unsigned seg = 0; seg < 6; seg++) {
            st_le16(p + (old ? 0x22 + 2 * MIN(seg, 3) : 0x48 + 4 * seg),
                    seg == 1 ? K_CODE : K_DATA);
        }
        st_le16(p + (old ? 0x2a : 0x60), 0);
        if (old) {
            st_le16(p + 0x0e, (uint16_t)below(h, 65536));
        } else {
            st_le32(p + 0x1c, TABLES);
            st_le32(p + 0x20, (uint32_t)some_code(h));
            st_le32(p + 0x24, (uint32_t)below(h, 1u << (below(h, 4) ? 15 : 18)));
        }
        p[below(h, 0x68)] = (uint8_t)below(h, 256);
    }
}

static void put_tables(struct hostile *h)
{
    bool wide = h->mode >= HOSTILE_COMPAT;
    unsigned code = wide && h->mode == HOSTILE_LONG ? 0xa09b
                    : h->mode == HOSTILE_PROT16     ? 0x9b
                                                    : 0xc09b;
    unsigned flat = h->mode == HOSTILE_PROT16 ? 0x93 : 0xc093;

    hostile_noise(&h->r, h->ram + IVT, 0x400, CODE, CODE_BYTES);
    for (unsigned k = 0; k < 256; k++) {
        st_le32(h->ram + IVT + 4 * k, (uint32_t)(CODE >> 4) << 16 | (uint16_t)below(h, 65536));
    }
    hostile_noise(&h->r, h->ram + GDT, 0x1000, CODE, CODE_BYTES);
    put_desc(h, 0, 0, 0, 0);
    put_desc(h, K_CODE, 0, 0xfffff, wide ? 0xa09b : code);
    put_desc(h, K_DATA, 0, 0xfffff, flat);
    put_desc(h, U_CODE, 0, 0xfffff, (h->mode == HOSTILE_COMPAT ? 0xc09b : code) | 0x60);
    put_desc(h, U_DATA, 0, 0xfffff, flat | 0x60);
    put_desc(h, K_TSS, TSS, 0x7ff, 0x8b);
    if (wide) {
        st_le64(h->ram + GDT + K_TSS + 8, 0);
    }
    for (unsigned sel = 0x40; sel < 0x100; sel += 8) { /* random ones, mostly present */
        h->ram[GDT + sel + 5] |= below(h, 4) ? 0x80 : 0;
    }
    put_tasks(h);
    for (unsigned k = 0; k < 256; k++) {
        put_gate(h, h->ram + IDT + (wide ? 16 * k % PAGE : 8 * k), wide);
    }
    hostile_noise(&h->r, h->ram + TSS, 0x800, CODE, CODE_BYTES);
    for (unsigned k = 4; k < 0x68; k += 8) { /* inner stacks and ISTs that can be used */
        st_le64(h->ram + TSS + k, STACKS + (below(h, 0x8000) & ~7ull));
        if (!wide) {
            st_le16(h->ram + TSS + k + 4, K_DATA);
        }
    }
    st_le16(h->ram + TSS + 0x66, 0x68 + 0x20);
}

static uint64_t leaf_bits(struct hostile *h)
{
    uint64_t bits = 0x67;

    switch (below(h, 24)) {
    case 0:
        return hostile_next(&h->r); /* anything: reserved bits, no page, wild addresses */
    case 1:
        return bits & ~(uint64_t)BIT(below(h, 7));
    case 2:
        return bits | BIT(below(h, 12));
    default:
        return bits;
    }
}

/* 16 MiB one to one, the devices below 4 GiB, and a part of the tree is nonsense. */
static void put_paging32(struct hostile *h)
{
    for (unsigned k = 0; k < 1024; k++) {
        uint32_t at = k < 4 ? TABLES + PAGE * (1 + k) : k << 22;
        uint64_t bits = k < 4 ? 0x67 : leaf_bits(h) | 0x80;

        st_le32(h->ram + TABLES + 4 * k, at | (uint32_t)bits);
    }
    for (unsigned k = 0; k < 4096; k++) {
        st_le32(h->ram + TABLES + PAGE + 4 * k, k << 12 | (uint32_t)leaf_bits(h));
    }
}

/* Three or four levels from `top`; the page directories follow it, then the page tables. */
static void put_paging64(struct hostile *h, unsigned top)
{
    unsigned dirs = top + PAGE, tables = dirs + 4 * PAGE;

    for (unsigned k = 0; k < 4; k++) {
        st_le64(h->ram + top + 8 * k, (dirs + PAGE * k) | (h->mode == HOSTILE_PAE32 ? 1 : 7));
        for (unsigned j = 0; j < 512; j++) {
            uint64_t pa = ((uint64_t)k << 30) | (uint64_t)j << 21;
            uint64_t val = k || j >= 8 ? pa | 0x80 | leaf_bits(h) : (tables + PAGE * j) | 0x67;

            st_le64(h->ram + dirs + PAGE * k + 8 * j, val);
        }
    }
    for (unsigned k = 0; k < 4096; k++) {
        uint64_t nx = below(h, 16) ? 0 : BIT64(63);

        st_le64(h->ram + tables + 8 * k, (uint64_t)k << 12 | leaf_bits(h) | nx);
    }
}

static void put_paging(struct hostile *h)
{
    if (h->mode == HOSTILE_PAGED32) {
        put_paging32(h);
    } else if (h->mode == HOSTILE_PAE32) {
        put_paging64(h, TABLES);
    } else if (h->mode >= HOSTILE_COMPAT) {
        hostile_noise(&h->r, h->ram + TABLES, PAGE, CODE, CODE_BYTES);
        st_le64(h->ram + TABLES, (TABLES + PAGE) | 7);
        put_paging64(h, TABLES + PAGE);
    }
}

/* The processor ---------------------------------------------------------------------------------
 */

static void set_seg(struct hostile *h, unsigned seg, unsigned sel)
{
    const uint8_t *p = h->ram + GDT + (sel & ~7u);
    struct desc d = {.lo = ld_le32(p), .hi = ld_le32(p + 4), .addr = GDT + (sel & ~7u)};

    h->c->seg[seg] = (struct seg){.sel = (uint16_t)sel,
                                  .attr = (uint16_t)desc_attr(&d),
                                  .limit = desc_limit(&d),
                                  .base = desc_base(&d)};
}

static void set_protected(struct hostile *h)
{
    struct cpu *c = h->c;
    bool user = h->mode == HOSTILE_COMPAT || below(h, 3) == 0;

    c->cr0 |= CR0_PE | (below(h, 2) ? CR0_AM : 0) | (below(h, 2) ? CR0_WP : 0);
    c->gdtr = (struct dtable){GDT, 0xfff};
    c->idtr = (struct dtable){IDT, 0xfff};
    for (unsigned k = 0; k < SEG_LDTR; k++) {
        set_seg(h, k, k == SEG_CS ? (user ? U_CODE : K_CODE) : (user ? U_DATA : K_DATA));
    }
    set_seg(h, SEG_TR, K_TSS);
    c->cpl = user ? 3 : 0;
    c->cr3 = TABLES;
    switch (h->mode) {
    case HOSTILE_PAGED32:
        c->cr4 |= CR4_PSE;
        c->cr0 |= CR0_PG;
        break;
    case HOSTILE_PAE32:
        c->cr4 |= CR4_PAE;
        c->efer |= below(h, 2) ? EFER_NXE : 0;
        c->cr0 |= CR0_PG;
        for (unsigned k = 0; k < 4; k++) {
            c->pdpte[k] = ld_le64(h->ram + TABLES + 8 * k);
        }
        break;
    case HOSTILE_COMPAT:
    case HOSTILE_LONG:
        c->cr4 |= CR4_PAE;
        c->efer |= EFER_LME | EFER_LMA | EFER_SCE | (below(h, 8) ? EFER_NXE : 0);
        c->cr0 |= CR0_PG;
        break;
    default:
        break;
    }
}

static void set_real(struct hostile *h)
{
    struct cpu *c = h->c;

    c->idtr = (struct dtable){IVT, 0x3ff};
    if (h->mode == HOSTILE_V86) {
        set_protected(h);
        c->eflags |= FLAG_VM | (uint32_t)below(h, 4) << 12;
        c->cpl = 3;
    }
    for (unsigned k = 0; k < SEG_LDTR; k++) {
        cpu_load_seg_real(c, k,
                          k == SEG_CS   ? CODE >> 4
                          : k == SEG_SS ? STACKS >> 4
                                        : (uint16_t)below(h, 65536));
        if (h->mode == HOSTILE_UNREAL && k != SEG_CS) {
            c->seg[k].base = 0;
            c->seg[k].limit = ~0u;
        }
    }
}

static void set_registers(struct hostile *h)
{
    struct cpu *c = h->c;

    for (unsigned k = 0; k < 16; k++) {
        c->r[k] = hostile_value(&h->r);
        if (h->mode < HOSTILE_LONG) {
            c->r[k] = (uint32_t)c->r[k];
        }
    }
    c->r[R_RCX] &= below(h, 4) ? 0xff : ~0ull;
    c->r[R_RSP] = (STACKS & (h->mode <= HOSTILE_V86 ? 0 : ~0u)) + (below(h, 0x10000) & ~7ull);
    c->eflags |= (uint32_t)hostile_next(&h->r) & (FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_AC);
    c->eflags |= below(h, 16) ? 0 : FLAG_TF | FLAG_NT;
    c->cr4 |= (uint32_t)hostile_next(&h->r) &
              (CR4_VME | CR4_PVI | CR4_DE | CR4_PGE | CR4_UMIP | CR4_FSGSBASE);
    c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    c->cr4 |= below(h, 8) ? 0 : CR4_SMEP | CR4_SMAP;
    c->cr0 |= below(h, 8) ? CR0_NE : 0;
    c->fpu.xcr0 = below(h, 8) ? 7 : 1;
    c->fpu.mxcsr = below(h, 2) ? 0x1f80 : (uint32_t)hostile_next(&h->r) & 0xffff;
    st_le16(c->fpu.fxsave, below(h, 2) ? 0x37f : (uint16_t)(hostile_next(&h->r) & 0xf3f) | 0x40);
    if (below(h, 16) == 0) {
        for (unsigned k = 0; k < 4; k++) {
            c->dr[k] = some_code(h);
        }
        c->dr[7] = 0x400 | ((uint32_t)hostile_next(&h->r) & 0xffff00ff);
    }
}

/* From power-on state to somewhere in the mode. */
static void begin(struct hostile *h)
{
    struct cpu *c = h->c;

    rig_accel(h->m)->vcpu_reset(h->v);
    atomic_fetch_and(&h->v->requests, VCPU_REQ_INTR | VCPU_REQ_CODE | VCPU_REQ_STOP);
    c->cr0 = CR0_ET;
    if (h->mode <= HOSTILE_V86) {
        set_real(h);
    } else {
        set_protected(h);
    }
    set_registers(h);
    c->ip = h->mode <= HOSTILE_V86 ? below(h, 0xf000) : some_code(h);
    mmu_flush(c, true);
    cpu_update_mode(c);
}

static unsigned code_bits(enum hostile_mode mode)
{
    return mode == HOSTILE_LONG ? 64 : mode <= HOSTILE_PROT16 ? 16 : 32;
}

/* What firmware does for the IDE controller: the legacy ports and the bus masters answer. */
static void enable_ide(struct machine *m)
{
    static const struct {
        uint8_t reg;
        uint32_t val;
    } rows[] = {{0x40, 0x80008000}, {0x20, HOSTILE_IDE_MASTER}, {0x04, 5}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        port_write_locked(m, 0xcf8, 0x80000900u | rows[i].reg, 4);
        port_write_locked(m, 0xcfc, rows[i].val, 4);
    }
}

/* As after firmware, but for what the program finds in memory. */
static void fill(struct hostile *h)
{
    machine_lock(h->m);
    machine_reset(h->m);
    enable_ide(h->m);
    madvise(h->ram + FRESH_BYTES, RAM_BYTES - FRESH_BYTES, MADV_DONTNEED);
    hostile_noise(&h->r, h->ram, FRESH_BYTES, CODE, CODE_BYTES);
    hostile_code(&h->r, h->ram + CODE, CODE_BYTES, code_bits(h->mode));
    put_tables(h);
    put_paging(h);
    if (h->mode == HOSTILE_V86) { /* the table of protected mode lies elsewhere */
        h->c->cr3 = TABLES;
    }
    ram_mark_written(h->block, 0, RAM_BYTES, NULL);
    machine_unlock(h->m);
}

/* Let device time pass and all that was posted happen; a pause or an end is not for ever. */
static void breathe(struct hostile *h, int64_t ns)
{
    struct machine *m = h->m;

    machine_lock(m);
    clock_step(m, ns);
    for (unsigned i = 0; i < 4; i++) {
        block_drain(m);
        loop_run_posts(m);
    }
    if (m->paused) {
        machine_resume(m);
    }
    if (atomic_load(&m->end) != END_NONE) {
        atomic_store(&m->end, END_NONE);
        vcpu_clear(h->v, VCPU_REQ_STOP);
    }
    machine_unlock(m);
}

/* What somebody who sits at the machine does: types, moves the mouse, looks at the screen and at
 * the devices. */
static void look(struct hostile *h)
{
    struct machine *m = h->m;
    struct surface s = {0};
    GString *out = g_string_new(NULL);

    machine_lock(m);
    for (unsigned k = 0; k < 8; k++) {
        input_key(m, (unsigned)below(h, 256), below(h, 2));
        input_pointer(m, (int)below(h, 600) - 300, (int)below(h, 600) - 300, (int)below(h, 5) - 2,
                      (unsigned)below(h, 8));
    }
    if (m->display) {
        if (below(h, 2)) {
            m->display->shot(m->display_dev, &s);
        } else {
            m->display->draw(m->display_dev, &s);
        }
        display_text_utf8(m, out);
    }
    for (unsigned k = 0; k < m->devices->len; k++) {
        struct device *dev = g_ptr_array_index(m->devices, k);

        if (dev->ops->state) {
            state_print(dev->ops->state, dev, 0, out);
        }
        if (dev->ops->info) {
            dev->ops->info(dev, out);
        }
        g_string_truncate(out, 0);
    }
    cpu_print(h->c, out);
    interp_fault_report(h->v, out);
    machine_unlock(m);
    surface_free(&s);
    g_string_free(out, TRUE);
}

bool hostile_run(struct hostile *h, uint64_t seed, enum hostile_mode mode, unsigned limit_ms,
                 unsigned grace_ms, const void *code, size_t len)
{
    int64_t end;
    unsigned halts = 0, turns = 0;

    hostile_seed(&h->r, seed, (unsigned)mode);
    h->mode = mode;
    fill(h);
    begin(h);
    h->c->icount = 0;
    if (code) {
        len = MIN(len, CODE_BYTES);
        memcpy(h->ram + CODE, code, len);
        h->c->ip = mode <= HOSTILE_V86 ? 0 : CODE;
    }
    end = g_get_monotonic_time() + limit_ms * 1000;
    atomic_store(&h->stop_at, end);
    while (g_get_monotonic_time() < end && turns++ < 1000) {
        enum vcpu_exit exit = rig_accel(h->m)->vcpu_run(h->v);

        vcpu_clear(h->v, VCPU_REQ_STOP);
        breathe(h, (int64_t)below(h, 200000));
        if (turns == 4) {
            look(h);
        }
        if (exit == VCPU_EXIT_BUDGET || exit == VCPU_EXIT_ERROR) {
            break;
        }
        if (exit == VCPU_EXIT_SHUTDOWN || (exit == VCPU_EXIT_HALT && ++halts % 8 == 0)) {
            begin(h);
        }
    }
    atomic_store(&h->stop_at, 0);
    vcpu_clear(h->v, VCPU_REQ_STOP);
    look(h);
    return g_get_monotonic_time() < end + grace_ms * 1000;
}

bool hostile_run_live(struct hostile *h, uint64_t seed, unsigned limit_ms, unsigned grace_ms)
{
    int64_t end;
    GError *err = NULL;

    hostile_seed(&h->r, seed, HOSTILE_MODES);
    h->mode = (enum hostile_mode)below(h, HOSTILE_MODES);
    fill(h);
    begin(h);
    if (!machine_run(h->m, &err)) {
        g_clear_error(&err);
        return false;
    }
    end = g_get_monotonic_time() + (limit_ms + grace_ms) * 1000;
    machine_wait(h->m, limit_ms);
    machine_end(h->m, END_QUIT, 0);
    machine_stop(h->m);
    return g_get_monotonic_time() < end;
}
