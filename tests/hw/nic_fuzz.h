/*
 * A network card whose guest and whose wire do anything at all: register and configuration
 * accesses, descriptors and buffers anywhere in memory, frames of any kind, at any time.  Used by
 * the fuzzer (tests/fuzz/fuzz_net.c) and by the tests, so there is no Criterion here.
 *
 * Every few bytes of the input make a step; most steps are of a kind that leads somewhere (a
 * descriptor in a ring, not a byte in memory), and some make a whole situation (enum nic_scene).
 * After each step everything is checked that the card and net.h promise: nic_fuzz_run ends the
 * process where a promise is broken.
 *
 * Not modelled: processors, threads (a carrier holds the lock while it calls the card).
 */
#ifndef TESTS_HW_NIC_FUZZ_H
#define TESTS_HW_NIC_FUZZ_H

#include "hw/core/base.h"

/* The first byte of the input. */
enum {
    NIC_FUZZ_BARE = 1, /* as after power-on, instead of mapped and with bus mastering */
    NIC_FUZZ_NO_LINK = 2,
    NIC_FUZZ_NO_END = 4, /* for callers: a card with nothing at the other end is meant */
};

/* The kinds of step: the byte a step begins with, modulo NIC_STEPS. */
enum nic_step {
    NIC_STEP_SCENE, /* which */
    NIC_STEP_WRITE, /* how, register, value (4) */
    NIC_STEP_READ,  /* how, register */
    NIC_STEP_CONFIG,
    NIC_STEP_DESC, /* place (2), what (2), sizes (3), buffers (2 each) */
    NIC_STEP_FILL,
    NIC_STEP_BYTES,
    NIC_STEP_SETUP,
    NIC_STEP_FRAME, /* destination, length (2), what (2) */
    NIC_STEP_PULL,
    NIC_STEP_MISSED,
    NIC_STEP_LINK,
    NIC_STEP_TIME,
    NIC_STEP_RESET,
    NIC_STEP_START,
    NIC_STEP_POLL,
    NIC_STEP_ACK,
    NIC_STEP_SERIAL, /* how many bits, bits */
    NIC_STEP_STOP,
    NIC_STEPS,
};

enum nic_scene {
    NIC_SCENE_RINGS,       /* sound rings, a setup frame, frames to send, started */
    NIC_SCENE_CHAIN,       /* the same as chains */
    NIC_SCENE_SELF,        /* descriptors that lead to themselves, frames without an end */
    NIC_SCENE_RAM_END,     /* descriptors half in memory */
    NIC_SCENE_OWN_BAR,     /* descriptors and buffers in the card's registers */
    NIC_SCENE_ROM,         /* in memory that cannot be written */
    NIC_SCENE_WRAP,        /* behind the end of 4 GiB */
    NIC_SCENE_BUFFER_ENDS, /* buffers across the ends of memory */
    NIC_SCENE_GIANT,       /* a frame of more bytes than fit anywhere */
    NIC_SCENE_EMPTY,       /* descriptors without buffers */
    NIC_SCENE_BAD_SETUP,   /* setup frames of wrong lengths, in the middle of a frame */
    NIC_SCENE_LOOPBACK,    /* own frames come back, over the descriptors */
    NIC_SCENE_OVER_RX,     /* frames received over the descriptors */
    NIC_SCENE_SWAPPED,     /* big-endian */
    NIC_SCENE_TIMERS,      /* everything that is timed */
    NIC_SCENES,
};

struct nic_fuzz;

/* A card, with a carrier behind it or nothing.  NULL and the error when it cannot be built. */
struct nic_fuzz *nic_fuzz_new(bool connected, GError **err);
void nic_fuzz_free(struct nic_fuzz *f);
/* One input, from reset on. */
void nic_fuzz_run(struct nic_fuzz *f, const uint8_t *data, size_t size);

#endif
