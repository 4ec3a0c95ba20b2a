/*
 * The I/O thread of a machine: a GMainLoop whose callbacks run under the machine lock, and a pool
 * of workers for blocking file operations.
 *
 * Not modelled: priorities among callbacks.
 */
#ifndef HW_CORE_LOOP_H
#define HW_CORE_LOOP_H

#include "hw/core/base.h"

struct machine;

/* Queue fn(arg) for the I/O thread, which calls it with the lock held.  Any thread. */
void loop_post(struct machine *m, void (*fn)(void *arg), void *arg);
/* Run work(arg) on a worker thread without the lock, then done(arg) with it: on the worker when
 * the lock is free, else in the I/O thread.  Before the machine runs only draining runs it. */
void loop_work(struct machine *m, void (*work)(void *arg), void (*done)(void *arg), void *arg);
/*
 * Watch a file descriptor: fn(arg, condition) in the I/O thread with the lock held, until
 * loop_unwatch. `condition` is G_IO_IN and so on.  Returns an id.
 */
unsigned loop_watch(struct machine *m, int fd, GIOCondition condition,
                    void (*fn)(void *arg, GIOCondition c), void *arg);
void loop_unwatch(struct machine *m, unsigned id);
/* Call fn(arg) every `ms` of host time under the lock until it returns false. */
unsigned loop_every(struct machine *m, unsigned ms, bool (*fn)(void *arg), void *arg);

/* machine.c: the queues and the context, which work without the thread too; after loop_fini nothing
 * may be queued. */
bool loop_init(struct machine *m, GError **err);
void loop_fini(struct machine *m);
/* machine.c: create and end the thread; clock.c: make it look at timers again (lock held). */
bool loop_start(struct machine *m, GError **err);
void loop_stop(struct machine *m);
void loop_wake(struct machine *m);
/* Run queued posts and completed work now, in the calling thread, with the lock held (tests,
 * drain). */
void loop_run_posts(struct machine *m);
/* block.c: sleep until a worker has finished something and run such completions, and nothing else.
   Lock held and kept; only while work is under way. */
void loop_wait_work(struct machine *m);

#endif
