/*
 * One piece of code in segments of the test's choice, run by the interpreter and by the translator,
 * and what came out of it.
 *
 * Protected mode at CPL 3, so that exceptions have a stack whatever SS is; the code ends in int
 * 0x20, whose handler halts.  Paging with what guest_long maps, where wanted.  Real mode: HLT ends
 * it.
 *
 * Not modelled: x87 and vector state in the comparison.
 */
#ifndef TESTS_ACCEL_SEG_RIG_H
#define TESTS_ACCEL_SEG_RIG_H

#include "tests/cpu/guest.h"

/* RAM that the code may use, and that is compared; the stack of the handlers is in it. */
enum { AREA = 0x20000, AREA_BYTES = 0x40000, SEG_RIG_END = 0x20 };

enum seg_rig_mode { RIG_REAL, RIG_PROTECTED, RIG_LONG };

struct setup {
    uint8_t code[24];
    unsigned len;  /* of it; what ends it is put behind by seg_rig_run */
    uint32_t also; /* and there too, unless 0: an IP */
    struct seg seg[SEG_GS + 1];
    uint64_t r[16];
    uint64_t ip;
};

struct outcome {
    uint64_t r[16], ip, memory, cr2, icount;
    uint64_t from; /* IP in the frame of the interrupt or exception; not in real mode */
    uint32_t eflags;
    int vector;
};

/* Segments: DPL 3, accessed. */
#define SEG_RIG_DATA (SEG_P | SEG_DPL | SEG_S | SEG_W | SEG_A)
#define SEG_RIG_CODE (SEG_P | SEG_DPL | SEG_S | SEG_CODE | SEG_W | SEG_A)

/* All six flat (bits: 16, 32 or 64 of CS; with 16, code and data begin at 0 and end at 4 GiB). */
void seg_rig_flat(struct setup *s, unsigned bits);
void seg_rig_begin(struct guest *g, bool jit, enum seg_rig_mode mode);
/* Run s in fresh memory. */
void seg_rig_run(struct guest *g, enum seg_rig_mode mode, const struct setup *s,
                 struct outcome *out);

/* Setup n of a series; false: there is none. */
typedef bool seg_rig_make(unsigned n, struct setup *s, void *data);
/* What setup n must give; reports by cr_assert. */
typedef void seg_rig_look(unsigned n, const struct setup *s, const struct outcome *o, void *data);
/* The whole series under the interpreter, `look` at each (may be NULL), then under the translator,
 * whose outcomes must be the same.  Gives how many there were. */
unsigned seg_rig_series(enum seg_rig_mode mode, seg_rig_make *make, seg_rig_look *look, void *data);

#endif
