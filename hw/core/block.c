/*
 * Disk requests: checks, the way to a worker thread and back.
 *
 * A request completes on the worker or in the I/O thread (or inside block_drain) under the lock.  A
 * reset first ends an epoch and drains: requests of the old epoch finish on the medium, but their
 * `done` is not called.  Requests in flight at the same time have no order; who needs one waits for
 * `done`.
 *
 * Not modelled: anything of the guest; formats are in vhd/.
 */
#include "hw/core/machine.h"
#include <errno.h>

void block_attach(struct block *b, struct machine *m)
{
    if (b->m == m) {
        return;
    }
    b->m = m;
    g_mutex_init(&b->serial);
    g_ptr_array_add(m->blocks, b);
}

/* On a worker. */
static void block_work(void *arg)
{
    struct block_req *req = arg;
    struct block *b = req->blk;
    uint64_t off = req->sector * SECTOR_BYTES;
    size_t len = (size_t)req->count * SECTOR_BYTES;
    bool serial = !b->ops->parallel;

    if (serial) {
        g_mutex_lock(&b->serial);
    }
    switch (req->op) {
    case BLOCK_READ:
        req->error = b->ops->read_at(b->img, off, req->buf, len);
        break;
    case BLOCK_WRITE:
        req->error = b->ops->write_at ? b->ops->write_at(b->img, off, req->buf, len) : EROFS;
        break;
    case BLOCK_FLUSH:
        req->error = b->ops->flush ? b->ops->flush(b->img) : 0;
        break;
    }
    if (serial) {
        g_mutex_unlock(&b->serial);
    }
}

static void block_finish(void *arg)
{
    struct block_req *req = arg;
    struct block *b = req->blk;
    struct machine *m = b->m;

    b->in_flight--;
    m->blocks_in_flight--;
    req->busy = false;
    if (req->epoch == m->block_epoch && req->done) {
        req->done(req);
    }
}

/* 0, or why the request cannot be done. */
static int block_check(const struct block *b, const struct block_req *req)
{
    if (req->op == BLOCK_FLUSH) {
        return 0;
    }
    if (req->sector > b->sectors || req->count > b->sectors - req->sector) {
        return EINVAL;
    }
    return req->op == BLOCK_WRITE && b->readonly ? EROFS : 0;
}

static void block_count(struct block *b, const struct block_req *req)
{
    uint64_t bytes = (uint64_t)req->count * SECTOR_BYTES;

    switch (req->op) {
    case BLOCK_READ:
        b->read_reqs++;
        b->read_bytes += bytes;
        break;
    case BLOCK_WRITE:
        b->write_reqs++;
        b->write_bytes += bytes;
        break;
    case BLOCK_FLUSH:
        b->flush_reqs++;
        break;
    }
}

static void block_trace(struct block *b, const struct block_req *req, const char *outcome)
{
    static const char *const names[] = {"read", "write", "flush"};

    if (unlikely(b->m->trace_mask & TR_BLOCK)) {
        trace_write(b->m, b->path ? b->path : "disk", TR_BLOCK, "%s sector %llu count %u%s",
                    names[req->op], (unsigned long long)req->sector, req->count, outcome);
    }
}

bool block_read_now(struct block *b, struct block_req *req)
{
    g_return_val_if_fail(!req->busy && req->op == BLOCK_READ, false);
    machine_assert_locked(b->m);
    if (!b->ops->read_now || block_check(b, req) ||
        b->ops->read_now(b->img, req->sector * SECTOR_BYTES, req->buf,
                         (size_t)req->count * SECTOR_BYTES)) {
        return false;
    }
    req->error = 0;
    block_count(b, req);
    block_trace(b, req, " at once");
    return true;
}

void block_submit(struct block *b, struct block_req *req)
{
    struct machine *m = b->m;
    bool nothing = req->op != BLOCK_FLUSH && !req->count;

    g_return_if_fail(!req->busy);
    machine_assert_locked(m);
    req->busy = true;
    req->blk = b;
    req->epoch = m->block_epoch;
    req->error = block_check(b, req);
    b->in_flight++;
    m->blocks_in_flight++;
    block_trace(b, req, req->error ? " refused" : "");
    if (!req->error) {
        block_count(b, req);
    }
    loop_work(m, req->error || nothing ? NULL : block_work, block_finish, req);
}

void block_drain(struct machine *m)
{
    machine_assert_locked(m);
    while (m->blocks_in_flight) {
        loop_wait_work(m);
    }
}

bool block_detach(struct block *b)
{
    if (b->in_flight) {
        return false;
    }
    if (b->m) {
        g_ptr_array_remove(b->m->blocks, b);
        g_mutex_clear(&b->serial);
        b->m = NULL;
    }
    return true;
}

void block_close(struct block *b)
{
    while (!block_detach(b)) {
        loop_wait_work(b->m);
    }
    if (b->ops && b->ops->close) {
        b->ops->close(b->img);
    }
    g_free(b->path);
    g_free(b);
}
