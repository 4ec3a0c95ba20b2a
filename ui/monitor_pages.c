/*
 * The monitor's view of page tables: info mem (ranges of equal rights) and info tlb (pages).
 *
 * Follows the Intel SDM volume 3, chapter 4.  The tables are read where they are now; what the
 * software TLB still holds of older ones is not shown.  A guest's tables may lead in circles, so
 * that neither walk ends by itself: both have a limit.
 *
 * Not here: 5-level paging, protection keys.
 */
#include "cpu/cpu.h"
#include "ui/monitor_cmd.h"
#include <inttypes.h>

enum { LINES_MAX = 400, ENTRIES_MAX = 400000 };

enum { P = BIT(0), W = BIT(1), U = BIT(2), PWT = BIT(3), PCD = BIT(4), A = BIT(5), D = BIT(6) };
enum { PS = BIT(7), G = BIT(8) };
#define NX   BIT64(63)
#define ADDR 0x000ffffffffff000ull

struct walk {
    struct machine *m;
    const struct cpu *c;
    GString *out;
    uint64_t from; /* linear addresses below are left out */
    bool pages;    /* every page, else ranges */
    unsigned width, lines, entries;
    uint64_t start, end; /* the range that is being put together: end not included, modulo 2^64 */
    uint64_t rights;
    bool open;
    uint64_t next; /* where the limit was met */
    bool full;
};

/* The rights that count for `info mem`. */
static uint64_t rights_of(uint64_t e)
{
    return e & (W | U | NX);
}

static void range_end(struct walk *w)
{
    if (!w->open) {
        return;
    }
    w->open = false;
    w->lines++;
    g_string_append_printf(w->out, "%016" PRIx64 "-%016" PRIx64 " %13" PRIu64 " KiB %c%c%c\n",
                           w->start, w->end - 1, (w->end - w->start) >> 10,
                           w->rights & U ? 'u' : 's', w->rights & W ? 'w' : 'r',
                           w->rights & NX ? '-' : 'x');
}

static void page_print(struct walk *w, uint64_t la, uint64_t e, uint64_t size, uint64_t pa)
{
    static const struct {
        uint64_t bit;
        char set;
    } flags[] = {{NX, 'N'},  {G, 'G'},   {D, 'D'}, {A, 'A'},
                 {PCD, 'C'}, {PWT, 'T'}, {U, 'U'}, {W, 'W'}};

    w->lines++;
    g_string_append_printf(w->out, "%016" PRIx64 ": %012" PRIx64 " ", la, pa);
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++) {
        g_string_append_c(w->out, e & flags[i].bit ? flags[i].set : '-');
    }
    g_string_append(w->out, size >= GiB         ? " 1G\n"
                            : size > 2 * MiB    ? " 4M\n"
                            : size > PAGE_BYTES ? " 2M\n"
                                                : "\n");
}

/* A page: `e` its entry, with the rights of the whole way. */
static void walk_page(struct walk *w, uint64_t la, uint64_t e, uint64_t size, uint64_t pa)
{
    if (la + (size - 1) < w->from) {
        return;
    }
    if (w->pages) {
        page_print(w, la, e, size, pa & ~(size - 1));
        return;
    }
    if (!w->open || w->end != la || w->rights != rights_of(e)) {
        range_end(w);
        w->open = true;
        w->start = la;
        w->rights = rights_of(e);
    }
    w->end = la + size;
}

static bool walk_is_full(struct walk *w, uint64_t la)
{
    if (!w->full && (w->lines >= LINES_MAX || w->entries >= ENTRIES_MAX)) {
        w->full = true;
        w->next = la;
    }
    return w->full;
}

static uint64_t entry_address(const struct walk *w, uint64_t e, unsigned shift)
{
    uint64_t pa = e & ADDR;

    if (w->width == 4) {
        pa = (uint32_t)pa;
        if (shift == 22) { /* a 4 MiB page: PSE-36 */
            pa = (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
        }
    }
    return pa & w->c->phys_mask & w->c->a20_mask;
}

/* The table at `pa`, whose entries stand for 2^shift bytes each. */
static void walk_table(struct walk *w, uint64_t pa, uint64_t la, unsigned shift, unsigned count,
                       uint64_t above)
{
    uint8_t table[PAGE_BYTES];
    size_t got = aspace_peek(w->m, pa, table, (size_t)count * w->width) / w->width;
    bool pae_top = w->width == 8 && !cpu_is_long(w->c) && shift == 30;
    unsigned step = w->width == 8 ? 9 : 10;

    for (unsigned i = 0; i < got; i++) {
        uint64_t at = la | (uint64_t)i << shift, size = BIT64(shift);
        uint64_t e = w->width == 8 ? ld_le64(table + 8 * i) : ld_le32(table + 4 * i), both;
        bool leaf;

        if (shift == 39 && i >= 256) {
            at |= 0xffff000000000000ull;
        }
        w->entries++;
        if (!(e & P) || at + (size - 1) < w->from) {
            continue;
        }
        if (walk_is_full(w, at)) {
            return;
        }
        e |= pae_top ? W | U : 0; /* such an entry has no rights */
        both = (e & ~(uint64_t)(W | U)) | (e & above & (W | U)) | (above & NX);
        leaf = shift == 12 ||
               (e & PS && shift < 39 && !pae_top && (w->width == 8 || w->c->cr4 & CR4_PSE));
        if (leaf) {
            walk_page(w, at, both, size, entry_address(w, e, shift));
        } else {
            walk_table(w, entry_address(w, e, 12), at, shift - step, w->width == 8 ? 512 : 1024,
                       both);
        }
    }
}

static bool walk_run(struct call *c, bool pages, GError **err)
{
    const struct cpu *cpu = session_cpu(c->s, err);
    struct walk w = {.m = c->m, .c = cpu, .out = c->out, .from = c->arg[0].num, .pages = pages};

    if (!cpu) {
        return false;
    }
    if (!(cpu->cr0 & CR0_PG)) {
        g_string_append(c->out, "paging is off: linear addresses are physical\n");
        return true;
    }
    w.width = cpu->cr4 & CR4_PAE ? 8 : 4;
    if (cpu_is_long(cpu)) {
        walk_table(&w, cpu->cr3 & ADDR, 0, 39, 512, W | U);
    } else if (w.width == 8) {
        walk_table(&w, cpu->cr3 & 0xffffffe0, 0, 30, 4, W | U);
    } else {
        walk_table(&w, cpu->cr3 & 0xfffff000, 0, 22, 1024, W | U);
    }
    range_end(&w);
    if (w.full) {
        g_string_append_printf(c->out, "... %s %#" PRIx64 " goes on\n", c->cmd->name, w.next);
    }
    return true;
}

bool info_mem(struct call *c, GError **err)
{
    return walk_run(c, false, err);
}

bool info_tlb(struct call *c, GError **err)
{
    return walk_run(c, true, err);
}
