/*
 * What the translator tells people: its counters, and blocks as they are translated (TR_JIT).
 *
 * A block is shown in two columns: each guest instruction, and beside it the host code it became;
 * then the pieces that stand behind the block for what is rare, each with its instruction again.
 *
 * Not modelled: code of the thunks.
 */
#include "accel/jit/jit_int.h"
#include "cpu/view.h"
#include <inttypes.h>

enum { FALLBACKS_SHOWN = 20, GUEST_COLUMNS = 52 };

/* ---- counters ---- */

/* A row that is a fallback somewhere. */
struct place {
    const char *name;
    struct jit_fallback f;
};

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const struct jit_fallback *x = &((const struct place *)a)->f,
                              *y = &((const struct place *)b)->f;

    if (x->calls != y->calls) {
        return x->calls < y->calls ? 1 : -1;
    }
    return x->sites == y->sites ? 0 : x->sites < y->sites ? 1 : -1;
}

static void add_place(GArray *places, const char *name, const struct jit_fallback *f)
{
    for (guint n = 0; n < places->len; n++) {
        struct place *p = &g_array_index(places, struct place, n);

        if (!strcmp(p->name, name)) {
            p->f.sites += f->sites;
            p->f.calls += f->calls;
            return;
        }
    }
    struct place p = {name, *f};
    g_array_append_val(places, p);
}

/* One per mnemonic, most called first. */
static GArray *places_of(const struct jit *j)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(struct place));

    for (unsigned n = 0; n < decoder_row_count(j->c->decoder); n++) {
        if (j->fallbacks[n].sites || j->fallbacks[n].calls) {
            add_place(places, decoder_row(j->c->decoder, n)->name, &j->fallbacks[n]);
        }
    }
    g_array_sort(places, compare_places);
    return places;
}

void jit_print(const struct jit *j, GString *out)
{
    g_autoptr(GArray) places = places_of(j);
    struct jit_stats s;

    jit_get_stats(j, &s);
    double each = s.insns ? 1.0 / (double)s.insns : 0;
    g_string_append_printf(
        out, "%" PRIu64 " blocks of %" PRIu64 " instructions, %.2f us for each; %" PRIu64 " ms\n",
        s.blocks, s.insns, (double)s.ns * each / 1e3, s.ns / 1000000);
    g_string_append_printf(out,
                           "code: %zu of %zu KiB; %" PRIu64 " blocks behind another, %" PRIu64
                           " links, %" PRIu64 " blocks dropped, %" PRIu64 " flushes\n",
                           s.used >> 10, s.size >> 10, s.behind, s.links, s.dropped, s.flushes);
    if (j->c->view) {
        struct view_stats v;

        view_get_stats(j->c->view, &v);
        g_string_append_printf(out,
                               "view: %" PRIu64 " pages; taken %" PRIu64 " times, %" PRIu64
                               " fills, %" PRIu64 " denied, %" PRIu64 " other faults, %" PRIu64
                               " flushes, %" PRIu64 " drops, %" PRIu64 " refused\n",
                               v.pages, v.taken, v.fills, v.denied, s.faults, v.flushes, v.drops,
                               v.refused);
    } else {
        g_string_append_printf(out, "no view: %s\n", j->c->no_view);
    }
    if (places->len) {
        g_string_append(out, "not translated, most called first:\n"
                             "       calls    places  instruction\n");
    }
    for (guint n = 0; n < MIN(places->len, FALLBACKS_SHOWN); n++) {
        const struct place *p = &g_array_index(places, struct place, n);

        g_string_append_printf(out, "%12" PRIu64 " %9" PRIu64 "  %s\n", p->f.calls, p->f.sites,
                               p->name);
    }
    if (places->len > FALLBACKS_SHOWN) {
        g_string_append_printf(out, "and %u others\n", places->len - FALLBACKS_SHOWN);
    }
}

void jit_json(const struct jit *j, GString *out)
{
    g_autoptr(GArray) places = places_of(j);
    struct jit_stats s;

    jit_get_stats(j, &s);
    g_string_append_printf(
        out,
        ", \"jit\": {\"blocks\": %" PRIu64 ", \"behind\": %" PRIu64 ", \"instructions\": %" PRIu64
        ", \"ns\": %" PRIu64 ", \"code_bytes\": %zu, \"code_size\": %zu"
        ", \"links\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"flushes\": %" PRIu64
        ", \"fallbacks\": [",
        s.blocks, s.behind, s.insns, s.ns, s.used, s.size, s.links, s.dropped, s.flushes);
    for (guint n = 0; n < places->len; n++) {
        const struct place *p = &g_array_index(places, struct place, n);

        g_string_append_printf(
            out, "%s{\"instruction\": \"%s\", \"calls\": %" PRIu64 ", \"places\": %" PRIu64 "}",
            n ? ", " : "", p->name, p->f.calls, p->f.sites);
    }
    g_string_append(out, "]}");
}

/* ---- blocks ---- */

static void line(const struct tr *t, const char *guest, const char *host)
{
    trace_write(t->c->v->m, "cpu", TR_JIT, "%-*s| %s", GUEST_COLUMNS, guest, host);
}

static void guest_text(const struct tr *t, const struct tr_insn *in, char *text, size_t size)
{
    unsigned bits = 16u << (t->k->mode & MODE_CODE);
    const struct code_block *k = t->k;
    uint8_t bytes[16] = {0};
    uint64_t ip = t->ip + in->i.ofs;
    unsigned avail = PAGE_BYTES - ((uintptr_t)k->host & PAGE_OFFSET_MASK);
    char insn[128] = "?";

    for (unsigned n = 0; n < MIN(in->i.len, 15u); n++) {
        unsigned at = in->i.ofs + n;

        bytes[n] = at < avail ? k->host[at] : k->host2 ? k->host2[at - avail] : 0;
    }
    if (t->c->v->m->disassemble) {
        t->c->v->m->disassemble(bytes, in->i.len, ip, bits, insn, sizeof insn);
    }
    g_snprintf(text, size, "%" PRIx64 " %s", ip, insn);
}

/* Bytes of data behind a call of thunk th. */
static unsigned data_of(enum thunk th)
{
    switch (th) {
    case TH_GO:
    case TH_LOAD ... TH_LOCK:
    case TH_LOAD_AT ... TH_LOCK_AT:
        return sizeof(struct jit_site);
    case TH_WINDOW:
    case TH_WINDOW_AT:
    case TH_WINDOW_AT_W:
        return sizeof(struct jit_window_site);
    case TH_EDGE:
    case TH_LINK:
    case TH_STRAIGHT:
        return sizeof(struct jit_edge);
    case TH_CROSS:
    case TH_CROSS_CALL:
        return sizeof(uint32_t);
    default:
        return 0;
    }
}

/* The same of the host instruction at `at`. */
static unsigned data_behind(const struct jit *j, const uint8_t *at)
{
    int32_t to;

    if (*at == 0xe8) {
        memcpy(&to, at + 1, sizeof to);
        for (unsigned th = 0; th < TH_COUNT; th++) {
            if (at + 5 + to == j->thunk[th]) {
                return data_of((enum thunk)th);
            }
        }
    }
    return 0;
}

/* The host code [from, to), beside a first line's guest text. */
static void show_code(const struct tr *t, const char *guest, const uint8_t *from, const uint8_t *to)
{
    const struct machine *m = t->c->v->m;
    char text[160] = "", insn[128];

    while (from < to) {
        uint64_t at = (uint64_t)(uintptr_t)t->j->rx + (uint64_t)(from - t->j->rw);
        int took = m->disassemble
                       ? m->disassemble(from, (size_t)(to - from), at, 64, insn, sizeof insn)
                       : 0;
        if (took <= 0) {
            g_snprintf(insn, sizeof insn, ".byte 0x%02x", *from);
            took = 1;
        }
        g_snprintf(text, sizeof text, "%" PRIx64 " %s", at, insn);
        line(t, guest, text);
        guest = "";
        from += took + (int)data_behind(t->j, from);
    }
    if (*guest) {
        line(t, guest, "");
    }
}

void jit_trace_block(const struct tr *t, size_t bytes)
{
    char text[160];

    g_snprintf(text, sizeof text, "block of %u instructions, %zu bytes of code", t->n, bytes);
    line(t, text, "");
    if (t->start < t->insn[0].host) {
        show_code(t, "(entry)", t->start, t->insn[0].host);
    }
    for (unsigned n = 0; n < t->n && t->insn[n].host; n++) {
        bool last = n + 1 == t->n || !t->insn[n + 1].host;

        guest_text(t, &t->insn[n], text, sizeof text);
        show_code(t, text, t->insn[n].host, last ? t->hot_end : t->insn[n + 1].host);
    }
    for (unsigned n = 0; n < t->ncold; n++) {
        const struct cold *k = &t->cold[n];
        char what[176];

        guest_text(t, k->in, text, sizeof text);
        g_snprintf(what, sizeof what, "cold: %s", text);
        if (cold_is_data(k)) {
            line(t, what, "(its decoded form, for the handler)");
        } else {
            show_code(t, what, k->host, k->end);
        }
    }
}
