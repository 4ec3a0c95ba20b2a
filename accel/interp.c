/*
 * The interpreter: runs decoded blocks as chains of handlers, serves interrupts and exceptions
 * between them.
 *
 * Follows: docs/architecture.md section 8.  Handlers tail-call each other (cpu/insn.h); control
 * comes back here when a request is pending, a handler asked for it, or an exception was raised
 * (longjmp).
 *
 * Code that another vCPU writes is noticed where requests are: at taken branches and serialising
 * instructions, which is where processors promise to.
 *
 * Not modelled: SMM.
 */
#include "accel/interp_int.h"
#include "accel/blocks.h"
#include "accel/check.h"
#include "accel/jit/jit.h"
#include "accel/requests.h"
#include "cpu/mem.h"
#include "cpu/model.h"
#include "cpu/sys.h"
#include "hw/core/code.h"
#include "cpu/fpu.h"

/* Entries of a block after which it is translated: about what translating it costs.  One that
 * compiled code is left for counts for more. */
enum { HOT = 40, FROM_CODE = 5 };

static struct interp *interp_of(const struct cpu *c)
{
    return c->engine;
}

/* ---- engine handlers ---- */

void op_block_next(struct cpu *c, const struct insn *i)
{
    return branch_direct(c, i, (c->r[R_BASE] + (uint64_t)(int64_t)i->disp) & cpu_ip_mask(c));
}

/* R_BASE is the target; whether a jump went there from an odd place (16-bit wrap) does not matter.
 */
void op_block_cross(struct cpu *c, const struct insn *i)
{
    (void)i;
    c->ip = c->r[R_BASE];
    return branch_indirect(c);
}

const struct insn block_cross = {.fn = op_block_cross};

void op_block_stop(struct cpu *c, const struct insn *i)
{
    c->ip = (c->r[R_BASE] + i->ofs) & cpu_ip_mask(c);
    c->icount += i->n;
}

void op_block_stale(struct cpu *c, const struct insn *i)
{
    c->ip = (c->r[R_BASE] + i->ofs) & cpu_ip_mask(c);
    c->icount += i->n ? i->n - 1u : 0;
}

/* ---- branches that are not linked ---- */

static bool is_full(const struct interp *e)
{
    return blocks_full(e->blocks) || (e->jit && jit_full(e->jit));
}

/* Whether compiled code has to come back here; else, how far it may go. */
static bool at_limit(struct cpu *c, const struct interp *e)
{
    uint64_t done = c->icount - (uint64_t)(int64_t)c->left;

    c->quantum = e->limit && e->limit > done ? (int32_t)(e->limit - done) : JIT_QUANTUM;
    return e->limit && e->limit <= done;
}

static bool must_leave(struct cpu *c, const struct interp *e)
{
    return c->slow || e->unlinked || vcpu_pending(c->v) || is_full(e) || at_limit(c, e);
}

/* The key under which block k, just fetched from la, is found. */
static uint64_t key_of(struct cpu *c, uint64_t la, const struct code_block *k)
{
    return !k->host2 && mmu_fetch(c, la)->global ? c->gkey : c->jkey;
}

/* Whether the interpreter finds block k by its compiled code.  (Not where c->quantum must be set.)
 */
static bool is_by_code(const struct interp *e, const struct code_block *k, const void *code)
{
    return code && !k->host2 && !e->other;
}

/* What a jump-cache entry of block k leads to. */
static void set_target(const struct interp *e, struct jcache_entry *j, const struct code_block *k,
                       const void *code)
{
    j->first = is_by_code(e, k, code) ? jit_first(e->jit, code) : k->body->insn;
    j->code = code ? code : e->jit ? jit_to_interp(e->jit) : NULL;
}

/* Have jumps to c->ip find block k, just fetched from there, and its compiled code where there is
 * some; gives the key. */
static uint64_t remember(struct cpu *c, const struct interp *e, const struct code_block *k,
                         const void *code)
{
    uint64_t la = c->ip + c->cs_base, key = key_of(c, la, k);

    if (!e->unlinked) {
        struct jcache_entry *j = jcache_slot(c, la);

        j->at = jcache_at(c, c->ip);
        j->key = key;
        set_target(e, j, k, code);
    }
    return key;
}

static const struct insn *enter_block(struct cpu *c, struct interp *e, uint64_t la)
{
    struct code_block *k = blocks_get(e->blocks, c, la);

    k = k ? blocks_whole(e->blocks, c, k, la) : NULL;
    if (!k) {
        return NULL;
    }
    remember(c, e, k, e->jit ? jit_find(e->jit, k, c->ip) : NULL);
    c->r[R_BASE] = c->ip;
    return k->body->insn;
}

/* ---- the translator ---- */

struct jit *jit_of(const struct cpu *c)
{
    return interp_of(c)->jit;
}

/* Compiled code of k at IP `ip`: there, or made when the block is hot; this entry adds `heat`. */
static const void *code_of(struct interp *e, struct code_block *k, uint64_t ip, unsigned heat)
{
    const void *code = jit_find(e->jit, k, ip);

    if (code || (k->heat = (uint16_t)MIN(k->heat + heat, UINT16_MAX)) < e->hot) {
        return code;
    }
    return jit_get(e->jit, k, ip);
}

/* In the place of a block's first handler. */
static void op_enter_hot(struct cpu *c, const struct insn *i)
{
    struct interp *e = interp_of(c);
    struct code_block *k = block_of(i);

    /* A handler that compiled code called went elsewhere: back to it. */
    if (unlikely(c->inside || at_limit(c, e))) {
        c->ip = c->r[R_BASE];
        return;
    }
    /* Another mode: an instruction behind which the block was gone on with has changed it (POPF).
     */
    bool apart = c->slow || k->mode != c->mode;
    const void *code = apart ? NULL : code_of(e, k, c->r[R_BASE], 1);
    if (code) {
        uint64_t ip = c->r[R_BASE];
        struct jcache_entry *j = jcache_slot(c, ip + c->cs_base);

        if (j->at == jcache_at(c, ip) && j->first == i) {
            set_target(e, j, k, code);
        }
        return jit_enter(e->jit, code);
    }
    return k->body->first_fn(c, i);
}

/* A jump in compiled code to c->ip. */
static const void *find_code(struct cpu *c, uint64_t *key)
{
    struct interp *e = interp_of(c);
    uint64_t la = c->ip + c->cs_base;

    if (must_leave(c, e)) {
        return NULL;
    }
    jcache_slot(c, la)->key = 0; /* it may have led to what was dropped */
    struct code_block *k = blocks_get(e->blocks, c, la);
    if (!k) {
        return NULL;
    }
    const void *code = code_of(e, k, c->ip, FROM_CODE);
    if (!is_by_code(e, k, code)) { /* the jump cache wants its instructions */
        k = blocks_whole(e->blocks, c, k, la);
        if (!k) {
            return NULL;
        }
        code = jit_find(e->jit, k, c->ip);
    }
    *key = remember(c, e, k, code);
    return code;
}

static struct block_body *body_of(struct cpu *c, struct code_block *k)
{
    return blocks_body(interp_of(c)->blocks, c, k);
}

static const struct code_block *peek(struct cpu *c, const uint8_t *host)
{
    return blocks_peek(interp_of(c)->blocks, c, host);
}

static void expect(struct cpu *c, const uint8_t *host)
{
    blocks_expect(interp_of(c)->blocks, c, host);
}

static void drop_code(void *to, struct code_block *k)
{
    jit_drop(to, k);
}

bool interp_start_jit(struct cpu *c, struct interp *e, GError **err)
{
    static const struct jit_hooks hooks = {
        .find = find_code, .body = body_of, .peek = peek, .expect = expect};

    e->hot = c->v->m->config.jit_hot ? c->v->m->config.jit_hot : HOT;
    e->jit = jit_new(c, blocks_array(e->blocks), err);
    if (e->jit) {
        c->view = c->view ? c->view : view_new(c);
        jit_set_hooks(e->jit, &hooks, e->unlinked, e->other);
        blocks_watch(e->blocks, op_enter_hot, drop_code, e->jit);
        cpu_show_requests(c, true);
    }
    return e->jit;
}

static void flush_code(struct cpu *c, struct interp *e)
{
    blocks_flush(e->blocks, c);
    if (e->jit) {
        jit_flush(e->jit);
    }
}

static void make_room(struct cpu *c, struct interp *e)
{
    if ((e->jit && jit_full(e->jit)) || !blocks_sweep(e->blocks, c)) {
        flush_code(c, e);
    }
}

/* No jump-cache hit at c->ip. */
static void interp_lookup(struct cpu *c)
{
    struct interp *e = interp_of(c);

    if (must_leave(c, e)) {
        return;
    }
    const struct insn *i = enter_block(c, e, c->ip + c->cs_base);
    if (i) {
        return i->fn(c, i);
    }
}

/*
 * A direct branch without link; c->ip is the target.  Inside one page the link can be kept:
 * whatever maps the branch there maps the target too, unless its first instruction goes on in the
 * next page.  IP wrap-around could break that in segments that are not flat.  And what is found is
 * not always the branch's page: when the guest has changed the mapping and not said so, the branch
 * may still be the old one's, by the jump cache, when the target is already the new one's.  Of a
 * branch whose bytes are not all in memory there is no block, nor a link to keep.
 */
static void interp_link(struct cpu *c, const struct insn *i)
{
    struct interp *e = interp_of(c);
    uint64_t la = c->ip + c->cs_base;
    uint64_t from = c->r[R_BASE] + c->cs_base;

    if (must_leave(c, e)) {
        return;
    }
    bool keep = i != e->single && (c->mode & MODE_CS_FLAT) && !((la ^ from) >> PAGE_SHIFT);
    struct jcache_entry *j = jcache_slot(c, la);
    const struct insn *t =
        j->at == jcache_at(c, c->ip) && (j->key == c->jkey || j->key == c->gkey) ? j->first : NULL;

    if (t && !(e->jit && jit_is_first(e->jit, t))) {
        c->r[R_BASE] = c->ip;
    } else { /* a link is for any address that the block is mapped at */
        t = enter_block(c, e, la);
    }
    if (!t) {
        return;
    }
    if (keep && t->fn != op_block_stale && block_same_page(block_around(i), block_of(t))) {
        /* blocks are ours to write; handlers see them as const */
        ((struct insn *)i)->link = block_crosses(t) ? &block_cross : t;
    }
    return t->fn(c, t);
}

static void interp_code_written(struct cpu *c, struct ram *ram, uint64_t off, uint64_t len)
{
    struct interp *e = interp_of(c);

    if (likely(!e->other)) {
        blocks_written(e->blocks, c, ram, off, len);
        return;
    }
    /* the page keeps its code bit: what one holds no block of the other may */
    blocks_drop(e->blocks, ram, off, len);
    blocks_drop(e->other->blocks, ram, off, len);
}

/* ---- requests ---- */

static void drop_noted(struct cpu *c, struct interp *e, const GArray *notes, bool all)
{
    if (all) {
        interp_use(c, e);
        flush_code(c, e);
        return;
    }
    for (guint n = 0; n < notes->len; n++) {
        const struct code_note *p = &g_array_index(notes, struct code_note, n);

        blocks_drop(e->blocks, p->ram, p->off, p->len);
    }
}

static void drop_stale_code(struct cpu *c, struct interp *e)
{
    bool all;

    vcpu_clear(c->v, VCPU_REQ_CODE);
    g_autoptr(GArray) notes = code_take_notes(c->v, &all);
    if (unlikely(e->other)) {
        drop_noted(c, e->other, notes, all);
        interp_use(c, e);
    }
    drop_noted(c, e, notes, all);
}

/*
 * A processor acts on an NMI at once and keeps one more while it serves it, so two that come close
 * together are two.  One that waits for its SIPI ignores them.
 */
static void take_nmis(struct cpu *c)
{
    unsigned come = atomic_exchange(&c->v->nmis, 0), room = c->nmi_masked ? 1 : 2;

    c->nmi_pending = (uint8_t)(c->v->wait_sipi ? 0 : MIN(c->nmi_pending + come, room));
}

/* Serve what can be served here; false: return to the caller of vcpu_run. */
static bool serve_requests(struct cpu *c, struct interp *e)
{
    uint32_t req = vcpu_pending(c->v);

    if (req & (VCPU_REQ_PARK | VCPU_REQ_STOP)) {
        return false;
    }
    if (req & (VCPU_REQ_RESET | VCPU_REQ_INIT)) {
        accel_serve_reset(c);
    }
    if (req & VCPU_REQ_NMI) {
        vcpu_clear(c->v, VCPU_REQ_NMI);
        take_nmis(c);
    }
    if (req & VCPU_REQ_SIPI) {
        accel_take_sipi(c);
    }
    if (req & VCPU_REQ_TLB) {
        vcpu_clear(c->v, VCPU_REQ_TLB);
        mmu_note_direct_stores(c);
        c->a20_mask = atomic_load(&c->v->m->a20_mask);
        mmu_flush(c, true);
    }
    if (req & VCPU_REQ_CODE) {
        drop_stale_code(c, e);
    }
    return true;
}

static bool can_interrupt(const struct cpu *c)
{
    return (c->eflags & FLAG_IF) && (vcpu_pending(c->v) & VCPU_REQ_INTR);
}

/* Deliver what is deliverable; false: shutdown. */
static bool take_interrupts(struct cpu *c)
{
    if (c->nmi_pending && !c->nmi_masked) {
        c->nmi_pending--;
        c->halted = false;
        return cpu_deliver_nmi(c);
    }
    if (can_interrupt(c)) {
        int vector = vcpu_ack_intr(c->v);

        if (vector >= 0) {
            c->halted = false;
            return cpu_deliver_interrupt(c, (unsigned)vector);
        }
    }
    return true;
}

/* One instruction, checked: single-step, breakpoints, traces, interrupt shadows, odd fetches. */
static bool run_single(struct cpu *c, struct interp *e)
{
    bool was_slow = c->slow;
    uint64_t key = c->jkey, gkey = c->gkey;

    if (unlikely(c->v->m->trace_mask & TR_INSN)) {
        interp_trace_insn(c);
    }
    if (was_slow && cpu_debug_fetch(c)) {
        return cpu_deliver_exception(c);
    }
    /* No jump-cache hit and no link may carry us on. */
    c->slow = true;
    c->jkey = c->gkey = ~0ull;
    c->r[R_BASE] = c->ip;
    blocks_single(c, c->ip + c->cs_base, e->single);
    e->single[0].fn(c, &e->single[0]);
    c->cur = NULL;
    if (c->jkey == ~0ull) {
        c->jkey = key;
        c->gkey = gkey;
        c->slow = was_slow;
    }
    return !was_slow || !cpu_debug_pending(c) || cpu_deliver_exception(c);
}

/* What the jump cache knows at c->ip. */
static const struct insn *find_entered(struct cpu *c)
{
    const struct jcache_entry *j = jcache_slot(c, c->ip);

    if (!(c->mode & MODE_CS_FLAT) || !jcache_hits(c, j, c->ip) || j->first->fn == op_block_stale) {
        return NULL;
    }
    c->r[R_BASE] = c->ip;
    return j->first;
}

void interp_run_blocks(struct cpu *c, struct interp *e)
{
    const struct insn *i;

    if (unlikely(is_full(e))) {
        make_room(c, e);
    }
    i = find_entered(c);
    i = i ? i : enter_block(c, e, c->ip + c->cs_base);
    if (i) {
        i->fn(c, i);
    } else {
        cpu_outside(c, OUTSIDE_FETCH);
        c->r[R_BASE] = c->ip;
        blocks_single(c, c->ip + c->cs_base, e->single);
        e->single[0].fn(c, &e->single[0]);
    }
    c->cur = NULL;
}

/* A block could go past the end of the budget: the last instructions are run one at a time. */
static bool is_nearly_used_up(const struct cpu *c, const struct interp *e)
{
    return e->budget && e->budget - c->icount < BLOCK_MAX;
}

/* One turn of the loop; the result is only looked at when `*leave`. */
static enum vcpu_exit run_turn(struct cpu *c, struct interp *e, bool *leave)
{
    bool shadow = c->inhibit;

    *leave = true;
    if (unlikely(vcpu_pending(c->v)) && !serve_requests(c, e)) {
        return VCPU_EXIT_REQUEST;
    }
    if (c->shutdown) {
        return VCPU_EXIT_SHUTDOWN;
    }
    if (c->v->wait_sipi) {
        return VCPU_EXIT_HALT;
    }
    if (unlikely(c->begun) && !cpu_deliver_begun(c)) {
        return VCPU_EXIT_SHUTDOWN;
    }
    if (!shadow && !take_interrupts(c)) {
        return VCPU_EXIT_SHUTDOWN;
    }
    if (c->halted) {
        return VCPU_EXIT_HALT;
    }
    if (e->budget && c->icount >= e->budget) {
        return VCPU_EXIT_BUDGET;
    }
    *leave = false;
    c->inhibit = false;
    if (shadow || c->slow || is_nearly_used_up(c, e)) {
        *leave = !run_single(c, e);
        return VCPU_EXIT_SHUTDOWN;
    }
    if (unlikely(e->check)) {
        *leave = !check_run(c, e->check);
        return VCPU_EXIT_ERROR;
    }
    interp_run_blocks(c, e);
    return VCPU_EXIT_REQUEST;
}

void interp_raised(struct cpu *c)
{
    jit_settle(c);
    if (c->cur && c->cur->n) { /* the instructions of an abandoned block that did retire */
        c->icount += c->cur->n - 1u;
    }
}

static enum vcpu_exit run_loop(struct cpu *c, struct interp *e)
{
    enum vcpu_exit exit;
    bool leave;

    if (setjmp(c->jmp)) {
        interp_raised(c);
        if (c->jkey == ~0ull) { /* raised inside run_single */
            cpu_update_mode(c);
        }
        if (!cpu_deliver_exception(c)) {
            return VCPU_EXIT_SHUTDOWN;
        }
        c->cur = NULL;
    }
    do {
        exit = run_turn(c, e, &leave);
    } while (!leave);
    return exit;
}

static enum exits_reason reason_of(enum vcpu_exit exit)
{
    return exit == VCPU_EXIT_HALT       ? EXITS_HALT
           : exit == VCPU_EXIT_SHUTDOWN ? EXITS_SHUTDOWN
                                        : EXITS_REQUEST;
}

enum vcpu_exit interp_run(struct vcpu *v)
{
    struct cpu *c = v->cpu;
    struct interp *e = c->engine;

    exits_go(&v->exits, EXITS_GUEST);
    fault_attach(c->view ? c : NULL);
    fpu_enter(c);
    enum vcpu_exit exit = run_loop(c, e);
    fpu_leave(c);
    exits_go(&v->exits, EXITS_OUT);
    exits_note(&v->exits, reason_of(exit));
    atomic_fetch_add_explicit(&v->insns, c->icount - e->counted, memory_order_relaxed);
    e->counted = c->icount;
    if (exit == VCPU_EXIT_SHUTDOWN) {
        c->shutdown = true;
    }
    return exit;
}

/* ---- life ---- */

bool interp_init(struct machine *m, GError **err)
{
    (void)err;
    m->fault_report = interp_fault_report;
    return true;
}

struct interp *interp_new(GError **err)
{
    struct interp *e = g_new0(struct interp, 1);

    e->blocks = blocks_new();
    if (!e->blocks) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "no memory for the cache of decoded blocks");
        g_free(e);
        return NULL;
    }
    return e;
}

void interp_free(struct interp *e)
{
    if (e) {
        jit_free(e->jit);
        blocks_free(e->blocks);
        g_free(e);
    }
}

void interp_use(struct cpu *c, struct interp *e)
{
    c->engine = e;
    c->jcache = e->jcache;
    c->link = interp_link;
    c->lookup = interp_lookup;
    c->code_written = interp_code_written;
}

void interp_vcpu_detach(struct vcpu *v)
{
    struct cpu *c = v->cpu;

    view_free(c->view);
    c->view = NULL;
    interp_free(v->engine);
    v->engine = NULL;
}

void interp_vcpu_fini(struct vcpu *v)
{
    interp_vcpu_detach(v);
    accel_free_cpu(v);
}

static bool attach(struct vcpu *v, bool jit, GError **err)
{
    struct cpu *c = v->cpu;
    struct interp *e = interp_new(err);

    if (!e) {
        return false;
    }
    e->jcache = c->jcache;
    e->budget = v->m->config.max_insns;
    e->unlinked = e->budget != 0;
    e->counted = c->icount;
    v->engine = e;
    if (jit && !interp_start_jit(c, e, err)) {
        interp_vcpu_detach(v);
        return false;
    }
    return true;
}

/* Whatever a guest is shown is here, but for what is the host's own. */
static bool fits_guest(const struct vcpu *v, bool force, GError **err)
{
    if (force || !cpu_host_has_more(v->cpu)) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_ACCEL,
                "the guest was shown instructions that the software processor has not "
                "(--cpu-model host)");
    return false;
}

bool interp_vcpu_attach(struct vcpu *v, bool force, GError **err)
{
    return fits_guest(v, force, err) && attach(v, false, err);
}

static bool jit_vcpu_attach(struct vcpu *v, bool force, GError **err)
{
    return fits_guest(v, force, err) && attach(v, true, err);
}

bool interp_vcpu_init(struct vcpu *v, GError **err)
{
    return accel_new_vcpu(v, &accel_interp, err);
}

static bool jit_vcpu_init(struct vcpu *v, GError **err)
{
    return accel_new_vcpu(v, &accel_jit, err);
}

void interp_state_push(struct vcpu *v)
{
    struct interp *e = v->engine;
    struct cpu *c = v->cpu;

    c->cur = NULL;
    c->left = 0;
    c->inside = false;
    c->watch = NULL;
    cpu_show_requests(c, e->jit);
    interp_use(c, e);
    /* What other engines found there leads nowhere now. */
    memset(c->jcache, 0, JCACHE_SIZE * sizeof *c->jcache);
    mmu_flush(c, true);
    mmu_switch_pcid(c, false);
    cpu_update_mode(c);
}

void interp_vcpu_reset(struct vcpu *v)
{
    accel_reset_cpu(v->cpu, false);
}

/* Handlers of IN and OUT run with all registers in c->r; the translator loads its own from there
 * behind them. */
uint32_t interp_reg_get(struct vcpu *v, unsigned reg)
{
    return (uint32_t)((struct cpu *)v->cpu)->r[reg];
}

void interp_reg_set(struct vcpu *v, unsigned reg, uint32_t val)
{
    ((struct cpu *)v->cpu)->r[reg] = val;
}

const struct accel_ops accel_interp = {
    .name = "interp",
    .title = "interpreter of decoded blocks on the software CPU",
    .init = interp_init,
    .vcpu_init = interp_vcpu_init,
    .vcpu_fini = interp_vcpu_fini,
    .vcpu_attach = interp_vcpu_attach,
    .vcpu_detach = interp_vcpu_detach,
    .state_push = interp_state_push,
    .vcpu_run = interp_run,
    .vcpu_reset = interp_vcpu_reset,
    .reg_get = interp_reg_get,
    .reg_set = interp_reg_set,
};

static void jit_print_info(struct vcpu *v, GString *out)
{
    jit_print(((struct interp *)v->engine)->jit, out);
}

static void jit_stats_json(struct vcpu *v, GString *out)
{
    jit_json(((struct interp *)v->engine)->jit, out);
}

const struct accel_ops accel_jit = {
    .name = "jit",
    .title = "translator of hot blocks to host code, beside the interpreter",
    .available = jit_available,
    .init = interp_init,
    .vcpu_init = jit_vcpu_init,
    .vcpu_fini = interp_vcpu_fini,
    .vcpu_attach = jit_vcpu_attach,
    .vcpu_detach = interp_vcpu_detach,
    .state_push = interp_state_push,
    .vcpu_run = interp_run,
    .vcpu_reset = interp_vcpu_reset,
    .reg_get = interp_reg_get,
    .reg_set = interp_reg_set,
    .print_info = jit_print_info,
    .stats_json = jit_stats_json,
};
