/*
 * What compiled code calls in C: memory accesses that miss the software TLB, jumps whose target is
 * not known.  All guest state is in struct cpu meanwhile; vector registers too.
 *
 * A memory operand is given as a host pointer: the page itself, or a copy that slow_done writes
 * back, so that the instruction is executed by the same host code either way.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"
#include "cpu/native.h"
#include "cpu/ops.h"
#include "cpu/sys.h"

static const struct jit_code *code_of_site(const struct cpu *c, const struct jit_site *s)
{
    return jit_code_around(jit_of(c), (const uint8_t *)s + sizeof s->back + s->back);
}

/* A site's instruction in the block's body; NULL: that is forgotten, or of other code by now. */
static const struct insn *in_body(const struct code_block *k, const struct jit_site *s)
{
    const struct insn *i = k->body ? &k->body->insn[s->at] : NULL;

    return i && i->ofs == s->ofs ? i : NULL;
}

/* The same without a body.  What stands there may have been changed by another processor, but where
 * it begins is where the compiled code's did. */
static const struct insn *decode_again(struct cpu *c, const struct code_block *k,
                                       const struct jit_site *s)
{
    struct jit_seen *seen = &jit_of(c)->seen[(uintptr_t)s >> 4 & ((1u << SEEN_BITS) - 1)];
    struct decode d;
    bool end = false;

    if (seen->site != s) {
        const uint8_t *at = k->host + s->ofs;

        seen->site = s;
        seen->i = (struct insn){.ofs = s->ofs, .n = (uint8_t)(s->at + 1)};
        cpu_decode(c, at, PAGE_BYTES - ((uintptr_t)at & PAGE_OFFSET_MASK), &seen->i, &end, &d);
    }
    return &seen->i;
}

/* The instruction of a site, which c->cur is now, as faults want it: nothing of the block is
 * counted yet, until go_back. */
static const struct insn *enter_site(struct cpu *c, const struct jit_site *s)
{
    const struct jit_code *code = code_of_site(c, s);
    const struct code_block *k = jit_block(jit_of(c), code);
    const struct insn *i = in_body(k, s);

    c->r[R_BASE] = code->ip;
    c->left += s->charged;
    return c->cur = i ? i : decode_again(c, k, s);
}

static void go_back(struct cpu *c, const struct jit_site *s)
{
    c->left -= s->charged;
}

static const struct insn *begin(struct cpu *c, uint64_t la, const struct jit_site *s,
                                unsigned access)
{
    struct jit *j = jit_of(c);

    j->slow.i = enter_site(c, s);
    j->slow.site = s;
    j->slow.la = la;
    j->slow.access = access;
    return j->slow.i;
}

static void *scratch(const struct cpu *c)
{
    return ((struct native *)c->native)->scratch;
}

static bool is_canonical(uint64_t la, unsigned size)
{
    return cpu_is_canonical(la) && cpu_is_canonical(la + size - 1);
}

/* Is this access of i's to the stack, although its memory operand may be elsewhere? */
static bool is_of_stack(const struct cpu *c, const struct insn *i, bool write)
{
    const struct op_fns *fns = decoder_row(c->decoder, i->row)->fns;

    return write ? fns == &fns_push_e || fns == &fns_call_e : fns == &fns_pop_e;
}

/* Of two pages that share a place in the TLB, the one that is not in it: no fault can come, nothing
 * is done but what the operation does. */
static void *find_again(struct cpu *c, uint64_t la, const struct jit_site *s, bool write)
{
    struct jit *j = jit_of(c);

    if (c->tlb_class == TLB_CHECKED || (la & PAGE_OFFSET_MASK) + s->size > PAGE_BYTES) {
        return NULL;
    }
    j->slow.site = s;
    j->slow.access = TR_RMW;
    j->slow.at = mmu_find_again(c, la, write);
    c->left += write && j->slow.at ? s->charged : 0; /* slow_done goes back */
    return j->slow.at;
}

void *slow_load(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    void *again = find_again(c, la, s, false);
    unsigned size = s->size;

    if (again) {
        return again;
    }
    const struct insn *i = enter_site(c, s);

    if (unlikely(!is_canonical(la, size) && is_of_stack(c, i, false))) {
        cpu_raise_error(c, EXCP_SS, 0);
    }
    void *to = size <= 8 ? (void *)c->bounce : scratch(c);
    if (size <= 8) {
        c->bounce[0] = mem_load_slow(c, i, la, size);
    } else {
        mem_load_bytes(c, i, la, to, size);
    }
    go_back(c, s);
    return to;
}

uint64_t slow_load_apart(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    return (uintptr_t)slow_load(c, la, s) - la;
}

/* Nothing is read from where a store goes: it may be a device's register. */
void *slow_store(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    void *again = find_again(c, la, s, true);

    if (again) {
        return again;
    }
    const struct insn *i = begin(c, la, s, TR_STORE);
    unsigned size = s->size;
    bool canonical = is_canonical(la, size);

    if (unlikely(!canonical && is_of_stack(c, i, true))) {
        cpu_raise_error(c, EXCP_SS, 0);
    }
    if (unlikely(canonical && c->tlb_class == TLB_CHECKED)) {
        debug_check_access(c, la, size, true); /* first, as in all other accesses */
    }
    mem_probe_write(c, i, la, size);
    return scratch(c);
}

void *slow_rmw(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    void *again = find_again(c, la, s, true);

    if (again) {
        return again;
    }
    const struct insn *i = begin(c, la, s, TR_RMW);

    return jit_of(c)->slow.at = mem_rmw_slow(c, i, la, s->size);
}

void *slow_lock(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    void *again = find_again(c, la, s, true);

    if (again) {
        return again;
    }
    const struct insn *i = begin(c, la, s, TR_LOCK);

    return jit_of(c)->slow.at = mem_lock_slow(c, i, la, s->size);
}

/* ---- to the interpreter ---- */

/* The interpreter does instruction `at` of a block, `ofs` bytes from its start, and the rest. */
static void go_on_at(struct cpu *c, const struct jit_code *code, unsigned at, unsigned ofs)
{
    struct jit *j = jit_of(c);
    struct code_block *k = jit_block(j, code);
    struct block_body *body = j->hooks.body(c, k);
    const struct insn *i = body ? &body->insn[at] : NULL;

    c->r[R_BASE] = code->ip;
    j->slow.i = i = i && i->ofs == ofs ? i : NULL;
    if (!i) {
        j->slow.fn = NULL;
        c->ip = (code->ip + ofs) & cpu_ip_mask(c);
        c->left -= (int32_t)at;
    } else if (at || k->stale) {
        j->slow.fn = i->fn;
    } else { /* the first one's own may be the engine's */
        j->slow.fn = body->first_fn;
    }
}

static void go_on(struct cpu *c, const struct jit_site *s)
{
    go_on_at(c, code_of_site(c, s), s->at, s->ofs);
}

void slow_far_sp(struct cpu *c, const void *code)
{
    struct jit *j = jit_of(c);
    const struct jit_code *from = jit_code_around(j, code);

    view_far_sp(c);
    if (jit_block(j, from)->stale) { /* what is in its place is to be found */
        c->ip = from->ip;
        jcache_slot(c, c->ip + c->cs_base)->key = 0;
        j->slow.fn = NULL;
    } else {
        go_on_at(c, from, 0, 0);
    }
}

void slow_go(struct cpu *c, uint64_t unused, const struct jit_site *s)
{
    struct jit *j = jit_of(c);

    (void)unused;
    if (s->size == GO_GP0) {
        j->slow.i = enter_site(c, s);
        j->slow.fn = op_gp0;
        return;
    }
    c->left += s->charged;
    go_on(c, s);
    if (s->size >= GO_KIND) {
        view_missed(c, jit_block(jit_of(c), code_of_site(c, s)), s->size & 15, s->size >= GO_FAULT);
    }
    if (s->size == GO_HANDLER && j->slow.fn) {
        j->fallbacks[j->slow.i->row].calls++;
    }
}

/*
 * How often a window of a block cannot be opened before the block is translated again without those
 * of that base register; and after how many instructions one of these times is forgotten.  (To go
 * on in the interpreter takes about as long as a few hundred instructions; and what lies across two
 * pages now and then, as everything does, is better off with windows.)
 */
enum { WINDOW_FAILS_MAX = 32, WINDOW_FORGIVEN = 20000 };

bool slow_fails_often(struct cpu *c, struct code_block *k)
{
    uint16_t now = (uint16_t)(c->icount / WINDOW_FORGIVEN);
    unsigned forgiven = (uint16_t)(now - k->window_when);

    if (forgiven) {
        k->window_fails -= MIN(k->window_fails, forgiven);
        k->window_when = now;
    }
    return ++k->window_fails >= WINDOW_FAILS_MAX;
}

static void *window_fail(struct cpu *c, const struct jit_window_site *w)
{
    struct code_block *k = jit_block(jit_of(c), code_of_site(c, &w->s));

    go_on(c, &w->s);
    if (!k->stale && slow_fails_often(c, k)) {
        k->window_fails = 0;
        k->no_window_of |= (uint16_t)BIT(BLOCK_KEY(w->base));
        jit_drop(jit_of(c), k);
    }
    return NULL;
}

void *slow_window(struct cpu *c, uint64_t la, const struct jit_site *s)
{
    const struct jit_window_site *w = (const struct jit_window_site *)(const void *)s;
    uint64_t at = la + w->at;

    enter_site(c, s);
    at = cpu_is_64(c) ? at : (uint32_t)at;
    if (!cpu_is_canonical(at) || c->tlb_class == TLB_CHECKED ||
        (at & PAGE_OFFSET_MASK) + s->size > PAGE_BYTES) {
        return window_fail(c, w);
    }
    mmu_ref(c, at, mmu_class(c, c->cpl), w->write & 1);
    const struct tlb_entry *e = tlb_slot(c, la);
    uint64_t tag = w->write & 2 ? e->tag_w : e->tag_r;
    if (la - tag > PAGE_BYTES - w->len) {
        return window_fail(c, w);
    }
    jit_of(c)->slow.window = w->host ? la + e->addend : e->addend;
    go_back(c, s);
    return (void *)(uintptr_t)(la + e->addend);
}

static void store_back(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    const void *from = scratch(c);

    if (size == 1 || size == 2 || size == 4 || size == 8) {
        uint64_t v = 0;

        memcpy(&v, from, size);
        mem_store_slow(c, i, la, v, size);
    } else {
        mem_store_bytes(c, i, la, from, size);
    }
}

/* As LAHF and SETO give them. */
static uint16_t fl_of(uint64_t flags)
{
    return (uint16_t)((flags & 0xff) << 8 | (flags & FLAG_OF ? FL_OF : 0));
}

/* When a store dropped code, the block that made it may be of that. */
static bool leave_if_dropped(struct cpu *c, uint64_t flags)
{
    const struct jit *j = jit_of(c);
    bool dropped = c->code_dropped;

    c->code_dropped = false;
    if (!dropped || j->slow.site->flags & SITE_LAST) {
        return false;
    }
    if (j->slow.site->flags & SITE_FL) {
        c->fl = fl_of(flags);
    }
    c->ip = insn_next_ip(c, j->slow.i);
    c->left -= j->slow.i->n;
    return true;
}

uint64_t slow_done(struct cpu *c, uint64_t flags)
{
    const struct jit *j = jit_of(c);
    unsigned size = j->slow.site->size;

    if (j->slow.access == TR_STORE) {
        store_back(c, j->slow.i, j->slow.la, size);
    } else if (j->slow.at == c->bounce) {
        if (j->slow.access == TR_LOCK) {
            mem_lock_flush(c, j->slow.i, j->slow.la, size);
        } else {
            mem_rmw_flush(c, j->slow.i, j->slow.la, size);
        }
    }
    if (leave_if_dropped(c, flags)) {
        return true;
    }
    go_back(c, j->slow.site);
    return false;
}

/* ---- jumps ---- */

/* The code at c->ip, or NULL; *key: as of jit_hooks.find. */
static const uint8_t *find(struct cpu *c, uint64_t *key)
{
    c->cur = NULL;
    return jit_of(c)->hooks.find(c, key);
}

const void *slow_find(struct cpu *c)
{
    uint64_t key;

    return find(c, &key);
}

/* Whether the block's instruction goes on in another page. */
static bool crosses(const struct jit *j, const uint8_t *code)
{
    return jit_block(j, jit_code_around(j, code))->host2;
}

/* Dropped blocks in a row that a jump may go through before it is looked up. */
enum { HOPS_MAX = 4 };

/*
 * A piece of code that goes to c->ip whatever is mapped there, for jumps that may not be linked:
 * the first instruction there goes on in another page, whose mapping may change.  Gives where it
 * stands, or NULL.  `save`: the guest's flags are in the host's.
 */
static const uint8_t *piece_to_ip(struct jit *j, bool save)
{
    jit_make_cold_room(j);
    struct emit e = {.p = j->rw + j->cold, .end = j->rw + j->cold_end};
    const uint8_t *piece = jit_rx(j, e.p);

    if (save) {
        emit_bytes(&e, jit_save, sizeof jit_save);
    }
    if (j->c->mode & MODE_CS_FLAT) {
        struct cross x = emit_cross(&e, 0xe9);

        emit_patch(x.miss, e.p);
        emit_cross_miss(&e, j, &x, j->c->ip);
    } else {
        emit_mov_imm(&e, H_RAX, j->c->ip);
        emit_jump(&e, 0xe9, j->thunk[TH_DISPATCH]);
    }
    if (e.full) {
        return NULL;
    }
    j->cold = align_up((size_t)(e.p - j->rw), 16);
    return piece;
}

/* The entry of a dropped block leads to what was found in its place: it is the same code of the
 * guest's, for whoever is linked to it or finds it otherwise.  (Else the page is mapped otherwise
 * now.) */
static void link_moved(struct jit *j, const uint8_t *entry, const uint8_t *code)
{
    const struct jit_code *old = jit_code_around(j, entry);
    struct jit_code *new = jit_code_around(j, code);
    const uint8_t *to = NULL;

    if (crosses(j, code)) {
        to = piece_to_ip(j, false);
    } else if (old->hops < HOPS_MAX && jit_block(j, old)->host == jit_block(j, new)->host) {
        new->hops = MAX(new->hops, old->hops + 1u) & 0x7f;
        to = code;
    }
    if (to) {
        jit_poke_branch(j, entry, 0xe9, to);
        j->stats.links++;
    }
}

/* May a jump at `from` lead to code for good (see interp_link)? */
static bool same_page(const struct jit *j, const uint8_t *from, const uint8_t *code)
{
    return block_same_page(jit_block(j, jit_code_around(j, from)),
                           jit_block(j, jit_code_around(j, code)));
}

/* Where the edge whose struct jit_edge is at `behind` has its rel32; c->ip = its target. */
static const uint8_t *edge_at(struct cpu *c, const uint8_t *behind)
{
    const struct jit *j = jit_of(c);
    struct jit_edge s;

    memcpy(&s, behind, sizeof s);
    c->ip = jit_code_around(j, j->rx + s.place)->ip + (uint64_t)s.by;
    return j->rx + s.place;
}

void slow_edge_ip(struct cpu *c, const uint8_t *behind)
{
    edge_at(c, behind);
}

/* Jumps across pages that are linked for other mappings, to one of them that is linked anew: where
 * two processes take turns at the same code, linking costs more than it saves. */
enum { RELINK_EVERY = 32 };

/* Where c->map_gen or c->global_gen, as much as jumps compare of it, stands in a key. */
static uint8_t gen_place(const struct cpu *c, uint64_t key)
{
    size_t at = key == c->gkey ? offsetof(struct cpu, due[1]) : offsetof(struct cpu, due[0]);

    return (uint8_t)(at - STATE_BIAS);
}

/* See CROSS_*. */
static void link_cross(struct cpu *c, struct jit *j, const uint8_t *behind, const uint8_t *code,
                       uint64_t key)
{
    uint32_t gen = key >> KEY_GEN_SHIFT & CPU_DUE_GEN;
    uint8_t bytes[-CROSS_PLACE];

    memcpy(bytes, behind + CROSS_PLACE, sizeof bytes);
    bytes[0] = gen_place(c, key);
    memcpy(bytes + CROSS_GEN - CROSS_PLACE, &gen, sizeof gen);
    emit_rel32(bytes + CROSS_REL - CROSS_PLACE, behind, code);
    jit_poke(j, behind + CROSS_PLACE, bytes, sizeof bytes);
    j->stats.links++;
}

static bool is_linked(const uint8_t *behind)
{
    int32_t gen;

    memcpy(&gen, behind + CROSS_GEN, sizeof gen);
    return gen != CROSS_NO_GEN;
}

const void *slow_cross(struct cpu *c, const uint8_t *behind)
{
    uint64_t key;
    const uint8_t *code = find(c, &key);

    if (code && (!is_linked(behind) || c->relink-- <= 0)) {
        c->relink = RELINK_EVERY;
        link_cross(c, jit_of(c), behind, code, key);
    }
    return code;
}

/* Where a jump at `from` to code, found at c->ip, may lead for good; NULL: nowhere.  `save`: it
 * comes with the guest's flags in the host's. */
static const uint8_t *link_of(struct jit *j, const uint8_t *from, const uint8_t *code, bool save)
{
    if (code && crosses(j, code)) {
        return piece_to_ip(j, save);
    }
    return code && same_page(j, from, code) ? code - (save ? JIT_SAVE : 0) : NULL;
}

/* To what is found where the edge of `behind` leads. */
static const void *edge(struct cpu *c, const uint8_t *behind, bool save)
{
    struct jit *j = jit_of(c);
    const uint8_t *from = edge_at(c, behind);
    uint64_t key;
    const uint8_t *code = find(c, &key), *to = link_of(j, from, code, save);

    if (to) {
        jit_poke_rel(j, from, to);
        j->stats.links++;
    }
    return code;
}

const void *slow_edge(struct cpu *c, const uint8_t *behind)
{
    return edge(c, behind, false);
}

const void *slow_straight(struct cpu *c, const uint8_t *behind)
{
    return edge(c, behind, true);
}

const void *slow_moved(struct cpu *c, const uint8_t *piece)
{
    const uint8_t *entry = piece - JIT_MOVED;
    struct jit *j = jit_of(c);
    uint64_t key;

    c->ip = jit_code_around(j, entry)->ip;
    const uint8_t *code = find(c, &key);
    if (code) {
        link_moved(j, entry, code);
    }
    return code;
}

void slow_after(struct cpu *c, const struct insn *i)
{
    c->code_dropped = false;
    c->ip = insn_next_ip(c, i);
    c->left -= i->n;
}

void slow_went_on(struct cpu *c, const struct insn *i)
{
    (void)i;
    c->went_on = true;
}
