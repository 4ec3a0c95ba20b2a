/*
 * What the files of the network card's fuzzer share.
 *
 * Not modelled: see nic_fuzz.h.
 */
#ifndef TESTS_HW_NIC_FUZZ_INT_H
#define TESTS_HW_NIC_FUZZ_INT_H

#include "hw/core/machine.h"
#include "hw/net/dec21140_int.h"
#include "hw/pci.h"
#include "tests/hw/nic_fuzz.h"

enum {
    CARD = PCI_DEVFN(4, 0),
    IO = 0xc000,
    RAM_BYTES = 192 * 1024, /* at 0 */
    TOP_BYTES = 64 * 1024,  /* at the end of 4 GiB */
    ROM_BYTES = 64 * 1024,
    TX_RING = 0x1000,
    RX_RING = 0x2000,
    SETUP = 0x3000,
    BUFFERS = 0x8000,
    BUFFER_BYTES = 0x800,
    SLOTS = 32,
    MAX_STEPS = 400,
    MAX_CLOSED = 1024,  /* descriptors that one call may go through */
    INPUT_SECONDS = 20, /* of processor time, with sanitizers on a busy host */
};
#define MMIO_BASE 0xe0000000u
#define ROM_BASE  0xf0000u
#define TOP_BASE  0xffff0000u

/* TDES0 and TDES1, RDES0 and RDES1 */
enum {
    OWN = BIT(31),
    IC = BIT(31),
    LS = BIT(30),
    FS = BIT(29),
    SET = BIT(27),
    AC = BIT(26),
    ER = BIT(25),
    CH = BIT(24),
    DPD = BIT(23),
};
#define SIZES(one, two) ((uint32_t)(one) | (uint32_t)(two) << 11)

struct nic_fuzz {
    struct machine *m;
    struct device *dev;
    bool connected; /* else nothing is at the other end, and the card sends by itself */
    struct net net;
    const struct net_front *front;
    struct ram *ram, *top, *rom;
    struct region ram_region, top_region, rom_region;
    struct net_batch batch;
    uint8_t *before; /* what lies before BUFFERS, as it was before a call */
    uint8_t *still;  /* all of RAM, where a step must not change it */
    bool in_front;   /* a call of net_front is under way: the card must not kick */
    unsigned kicks;
    const uint8_t *p, *end; /* the input's rest */
};

/* The input; zeroes behind its end. */
static inline uint8_t u8(struct nic_fuzz *f)
{
    return f->p < f->end ? *f->p++ : 0;
}

static inline uint16_t u16(struct nic_fuzz *f)
{
    uint16_t low = u8(f);

    return (uint16_t)(low | u8(f) << 8);
}

static inline uint32_t u32(struct nic_fuzz *f)
{
    uint32_t low = u16(f);

    return low | (uint32_t)u16(f) << 16;
}

/* nic_fuzz.c */
void nic_csr_write(struct nic_fuzz *f, unsigned n, uint32_t val);
/* Begin both lists, with all interrupts enabled. */
void nic_begin_at(struct nic_fuzz *f, uint32_t tx, uint32_t rx, uint32_t csr6);

/* nic_scenes.c */
extern const uint8_t nic_addresses[5][6]; /* the first is the card's */
/* Bytes in memory, as far as there is some. */
void nic_put(struct nic_fuzz *f, uint32_t at, const void *bytes, size_t len);
/* In the byte order the card has been set to. */
void nic_put_desc(struct nic_fuzz *f, uint32_t at, uint32_t status, uint32_t control, uint32_t one,
                  uint32_t two);
/* A setup frame for the first `count` addresses: in hash modes, with a table that has them. */
void nic_put_setup(struct nic_fuzz *f, uint32_t at, bool hash, unsigned count, uint8_t noise);
void nic_step_scene(struct nic_fuzz *f);

#endif
