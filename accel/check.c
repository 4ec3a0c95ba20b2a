/*
 * Two engines in lock-step.
 *
 * The run loop is the interpreter's.  Instead of a block it runs a stretch of some hundred
 * instructions here: by the interpreter, block by block; then state and memory are put back
 * (check_memory.c), the second engine does the same instructions, and what came out is compared:
 * the whole state table of the CPU, the exception raised, every page written to.  What the second
 * engine left is what the guest goes on with.  Where they differ the stretch is done again block by
 * block, so that the report (check_report.c) names the block, unless only the whole differs.
 *
 * An instruction that reaches what cannot be taken back (a device, time, random numbers, a flush of
 * the TLB) ends the stretch in front of its block, and that block is run by the interpreter alone.
 * It is counted as unchecked, with the reason, as is a stretch that a request came into.  What the
 * run loop does is not compared either: it is the same code for both.  That is single steps, and
 * the delivery of interrupts and exceptions (that one is raised, and in which state, is).
 *
 * Not modelled: several processors.
 */
#include "accel/blocks.h"
#include "accel/check_int.h"
#include "accel/jit/jit.h"
#include "accel/requests.h"
#include "cpu/fpu.h"
#include <stdio.h>
#include <stdlib.h>

static struct check *check_of_vcpu(const struct vcpu *v)
{
    const struct interp *e = v->engine;

    return e ? e->check : NULL;
}

/* ---- the CPU's state ---- */

/* Of the registers that stand in the host's units meanwhile, the values go to c->fpu. */
static void sync_fpu(struct cpu *c)
{
    fpu_x87_save(c);
    c->fpu.mxcsr = fpu_mxcsr(c);
}

static void take_copy(struct cpu *c, struct cpu *to)
{
    sync_fpu(c);
    memcpy(to, c, sizeof *c);
}

void check_undo(struct check *k, struct cpu *c)
{
    jmp_buf jmp;

    check_memory_undo(k, c);
    fpu_x87_save(c);
    memcpy(&jmp, &c->jmp, sizeof jmp);
    memcpy(c, k->before, sizeof *c);
    memcpy(&c->jmp, &jmp, sizeof jmp);
    fpu_set_mxcsr(c, c->fpu.mxcsr);
}

/* ---- one side's run ---- */

/*
 * The run loop has something to do before the next block.  The shadow of a POP SS is there to its
 * block's end, and blocks of who has to come to the other's place may end elsewhere.
 */
static bool wants_loop(const struct cpu *c, bool follows)
{
    return c->slow || (c->inhibit && !follows) || c->halted || c->shutdown;
}

static void run_single(struct check *k, struct cpu *c)
{
    struct insn *i = k->first->single;

    c->r[R_BASE] = c->ip;
    blocks_single(c, c->ip + c->cs_base, i);
    i->fn(c, i);
    c->cur = NULL;
}

static void run_first(struct check *k, struct cpu *c, uint64_t until)
{
    do {
        k->path[k->npath++] = (struct check_block){
            .ip = c->ip, .la = c->ip + c->cs_base, .icount = c->icount, .mode = c->mode};
        if (k->second->single || (k->swapped && until - c->icount < BLOCK_MAX)) {
            run_single(k, c); /* exactly to where the other is */
        } else {
            interp_run_blocks(c, k->first);
        }
    } while (c->icount < until && k->npath < CHECK_PATH && !wants_loop(c, k->swapped) &&
             !vcpu_pending(c->v));
}

static void run_second(struct check *k, struct cpu *c, uint64_t until)
{
    uint64_t ip, icount;

    do {
        ip = c->ip;
        icount = c->icount;
        k->second->run(c, k->second_engine, until);
    } while (c->icount < until && !wants_loop(c, true) && (ip != c->ip || icount != c->icount));
}

/* c->jmp is this function's when it returns. */
static enum check_end run_side(struct check *k, struct cpu *c, bool first, uint64_t until)
{
    enum check_end end;

    interp_use(c, first ? k->first : k->second_engine);
    switch (setjmp(c->jmp)) {
    case 0:
        (first ? run_first : run_second)(k, c, until);
        end = CHECK_RAN;
        break;
    case 1 + CHECK_OUTSIDE:
        interp_raised(c);
        end = CHECK_OUTSIDE;
        break;
    default:
        interp_raised(c);
        c->ip = cpu_ip(c);
        end = CHECK_RAISED;
        break;
    }
    c->cur = NULL;
    return end;
}

/* ---- a stretch ---- */

static void open_stretch(struct check *k, struct cpu *c)
{
    machine_lock(c->v->m);
    k->requests = vcpu_pending(c->v);
    take_copy(c, k->before);
    check_memory_open(k, c);
    k->npath = 0;
    k->swapped = k->give_up = false;
}

static void close_stretch(struct check *k, struct cpu *c)
{
    check_memory_close(k);
    interp_use(c, k->first);
    machine_unlock(c->v->m);
}

/* Run one block by the interpreter alone. */
static void run_unchecked(struct check *k, struct cpu *c)
{
    uint64_t begun = c->icount;

    if (k->second->single) {
        run_single(k, c);
    } else {
        interp_run_blocks(c, k->first);
    }
    k->stats.unchecked +=
        c->icount - begun; /* nothing where it raised: rare, and the run goes on */
}

/*
 * The first engine, up to icount `until` or the block that reaches outside, which is left out.
 * False: that is the very first.
 */
static bool run_reference(struct check *k, struct cpu *c, uint64_t until)
{
    for (;;) {
        k->end = run_side(k, c, true, until);
        if (k->end != CHECK_OUTSIDE) {
            break;
        }
        until = k->path[k->npath - 1].icount;
        check_undo(k, c);
        check_memory_forget(k);
        if (until == c->icount) {
            return false;
        }
        k->npath = 0;
    }
    take_copy(c, k->after);
    check_memory_keep(k);
    return true;
}

/*
 * How far the next stretch may go: the budget is kept to the instruction by the run loop.  Long
 * ones are quick and see blocks follow on each other, but not what is wrong for a moment only.
 */
static uint64_t stretch_end(const struct check *k, const struct cpu *c)
{
    static const uint16_t lengths[] = {256, 1, 1, 24, 1, 1, 256, 1, 1, 80, 1};
    unsigned usual =
        k->second->stretch ? k->second->stretch : lengths[k->stats.windows % ARRAY_LEN(lengths)];
    uint64_t until = c->icount + (c->icount < k->narrow ? 1 : usual);
    uint64_t budget = k->first->budget;

    return budget ? MIN(until, budget - BLOCK_MAX + 1) : until;
}

/* ---- the comparison ---- */

static bool same(const struct check *k, struct cpu *c, enum check_end end)
{
    sync_fpu(c);
    return check_state_equal(k, c, end) && check_memory_equal(k);
}

/*
 * A walk of the first run may have set accessed bits that only the second one saw.  They are set
 * from the beginning now: once more.  Or a processor went by a translation that has changed since,
 * as it may: its TLB is emptied for the second time.
 */
static bool begin_again(struct check *k, struct cpu *c)
{
    if (!(k->marked || k->second->single) || k->again == k->before->icount + 1) {
        return false;
    }
    k->again = k->before->icount + 1;
    k->stats.again++;
    check_undo(k, c);
    return true;
}

/*
 * The two differ; c is in the second engine's state.  True: go on, from where the stretch began, to
 * find the block.
 */
static bool look_closer(struct check *k, struct cpu *c, enum check_end end)
{
    GString *text = check_tell(k, c, end);

    if (check_is_alone(k)) { /* this is it */
        if (k->report) {
            g_string_free(k->report, TRUE);
        }
        k->report = text;
        return false;
    }
    k->narrow = k->after->icount;
    k->report = text;
    k->doubtful = k->marked;
    return true;
}

/* Whether the blocks of a stretch that differed do not differ one by one, and should have. */
static bool narrowed_in_vain(struct check *k, const struct cpu *c)
{
    if (!k->report || c->icount < k->narrow) {
        return false;
    }
    if (k->doubtful) {
        g_string_free(k->report, TRUE);
        k->report = NULL;
        return false;
    }
    return true;
}

/* Whether the second engine is behind the place where the first one stopped. */
static bool went_farther(const struct check *k, const struct cpu *c, enum check_end end)
{
    bool at_next = end == CHECK_RAISED && k->end == CHECK_RAN && c->icount == k->after->icount;

    return end != CHECK_OUTSIDE && (c->icount > k->after->icount || at_next);
}

/*
 * The second engine went farther: it left a block that a store had made stale, or may have, and so
 * its later blocks end elsewhere.  Let the interpreter come after it.
 */
static enum check_end catch_up(struct check *k, struct cpu *c, enum check_end end)
{
    take_copy(c, k->after);
    check_memory_keep(k);
    k->end = end;
    check_undo(k, c);
    k->swapped = true;
    k->npath = 0;
    return run_side(k, c, true, k->after->icount + (end == CHECK_RAISED));
}

/*
 * It went farther to where it reaches outside, and may have begun with that: there is no state to
 * compare.  Or it came to where the other raises, and a page fault there flushes for it alone: the
 * other has gone by its jump cache where this one fetched.
 */
static bool reached_outside_behind(const struct check *k, const struct cpu *c, enum check_end end)
{
    bool raises = k->end == CHECK_RAISED && k->outside != OUTSIDE_FAULT;

    return end == CHECK_OUTSIDE && (k->give_up || c->icount >= k->after->icount + raises);
}

static void count_checked(struct check *k, const struct cpu *c)
{
    k->stats.windows++;
    k->stats.checked += c->icount - k->before->icount;
}

bool check_run(struct cpu *c, struct check *k)
{
    jmp_buf outer;
    bool alone, good = true;

    if (narrowed_in_vain(k, c)) {
        return false;
    }
    memcpy(&outer, &c->jmp, sizeof outer);
    open_stretch(k, c);
    alone = !run_reference(k, c, stretch_end(k, c));
    if (alone) {
        k->stats.outside[k->outside]++;
    } else {
        check_undo(k, c);
        enum check_end end = run_side(k, c, false, k->after->icount + (k->end == CHECK_RAISED));
        if (went_farther(k, c, end)) {
            end = catch_up(k, c, end);
        }
        if (reached_outside_behind(k, c, end)) {
            check_undo(k, c);
            k->stats.outside[k->outside]++;
            alone = true;
        } else if (same(k, c, end)) {
            count_checked(k, c);
            good = !narrowed_in_vain(k, c);
        } else if (vcpu_pending(c->v) != k->requests) {
            check_undo(k, c);
            k->stats.disturbed++;
            alone = true;
        } else {
            good = begin_again(k, c) || look_closer(k, c, end);
            k->end = CHECK_RAN;
        }
    }
    close_stretch(k, c);
    memcpy(&c->jmp, &outer, sizeof outer);
    if (good && alone) {
        run_unchecked(k, c);
    } else if (good && k->end == CHECK_RAISED) {
        longjmp(c->jmp, 1); /* c->excp is to be delivered */
    }
    return good;
}

/* ---- the accelerator ---- */

static bool check_new(struct vcpu *v, const struct check_second *second, GError **err)
{
    struct interp *first = v->engine;
    struct check *k = g_new0(struct check, 1);
    struct cpu *c = v->cpu;

    first->check = k;
    first->unlinked = true;
    k->first = first;
    k->begun = c->icount;
    k->before = aligned_alloc(64, sizeof *k->before);
    k->after = aligned_alloc(64, sizeof *k->after);
    k->second_engine = interp_new(err);
    if (!k->second_engine || !check_memory_init(k, err)) {
        return false;
    }
    k->second_engine->jcache = g_new0(struct jcache_entry, JCACHE_SIZE);
    k->second_engine->check = k;
    k->second_engine->unlinked = true;
    first->other = k->second_engine;
    k->second_engine->other = first;
    if (second->init && !second->init(c, k->second_engine, err)) {
        return false;
    }
    k->second = second;
    return true;
}

static void detach(struct vcpu *v)
{
    struct check *k = check_of_vcpu(v);

    if (k) {
        if (k->second && k->second->fini) {
            k->second->fini(v->cpu, k->second_engine);
        }
        if (k->second_engine) {
            g_free(k->second_engine->jcache);
            interp_free(k->second_engine);
        }
        check_memory_fini(k);
        free(k->before);
        free(k->after);
        if (k->report) {
            g_string_free(k->report, TRUE);
        }
        g_free(k);
    }
    interp_vcpu_detach(v);
}

void check_vcpu_free(struct vcpu *v)
{
    detach(v);
    accel_free_cpu(v);
}

bool check_vcpu_attach(struct vcpu *v, const struct check_second *second, GError **err)
{
    if (v->m->ncpus > 1) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "--accel check: engines can be compared with one processor only; leave out "
                    "-smp %u",
                    v->m->ncpus);
        return false;
    }
    if (!interp_vcpu_attach(v, true, err)) {
        return false;
    }
    if (!check_new(v, second, err)) {
        detach(v);
        return false;
    }
    return true;
}

void check_state_push(struct vcpu *v)
{
    const struct check *k = check_of_vcpu(v);
    struct cpu *c = v->cpu;

    interp_state_push(v);
    memset(k->second_engine->jcache, 0, JCACHE_SIZE * sizeof *c->jcache);
    cpu_show_requests(c, k->second_engine->jit);
    c->watch = &check_watch;
}

bool check_vcpu_init(struct vcpu *v, const struct check_second *second, GError **err)
{
    if (!accel_new_cpu(v, err)) {
        return false;
    }
    if (!check_vcpu_attach(v, second, err)) {
        accel_free_cpu(v);
        return false;
    }
    check_state_push(v);
    return true;
}

void check_get_stats(const struct vcpu *v, struct check_stats *out)
{
    const struct check *k = check_of_vcpu(v);
    const struct cpu *c = v->cpu;

    *out = k->stats;
    out->all = c->icount - MIN(c->icount, k->begun);
    /* Tests put the CPU back, count and all. */
    out->singles = out->all - MIN(out->all, out->checked + out->unchecked);
}

const char *check_report(const struct vcpu *v)
{
    const struct check *k = check_of_vcpu(v);

    return k->report ? k->report->str : NULL;
}

void check_forget(struct vcpu *v)
{
    struct check *k = check_of_vcpu(v);

    if (k->report) {
        g_string_free(k->report, TRUE);
    }
    k->report = NULL;
    k->narrow = k->again = 0;
}

/* ---- for the accelerators ---- */

static void show(const char *text, struct machine *m)
{
    fputs(text, stderr);
    if (m->log) {
        fputs(text, m->log);
    }
}

enum vcpu_exit check_vcpu_run(struct vcpu *v)
{
    enum vcpu_exit exit = interp_run(v);

    if (exit == VCPU_EXIT_ERROR && check_report(v)) {
        show(check_report(v), v->m);
    }
    return exit;
}

void check_vcpu_detach(struct vcpu *v)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct check_stats stats;

    check_get_stats(v, &stats);
    check_sum_up(&stats, text);
    show(text->str, v->m);
    detach(v);
}

void check_vcpu_fini(struct vcpu *v)
{
    check_vcpu_detach(v);
    accel_free_cpu(v);
}

/* ---- the interpreter, compared with itself ---- */

static void interp_as_second(struct cpu *c, struct interp *e, uint64_t until)
{
    (void)until;
    interp_run_blocks(c, e);
}

static const struct check_second second_interp = {.name = "interp", .run = interp_as_second};

static bool check_interp_init(struct vcpu *v, GError **err)
{
    return check_vcpu_init(v, &second_interp, err);
}

static bool check_interp_attach(struct vcpu *v, bool force, GError **err)
{
    (void)force;
    return check_vcpu_attach(v, &second_interp, err);
}

const struct accel_ops accel_check_interp = {
    .name = "check:interp,interp",
    .title = "the interpreter against itself: what --accel check itself does",
    .init = interp_init,
    .vcpu_init = check_interp_init,
    .vcpu_fini = check_vcpu_fini,
    .vcpu_attach = check_interp_attach,
    .vcpu_detach = check_vcpu_detach,
    .state_push = check_state_push,
    .vcpu_run = check_vcpu_run,
    .vcpu_reset = interp_vcpu_reset,
    .reg_get = interp_reg_get,
    .reg_set = interp_reg_set,
};

/* ---- the translator ---- */

static bool jit_as_second_init(struct cpu *c, struct interp *e, GError **err)
{
    e->unlinked = false; /* e->limit brings it back */
    bool good = interp_start_jit(c, e, err);
    e->hot = 1;
    return good;
}

static void jit_as_second(struct cpu *c, struct interp *e, uint64_t until)
{
    e->limit = MIN(until, c->icount + JIT_QUANTUM - 1);
    interp_run_blocks(c, e);
}

const struct check_second check_second_jit = {
    .name = "jit", .init = jit_as_second_init, .run = jit_as_second};

static bool check_jit_init(struct vcpu *v, GError **err)
{
    return check_vcpu_init(v, &check_second_jit, err);
}

static bool check_jit_attach(struct vcpu *v, bool force, GError **err)
{
    (void)force;
    return check_vcpu_attach(v, &check_second_jit, err);
}

const struct accel_ops accel_check_jit = {
    .name = "check:jit,interp",
    .title = "the translator against the interpreter, block by block",
    .available = jit_available,
    .init = interp_init,
    .vcpu_init = check_jit_init,
    .vcpu_fini = check_vcpu_fini,
    .vcpu_attach = check_jit_attach,
    .vcpu_detach = check_vcpu_detach,
    .state_push = check_state_push,
    .vcpu_run = check_vcpu_run,
    .vcpu_reset = interp_vcpu_reset,
    .reg_get = interp_reg_get,
    .reg_set = interp_reg_set,
};
