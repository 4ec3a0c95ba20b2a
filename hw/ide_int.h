/*
 * What the parts of the IDE model share: the channel (ide.c), the disk's commands (ide_ata.c) and
 * the CD drive's (atapi.c), the bus master (ide_dma.c).  Nobody else includes this.
 *
 * Not modelled: see hw/ide.c.
 *
 * A command with data runs as a sequence of data phases: bytes pos..end of the buffer pass the data
 * port or the bus master in one direction, then `after` says what comes next.
 */
#ifndef HW_IDE_INT_H
#define HW_IDE_INT_H

#include "hw/core/machine.h"
#include <inttypes.h>

enum {
    IDE_STAT_BSY = 0x80,
    IDE_STAT_DRDY = 0x40,
    IDE_STAT_DF = 0x20,
    IDE_STAT_DSC = 0x10,
    IDE_STAT_DRQ = 0x08,
    IDE_STAT_ERR = 0x01,
};
enum { IDE_ERR_UNC = 0x40, IDE_ERR_IDNF = 0x10, IDE_ERR_ABRT = 0x04 };
enum { IDE_DEV_DEV1 = 0x10, IDE_DEV_LBA = 0x40 };
enum { IDE_CTL_NIEN = 0x02, IDE_CTL_SRST = 0x04, IDE_CTL_HOB = 0x80 };

enum {
    IDE_MAX_MULTI = 16,
    IDE_BUF_SECTORS = 1024, /* disk sectors moved by one request to the block layer */
    IDE_BUF_BYTES = IDE_BUF_SECTORS * 512,
    IDE_NOW_SECTORS = 256, /* read at once at most, with the lock held */
    CD_SECTOR = 2048,
    CD_RAW_SECTOR = 2352,
    CD_BUF_SECTORS = 128, /* which fit raw */
    IDE_UDMA2 = 0x42,     /* a transfer mode, as SET FEATURES has it */
};

enum ide_kind { IDE_NONE, IDE_DISK, IDE_CD };

enum ide_phase {
    IDE_IDLE,
    IDE_IO,      /* BSY: a block request is under way, `io` says which */
    IDE_IN,      /* DRQ: the guest reads the data port */
    IDE_OUT,     /* DRQ: the guest writes the data port */
    IDE_RESET,   /* BSY: SRST held, or the last block request of before it not yet back */
    IDE_DMA_IN,  /* DRQ: the bus master moves data to memory, once it is started */
    IDE_DMA_OUT, /* DRQ: the same from memory */
    IDE_PHASE_MAX = IDE_DMA_OUT,
};

/* What follows when a data phase's bytes are through. */
enum ide_after {
    IDE_AFTER_NOTHING,  /* the command is done */
    IDE_AFTER_READ,     /* disk: next block of a read */
    IDE_AFTER_WRITE,    /* disk: a block came in */
    IDE_AFTER_CDB,      /* CD: the command packet is complete */
    IDE_AFTER_CD_DATA,  /* CD: next part of the answer */
    IDE_AFTER_CD_PARAM, /* CD: a part of a parameter list came in */
    IDE_AFTER_MAX = IDE_AFTER_CD_PARAM,
};

/* What a block request was for. */
enum ide_io {
    IDE_IO_READ,
    IDE_IO_WRITE,
    IDE_IO_FLUSH,         /* and then the command is done */
    IDE_IO_WRITE_THROUGH, /* the flush that ends a write without a write cache */
    IDE_IO_VERIFY,
    IDE_IO_SELF_TEST,
    IDE_IO_CD_READ,
    IDE_IO_MAX = IDE_IO_CD_READ
};

enum { CD_UA_RESET = 1, CD_UA_MEDIUM = 2 }; /* pending unit attentions */

struct ide_drive_state {
    uint64_t lba;        /* next sector: of 512 bytes (disk) or 2048 (CD) */
    uint32_t left;       /* sectors the command still has to move to or from the medium */
    uint32_t pos;        /* next byte of the data port in buf */
    uint32_t end;        /* where this data phase ends */
    uint32_t filled;     /* bytes of buf that hold data of this command */
    uint32_t io_count;   /* sectors of the request under way */
    uint16_t cylinders;  /* the CHS translation set by INITIALIZE DEVICE PARAMETERS */
    uint16_t byte_limit; /* PACKET: the host's byte count limit */
    uint16_t cd_unit;    /* PACKET: bytes per sector given to the guest, 2048 or 2352 */
    uint8_t heads, sectors;
    /* task file; hob: the previous values (48-bit commands) */
    uint8_t error, feature, nsector, lbal, lbam, lbah, status, command;
    uint8_t hob_feature, hob_nsector, hob_lbal, hob_lbam, hob_lbah;
    uint8_t phase, after, io;
    bool intrq;          /* interrupt pending, before nIEN and device selection */
    uint8_t multi;       /* SET MULTIPLE MODE: sectors per block, 0: disabled */
    uint8_t drq_sectors; /* sectors per data phase of the present command */
    uint8_t dma_mode;    /* as set by SET FEATURES: 0x20..0x22 multiword, 0x40..0x45 UDMA */
    uint8_t power;       /* what CHECK POWER MODE gives: 0xff active, 0x80 idle, 0 standby */
    bool write_cache, look_ahead;
    bool smart_on;
    uint8_t smart_test;    /* the self-test under way, or the last one, as asked for */
    uint8_t smart_status;  /* how it ended: 0 without error, 7 unreadable */
    uint8_t smart_pending; /* sectors it could not read: it ends at the first */
    /* CD drive */
    uint8_t sense_key, asc, ascq;
    uint8_t attention;   /* CD_UA_* */
    uint8_t media_event; /* GET EVENT STATUS: 0 none, 1 eject request, 2 new medium, 3 removed */
    bool locked, tray_open;
    bool packet_dma; /* the packet's data go by DMA */
    uint8_t cdb[12];
    uint8_t hole[5];
    uint8_t smart_errors[512], smart_tests[512]; /* the logs, as they are read */
    uint8_t buf[IDE_BUF_BYTES];
};

struct ide_channel;

/* The wiring of one drive; nothing here is guest-visible state. */
struct ide_drive {
    enum ide_kind kind;
    unsigned unit; /* 0 master, 1 slave */
    unsigned row;  /* of config.drives and machine.drives */
    struct ide_channel *chan;
    struct ide_drive_state *s;
    struct block *blk; /* NULL: CD drive without a medium */
    struct block_req req;
    uint16_t cylinders; /* default CHS translation, as IDENTIFY reports it */
    uint8_t heads, sectors;
    char serial[21];
};

struct ide_channel {
    struct device dev;
    uint64_t channel; /* property */
    struct ide_drive drive[2];
    struct port_claim *claim[3]; /* the legacy ports; NULL: not decoded */
    bool may_master;             /* the PCI function may use the bus */
    struct ide_channel_state {
        struct line irq;
        uint32_t bmidtp;  /* bus master: address of the table, as written */
        uint32_t bm_next; /* address of the next region's description */
        uint32_t bm_addr; /* the present region: next byte */
        uint32_t bm_left; /* and bytes left; 0: none */
        bool bm_last;     /* it is the table's last */
        uint8_t bmic, bmis;
        uint8_t select; /* device/head register, common to both drives */
        uint8_t devctl;
        uint8_t hole[3];
        struct ide_drive_state drive[2];
    } s;
};

static inline struct ide_drive *ide_selected(struct ide_channel *c)
{
    return &c->drive[(c->s.select & IDE_DEV_DEV1) != 0];
}

/* ide_dma.c */
/* Move what can be moved now; at the end of the phase its `after` follows. */
void ide_dma_run(struct ide_channel *c);
/* The channel's interrupt rose: the bus master's status shows it. */
void ide_dma_interrupt(struct ide_channel *c);
void ide_dma_info(const struct ide_channel *c, GString *out);

/* ide.c: for the command sets. */

/* The bytes of the data phase are through. */
void ide_data_end(struct ide_drive *d);

/* Raise INTRQ of the drive (the line follows selection and nIEN). */
void ide_raise(struct ide_drive *d);
/* End the command: good status, INTRQ. */
void ide_done(struct ide_drive *d);
/* End the command with `error` in the error register, INTRQ. */
void ide_fail(struct ide_drive *d, uint8_t error);
/* Open a data phase over bytes pos..end of the buffer; INTRQ when `irq`.  A DMA phase may be over,
 * and the next begun, when this returns. */
void ide_data_phase(struct ide_drive *d, enum ide_phase phase, enum ide_after after, uint32_t pos,
                    uint32_t end, bool irq);
/* Submit `count` 512-byte sectors to or from byte `at` of the buffer (bounds are the caller's); BSY
 * until done. */
void ide_submit(struct ide_drive *d, enum ide_io io, uint64_t sector, uint32_t count, uint32_t at);
/* The same for a read that begins a command (and no other: commands may be long): data that the
 * host has in memory are there at once, and the command has gone on when this returns. */
void ide_submit_first(struct ide_drive *d, enum ide_io io, uint64_t sector, uint32_t count,
                      uint32_t at);
/* The task file as after a reset: signature, diagnostic code 1. */
void ide_set_signature(struct ide_drive *d);

/* ide_ata.c */
void ata_reset(struct ide_drive *d);
void ata_command(struct ide_drive *d, uint8_t command);
void ata_data_end(struct ide_drive *d);
void ata_io_done(struct ide_drive *d, int error);
/* SET FEATURES 3: take the transfer mode; false: there is no such mode. */
bool ata_set_transfer_mode(struct ide_drive *d, uint8_t mode);

/* ide_smart.c */
void smart_command(struct ide_drive *d);
void smart_io_done(struct ide_drive *d, int error);
/* A command failed on the medium: remember it. */
void smart_log_error(struct ide_drive *d);

/* ide_identify.c */
/* Serial number and default translation; once, at attach. */
void ata_attach(struct ide_drive *d);
/* Answer IDENTIFY DEVICE, or IDENTIFY PACKET DEVICE for a CD drive. */
void ata_identify(struct ide_drive *d);

/* atapi.c */
void atapi_reset(struct ide_drive *d, bool hard);
void atapi_command(struct ide_drive *d, uint8_t command);
void atapi_data_end(struct ide_drive *d);
void atapi_io_done(struct ide_drive *d, int error);
bool atapi_change_medium(struct ide_drive *d, struct block *blk, bool force, struct block **old);

#endif
