/* See guest.h.  Not modelled: devices. */
#include "tests/cpu/guest.h"
#include "accel/interp.h"
#include <criterion/criterion.h>

enum { ATTR_CODE = 0x9b, ATTR_DATA = 0x93, DPL3 = 0x60 };

void guest_put16(struct guest *g, uint64_t pa, uint16_t v)
{
    st_le16(g->ram + pa, v);
}

void guest_put32(struct guest *g, uint64_t pa, uint32_t v)
{
    st_le32(g->ram + pa, v);
}

void guest_put64(struct guest *g, uint64_t pa, uint64_t v)
{
    st_le64(g->ram + pa, v);
}

uint16_t guest_get16(struct guest *g, uint64_t pa)
{
    return ld_le16(g->ram + pa);
}

uint32_t guest_get32(struct guest *g, uint64_t pa)
{
    return ld_le32(g->ram + pa);
}

uint64_t guest_get64(struct guest *g, uint64_t pa)
{
    return ld_le64(g->ram + pa);
}

void guest_desc(struct guest *g, uint16_t sel, uint32_t base, uint32_t limit, uint16_t attr)
{
    uint32_t units = attr & SEG_G ? limit >> 12 : limit;

    guest_put32(g, G_GDT + (sel & 0xfff8), (units & 0xffff) | base << 16);
    guest_put32(g, G_GDT + (sel & 0xfff8) + 4,
                (base >> 16 & 0xff) | (uint32_t)attr << 8 | (units & 0xf0000) |
                    (base & 0xff000000));
}

void guest_gate(struct guest *g, uint32_t at, uint16_t sel, uint32_t off, uint8_t attr,
                uint8_t params)
{
    guest_put32(g, at, (off & 0xffff) | (uint32_t)sel << 16);
    guest_put32(g, at + 4, params | (uint32_t)attr << 8 | (off & 0xffff0000));
}

static void init(struct guest *g, const char *model, uint64_t max_insns,
                 const struct check_second *second)
{
    struct vm_config cfg;
    GError *err = NULL;

    vm_config_init(&cfg);
    g_free(cfg.cpu_model);
    cfg.cpu_model = g_strdup(model);
    cfg.max_insns = max_insns;
    g->rig = rig_begin(&cfg);
    rig_ready(g->rig);
    vm_config_clear(&cfg);
    machine_unlock(g->rig->m);
    g->v = g->rig->m->vcpus[0];
    g->ram = g->rig->ram->host;
    const struct accel_ops *accel = rig_accel(g->rig->m);
    g->fini = second ? check_vcpu_free : accel->vcpu_fini;
    if (!(second ? check_vcpu_init(g->v, second, &err) : accel->vcpu_init(g->v, &err))) {
        cr_assert_fail("no CPU: %s", err->message);
    }
    g->c = g->v->cpu;
    for (unsigned v = 0; v < 256; v++) {
        g->ram[G_HANDLERS + 16 * v] = 0xf4;
        guest_put16(g, 4 * v,
                    (uint16_t)(G_HANDLERS + 16 * v)); /* the real-mode table: 0000:handler */
        guest_put16(g, 4 * v + 2, 0);
    }
    g->c->idtr.limit = 0x3ff;
    cpu_load_seg_real(g->c, SEG_CS, G_CODE >> 4);
    g->c->r[R_RSP] = G_REAL_STACK;
    g->c->ip = 0;
    atomic_store(&g->v->requests, 0);
    cpu_update_mode(g->c);
}

void guest_init(struct guest *g, const char *model)
{
    init(g, model, 10000, NULL);
}

void guest_init_linked(struct guest *g, const char *model)
{
    init(g, model, 0, NULL);
}

void guest_init_checked(struct guest *g, const char *model, const struct check_second *second)
{
    init(g, model, 10000, second);
}

void guest_free(struct guest *g)
{
    g->fini(g->v);
    machine_lock(g->rig->m);
    rig_free(g->rig);
}

static void put_gdt(struct guest *g)
{
    const uint16_t flat = SEG_G | SEG_DB;

    guest_desc(g, S_CODE, 0, ~0u, ATTR_CODE | flat);
    guest_desc(g, S_DATA, 0, ~0u, ATTR_DATA | flat);
    guest_desc(g, S_UCODE, 0, ~0u, ATTR_CODE | DPL3 | flat);
    guest_desc(g, S_UDATA, 0, ~0u, ATTR_DATA | DPL3 | flat);
    guest_desc(g, S_TSS, G_TSS, 0x67 + 0x100, 0x8b);
    guest_desc(g, S_TSS2, G_TSS2, 0x67, 0x89);
    guest_desc(g, S_CODE64, 0, ~0u, ATTR_CODE | SEG_G | SEG_L);
    guest_desc(g, S_UCODE64, 0, ~0u, ATTR_CODE | DPL3 | SEG_G | SEG_L);
    guest_desc(g, S_CODE16, 0, 0xffff, ATTR_CODE);
    guest_desc(g, S_DATA16, 0, 0xffff, ATTR_DATA);
    guest_desc(g, S_LDT, G_LDT, 0x7f, 0x82);
    g->c->gdtr = (struct dtable){.base = G_GDT, .limit = 0x1ff};
}

static void set_seg(struct guest *g, unsigned seg, uint16_t sel)
{
    uint64_t at = G_GDT + (sel & 0xfff8);
    struct desc d = {.lo = guest_get32(g, at), .hi = guest_get32(g, at + 4), .addr = at};

    g->c->seg[seg] = (struct seg){.sel = sel,
                                  .attr = (uint16_t)desc_attr(&d),
                                  .limit = desc_limit(&d),
                                  .base = desc_base(&d)};
}

static void set_segs(struct guest *g, uint16_t code, uint16_t data)
{
    set_seg(g, SEG_CS, code);
    for (unsigned k = 0; k < 6; k++) {
        if (k != SEG_CS) {
            set_seg(g, k, data);
        }
    }
    g->c->cpl = code & 3;
}

void guest_protected(struct guest *g)
{
    put_gdt(g);
    for (unsigned v = 0; v < 256; v++) {
        guest_gate(g, G_IDT + 8 * v, S_CODE, G_HANDLERS + 16 * v, 0xee, 0);
    }
    g->c->idtr = (struct dtable){.base = G_IDT, .limit = 0x7ff};
    g->c->cr0 = CR0_PE | CR0_ET | CR0_NE;
    set_segs(g, S_CODE, S_DATA);
    set_seg(g, SEG_TR, S_TSS);
    guest_put32(g, G_TSS + 4, G_STACK);
    guest_put16(g, G_TSS + 8, S_DATA);
    guest_put16(g, G_TSS + 0x66, 0x68 + 0x20); /* I/O map behind the redirection map */
    memset(g->ram + G_TSS + 0x68, 0, 0xe0);
    g->c->r[R_RSP] = G_STACK;
    mmu_flush(g->c, true);
    cpu_update_mode(g->c);
}

uint64_t guest_pte_at(uint64_t la)
{
    return G_TABLES + 0x3000 + 8 * (la >> 12);
}

void guest_long(struct guest *g)
{
    guest_protected(g);
    guest_put64(g, G_TABLES, (G_TABLES + 0x1000) | 7);
    guest_put64(g, G_TABLES + 0x1000, (G_TABLES + 0x2000) | 7);
    for (unsigned k = 0; k < 8; k++) {
        guest_put64(g, G_TABLES + 0x2000 + 8 * k, (G_TABLES + 0x3000 + 0x1000 * k) | 7);
    }
    for (uint64_t page = 0; page < 4096; page++) {
        guest_put64(g, G_TABLES + 0x3000 + 8 * page, page << 12 | 7);
    }
    for (unsigned v = 0; v < 128; v++) { /* the IDT page holds no more; the rest stays absent */
        guest_gate(g, G_IDT + 16 * v, S_CODE64, G_HANDLERS + 16 * v, 0xee, 0);
        guest_put64(g, G_IDT + 16 * v + 8, 0);
    }
    g->c->idtr = (struct dtable){.base = G_IDT, .limit = 0x7ff};
    g->c->cr3 = G_TABLES;
    g->c->cr4 = CR4_PAE;
    g->c->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    g->c->cr0 |= CR0_PG | CR0_WP;
    set_segs(g, S_CODE64, S_DATA);
    guest_put64(g, G_TSS + 4, G_STACK);
    guest_put64(g, G_TSS + 0x24, G_IST);
    mmu_flush(g->c, true);
    cpu_update_mode(g->c);
}

void guest_user(struct guest *g)
{
    set_segs(g, cpu_is_long(g->c) ? S_UCODE64 : S_UCODE, S_UDATA);
    g->c->r[R_RSP] = G_USER_STACK;
    cpu_update_mode(g->c);
}

void guest_v86(struct guest *g, unsigned iopl)
{
    struct cpu *c = g->c;

    c->eflags = FLAG_VM | FLAG_IF | iopl << 12;
    c->cpl = 3;
    for (unsigned k = 0; k < 6; k++) {
        cpu_load_seg_real(c, k, k == SEG_CS ? G_CODE >> 4 : 0x3000);
    }
    c->r[R_RSP] = 0x8000;
    c->ip = 0;
    cpu_update_mode(c);
}

void guest_code(struct guest *g, const void *bytes, size_t len)
{
    memcpy(g->ram + G_CODE, bytes, len);
    g->c->code_written(g->c, g->rig->ram, G_CODE, len); /* blocks of an earlier run */
    g->c->ip = (g->c->mode & MODE_PE) && !(g->c->mode & MODE_V86) ? G_CODE : 0;
}

enum vcpu_exit guest_run(struct guest *g)
{
    return rig_accel(g->rig->m)->vcpu_run(g->v);
}

int guest_vector(struct guest *g)
{
    uint64_t at = g->c->ip + g->c->cs_base - 1 - G_HANDLERS;

    return g->c->halted && at % 16 == 0 && at / 16 < 256 ? (int)(at / 16) : -1;
}
