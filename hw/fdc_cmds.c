/*
 * The floppy controller's commands with an execution phase: reads, writes, formatting, verifying
 * and scanning.
 *
 * Follows the Intel 82077AA data sheet (order 290166), chapters 5.2 and 6.1.  A command goes on in
 * steps: the start timer fires; sectors are moved in runs (up to a track by DMA, one in non-DMA
 * mode), each a request to the block layer and a data phase in the order of the direction; a timer
 * stands between runs.
 *
 * Not modelled: see hw/fdc.c.
 */
#include "hw/fdc_int.h"
#include "hw/i8237.h"
#include <errno.h>

static void fdc_begin(struct fdc *f);
static void fdc_next_run(struct fdc *f);
static void fdc_moved(struct fdc *f);

static bool fdc_is_scan(const struct fdc *f)
{
    return f->s.op >= FDC_OP_SCAN_EQUAL;
}

bool fdc_moves_to_guest(const struct fdc *f)
{
    return f->s.op == FDC_OP_READ || f->s.op == FDC_OP_READ_TRACK;
}

static bool fdc_is_multi_track(const struct fdc *f)
{
    return (f->s.fifo[0] & CMD_MT) && f->s.op != FDC_OP_READ_TRACK && f->s.op != FDC_OP_FORMAT;
}

/* READ DELETED DATA, which meets no deleted data. */
static bool fdc_wants_deleted(const struct fdc *f)
{
    return f->s.op == FDC_OP_READ && (f->s.fifo[0] & CMD_DELETED);
}

static const struct floppy_geometry *fdc_medium(struct fdc *f)
{
    const struct fdc_drive *d = fdc_drive_of(f, f->s.selected);

    return d ? d->medium : NULL;
}

/* The end of a command ------------------------------------------------------------------------- */

static void fdc_report(struct fdc *f)
{
    struct fdc_state *s = &f->s;

    timer_stop(&s->exec);
    s->fifo[0] = (uint8_t)(s->st0 | s->head << 2 | s->selected);
    s->fifo[1] = s->st1;
    s->fifo[2] = s->st2;
    s->fifo[3] = s->c;
    s->fifo[4] = s->h;
    s->fifo[5] = s->r;
    s->fifo[6] = s->n;
    trace(&f->dev, TR_STATE, "result %02x %02x %02x, %u/%u/%u", s->fifo[0], s->fifo[1], s->fifo[2],
          s->c, s->h, s->r);
    fdc_give_result(f, 7, true);
}

/* In non-DMA mode a while after the last byte, so that a guest that looks at the status behind it
 * still finds the command executing, and gets the interrupt later. */
static void fdc_finish(struct fdc *f, unsigned code)
{
    f->s.st0 |= (uint8_t)code;
    if (f->s.hlt_nd & SPECIFY_ND) {
        f->s.step = FDC_STEP_END;
        timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_FAIL_NS);
    } else {
        fdc_report(f);
    }
}

/* Give up, after the time it takes to find out. */
static void fdc_fail(struct fdc *f, uint8_t st1)
{
    f->s.st1 |= st1;
    f->s.step = FDC_STEP_FAIL;
    timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_FAIL_NS);
}

void fdc_abort(struct fdc *f, unsigned unit)
{
    if (f->s.phase == FDC_EXEC && f->s.selected == unit && f->s.step != FDC_STEP_FAIL &&
        f->s.step != FDC_STEP_END) {
        fdc_fail(f, ST1_MA);
    }
}

/* The start ------------------------------------------------------------------------------------ */

/* `cylinder`: where the head has to go, or -1. */
static void fdc_start(struct fdc *f, enum fdc_op op, int cylinder)
{
    struct fdc_state *s = &f->s;
    int64_t at = clock_now(f->dev.m);

    s->phase = FDC_EXEC;
    s->step = FDC_STEP_START;
    s->op = (uint8_t)op;
    s->selected = s->fifo[1] & 3;
    s->head = s->fifo[1] >> 2 & 1;
    s->st0 = s->st1 = s->st2 = 0;
    s->tc = false;
    s->waits = 0;
    s->pos = s->end = 0;
    const struct fdc_unit_state *u = &s->unit[s->selected];
    if (u->seek.armed) {
        at = MAX(at, u->seek.deadline); /* a transfer while the head still moves waits for it */
    }
    if (cylinder >= 0) {
        at += ABS(cylinder - u->track) * FDC_TRACK_NS;
    }
    timer_at(&s->exec, at + FDC_LATENCY_NS);
}

static void fdc_start_sectors(struct fdc *f, enum fdc_op op)
{
    struct fdc_state *s = &f->s;

    s->c = s->fifo[2];
    s->h = s->fifo[3];
    s->r = s->fifo[4];
    s->n = s->fifo[5];
    s->eot = s->sc_eot = s->fifo[6];
    s->left = s->fifo[8];
    fdc_start(f, op, s->c);
}

void fdc_start_read(struct fdc *f)
{
    fdc_start_sectors(f, FDC_OP_READ);
}

void fdc_start_read_track(struct fdc *f)
{
    fdc_start_sectors(f, FDC_OP_READ_TRACK);
}

void fdc_start_write(struct fdc *f)
{
    fdc_start_sectors(f, FDC_OP_WRITE);
}

void fdc_start_verify(struct fdc *f)
{
    fdc_start_sectors(f, FDC_OP_VERIFY);
}

void fdc_start_scan(struct fdc *f)
{
    unsigned code = f->s.fifo[0] & 0x1f;

    fdc_start_sectors(f, code == 0x11   ? FDC_OP_SCAN_EQUAL
                         : code == 0x19 ? FDC_OP_SCAN_LOW
                                        : FDC_OP_SCAN_HIGH);
}

void fdc_start_read_id(struct fdc *f)
{
    fdc_start(f, FDC_OP_READ_ID, -1);
}

void fdc_start_format(struct fdc *f)
{
    f->s.n = f->s.fifo[2];
    f->s.sc_eot = f->s.fifo[3];
    fdc_start(f, FDC_OP_FORMAT, -1);
}

/* Non-DMA: nothing moved for a whole turn of the disk is an overrun. */
static void fdc_watch_pio(struct fdc *f)
{
    if (f->s.pos == f->s.waits) {
        f->s.st1 |= ST1_OR;
        fdc_finish(f, ST0_ABNORMAL);
        return;
    }
    f->s.waits = (uint16_t)f->s.pos;
    timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_TURN_NS);
}

void fdc_go_on(struct fdc *f)
{
    switch (f->s.phase == FDC_EXEC ? f->s.step : FDC_STEP_NONE) {
    case FDC_STEP_START:
        fdc_begin(f);
        break;
    case FDC_STEP_RUN:
        fdc_next_run(f);
        break;
    case FDC_STEP_DMA:
        fdc_moved(f);
        break;
    case FDC_STEP_PIO:
        fdc_watch_pio(f);
        break;
    case FDC_STEP_FAIL:
        fdc_finish(f, ST0_ABNORMAL);
        break;
    case FDC_STEP_END:
        fdc_report(f);
        break;
    default:
        break;
    }
}

/* The data phase ------------------------------------------------------------------------------- */

enum fdc_progress { MOVED_ALL, MOVED_LATER, MOVED_NEVER };

static enum fdc_progress fdc_move_by_dma(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    bool tc = false, ready = f->dma && (s->dor & DOR_GATE) && i8237_ready(f->dma, FDC_DMA_CHANNEL);

    if (ready) {
        s->pos += i8237_transfer(f->dma, FDC_DMA_CHANNEL, s->buf + s->pos, s->end - s->pos,
                                 fdc_moves_to_guest(f), &tc);
    }
    s->tc = tc;
    if (tc || s->pos >= s->end) {
        s->waits = 0;
        return MOVED_ALL;
    }
    /* A channel that is enabled and moves nothing is set up for the other direction. */
    return ready || ++s->waits > FDC_DMA_POLLS ? MOVED_NEVER : MOVED_LATER;
}

/* Move bytes pos..end of the buffer between guest and controller. */
static void fdc_move(struct fdc *f, uint32_t pos, uint32_t end)
{
    g_assert(pos < end && end <= FDC_BUF_BYTES);
    f->s.pos = pos;
    f->s.end = end;
    if (f->s.hlt_nd & SPECIFY_ND) {
        f->s.step = FDC_STEP_PIO;
        f->s.waits = (uint16_t)pos;
        timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_TURN_NS);
        fdc_set_interrupt(f, true);
    } else {
        f->s.step = FDC_STEP_DMA;
        fdc_moved(f);
    }
}

bool fdc_takes_pio(const struct fdc *f, bool write)
{
    return f->s.step == FDC_STEP_PIO && f->s.pos < f->s.end && f->s.end <= FDC_BUF_BYTES &&
           fdc_moves_to_guest(f) != write;
}

uint8_t fdc_pio_read(struct fdc *f)
{
    uint8_t val = f->s.buf[f->s.pos++];

    fdc_set_interrupt(f, false);
    if (f->s.pos == f->s.end) {
        fdc_moved(f);
    }
    return val;
}

void fdc_pio_write(struct fdc *f, uint8_t val)
{
    f->s.buf[f->s.pos++] = val;
    fdc_set_interrupt(f, false);
    if (f->s.pos == f->s.end) {
        fdc_moved(f);
    }
}

/* The host's disk ------------------------------------------------------------------------------ */

static void fdc_sectors_done(struct fdc *f, unsigned count);
static void fdc_format_part(struct fdc *f);

/* The run's sectors were read or written. */
static void fdc_disk_done(struct fdc *f, int error)
{
    struct fdc_state *s = &f->s;

    if (error) {
        s->st1 |= error == EROFS ? ST1_NW : ST1_DE;
        s->st2 |= error == EROFS ? 0 : ST2_DD;
        fdc_finish(f, ST0_ABNORMAL);
        return;
    }
    switch (s->op) {
    case FDC_OP_READ:
    case FDC_OP_READ_TRACK:
        fdc_move(f, 0, s->run * SECTOR_BYTES);
        break;
    case FDC_OP_FORMAT:
        fdc_format_part(f);
        break;
    case FDC_OP_WRITE:
    case FDC_OP_VERIFY:
        fdc_sectors_done(f, s->run);
        break;
    default: /* scan: the guest's bytes go behind the disk's */
        fdc_move(f, SECTOR_BYTES, 2 * SECTOR_BYTES);
        break;
    }
}

static void fdc_req_done(struct block_req *req)
{
    struct fdc *f = req->opaque;

    if (f->s.phase != FDC_EXEC) {
        return; /* of before a reset */
    }
    if (f->s.step == FDC_STEP_IO) {
        fdc_disk_done(f, req->error);
    } else if (f->s.step == FDC_STEP_WAIT) {
        fdc_begin(f);
    }
}

/* `count` sectors from sector `first` of the command's track, to or from the start of the buffer.
 */
static void fdc_submit(struct fdc *f, enum block_op op, unsigned first, unsigned count)
{
    struct fdc_state *s = &f->s;
    struct fdc_drive *d = fdc_drive_of(f, s->selected);
    const struct floppy_geometry *g = d->medium;
    uint64_t sector = ((uint64_t)s->c * g->heads + s->head) * g->sectors + first - 1;
    unsigned there = (unsigned)MIN(count, sector < d->blk->sectors ? d->blk->sectors - sector : 0);

    g_assert(!f->req.busy && count <= FDC_RUN_SECTORS);
    s->step = FDC_STEP_IO;
    if (op == BLOCK_READ) { /* behind the image's end lie zeros */
        memset(s->buf + there * SECTOR_BYTES, 0, (count - there) * SECTOR_BYTES);
        count = there;
    }
    f->req.op = op;
    f->req.sector = MIN(sector, d->blk->sectors);
    f->req.count = count;
    f->req.buf = s->buf;
    f->req.done = fdc_req_done;
    f->req.opaque = f;
    block_submit(d->blk, &f->req);
}

/* Sectors -------------------------------------------------------------------------------------- */

/* What sector the head meets next. */
static void fdc_finish_read_id(struct fdc *f, const struct floppy_geometry *g)
{
    uint64_t turn = (uint64_t)clock_now(f->dev.m) % FDC_TURN_NS;

    f->s.c = (uint8_t)(f->s.unit[f->s.selected].track /
                       fdc_steps_per_track(fdc_drive_of(f, f->s.selected)));
    f->s.h = f->s.head;
    f->s.r = (uint8_t)(1 + turn * g->sectors / FDC_TURN_NS);
    f->s.n = FDC_SIZE_CODE;
    fdc_finish(f, 0);
}

/* READ DELETED DATA with SK passes all sectors by, without it takes the first and stops. */
static bool fdc_begin_deleted(struct fdc *f)
{
    if (!fdc_wants_deleted(f)) {
        return true;
    }
    f->s.st2 |= ST2_CM;
    if (f->s.fifo[0] & CMD_SK) {
        fdc_fail(f, ST1_EN);
        return false;
    }
    return true;
}

/* The head is there: look at the disk. */
static void fdc_begin(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    const struct floppy_geometry *g = fdc_medium(f);
    bool has_id = s->op != FDC_OP_READ_ID && s->op != FDC_OP_FORMAT;
    unsigned steps = fdc_steps_per_track(fdc_drive_of(f, s->selected));

    if (f->req.busy) {
        s->step = FDC_STEP_WAIT;
        return;
    }
    if (!g || !(s->fifo[0] & CMD_MFM) || !(g->rates & BIT(s->dsr & RATE_MASK)) ||
        s->head >= g->heads) {
        fdc_fail(f, ST1_MA);
        return;
    }
    if (has_id) {
        fdc_move_head(f, s->selected, s->c * steps);
        s->unit[s->selected].pcn = (uint8_t)(s->c * steps);
    }
    if (s->unit[s->selected].track >= g->tracks * steps) {
        fdc_fail(f, ST1_MA);
    } else if ((s->op == FDC_OP_WRITE || s->op == FDC_OP_FORMAT) &&
               fdc_drive_of(f, s->selected)->blk->readonly) {
        fdc_fail(f, ST1_NW);
    } else if (s->op == FDC_OP_READ_ID) {
        fdc_finish_read_id(f, g);
    } else if (s->op == FDC_OP_FORMAT) {
        if (s->sc_eot) {
            fdc_move(f, 0, s->sc_eot * 4u);
        } else {
            fdc_fail(f, ST1_ND);
        }
    } else if (s->h != s->head || s->n != FDC_SIZE_CODE) {
        fdc_fail(f, ST1_ND);
    } else if (fdc_begin_deleted(f)) {
        if (s->op == FDC_OP_READ_TRACK) { /* from the index on, whatever the sector's ID */
            s->st1 |= s->r == 1 ? 0 : ST1_ND;
            s->r = 1;
        }
        fdc_next_run(f);
    }
}

/* The last sector before the command ends or turns to the other side. */
static unsigned fdc_last_sector(const struct fdc *f, const struct floppy_geometry *g)
{
    return f->s.r <= f->s.eot ? MIN(f->s.eot, g->sectors) : g->sectors;
}

static void fdc_next_run(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    const struct floppy_geometry *g = fdc_medium(f);
    unsigned run;

    if (!g) { /* taken out meanwhile */
        fdc_fail(f, ST1_MA);
        return;
    }
    if (s->r < 1 || s->r > g->sectors || s->c >= g->tracks || s->head >= g->heads) {
        fdc_fail(f, ST1_ND);
        return;
    }
    run = MIN(fdc_last_sector(f, g) - s->r + 1, (unsigned)FDC_RUN_SECTORS);
    if (s->op == FDC_OP_VERIFY && (s->fifo[1] & 0x80) && s->left) {
        run = MIN(run, s->left);
    }
    if ((s->hlt_nd & SPECIFY_ND) || fdc_is_scan(f) || fdc_wants_deleted(f)) {
        run = 1;
    }
    s->run = (uint8_t)run;
    if (s->op == FDC_OP_WRITE) {
        fdc_move(f, 0, run * SECTOR_BYTES);
    } else {
        fdc_submit(f, BLOCK_READ, s->r, run);
    }
}

/* The sector ID goes on to the next sector; true at the end of the cylinder (data sheet table 6-6).
 */
static bool fdc_next_sector(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    const struct floppy_geometry *g = fdc_medium(f);
    bool multi = fdc_is_multi_track(f), track_end = g && s->r == g->sectors;

    if (s->r != s->eot && !(track_end && (multi || s->op == FDC_OP_READ_TRACK))) {
        s->r++;
        return false;
    }
    s->r = 1;
    if (multi && !s->head) {
        s->head = 1;
        s->h ^= 1;
        return false;
    }
    if (multi) {
        s->head = 0;
        s->h ^= 1;
    }
    s->c++;
    return true;
}

/* `count` sectors from s->r on are through: go on or end. */
static void fdc_sectors_done(struct fdc *f, unsigned count)
{
    struct fdc_state *s = &f->s;
    bool counted = s->op == FDC_OP_VERIFY && (s->fifo[1] & 0x80);
    uint8_t side = s->head, c = s->c, h = s->h;
    uint8_t r = (uint8_t)(s->r + count - 1);

    s->r = r;
    bool end = fdc_next_sector(f);
    if (counted) {
        s->left = (uint8_t)(s->left - count);
    }
    if (s->tc || fdc_wants_deleted(f) || (counted && !s->left)) {
        s->head = side;
        fdc_finish(f, 0);
    } else if (!end) {
        s->step = FDC_STEP_RUN;
        timer_at(&s->exec, clock_now(f->dev.m) + count * FDC_SECTOR_NS);
    } else if (s->op == FDC_OP_READ_TRACK || (s->op == FDC_OP_VERIFY && !counted) ||
               fdc_is_scan(f)) {
        s->head = side;
        fdc_finish(f, 0);
    } else { /* without a terminal count the ID stays that of the last sector */
        s->head = side;
        s->c = c;
        s->h = h;
        s->r = r;
        s->st1 |= ST1_EN;
        fdc_finish(f, ST0_ABNORMAL);
    }
}

/* SCAN: compare the disk's sector with the guest's bytes, of which 0xff matches all. */
static void fdc_scan_moved(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    bool equal = true, low = true, high = true;

    for (uint32_t i = SECTOR_BYTES; i < s->pos; i++) {
        uint8_t disk = s->buf[i - SECTOR_BYTES], guest = s->buf[i];

        if (guest != 0xff && disk != 0xff) {
            equal &= disk == guest;
            low &= disk <= guest;
            high &= disk >= guest;
        }
    }
    if (equal || (s->op == FDC_OP_SCAN_LOW && low) || (s->op == FDC_OP_SCAN_HIGH && high)) {
        s->st2 = (uint8_t)((s->st2 & ~ST2_SN) | (equal ? ST2_SH : 0));
        fdc_finish(f, 0);
        return;
    }
    s->st2 |= ST2_SN;
    if (s->fifo[8] == 2 && s->r < s->eot) { /* every other sector */
        s->r++;
    }
    fdc_sectors_done(f, 1);
}

/* FORMAT --------------------------------------------------------------------------------------- */

/* Write the next stretch of sectors that are to be formatted. */
static void fdc_format_part(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    const struct floppy_geometry *g = fdc_medium(f);
    unsigned first, count = 0;

    if (g) { /* the format may be another one by now, with fewer sectors */
        s->format_mask &= BIT64(g->sectors + 1) - 2;
    }
    if (!g || !s->format_mask) {
        fdc_finish(f, g ? 0 : ST0_ABNORMAL);
        return;
    }
    first = (unsigned)__builtin_ctzll(s->format_mask);
    while (count < FDC_RUN_SECTORS && (s->format_mask >> (first + count) & 1)) {
        s->format_mask &= ~BIT64(first + count);
        count++;
    }
    fdc_submit(f, BLOCK_WRITE, first, count);
}

/* The IDs came in.  An image can hold its own format only. */
static void fdc_format_moved(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    const struct floppy_geometry *g = fdc_medium(f);
    unsigned ids = s->pos / 4;

    s->format_mask = 0;
    s->c = s->buf[0];
    s->h = s->head;
    for (unsigned i = 0; i < ids; i++) {
        const uint8_t *id = s->buf + 4 * i;

        if (!g || id[0] != s->c || id[0] >= g->tracks || id[1] != s->head || id[2] < 1 ||
            id[2] > g->sectors || id[3] != FDC_SIZE_CODE) {
            guest_error(&f->dev, "formatting %u/%u/%u, size %u: not a sector of this medium", id[0],
                        id[1], id[2], id[3]);
            fdc_fail(f, ST1_ND);
            return;
        }
        s->r = id[2];
        s->format_mask |= BIT64(id[2]);
    }
    fdc_move_head(f, s->selected, s->c * fdc_steps_per_track(fdc_drive_of(f, s->selected)));
    memset(s->buf, s->fifo[5], FDC_BUF_BYTES);
    fdc_format_part(f);
}

/* ---------------------------------------------------------------------------------------------- */

/* The data phase is over, or, with DMA, can go on. */
static void fdc_moved(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    unsigned sectors;

    if (s->step == FDC_STEP_DMA) {
        switch (fdc_move_by_dma(f)) {
        case MOVED_NEVER:
            s->st1 |= ST1_OR;
            fdc_finish(f, ST0_ABNORMAL);
            return;
        case MOVED_LATER:
            timer_at(&s->exec, clock_now(f->dev.m) + FDC_DMA_POLL_NS);
            return;
        case MOVED_ALL:
            break;
        }
    }
    sectors = (s->pos + SECTOR_BYTES - 1) / SECTOR_BYTES;
    switch (s->op) {
    case FDC_OP_WRITE:
        if (!fdc_medium(f)) {
            fdc_fail(f, ST1_MA);
            break;
        }
        memset(s->buf + s->pos, 0, sectors * SECTOR_BYTES - s->pos);
        s->run = (uint8_t)sectors;
        fdc_submit(f, BLOCK_WRITE, s->r, sectors);
        break;
    case FDC_OP_FORMAT:
        fdc_format_moved(f);
        break;
    case FDC_OP_READ:
    case FDC_OP_READ_TRACK:
        fdc_sectors_done(f, sectors);
        break;
    default:
        fdc_scan_moved(f);
        break;
    }
}
