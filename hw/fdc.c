/*
 * An Intel 82077AA floppy controller in AT mode with two drives: registers, phases, seeks and the
 * commands that move no data.  The others are in fdc_cmds.c.
 *
 * Follows the Intel 82077AA data sheet (order 290166): registers in chapter 2, phases in 5,
 * commands in 6; what the PC adds (change line at 0x3f7, the gate of interrupt and DMA in the DOR)
 * follows the AT technical reference.
 *
 * A guest's bytes reach the FIFO at one place only, which is bounded by the array and by the
 * command's length, whatever the phase (CVE-2015-3456 was the lack of that).
 *
 * Differs from the chip on purpose: transfers always seek to their cylinder, as if EIS were set
 * (SeaBIOS sends no SEEK); a multi-track transfer whose EOT lies behind the track's end goes on
 * with the other side (SeaBIOS relies on that too); what would wait for an index pulse for ever
 * ends with a missing address mark; the drive is the one in the command, whatever the DOR selects;
 * the time of turning and stepping is some hundred microseconds.
 *
 * In non-DMA mode the guest has a turn of the disk for a sector's bytes (Linux ends its transfers
 * by that overrun).  Power-down only makes the controller deaf until a reset.
 *
 * Not modelled: motors and head load times (stored only), FIFO threshold, precompensation, tape
 * drives, the PS/2 and Model 30 registers at 0x3f0 and 0x3f1, the drive swapping of later chips,
 * single density, deleted data marks (all data reads as not deleted), sectors of other than 512
 * bytes, a head that is not where the controller believes it is.
 */
#include "hw/fdc.h"
#include "hw/fdc_int.h"
#include "hw/i8237.h"

enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NON_DMA = 0x20, MSR_BUSY = 0x10 };
enum { DSR_RESET = 0x80, DSR_KEPT = 0x7f, DSR_POWER_DOWN = 0x40, DIR_CHANGED = 0x80 };
enum { CONFIG_EIS = 0x40, CONFIG_EFIFO = 0x20, CONFIG_POLL = 0x10, CONFIG_ALL = 0x7f };
enum { PERP_GAP_WGATE = 0x03, PERP_DRIVES = 0x3c, PERP_OW = 0x80 };
enum { LAST_TRACK = 83, EXEC_TIMER = FDC_UNITS, VERSION_ENHANCED = 0x90 };

static struct fdc *fdc_of(struct device *dev)
{
    return container_of(dev, struct fdc, dev);
}

void fdc_set_interrupt(struct fdc *f, bool on)
{
    f->s.intr = on;
    line_set(&f->s.irq, on && (f->s.dor & DOR_GATE));
}

struct fdc_drive *fdc_drive_of(struct fdc *f, unsigned unit)
{
    return unit < FDC_DRIVES && f->drive[unit].present ? &f->drive[unit] : NULL;
}

/* The first unit whose last seek ended so, or FDC_UNITS. */
static unsigned fdc_find_ended(const struct fdc *f, enum fdc_seek_end how)
{
    unsigned unit = 0;

    while (unit < FDC_UNITS && f->s.unit[unit].ended != how) {
        unit++;
    }
    return unit;
}

/* Ready for the next command; the end of a seek that happened meanwhile is told now. */
static void fdc_set_idle(struct fdc *f)
{
    f->s.phase = FDC_IDLE;
    f->s.step = FDC_STEP_NONE;
    unsigned unit = fdc_find_ended(f, SEEK_QUIET);
    if (unit < FDC_UNITS && !f->s.intr) {
        f->s.unit[unit].ended = SEEK_ANNOUNCED;
        fdc_set_interrupt(f, true);
    }
}

void fdc_give_result(struct fdc *f, unsigned len, bool interrupt)
{
    g_assert(len > 0 && len <= FDC_FIFO_BYTES);
    f->s.phase = FDC_RESULT;
    f->s.step = FDC_STEP_NONE;
    f->s.fifo_pos = 0;
    f->s.fifo_len = (uint8_t)len;
    if (interrupt) { /* an edge also where the end of a seek was never sensed */
        fdc_set_interrupt(f, false);
        fdc_set_interrupt(f, true);
    }
}

/* Resets (data sheet 4) ------------------------------------------------------------------------ */

/* What a reset by the DOR or the DSR clears.  A request on its way to the disk goes on; its answer
 * will be ignored. */
static void fdc_enter_reset(struct fdc *f)
{
    struct fdc_state *s = &f->s;

    timer_stop(&s->exec);
    s->dsr &= (uint8_t)~DSR_POWER_DOWN;
    for (unsigned i = 0; i < FDC_UNITS; i++) {
        timer_stop(&s->unit[i].seek);
        s->unit[i].ended = SEEK_SENSED;
        s->unit[i].pcn = 0;
    }
    s->phase = FDC_RESET;
    s->step = FDC_STEP_NONE;
    s->fifo_pos = s->fifo_len = 0;
    s->polled = 0;
    s->config &= (uint8_t) ~(CONFIG_EIS | CONFIG_POLL);
    if (!s->lock) {
        s->config = CONFIG_EFIFO;
        s->pretrk = 0;
    }
    s->perpendicular &= (uint8_t)~PERP_GAP_WGATE;
    fdc_set_interrupt(f, false);
}

/* The controller polls the drives and finds that each became ready: one interrupt, four statuses.
 */
static void fdc_leave_reset(struct fdc *f)
{
    trace(&f->dev, TR_STATE, "out of reset");
    fdc_set_idle(f);
    f->s.polled = FDC_UNITS;
    fdc_set_interrupt(f, true);
}

/* Seeks ---------------------------------------------------------------------------------------- */

void fdc_move_head(struct fdc *f, unsigned unit, unsigned track)
{
    struct fdc_unit_state *u = &f->s.unit[unit];
    const struct fdc_drive *d = fdc_drive_of(f, unit);

    track = MIN(track, (unsigned)LAST_TRACK);
    if (d && d->medium && track != u->track) {
        u->changed = false;
    }
    u->track = (uint8_t)track;
}

static void fdc_start_seek(struct fdc *f, unsigned unit, unsigned target, uint8_t st0)
{
    struct fdc_unit_state *u = &f->s.unit[unit];
    unsigned steps = (unsigned)ABS((int)target - u->track);

    u->target = (uint8_t)target;
    u->st0 = (uint8_t)(st0 | unit);
    u->ended = SEEK_SENSED;
    timer_at(&u->seek, clock_now(f->dev.m) + FDC_LATENCY_NS + steps * FDC_TRACK_NS);
    fdc_set_idle(f);
}

static void fdc_end_seek(struct fdc *f, unsigned unit)
{
    struct fdc_unit_state *u = &f->s.unit[unit];

    fdc_move_head(f, unit, u->target);
    u->pcn = u->target;
    if (f->s.intr) {
        u->ended = SEEK_QUIET;
    } else {
        u->ended = SEEK_ANNOUNCED;
        fdc_set_interrupt(f, true);
    }
}

static void fdc_recalibrate(struct fdc *f)
{
    unsigned unit = f->s.fifo[1] & 3;

    /* No drive answers with the track 0 signal: the controller steps in vain and reports an
     * equipment check. */
    fdc_start_seek(f, unit, 0,
                   fdc_drive_of(f, unit) ? ST0_SEEK_END : ST0_ABNORMAL | ST0_SEEK_END | ST0_EC);
}

static void fdc_seek(struct fdc *f)
{
    fdc_start_seek(f, f->s.fifo[1] & 3, f->s.fifo[2], (uint8_t)(ST0_SEEK_END | (f->s.fifo[1] & 4)));
}

static void fdc_relative_seek(struct fdc *f)
{
    unsigned unit = f->s.fifo[1] & 3;
    int way = f->s.fifo[0] & CMD_UP ? f->s.fifo[2] : -(int)f->s.fifo[2];

    fdc_start_seek(f, unit, (unsigned)CLAMP(f->s.unit[unit].pcn + way, 0, 255),
                   (uint8_t)(ST0_SEEK_END | (f->s.fifo[1] & 4)));
}

/* Commands without an execution phase (data sheet 6.3) ----------------------------------------- */

static void fdc_sense_interrupt(struct fdc *f)
{
    struct fdc_state *s = &f->s;
    unsigned unit;

    if (s->polled) {
        unit = FDC_UNITS - s->polled--;
        s->fifo[0] = (uint8_t)(ST0_POLLED | unit);
    } else {
        unit = fdc_find_ended(f, SEEK_ANNOUNCED);
        if (unit == FDC_UNITS) {
            unit = fdc_find_ended(f, SEEK_QUIET);
        }
        if (unit == FDC_UNITS) {
            s->fifo[0] = ST0_INVALID;
            fdc_give_result(f, 1, false);
            return;
        }
        s->fifo[0] = s->unit[unit].st0;
        s->unit[unit].ended = SEEK_SENSED;
    }
    s->fifo[1] = s->unit[unit].pcn;
    fdc_set_interrupt(f, false);
    fdc_give_result(f, 2, false);
}

static void fdc_sense_drive(struct fdc *f)
{
    unsigned unit = f->s.fifo[1] & 3;
    const struct fdc_drive *d = fdc_drive_of(f, unit);
    uint8_t st3 = (f->s.fifo[1] & 7) | ST3_RY | ST3_TS;

    if (d && (!d->blk || d->blk->readonly)) {
        st3 |= ST3_WP;
    }
    if (d && f->s.unit[unit].track == 0) {
        st3 |= ST3_T0;
    }
    f->s.fifo[0] = st3;
    fdc_give_result(f, 1, false);
}

static void fdc_specify(struct fdc *f)
{
    f->s.srt_hut = f->s.fifo[1];
    f->s.hlt_nd = f->s.fifo[2];
    fdc_set_idle(f);
}

static void fdc_configure(struct fdc *f)
{
    f->s.config = f->s.fifo[2] & CONFIG_ALL;
    f->s.pretrk = f->s.fifo[3];
    fdc_set_idle(f);
}

static void fdc_set_perpendicular(struct fdc *f)
{
    uint8_t val = f->s.fifo[1];
    uint8_t takes = PERP_GAP_WGATE | (val & PERP_OW ? PERP_DRIVES : 0);

    f->s.perpendicular = (uint8_t)((f->s.perpendicular & ~takes) | (val & takes));
    fdc_set_idle(f);
}

static void fdc_set_lock(struct fdc *f)
{
    f->s.lock = f->s.fifo[0] & 0x80;
    f->s.fifo[0] = f->s.lock ? 0x10 : 0;
    fdc_give_result(f, 1, false);
}

static void fdc_version(struct fdc *f)
{
    f->s.fifo[0] = VERSION_ENHANCED;
    fdc_give_result(f, 1, false);
}

static void fdc_dump_registers(struct fdc *f)
{
    struct fdc_state *s = &f->s;

    for (unsigned i = 0; i < FDC_UNITS; i++) {
        s->fifo[i] = s->unit[i].pcn;
    }
    s->fifo[4] = s->srt_hut;
    s->fifo[5] = s->hlt_nd;
    s->fifo[6] = s->sc_eot;
    s->fifo[7] = (uint8_t)((s->lock ? 0x80 : 0) | (s->perpendicular & 0x3f));
    s->fifo[8] = s->config;
    s->fifo[9] = s->pretrk;
    fdc_give_result(f, 10, false);
}

/* The FIFO ------------------------------------------------------------------------------------- */

static const struct fdc_command {
    uint8_t mask, value; /* of the first byte */
    uint8_t params;      /* bytes that follow */
    void (*start)(struct fdc *f);
    const char *name;
} commands[] = {
    {0x1f, 0x06, 8, fdc_start_read, "READ DATA"},
    {0x1f, 0x0c, 8, fdc_start_read, "READ DELETED DATA"},
    {0x3f, 0x05, 8, fdc_start_write, "WRITE DATA"},
    {0x3f, 0x09, 8, fdc_start_write, "WRITE DELETED DATA"},
    {0xbf, 0x02, 8, fdc_start_read_track, "READ TRACK"},
    {0x1f, 0x16, 8, fdc_start_verify, "VERIFY"},
    {0xff, 0x10, 0, fdc_version, "VERSION"},
    {0xbf, 0x0d, 5, fdc_start_format, "FORMAT TRACK"},
    {0x1f, 0x11, 8, fdc_start_scan, "SCAN EQUAL"},
    {0x1f, 0x19, 8, fdc_start_scan, "SCAN LOW OR EQUAL"},
    {0x1f, 0x1d, 8, fdc_start_scan, "SCAN HIGH OR EQUAL"},
    {0xff, 0x07, 1, fdc_recalibrate, "RECALIBRATE"},
    {0xff, 0x08, 0, fdc_sense_interrupt, "SENSE INTERRUPT STATUS"},
    {0xff, 0x03, 2, fdc_specify, "SPECIFY"},
    {0xff, 0x04, 1, fdc_sense_drive, "SENSE DRIVE STATUS"},
    {0xff, 0x13, 3, fdc_configure, "CONFIGURE"},
    {0xff, 0x0f, 2, fdc_seek, "SEEK"},
    {0xbf, 0x8f, 2, fdc_relative_seek, "RELATIVE SEEK"},
    {0xff, 0x0e, 0, fdc_dump_registers, "DUMPREG"},
    {0xbf, 0x0a, 1, fdc_start_read_id, "READ ID"},
    {0xff, 0x12, 1, fdc_set_perpendicular, "PERPENDICULAR MODE"},
    {0x7f, 0x14, 0, fdc_set_lock, "LOCK"},
};

static const struct fdc_command *fdc_find_command(uint8_t first)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        if ((first & commands[i].mask) == commands[i].value) {
            return &commands[i];
        }
    }
    return NULL;
}

static void fdc_start_command(struct fdc *f, const struct fdc_command *cmd)
{
    const uint8_t *p = f->s.fifo;

    trace(&f->dev, TR_STATE, "%s: %02x, %02x %02x %02x %02x %02x %02x %02x %02x", cmd->name, p[0],
          p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]);
    cmd->start(f);
}

static void fdc_take_first(struct fdc *f, uint8_t val)
{
    const struct fdc_command *cmd = fdc_find_command(val);

    memset(f->s.fifo, 0, sizeof f->s.fifo);
    f->s.fifo[0] = val;
    f->s.fifo_pos = 1;
    if (!cmd) {
        guest_error(&f->dev, "command %02x does not exist", val);
        f->s.fifo[0] = ST0_INVALID;
        fdc_give_result(f, 1, false);
        return;
    }
    if (cmd->start != fdc_sense_interrupt) {
        f->s.polled = 0; /* who does not ask for the statuses of a reset at once gets none */
    }
    f->s.fifo_len = cmd->params + 1;
    f->s.phase = FDC_COMMAND;
    if (!cmd->params) {
        fdc_start_command(f, cmd);
    }
}

static void fdc_take_parameter(struct fdc *f, uint8_t val)
{
    const struct fdc_command *cmd = fdc_find_command(f->s.fifo[0]);
    unsigned len = MIN(f->s.fifo_len, FDC_FIFO_BYTES);

    if (!cmd || f->s.fifo_pos >= len) { /* a damaged snapshot at most */
        fdc_set_idle(f);
        return;
    }
    f->s.fifo[f->s.fifo_pos++] = val;
    if (f->s.fifo_pos == len) {
        fdc_start_command(f, cmd);
    }
}

static void fdc_fifo_write(struct fdc *f, uint8_t val)
{
    switch (f->s.dsr & DSR_POWER_DOWN ? FDC_RESET : f->s.phase) {
    case FDC_IDLE:
        fdc_take_first(f, val);
        return;
    case FDC_COMMAND:
        fdc_take_parameter(f, val);
        return;
    case FDC_EXEC:
        if (fdc_takes_pio(f, true)) {
            fdc_pio_write(f, val);
            return;
        }
        break;
    default:
        break;
    }
    guest_error(&f->dev, "byte %02x for the FIFO while it takes none", val);
}

static uint8_t fdc_fifo_read(struct fdc *f)
{
    if (f->s.dsr & DSR_POWER_DOWN) {
        guest_error(&f->dev, "FIFO read while powered down");
        return 0;
    }
    if (f->s.phase == FDC_EXEC && fdc_takes_pio(f, false)) {
        return fdc_pio_read(f);
    }
    if (f->s.phase != FDC_RESULT || f->s.fifo_pos >= MIN(f->s.fifo_len, FDC_FIFO_BYTES)) {
        guest_error(&f->dev, "FIFO read while it has no byte");
        return 0;
    }
    uint8_t val = f->s.fifo[f->s.fifo_pos++];
    if (f->s.fifo_pos == 1) {
        fdc_set_interrupt(f, false);
    }
    if (f->s.fifo_pos == f->s.fifo_len) {
        fdc_set_idle(f);
    }
    return val;
}

/* The other registers (data sheet 2) ----------------------------------------------------------- */

static uint8_t fdc_main_status(const struct fdc *f)
{
    const struct fdc_state *s = &f->s;
    uint8_t msr = 0;

    if (s->phase == FDC_RESET || (s->dsr & DSR_POWER_DOWN)) {
        return 0;
    }
    for (unsigned i = 0; i < FDC_UNITS; i++) {
        msr |= (uint8_t)(s->unit[i].seek.armed ? BIT(i) : 0);
    }
    switch (s->phase) {
    case FDC_IDLE:
        return msr | MSR_RQM;
    case FDC_COMMAND:
        return msr | MSR_RQM | MSR_BUSY;
    case FDC_EXEC: /* NON_DMA also between the bytes: Linux takes its absence for the end */
        msr |= (uint8_t)(MSR_BUSY | (s->hlt_nd & SPECIFY_ND ? MSR_NON_DMA : 0));
        if (s->step == FDC_STEP_PIO) {
            msr |= (uint8_t)(MSR_RQM | (fdc_moves_to_guest(f) ? MSR_DIO : 0));
        }
        return msr;
    default:
        return msr | MSR_RQM | MSR_DIO | MSR_BUSY;
    }
}

static void fdc_write_dor(struct fdc *f, uint8_t val)
{
    uint8_t old = f->s.dor;

    f->s.dor = val;
    if (old & ~val & DOR_RUN) {
        fdc_enter_reset(f);
    } else if (val & ~old & DOR_RUN) {
        timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_RESET_NS);
    }
    fdc_set_interrupt(f, f->s.intr); /* the gate may have moved */
}

static void fdc_write_dsr(struct fdc *f, uint8_t val)
{
    f->s.dsr = val & DSR_KEPT;
    if ((val & DSR_RESET) && (f->s.dor & DOR_RUN)) { /* clears itself */
        fdc_enter_reset(f);
        timer_at(&f->s.exec, clock_now(f->dev.m) + FDC_RESET_NS);
    }
}

static uint32_t fdc_read(struct device *dev, unsigned off, unsigned size)
{
    struct fdc *f = fdc_of(dev);

    (void)size;
    switch (off) {
    case 0:
        return f->s.dor;
    case 1:
        return f->s.tdr;
    case 2:
        return fdc_main_status(f);
    default:
        return fdc_fifo_read(f);
    }
}

static void fdc_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct fdc *f = fdc_of(dev);

    (void)size;
    switch (off) {
    case 0:
        fdc_write_dor(f, (uint8_t)val);
        break;
    case 1:
        f->s.tdr = val & 3;
        break;
    case 2:
        fdc_write_dsr(f, (uint8_t)val);
        break;
    default:
        fdc_fifo_write(f, (uint8_t)val);
        break;
    }
}

/* The digital input register: the selected drive's change line. */
static uint32_t fdc_read_dir(struct device *dev, unsigned off, unsigned size)
{
    struct fdc *f = fdc_of(dev);
    unsigned unit = f->s.dor & DOR_SELECT;

    (void)off, (void)size;
    return fdc_drive_of(f, unit) && f->s.unit[unit].changed ? DIR_CHANGED : 0;
}

/* The configuration control register: the data rate. */
static void fdc_write_ccr(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct fdc *f = fdc_of(dev);

    (void)off, (void)size;
    f->s.dsr = (uint8_t)((f->s.dsr & ~RATE_MASK) | (val & RATE_MASK));
}

/* The device ----------------------------------------------------------------------------------- */

static void fdc_timer(struct device *dev, unsigned n)
{
    struct fdc *f = fdc_of(dev);

    if (n < FDC_UNITS) {
        fdc_end_seek(f, n);
    } else if (f->s.phase == FDC_RESET) {
        fdc_leave_reset(f);
    } else {
        fdc_go_on(f);
    }
}

/* The row of the configuration that describes a drive, or -1. */
static int fdc_find_row(const struct machine *m, unsigned drive)
{
    for (int i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *c = &m->config.drives[i];

        if (c->used && c->interface == DRIVE_FLOPPY && c->index == drive) {
            return i;
        }
    }
    return -1;
}

unsigned fdc_drive_type(const struct machine *m, unsigned drive)
{
    int row = fdc_find_row(m, drive);
    const struct floppy_geometry *g = NULL;

    if (row < 0) {
        return 0;
    }
    if (m->drives[row]) {
        g = floppy_geometry_for(m->drives[row]->sectors);
    }
    if (!g) {
        return FLOPPY_DRIVE_2880; /* takes every 3.5 inch disk */
    }
    return g->drive == FLOPPY_DRIVE_720 ? FLOPPY_DRIVE_1440 : g->drive;
}

/* Whether the drive can work with the medium: its width, and no higher a density than its own. */
static bool fdc_drive_takes(const struct fdc_drive *d, const struct floppy_geometry *g)
{
    return g && g->five_inch == (d->type <= FLOPPY_DRIVE_1200) && g->drive <= d->type;
}

unsigned fdc_steps_per_track(const struct fdc_drive *d)
{
    return d && d->type == FLOPPY_DRIVE_1200 && d->medium && d->medium->drive == FLOPPY_DRIVE_360
               ? 2
               : 1;
}

/* Put a medium (or none) into a drive; false when it is too large. */
static bool fdc_insert(struct fdc_drive *d, struct block *blk)
{
    const struct floppy_geometry *g = blk ? floppy_geometry_for(blk->sectors) : NULL;

    if (blk && !g) {
        return false;
    }
    d->blk = blk;
    d->medium = g;
    return true;
}

static bool fdc_attach_drive(struct fdc *f, unsigned row, GError **err)
{
    const struct drive_config *c = &f->dev.m->config.drives[row];
    const char *file = c->file ? c->file : "floppy drive";
    struct fdc_drive *d = &f->drive[c->index & 1];

    if (c->index >= FDC_DRIVES) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "%s: no floppy drive %u: there are two, 0 and 1", file, c->index);
        return false;
    }
    if (d->present) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "%s: floppy drive %u is taken twice; give each its own index", file, c->index);
        return false;
    }
    d->present = true;
    if (!fdc_insert(d, f->dev.m->drives[row])) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT,
                    "%s: %" G_GUINT64_FORMAT " sectors is no floppy disk: it must have 1 to %d",
                    file, f->dev.m->drives[row]->sectors, FLOPPY_MAX_SECTORS);
        return false;
    }
    d->row = (uint8_t)row;
    d->type = (uint8_t)fdc_drive_type(f->dev.m, c->index);
    return true;
}

static bool fdc_attach(struct device *dev, GError **err)
{
    struct fdc *f = fdc_of(dev);

    f->dma = device_find(dev->m, "i8237");
    for (unsigned i = 0; i < FDC_UNITS; i++) {
        timer_init(&f->s.unit[i].seek, dev, fdc_timer, i);
    }
    timer_init(&f->s.exec, dev, fdc_timer, EXEC_TIMER);
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
        const struct drive_config *c = &dev->m->config.drives[i];

        if (c->used && c->interface == DRIVE_FLOPPY && !fdc_attach_drive(f, i, err)) {
            return false;
        }
    }
    return true;
}

/* A snapshot is hostile input: what cannot be continued is dropped, and the guest resets the
 * controller. */
static void fdc_loaded(struct device *dev)
{
    struct fdc_state *s = &fdc_of(dev)->s;
    bool lost = s->step == FDC_STEP_IO || s->step == FDC_STEP_WAIT || s->pos > s->end ||
                (s->step == FDC_STEP_PIO && s->pos == s->end);

    if (s->phase == FDC_EXEC && lost) {
        s->phase = FDC_IDLE;
        s->step = FDC_STEP_NONE;
    }
}

static void fdc_info(struct device *dev, GString *out)
{
    struct fdc *f = fdc_of(dev);

    for (unsigned i = 0; i < FDC_DRIVES; i++) {
        const struct fdc_drive *d = &f->drive[i];

        g_string_append_printf(out, "%c: %s%s%s%s\n", 'A' + (int)i,
                               !d->present  ? "none"
                               : !d->medium ? "empty"
                                            : d->medium->name,
                               d->blk && d->blk->path ? ", " : "",
                               d->blk && d->blk->path ? d->blk->path : "",
                               d->blk && d->blk->readonly ? " (write-protected)" : "");
    }
}

struct line *fdc_irq(struct device *dev)
{
    return &fdc_of(dev)->s.irq;
}

bool fdc_change_medium(struct device *dev, unsigned drive, struct block *blk, struct block **old)
{
    struct fdc *f = fdc_of(dev);
    struct fdc_drive *d = fdc_drive_of(f, drive);

    if (!d || (blk && !fdc_drive_takes(d, floppy_geometry_for(blk->sectors)))) {
        return false;
    }
    *old = d->blk;
    fdc_abort(f, drive);
    fdc_insert(d, blk);
    dev->m->drives[d->row] = blk; /* the old one is the caller's now */
    f->s.unit[drive].changed = true;
    return true;
}

#define U(m, ...) STATE(struct fdc_unit_state, m, __VA_ARGS__)
static const struct state_field fdc_unit_fields[] = {
    U(seek),
    U(track, .max = LAST_TRACK),
    U(pcn),
    U(target),
    U(st0),
    U(ended, .max = SEEK_ANNOUNCED),
    U(changed, .reset = true),
    STATE_HOLE(struct fdc_unit_state, hole),
    STATE_END,
};

#define F(m, ...) STATE(struct fdc, s.m, __VA_ARGS__)
static const struct state_field fdc_state_fields[] = {
    F(irq),
    F(exec),
    STATE_STRUCTS(struct fdc, s.unit, fdc_unit_fields),
    F(format_mask),
    F(pos, .max = FDC_BUF_BYTES),
    F(end, .max = FDC_BUF_BYTES),
    F(waits),
    F(intr),
    F(tc),
    F(dor),
    F(tdr),
    F(dsr, .reset = 2), /* 250 kbit/s */
    F(phase, .reset = FDC_RESET, .max = FDC_PHASE_MAX),
    F(step, .max = FDC_STEP_MAX),
    F(op, .max = FDC_OP_MAX),
    F(selected, .max = FDC_UNITS - 1),
    F(head, .max = 1),
    F(c),
    F(h),
    F(r),
    F(n),
    F(eot),
    F(left),
    F(run, .max = FDC_RUN_SECTORS),
    F(st0),
    F(st1),
    F(st2),
    F(srt_hut),
    F(hlt_nd),
    F(sc_eot),
    F(config, .reset = CONFIG_EFIFO),
    F(pretrk),
    F(perpendicular),
    F(lock),
    F(polled, .max = FDC_UNITS),
    F(fifo_pos, .max = FDC_FIFO_BYTES),
    F(fifo_len, .max = FDC_FIFO_BYTES),
    STATE_HOLE(struct fdc, s.hole),
    STATE_ARRAY(struct fdc, s.fifo),
    STATE_ARRAY(struct fdc, s.buf, .keep = true),
    STATE_END,
};

static const struct port_range fdc_ports[] = {
    {.first = 0x3f2, .count = 4, .sizes = SIZE_1, .read = fdc_read, .write = fdc_write},
    {.first = 0x3f7, .count = 1, .sizes = SIZE_1, .read = fdc_read_dir, .write = fdc_write_ccr},
    {.count = 0},
};

const struct device_ops fdc_ops = {
    .name = "fdc",
    .title = "Intel 82077AA floppy controller",
    DEVICE_STATE(struct fdc),
    .state = fdc_state_fields,
    .ports = fdc_ports,
    .attach = fdc_attach,
    .loaded = fdc_loaded,
    .info = fdc_info,
};
