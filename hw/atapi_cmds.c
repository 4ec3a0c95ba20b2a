/*
 * The packet commands of the IDE CD/DVD drive, after MMC-3 (T10 1363D), SPC-2 and SFF-8020i.
 *
 * Not modelled: see hw/atapi.c.
 */
#include "hw/atapi.h"

void atapi_put_msf(uint8_t *to, uint32_t frames)
{
    to[0] = (uint8_t)(frames / 75 / 60);
    to[1] = (uint8_t)(frames / 75 % 60);
    to[2] = (uint8_t)(frames % 75);
}

/* A disc address in an answer: four bytes, as a number or as 0, M, S, F. */
static void cd_put_address(uint8_t *to, uint32_t lba, bool msf)
{
    if (msf) {
        to[0] = 0;
        atapi_put_msf(to + 1, lba + CD_MSF_OFFSET);
    } else {
        st_be32(to, lba);
    }
}

static uint8_t *cd_clear(struct ide_drive *d, unsigned len)
{
    return memset(d->s->buf, 0, len);
}

static void cd_invalid_field(struct ide_drive *d)
{
    atapi_check(d, CD_ILLEGAL_REQUEST, CD_INVALID_FIELD);
}

/* Drive and medium */

static void cd_request_sense(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t *b = cd_clear(d, 18);

    if (!s->sense_key && s->attention) {
        bool was_reset = s->attention & CD_UA_RESET;
        s->sense_key = CD_UNIT_ATTENTION;
        s->asc = (was_reset ? CD_WAS_RESET : CD_MEDIUM_CHANGED) >> 8;
        s->ascq = 0;
        s->attention &= (uint8_t) ~(was_reset ? CD_UA_RESET : CD_UA_MEDIUM);
    }
    b[0] = 0x70;
    b[2] = s->sense_key;
    b[7] = 10;
    b[12] = s->asc;
    b[13] = s->ascq;
    s->sense_key = s->asc = s->ascq = 0;
    atapi_reply(d, 18, s->cdb[4]);
}

static void cd_inquiry(struct ide_drive *d)
{
    uint8_t *b = cd_clear(d, 36);

    if ((d->s->cdb[1] & 1) || d->s->cdb[2]) { /* no vital product data pages */
        cd_invalid_field(d);
        return;
    }
    b[0] = 5;    /* CD/DVD drive */
    b[1] = 0x80; /* removable medium */
    b[3] = 0x21; /* as ATAPI demands */
    b[4] = 31;
    memcpy(b + 8, "CANDELA CD/DVD-ROM      0.1 ", 28);
    atapi_reply(d, 36, d->s->cdb[4]);
}

static void cd_prevent_removal(struct ide_drive *d)
{
    d->s->locked = d->s->cdb[4] & 1;
    atapi_ok(d);
}

static void cd_start_stop(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    bool load = s->cdb[4] & 1;

    if (s->cdb[4] & 0xf0) { /* a power condition */
        atapi_ok(d);
    } else if (!(s->cdb[4] & 2)) { /* spin up or down */
        atapi_ok(d);
    } else if (load) {
        if (s->tray_open && d->blk) {
            s->attention |= CD_UA_MEDIUM;
            s->media_event = CD_EVENT_NEW;
        }
        s->tray_open = false;
        atapi_ok(d);
    } else if (s->locked) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_REMOVAL_PREVENTED);
    } else {
        if (!s->tray_open && d->blk) {
            s->media_event = CD_EVENT_REMOVED;
        }
        s->tray_open = true;
        atapi_ok(d);
    }
}

static void cd_mechanism_status(struct ide_drive *d)
{
    uint8_t *b = cd_clear(d, 8);

    b[1] = d->s->tray_open ? 0x10 : 0;
    atapi_reply(d, 8, ld_be16(d->s->cdb + 8));
}

static void cd_get_event(struct ide_drive *d)
{
    struct ide_drive_state *s = d->s;
    uint8_t *b = cd_clear(d, 8);

    if (!(s->cdb[1] & 1)) { /* asynchronous notification */
        cd_invalid_field(d);
        return;
    }
    b[3] = 0x10; /* the class supported: media */
    if (!(s->cdb[4] & 0x10)) {
        b[1] = 2;
        b[2] = 0x80; /* none of the classes asked for */
        atapi_reply(d, 4, ld_be16(s->cdb + 7));
        return;
    }
    b[1] = 6;
    b[2] = 4;
    b[4] = s->media_event;
    b[5] = (uint8_t)((s->tray_open ? 1 : 0) | (atapi_has_medium(d) ? 2 : 0));
    s->media_event = CD_EVENT_NONE;
    atapi_reply(d, 8, ld_be16(s->cdb + 7));
}

/* GET CONFIGURATION: one row per feature, MMC-3 section 5 */

struct cd_feature {
    uint16_t code;
    uint8_t flags; /* version << 2 | persistent << 1; bit 0 (current) is computed */
    uint8_t media; /* current with: 0 always, 1 a CD, 2 a DVD, 3 either */
    uint8_t len;
    uint8_t data[8];
};
static const struct cd_feature cd_features[] = {
    {0x0000, 0x02, 0, 8, {0, 0x10, 0, 0, 0, 0x08, 0, 0}}, /* profiles: DVD-ROM, CD-ROM */
    {0x0001, 0x06, 0, 8, {0, 0, 0, 2, 1, 0, 0, 0}},       /* core: ATAPI, device busy events */
    {0x0002, 0x06, 0, 4, {2, 0, 0, 0}},                   /* morphing */
    {0x0003, 0x02, 0, 4, {0x29, 0, 0, 0}},                /* removable: tray, eject, lock */
    {0x0010, 0x00, 3, 8, {0, 0, 8, 0, 0, 1, 0, 0}},       /* random readable, 2048 bytes */
    {0x001e, 0x08, 1, 4, {0, 0, 0, 0}},                   /* CD read */
    {0x001f, 0x00, 2, 0, {0}},                            /* DVD read */
};

static unsigned cd_put_feature(uint8_t *b, const struct cd_feature *f, unsigned medium)
{
    bool current = !f->media || (f->media & medium);

    st_be16(b, f->code);
    b[2] = f->flags | current;
    b[3] = f->len;
    memcpy(b + 4, f->data, f->len);
    if (f->code == 0) {
        b[6] = (medium & 2) != 0;
        b[10] = (medium & 1) != 0;
    }
    return 4u + f->len;
}

static void cd_get_configuration(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    unsigned medium = !atapi_has_medium(d) ? 0 : atapi_is_dvd(d) ? 2 : 1;
    unsigned wanted = ld_be16(cdb + 2), how = cdb[1] & 3;
    uint8_t *b = cd_clear(d, 256);
    unsigned at = 8;

    if (how == 3) {
        cd_invalid_field(d);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(cd_features); i++) {
        const struct cd_feature *f = &cd_features[i];
        bool current = !f->media || (f->media & medium);
        if (how == 2 ? f->code == wanted : f->code >= wanted && (how == 0 || current)) {
            at += cd_put_feature(b + at, f, medium);
        }
    }
    st_be32(b, at - 4);
    st_be16(b + 6, medium == 2 ? 0x10 : medium == 1 ? 0x08 : 0);
    atapi_reply(d, at, ld_be16(cdb + 7));
}

/* Mode pages */

static unsigned cd_put_page(struct ide_drive *d, uint8_t *b, uint8_t page, bool changeable)
{
    static const uint8_t recovery[8] = {0x01, 6, 0, 5};
    static const uint8_t audio[16] = {0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 0xff, 2, 0xff};
    static const uint8_t capabilities[20] = {
        0x2a, 18,   0x1b, 0,
        0x70, 0,    0x29, 0, /* reads CD-R(W), DVD-R; multi-session; lock, eject, tray */
        0x16, 0x00, 0,    2,
        0x02, 0x00, 0x16, 0x00, /* 32x; 2 volume levels; 512 KiB buffer; 32x */
    };
    const uint8_t *from = page == 0x01 ? recovery : page == 0x0e ? audio : capabilities;
    unsigned len = page == 0x01   ? sizeof recovery
                   : page == 0x0e ? sizeof audio
                                  : sizeof capabilities;

    memcpy(b, from, len);
    if (changeable) {
        memset(b + 2, 0, len - 2);
    } else if (page == 0x2a && d->s->locked) {
        b[6] |= 2;
    }
    return len;
}

static void cd_mode_sense(struct ide_drive *d)
{
    static const uint8_t pages[] = {0x01, 0x0e, 0x2a};
    const uint8_t *cdb = d->s->cdb;
    bool ten = cdb[0] == 0x5a;
    unsigned page = cdb[2] & 0x3f, control = cdb[2] >> 6, header = ten ? 8 : 4;
    uint8_t *b = cd_clear(d, 256);
    unsigned at = header;

    if (control == 3) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_NO_SAVING);
        return;
    }
    for (unsigned i = 0; i < sizeof pages; i++) {
        if (page == pages[i] || page == 0x3f) {
            at += cd_put_page(d, b + at, pages[i], control == 1);
        }
    }
    if (at == header) {
        cd_invalid_field(d);
        return;
    }
    /* Medium type: door open, no disc, or a 120 mm data disc. */
    uint8_t type = d->s->tray_open ? 0x71 : atapi_has_medium(d) ? 0x01 : 0x70;
    if (ten) {
        st_be16(b, (uint16_t)(at - 2));
        b[2] = type;
        atapi_reply(d, at, ld_be16(cdb + 7));
    } else {
        b[0] = (uint8_t)(at - 1);
        b[1] = type;
        atapi_reply(d, at, cdb[4]);
    }
}

static void cd_mode_select(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint32_t len = cdb[0] == 0x55 ? ld_be16(cdb + 7) : cdb[4];

    if (cdb[1] & 1) { /* save pages */
        cd_invalid_field(d);
    } else if (!len) {
        atapi_ok(d);
    } else {
        atapi_take_params(d, len);
    }
}

/* The parameter list of MODE SELECT: known pages are checked for form and have nothing to set. */
void atapi_params_done(struct ide_drive *d)
{
    const uint8_t *b = d->s->buf;
    uint32_t len = d->s->filled;
    bool ten = d->s->cdb[0] == 0x55;
    uint32_t header = ten ? 8 : 4;

    if (len < header) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_PARAM_LENGTH);
        return;
    }
    uint32_t at = header + (ten ? ld_be16(b + 6) : b[3]); /* past the block descriptors */
    while (at < len) {
        uint8_t page = b[at] & 0x3f;
        if (len - at < 2 || len - at < 2u + b[at + 1]) {
            atapi_check(d, CD_ILLEGAL_REQUEST, CD_PARAM_LENGTH);
            return;
        }
        if (page != 0x01 && page != 0x0e && page != 0x2a) {
            atapi_check(d, CD_ILLEGAL_REQUEST, CD_INVALID_PARAM);
            return;
        }
        at += 2u + b[at + 1];
    }
    atapi_ok(d);
}

/* The disc's structure: one session, one data track */

static void cd_read_capacity(struct ide_drive *d)
{
    uint8_t *b = cd_clear(d, 8);

    st_be32(b, atapi_sectors(d) - 1);
    st_be32(b + 4, CD_SECTOR);
    atapi_reply(d, 8, 8);
}

static unsigned cd_put_toc_entry(uint8_t *b, uint8_t track, uint32_t lba, bool msf)
{
    b[1] = 0x14; /* data track */
    b[2] = track;
    cd_put_address(b + 4, lba, msf);
    return 8;
}

/* A row of the full table of contents, whose addresses are always M, S, F. */
static unsigned cd_put_raw_entry(uint8_t *b, uint8_t point, uint8_t m, uint8_t s, uint8_t f)
{
    const uint8_t row[11] = {1, 0x14, 0, point, 0, 0, 0, 0, m, s, f};

    memcpy(b, row, sizeof row);
    return sizeof row;
}

static void cd_read_toc(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    bool msf = cdb[1] & 2;
    unsigned format = cdb[2] & 15;
    uint8_t *b = cd_clear(d, 64);
    unsigned at = 4;
    uint8_t end[3];

    if (!format) {
        format = cdb[9] >> 6; /* where SFF-8020i had it */
    }
    b[2] = b[3] = 1;
    if (format == 0) {
        uint8_t from = cdb[6];
        if (from > 1 && from != 0xaa) {
            cd_invalid_field(d);
            return;
        }
        if (from <= 1) {
            at += cd_put_toc_entry(b + at, 1, 0, msf);
        }
        at += cd_put_toc_entry(b + at, 0xaa, atapi_sectors(d), msf);
    } else if (format == 1) {
        at += cd_put_toc_entry(b + at, 1, 0, msf);
    } else if (format == 2) {
        atapi_put_msf(end, atapi_sectors(d) + CD_MSF_OFFSET);
        at += cd_put_raw_entry(b + at, 0xa0, 1, 0, 0);
        at += cd_put_raw_entry(b + at, 0xa1, 1, 0, 0);
        at += cd_put_raw_entry(b + at, 0xa2, end[0], end[1], end[2]);
        at += cd_put_raw_entry(b + at, 1, 0, 2, 0);
    } else {
        cd_invalid_field(d);
        return;
    }
    st_be16(b, (uint16_t)(at - 2));
    atapi_reply(d, at, ld_be16(cdb + 7));
}

static void cd_read_disc_information(struct ide_drive *d)
{
    uint8_t *b = cd_clear(d, 34);

    if (d->s->cdb[1] & 7) {
        cd_invalid_field(d);
        return;
    }
    st_be16(b, 32);
    b[2] = 0x0e; /* complete disc, last session complete */
    b[3] = b[4] = b[5] = b[6] = 1;
    b[7] = 0x20; /* unrestricted use */
    memset(b + 16, 0xff, 8);
    atapi_reply(d, 34, ld_be16(d->s->cdb + 7));
}

static void cd_read_track_information(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint32_t what = ld_be32(cdb + 2);
    uint8_t *b = cd_clear(d, 28);
    bool exists = (cdb[1] & 3) == 0 ? what < atapi_sectors(d) : what == 1;

    if (!exists || (cdb[1] & 3) == 3) {
        cd_invalid_field(d);
        return;
    }
    st_be16(b, 26);
    b[2] = b[3] = 1;
    b[5] = 4; /* data */
    b[6] = 1; /* mode 1 */
    st_be32(b + 24, atapi_sectors(d));
    atapi_reply(d, 28, ld_be16(cdb + 7));
}

static void cd_read_subchannel(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint8_t *b = cd_clear(d, 24);
    unsigned len = 4;

    if (cdb[2] & 0x40) {
        if (cdb[3] < 1 || cdb[3] > 3) {
            cd_invalid_field(d);
            return;
        }
        len = cdb[3] == 1 ? 16 : 24;
        b[4] = cdb[3];
        if (cdb[3] == 1) { /* where the head stands: the disc's start */
            b[5] = 0x14;
            b[6] = b[7] = 1;
            cd_put_address(b + 8, 0, cdb[1] & 2);
            cd_put_address(b + 12, 0, false);
        }
    }
    b[1] = 0x15; /* no audio status */
    st_be16(b + 2, (uint16_t)(len - 4));
    atapi_reply(d, len, ld_be16(cdb + 7));
}

static void cd_read_dvd_structure(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint32_t total = atapi_sectors(d);
    uint8_t *b = cd_clear(d, 2052);
    unsigned len;

    if (!atapi_is_dvd(d)) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_WRONG_FORMAT);
        return;
    }
    if (cdb[6] || cdb[7] > 1) { /* layer; format: physical, copyright */
        cd_invalid_field(d);
        return;
    }
    if (cdb[7] == 0) {
        b[4] = 0x01; /* DVD-ROM, part version 1 */
        b[5] = 0x0f; /* 120 mm, rate not specified */
        b[6] = 0x01; /* one embossed layer */
        st_be32(b + 8, 0x30000);
        st_be32(b + 12, 0x30000 + total - 1);
        len = 2052;
    } else {
        len = 8;
    }
    st_be16(b, (uint16_t)(len - 2));
    atapi_reply(d, len, ld_be16(cdb + 8));
}

static void cd_get_performance(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint8_t *b = cd_clear(d, 24);
    uint32_t last = atapi_has_medium(d) ? atapi_sectors(d) - 1 : 0;
    bool room = ld_be16(cdb + 8) >= 1; /* descriptors the host takes */

    if (cdb[10] != 0) { /* other types than performance data */
        cd_invalid_field(d);
        return;
    }
    st_be32(b, room ? 20 : 4);
    st_be32(b + 12, 0x1600); /* kB/s at the start and at the end */
    st_be32(b + 16, last);
    st_be32(b + 20, 0x1600);
    atapi_reply(d, room ? 24 : 8, 24);
}

/* Reading */

static void cd_read(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint32_t count = cdb[0] == 0xa8 ? ld_be32(cdb + 6) : ld_be16(cdb + 7);

    atapi_read_sectors(d, ld_be32(cdb + 2), count, CD_SECTOR);
}

/* READ CD and READ CD MSF: user data or everything of mode 1 sectors. */
static void cd_read_cd(struct ide_drive *d)
{
    const uint8_t *cdb = d->s->cdb;
    uint32_t lba = ld_be32(cdb + 2), count = (uint32_t)cdb[6] << 16 | ld_be16(cdb + 7);
    unsigned type = cdb[1] >> 2 & 7;

    if (cdb[0] == 0xb9) {
        uint32_t from = (cdb[3] * 60u + cdb[4]) * 75 + cdb[5];
        uint32_t to = (cdb[6] * 60u + cdb[7]) * 75 + cdb[8];
        if (from < CD_MSF_OFFSET || to < from) {
            cd_invalid_field(d);
            return;
        }
        lba = from - CD_MSF_OFFSET;
        count = to - from;
    }
    if (type != 0 && type != 2) { /* audio, or another mode: not this track */
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_ILLEGAL_MODE);
    } else if (cdb[10] & 7) { /* subchannels */
        cd_invalid_field(d);
    } else if ((cdb[9] & 0xf8) == 0x10) {
        atapi_read_sectors(d, lba, count, CD_SECTOR);
    } else if ((cdb[9] & 0xf8) == 0xf8) {
        atapi_read_sectors(d, lba, count, CD_RAW_SECTOR);
    } else if ((cdb[9] & 0xf8) == 0) {
        atapi_ok(d);
    } else {
        cd_invalid_field(d);
    }
}

static void cd_seek(struct ide_drive *d)
{
    if (ld_be32(d->s->cdb + 2) >= atapi_sectors(d)) {
        atapi_check(d, CD_ILLEGAL_REQUEST, CD_LBA_OUT_OF_RANGE);
    } else {
        atapi_ok(d);
    }
}

/* Audio on a disc that has none */

static void cd_play(struct ide_drive *d)
{
    atapi_check(d, CD_ILLEGAL_REQUEST, CD_ILLEGAL_MODE);
}

static void cd_pause(struct ide_drive *d)
{
    atapi_check(d, CD_ILLEGAL_REQUEST, CD_SEQUENCE_ERROR);
}

const struct atapi_row *atapi_find(uint8_t code)
{
    static const struct atapi_row rows[] = {
        {0x00, CD_NEEDS_MEDIUM | CD_NO_DATA, atapi_ok}, /* TEST UNIT READY */
        {0x03, CD_WITH_ATTENTION, cd_request_sense},
        {0x12, CD_WITH_ATTENTION, cd_inquiry},
        {0x15, 0, cd_mode_select},
        {0x1a, 0, cd_mode_sense},
        {0x1b, CD_NO_DATA, cd_start_stop},
        {0x1e, CD_NO_DATA, cd_prevent_removal},
        {0x25, CD_NEEDS_MEDIUM, cd_read_capacity},
        {0x28, CD_NEEDS_MEDIUM, cd_read},
        {0x2b, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_seek},
        {0x42, CD_NEEDS_MEDIUM, cd_read_subchannel},
        {0x43, CD_NEEDS_MEDIUM, cd_read_toc},
        {0x45, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_play},
        {0x46, CD_WITH_ATTENTION, cd_get_configuration},
        {0x47, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_play},
        {0x4a, CD_WITH_ATTENTION, cd_get_event},
        {0x4b, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_pause},
        {0x4e, CD_NEEDS_MEDIUM | CD_NO_DATA, atapi_ok}, /* STOP PLAY: nothing plays */
        {0x51, CD_NEEDS_MEDIUM, cd_read_disc_information},
        {0x52, CD_NEEDS_MEDIUM, cd_read_track_information},
        {0x55, 0, cd_mode_select},
        {0x5a, 0, cd_mode_sense},
        {0xa5, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_play},
        {0xa8, CD_NEEDS_MEDIUM, cd_read},
        {0xac, 0, cd_get_performance},
        {0xad, CD_NEEDS_MEDIUM, cd_read_dvd_structure},
        {0xb9, CD_NEEDS_MEDIUM, cd_read_cd},
        {0xba, CD_NEEDS_MEDIUM | CD_NO_DATA, cd_play}, /* SCAN */
        {0xbb, CD_NO_DATA, atapi_ok},                  /* SET CD SPEED */
        {0xbd, 0, cd_mechanism_status},
        {0xbe, CD_NEEDS_MEDIUM, cd_read_cd},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}
