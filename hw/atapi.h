/*
 * What the two halves of the CD drive share: the protocol (atapi.c) and the commands
 * (atapi_cmds.c).
 *
 * Not modelled: see hw/atapi.c.
 */
#ifndef HW_ATAPI_H
#define HW_ATAPI_H

#include "hw/ide_int.h"

/* Sense keys, and additional sense codes as asc << 8 | ascq (SPC-2 annex C). */
enum {
    CD_NOT_READY = 2,
    CD_MEDIUM_ERROR = 3,
    CD_ILLEGAL_REQUEST = 5,
    CD_UNIT_ATTENTION = 6,
};
enum {
    CD_UNRECOVERED_READ = 0x1100,
    CD_PARAM_LENGTH = 0x1a00,
    CD_INVALID_COMMAND = 0x2000,
    CD_LBA_OUT_OF_RANGE = 0x2100,
    CD_INVALID_FIELD = 0x2400,
    CD_INVALID_PARAM = 0x2600,
    CD_MEDIUM_CHANGED = 0x2800,
    CD_WAS_RESET = 0x2900,
    CD_SEQUENCE_ERROR = 0x2c00,
    CD_WRONG_FORMAT = 0x3002,
    CD_NO_SAVING = 0x3900,
    CD_NO_MEDIUM = 0x3a01,
    CD_TRAY_OPEN = 0x3a02,
    CD_REMOVAL_PREVENTED = 0x5302,
    CD_ILLEGAL_MODE = 0x6400,
};

enum {
    CD_LARGEST = 90 * 60 * 75, /* sectors; more must be a DVD */
    CD_MSF_OFFSET = 150,
    CD_MAX_PARAMS = 4096,
};
enum { CD_EVENT_NONE, CD_EVENT_EJECT, CD_EVENT_NEW, CD_EVENT_REMOVED }; /* media_event */

enum {
    CD_NEEDS_MEDIUM = 1,
    CD_WITH_ATTENTION = 2, /* runs although a unit attention is pending */
    CD_NO_DATA = 4,        /* moves no data: the byte count limit does not matter */
};
struct atapi_row {
    uint8_t code, flags;
    void (*fn)(struct ide_drive *d);
};

/* atapi.c */
bool atapi_has_medium(const struct ide_drive *d);
uint32_t atapi_sectors(const struct ide_drive *d); /* of 2048 bytes; 0: no medium */
bool atapi_is_dvd(const struct ide_drive *d);
void atapi_ok(struct ide_drive *d);
/* End with CHECK CONDITION; `code` is a CD_* sense code. */
void atapi_check(struct ide_drive *d, uint8_t key, uint16_t code);
/* Send the first `len` bytes of the buffer, but no more than the host allocated. */
void atapi_reply(struct ide_drive *d, uint32_t len, uint32_t allocated);
/* Send sectors, as `unit` bytes each: 2048 or 2352. */
void atapi_read_sectors(struct ide_drive *d, uint64_t lba, uint64_t count, unsigned unit);
/* Ask the host for a parameter list of `len` > 0 bytes; atapi_params_done follows. */
void atapi_take_params(struct ide_drive *d, uint32_t len);

/* atapi_cmds.c */
const struct atapi_row *atapi_find(uint8_t code);
void atapi_params_done(struct ide_drive *d);
/* Three bytes: minute, second, frame. */
void atapi_put_msf(uint8_t *to, uint32_t frames);

static inline uint8_t to_bcd(uint8_t v)
{
    return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

#endif
