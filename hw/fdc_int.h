/*
 * What hw/fdc.c (registers, phases, seeks) and hw/fdc_cmds.c (commands that move data) share.
 *
 * Not modelled: see hw/fdc.c.
 */
#ifndef HW_FDC_INT_H
#define HW_FDC_INT_H

#include "hw/core/floppy.h"
#include "hw/core/machine.h"

enum {
    FDC_UNITS = 4,  /* the controller drives four */
    FDC_DRIVES = 2, /* the PC has cables for two */
    FDC_FIFO_BYTES = 16,
    FDC_RUN_SECTORS = 36, /* moved by one request to the block layer: a track of any format */
    FDC_BUF_BYTES = FDC_RUN_SECTORS * SECTOR_BYTES,
    FDC_SIZE_CODE = 2, /* N of 512 bytes */
    FDC_DMA_CHANNEL = 2,
};

enum fdc_phase {
    FDC_RESET, /* held in reset, or just released */
    FDC_IDLE,
    FDC_COMMAND, /* taking parameters */
    FDC_EXEC,
    FDC_RESULT,
    FDC_PHASE_MAX = FDC_RESULT,
};

/* What an executing command waits for. */
enum fdc_step {
    FDC_STEP_NONE,
    FDC_STEP_START, /* timer: the head is there */
    FDC_STEP_WAIT,  /* a request of before a reset, which still uses the buffer */
    FDC_STEP_RUN,   /* timer: the next sectors come by */
    FDC_STEP_IO,    /* the host's disk */
    FDC_STEP_DMA,   /* timer: the DMA channel, which is not ready */
    FDC_STEP_PIO,   /* the guest moving bytes; timer: it does not */
    FDC_STEP_FAIL,  /* timer: the controller gives up */
    FDC_STEP_END,   /* timer: the result is ready */
    FDC_STEP_MAX = FDC_STEP_END,
};

enum fdc_op {
    FDC_OP_READ,
    FDC_OP_READ_TRACK,
    FDC_OP_READ_ID,
    FDC_OP_WRITE,
    FDC_OP_FORMAT,
    FDC_OP_VERIFY,
    FDC_OP_SCAN_EQUAL,
    FDC_OP_SCAN_LOW,
    FDC_OP_SCAN_HIGH,
    FDC_OP_MAX = FDC_OP_SCAN_HIGH,
};

/* Status registers 0 to 3 (data sheet 6.2). */
enum {
    ST0_ABNORMAL = 0x40,
    ST0_INVALID = 0x80,
    ST0_POLLED = 0xc0,
    ST0_SEEK_END = 0x20,
    ST0_EC = 0x10
};
enum { ST1_EN = 0x80, ST1_DE = 0x20, ST1_OR = 0x10, ST1_ND = 0x04, ST1_NW = 0x02, ST1_MA = 0x01 };
enum { ST2_CM = 0x40, ST2_DD = 0x20, ST2_SH = 0x08, ST2_SN = 0x04 };
enum { ST3_WP = 0x40, ST3_RY = 0x20, ST3_T0 = 0x10, ST3_TS = 0x08 };

enum { CMD_MT = 0x80, CMD_MFM = 0x40, CMD_SK = 0x20, CMD_DELETED = 0x08, CMD_UP = 0x40 };
enum { DOR_SELECT = 0x03, DOR_RUN = 0x04, DOR_GATE = 0x08 };
enum { RATE_MASK = 0x03 };
enum { SPECIFY_ND = 0x01 };

/* Times, much shorter than those of turning disks: nothing waits for a motor. */
#define FDC_RESET_NS    (100 * NS_PER_US)
#define FDC_LATENCY_NS  (100 * NS_PER_US)
#define FDC_TRACK_NS    (10 * NS_PER_US)
#define FDC_SECTOR_NS   (10 * NS_PER_US)
#define FDC_FAIL_NS     (1 * NS_PER_MS)
#define FDC_DMA_POLL_NS (500 * NS_PER_US)
#define FDC_DMA_POLLS   400 /* for one turn of the disk a channel may come late */
#define FDC_TURN_NS     (200 * NS_PER_MS)

enum fdc_seek_end { SEEK_SENSED, SEEK_QUIET, SEEK_ANNOUNCED };

struct fdc_unit_state {
    struct timer seek;
    uint8_t track;  /* where the head is */
    uint8_t pcn;    /* where the controller believes it is */
    uint8_t target; /* of the seek under way */
    uint8_t st0;    /* of the last seek */
    uint8_t ended;  /* enum fdc_seek_end: quiet ends wait until another interrupt was taken */
    bool changed;   /* the drive's change line */
    uint8_t hole[2];
};

struct fdc_state {
    struct line irq;
    struct timer exec;
    struct fdc_unit_state unit[FDC_UNITS];
    uint64_t format_mask; /* FORMAT: sectors still to be written, bit n for sector n */
    uint32_t pos, end;    /* the data phase's next byte in buf, and where it ends */
    uint16_t waits;       /* polls of the DMA channel so far; non-DMA: pos when last looked at */
    bool intr;            /* interrupt pending, before the gate in the DOR */
    bool tc;              /* terminal count was reached */
    uint8_t dor, tdr, dsr;
    uint8_t phase, step, op;
    uint8_t selected, head; /* of the command: unit and side */
    uint8_t c, h, r, n;     /* sector ID of the command, going on with the transfer */
    uint8_t eot, left;      /* last sector; VERIFY: sectors to go */
    uint8_t run;            /* sectors in the buffer */
    uint8_t st0, st1, st2;
    uint8_t srt_hut, hlt_nd; /* SPECIFY */
    uint8_t sc_eot;          /* the last command's, as DUMPREG tells */
    uint8_t config, pretrk;  /* CONFIGURE */
    uint8_t perpendicular;
    bool lock;
    uint8_t polled; /* status changes of the last reset not sensed yet */
    uint8_t fifo_pos, fifo_len;
    uint8_t hole[8];
    uint8_t fifo[FDC_FIFO_BYTES]; /* command and parameters, then the results */
    uint8_t buf[FDC_BUF_BYTES];
};

/* The wiring of one drive; nothing here is guest-visible state. */
struct fdc_drive {
    bool present;
    uint8_t type;                         /* as CMOS byte 0x10 has it */
    uint8_t row;                          /* in the machine's lists of drives */
    struct block *blk;                    /* NULL: empty */
    const struct floppy_geometry *medium; /* NULL: empty */
};

struct fdc {
    struct device dev;
    struct device *dma; /* NULL: none, transfers never start */
    struct fdc_drive drive[FDC_DRIVES];
    struct block_req req;
    struct fdc_state s;
};

/* fdc.c */

/* Answer with the first `len` bytes of the FIFO; `interrupt`: after an execution phase. */
void fdc_give_result(struct fdc *f, unsigned len, bool interrupt);
void fdc_set_interrupt(struct fdc *f, bool on);
/* The selected unit's drive, or NULL. */
struct fdc_drive *fdc_drive_of(struct fdc *f, unsigned unit);
/* How far the head moves from one of the medium's tracks to the next: an 80-track drive makes two
 * steps on a 40-track disk (and the guest's software must know). */
unsigned fdc_steps_per_track(const struct fdc_drive *d);
/* Step the head at once; a step with a medium in the drive takes the change line away. */
void fdc_move_head(struct fdc *f, unsigned unit, unsigned track);

/* fdc_cmds.c: the start of an execution phase; parameters are in the FIFO. */
void fdc_start_read(struct fdc *f);
void fdc_start_read_track(struct fdc *f);
void fdc_start_read_id(struct fdc *f);
void fdc_start_write(struct fdc *f);
void fdc_start_format(struct fdc *f);
void fdc_start_verify(struct fdc *f);
void fdc_start_scan(struct fdc *f);
/* The execution timer fired. */
void fdc_go_on(struct fdc *f);
/* The unit's medium is about to change: a command that uses it ends with an error. */
void fdc_abort(struct fdc *f, unsigned unit);
/* Whether the guest may read (or write) data bytes now; the byte. */
bool fdc_takes_pio(const struct fdc *f, bool write);
bool fdc_moves_to_guest(const struct fdc *f);
uint8_t fdc_pio_read(struct fdc *f);
void fdc_pio_write(struct fdc *f, uint8_t val);

#endif
