/*
 * SMART of the IDE disk, after ATA/ATAPI-5 (T13 1321D) 8.41; attribute numbers and the layout of
 * the attribute table as disks and programs have agreed on (SFF-8035i).
 *
 * The attributes are counted, not made up: failed reads, hours and starts of this power-on (the
 * virtual disk has no memory of former ones), sectors found unreadable.  Failed commands on the
 * medium stand in the error log, self-tests in the self-test log.  A self-test reads parts of the
 * medium while the drive is busy, in off-line mode too: the short one its beginning, middle and
 * end, the extended one 64 parts, evenly spread.
 *
 * Not modelled: selective and conveyance self-tests, off-line data collection, general-purpose and
 * host logs, the commands before the one that failed in the error log.
 */
#include "hw/ide_int.h"

enum {
    SMART_READ_DATA = 0xd0,
    SMART_READ_THRESHOLDS = 0xd1,
    SMART_AUTOSAVE = 0xd2,
    SMART_SAVE = 0xd3,
    SMART_EXECUTE = 0xd4,
    SMART_READ_LOG = 0xd5,
    SMART_ENABLE = 0xd8,
    SMART_DISABLE = 0xd9,
    SMART_RETURN_STATUS = 0xda,
};
enum {
    LOG_DIRECTORY = 0,
    LOG_ERRORS = 1,
    LOG_SELF_TESTS = 6,

    /* Self-test log: 21 entries of 24 bytes from byte 2, the index of the newest at 508. */
    TEST_ENTRIES = 21,
    TEST_ENTRY = 24,
    /* Error log: 5 entries of 90 bytes from byte 2 (five commands of 12, the error of 30), the
     * index of the newest at 1, the number of all errors at 452. */
    ERROR_ENTRIES = 5,
    ERROR_ENTRY = 90,
    ERROR_COUNT = 452,

    TEST_SHORT = 1,
    TEST_EXTENDED = 2,
    TEST_CAPTIVE = 0x80,
    TEST_PASSED = 0,
    TEST_READ_FAILED = 7,
    SHORT_PARTS = 3,
    EXTENDED_PARTS = 64,
};

/* What the drive answers with: 512 bytes that add up to 0. */
static void smart_reply(struct ide_drive *d, bool checksum)
{
    uint8_t *b = d->s->buf, sum = 0;

    for (unsigned i = 0; i < 511; i++) {
        sum += b[i];
    }
    b[511] = checksum ? (uint8_t)-sum : b[511];
    ide_data_phase(d, IDE_IN, IDE_AFTER_NOTHING, 0, SECTOR_BYTES, true);
}

static uint16_t smart_hours(const struct ide_drive *d)
{
    return (uint16_t)(clock_now(d->chan->dev.m) / (3600 * NS_PER_SEC));
}

static uint16_t smart_errors(const struct ide_drive *d)
{
    return ld_le16(d->s->smart_errors + ERROR_COUNT);
}

/* Attributes ----------------------------------------------------------------------------------- */

/* Flags: 1 warranted (a value below the threshold means failure), 2 updated on line, 0x10 counts
 * events, 0x20 keeps itself. */
struct smart_attribute {
    uint8_t id, flags, threshold;
    uint32_t (*raw)(const struct ide_drive *d);
};

static uint32_t smart_raw_errors(const struct ide_drive *d)
{
    return smart_errors(d);
}

static uint32_t smart_raw_none(const struct ide_drive *d)
{
    (void)d;
    return 0;
}

static uint32_t smart_raw_hours(const struct ide_drive *d)
{
    return smart_hours(d);
}

static uint32_t smart_raw_starts(const struct ide_drive *d)
{
    (void)d;
    return 1;
}

static uint32_t smart_raw_pending(const struct ide_drive *d)
{
    return d->s->smart_pending;
}

static const struct smart_attribute smart_attributes[] = {
    {0x01, 0x0b, 16, smart_raw_errors}, /* raw read error rate */
    {0x05, 0x33, 36, smart_raw_none},   /* reallocated sectors: there are no spares */
    {0x09, 0x32, 0, smart_raw_hours},   /* power-on hours */
    {0x0c, 0x32, 0, smart_raw_starts},  /* power cycles */
    {0xc5, 0x32, 0, smart_raw_pending}, /* sectors that self-tests could not read */
    {0xc7, 0x3e, 0, smart_raw_none},    /* errors on the cable */
};

/* From 100 down; at the threshold, if it has one, the disk counts as failing. */
static uint8_t smart_value(const struct ide_drive *d, const struct smart_attribute *a)
{
    return (uint8_t)(a->threshold ? 100 - MIN(a->raw(d), 99) : 100);
}

static void smart_read_data(struct ide_drive *d)
{
    uint8_t *b = memset(d->s->buf, 0, SECTOR_BYTES);

    st_le16(b, 0x10); /* revision */
    for (unsigned i = 0; i < ARRAY_LEN(smart_attributes); i++) {
        const struct smart_attribute *a = &smart_attributes[i];
        uint8_t *to = b + 2 + 12 * i;

        to[0] = a->id;
        st_le16(to + 1, a->flags);
        to[3] = to[4] = smart_value(d, a); /* now, and worst: they never rise */
        st_le32(to + 5, a->raw(d));
    }
    b[362] = 0; /* no off-line data collection */
    b[363] = (uint8_t)(d->s->smart_status << 4);
    b[367] = 0x11; /* EXECUTE OFF-LINE IMMEDIATE, self-tests */
    b[368] = 0x03; /* saves attributes */
    b[370] = 0x01; /* has an error log */
    b[372] = 1;    /* minutes a short and an extended test take */
    b[373] = 1;
    smart_reply(d, true);
}

static void smart_read_thresholds(struct ide_drive *d)
{
    uint8_t *b = memset(d->s->buf, 0, SECTOR_BYTES);

    st_le16(b, 0x10);
    for (unsigned i = 0; i < ARRAY_LEN(smart_attributes); i++) {
        b[2 + 12 * i] = smart_attributes[i].id;
        b[3 + 12 * i] = smart_attributes[i].threshold;
    }
    smart_reply(d, true);
}

/* Logs ----------------------------------------------------------------------------------------- */

static void smart_read_log(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->nsector != 1) {
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    switch (s->lbal) {
    case LOG_DIRECTORY:
        memset(s->buf, 0, SECTOR_BYTES);
        s->buf[0] = 1;                                           /* version */
        s->buf[2 * LOG_ERRORS] = s->buf[2 * LOG_SELF_TESTS] = 1; /* sectors of each */
        smart_reply(d, false);
        break;
    case LOG_ERRORS:
        memcpy(s->buf, s->smart_errors, SECTOR_BYTES);
        s->buf[0] = 1;
        smart_reply(d, true);
        break;
    case LOG_SELF_TESTS:
        memcpy(s->buf, s->smart_tests, SECTOR_BYTES);
        st_le16(s->buf, 1);
        smart_reply(d, true);
        break;
    default:
        ide_fail(d, IDE_ERR_IDNF);
    }
}

void smart_log_error(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t *log = s->smart_errors;
    uint8_t select = d->chan->s.select;

    if (!s->smart_on) {
        return;
    }
    log[1] = (uint8_t)(log[1] % ERROR_ENTRIES + 1);
    uint8_t *entry = log + 2 + (log[1] - 1) * ERROR_ENTRY;
    /* The command as it stands in the registers now, after the error; older ones are not kept. */
    const uint8_t command[12] = {d->chan->s.devctl, s->feature, s->nsector, s->lbal,
                                 s->lbam,           s->lbah,    select,     s->command};
    const uint8_t registers[8] = {0,       s->error, s->nsector, s->lbal,
                                  s->lbam, s->lbah,  select,     s->status};

    memset(entry, 0, ERROR_ENTRY);
    memcpy(entry + 4 * 12, command, sizeof command);
    st_le32(entry + 4 * 12 + 8, (uint32_t)(clock_now(d->chan->dev.m) / NS_PER_MS));
    memcpy(entry + 5 * 12, registers, sizeof registers);
    entry[5 * 12 + 27] = 3; /* active, or idle */
    st_le16(entry + 5 * 12 + 28, smart_hours(d));
    st_le16(log + ERROR_COUNT, (uint16_t)MIN(smart_errors(d) + 1u, UINT16_MAX));
}

/* Self-tests ----------------------------------------------------------------------------------- */

static unsigned smart_parts(const struct ide_drive *d)
{
    return (d->s->smart_test & ~TEST_CAPTIVE) == TEST_SHORT ? SHORT_PARTS : EXTENDED_PARTS;
}

/* Read part `left` of the test, counted down. */
static void smart_test_next(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint32_t count = (uint32_t)MIN(d->blk->sectors, IDE_BUF_SECTORS);
    uint64_t room = d->blk->sectors - count;
    unsigned steps = smart_parts(d) - 1;

    s->lba = room / steps * (s->left - 1) + room % steps * (s->left - 1) / steps;
    s->filled = 0;
    ide_submit(d, IDE_IO_SELF_TEST, s->lba, count, 0);
}

static void smart_test_end(struct ide_drive *d, uint8_t outcome)
{
    struct ide_drive_state *s = d->s;
    uint8_t *log = s->smart_tests;

    log[508] = (uint8_t)(log[508] % TEST_ENTRIES + 1);
    uint8_t *entry = log + 2 + (log[508] - 1) * TEST_ENTRY;
    memset(entry, 0, TEST_ENTRY);
    entry[0] = s->smart_test;
    entry[1] = (uint8_t)(outcome << 4);
    st_le16(entry + 2, smart_hours(d));
    st_le32(entry + 5, outcome ? (uint32_t)MIN(s->lba, UINT32_MAX) : UINT32_MAX);
    s->smart_status = outcome;
    s->smart_pending = outcome != TEST_PASSED;
    /* A captive test ends with its outcome in the registers. */
    if (s->smart_test & TEST_CAPTIVE) {
        s->lbam = outcome ? 0xf4 : 0x4f;
        s->lbah = outcome ? 0x2c : 0xc2;
    }
    if ((s->smart_test & TEST_CAPTIVE) && outcome) {
        ide_fail(d, IDE_ERR_ABRT);
    } else {
        ide_done(d);
    }
}

/* A part that cannot be read is searched for the sector: `filled` counts those left to look at. */
void smart_io_done(struct ide_drive *d, int error)
{
    struct ide_drive_state *s = d->s;

    if (error && s->io_count > 1) {
        s->filled = s->io_count;
        ide_submit(d, IDE_IO_SELF_TEST, s->lba, 1, 0);
    } else if (error) {
        smart_test_end(d, TEST_READ_FAILED);
    } else if (s->filled > 1) {
        s->filled--;
        ide_submit(d, IDE_IO_SELF_TEST, ++s->lba, 1, 0);
    } else if (--s->left) {
        smart_test_next(d);
    } else {
        smart_test_end(d, TEST_PASSED);
    }
}

static void smart_execute(struct ide_drive *d)
{
    uint8_t test = d->s->lbal, kind = test & ~TEST_CAPTIVE;

    if (test == 0x7f) { /* abort a test: none is under way when the drive takes a command */
        ide_done(d);
    } else if (kind == TEST_SHORT || kind == TEST_EXTENDED) {
        d->s->smart_test = test;
        d->s->left = smart_parts(d);
        smart_test_next(d);
    } else {
        ide_fail(d, IDE_ERR_ABRT);
    }
}

/* The command ---------------------------------------------------------------------------------- */

static void smart_return_status(struct ide_drive *d)
{
    bool failing = false;

    for (unsigned i = 0; i < ARRAY_LEN(smart_attributes); i++) {
        const struct smart_attribute *a = &smart_attributes[i];
        failing |= smart_value(d, a) <= a->threshold;
    }
    d->s->lbam = failing ? 0xf4 : 0x4f;
    d->s->lbah = failing ? 0x2c : 0xc2;
    ide_done(d);
}

void smart_command(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;

    if (s->lbam != 0x4f || s->lbah != 0xc2 || (!s->smart_on && s->feature != SMART_ENABLE)) {
        ide_fail(d, IDE_ERR_ABRT);
        return;
    }
    switch (s->feature) {
    case SMART_READ_DATA:
        smart_read_data(d);
        break;
    case SMART_READ_THRESHOLDS:
        smart_read_thresholds(d);
        break;
    case SMART_AUTOSAVE: /* attributes are always up to date */
    case SMART_SAVE:
        ide_done(d);
        break;
    case SMART_EXECUTE:
        smart_execute(d);
        break;
    case SMART_READ_LOG:
        smart_read_log(d);
        break;
    case SMART_ENABLE:
    case SMART_DISABLE:
        s->smart_on = s->feature == SMART_ENABLE;
        ide_done(d);
        break;
    case SMART_RETURN_STATUS:
        smart_return_status(d);
        break;
    default:
        ide_fail(d, IDE_ERR_ABRT);
    }
}
