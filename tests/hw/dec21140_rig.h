/*
 * A DECchip 21140A card on a PCI bus alone, with a carrier that only counts kicks, for the tests
 * of the card.
 *
 * Not modelled: what is behind the carrier.
 */
#ifndef TESTS_HW_DEC21140_RIG_H
#define TESTS_HW_DEC21140_RIG_H

#include "hw/net/dec21140.h"
#include "hw/net/dec21140_int.h"
#include "hw/pci.h"
#include "tests/rig.h"

enum {
    DEC_DEVFN = PCI_DEVFN(3, 0),
    DEC_IO = 0xc000,
    DEC_MEM = 0xe0000000,
    DEC_RX_LIST = 0x10000, /* where the tests have their lists and buffers */
    DEC_TX_LIST = 0x20000,
    DEC_RX_BUFFERS = 0x100000,
    DEC_TX_BUFFERS = 0x200000,
    DEC_BUFFER_STEP = 0x1000,
};

/* Descriptor bits, by the names of the manual. */
enum {
    DES0_OWN = BIT(31),
    DES1_END_OF_RING = BIT(25),
    DES1_CHAINED = BIT(24),
    TD1_IC = BIT(31),
    TD1_LS = BIT(30),
    TD1_FS = BIT(29),
    TD1_SET = BIT(27),
    TD1_AC = BIT(26),
    TD1_DPD = BIT(23),
    RD0_LAST = BIT(8),
    RD0_FIRST = BIT(9),
};

struct dec_rig {
    struct rig *r;
    struct device *dev;
    struct dec21140 *card;
    struct net net;
    struct net_batch batch;
    unsigned kicks_tx, kicks_rx;
};

/* The card with its registers mapped and bus mastering on, link up. */
struct dec_rig *dec_begin(void);
/* The same with nothing connected. */
struct dec_rig *dec_begin_unconnected(void);
void dec_end(struct dec_rig *x);
uint32_t dec_in(struct dec_rig *x, unsigned csr);
void dec_out(struct dec_rig *x, unsigned csr, uint32_t val);
/* Whether INTA# is asserted. */
bool dec_irq(struct dec_rig *x);

/* Write and read descriptor n of a list without skip: four longwords. */
void dec_put_desc(struct dec_rig *x, uint32_t list, unsigned n, uint32_t status, uint32_t control,
                  uint32_t buffer1, uint32_t buffer2);
uint32_t dec_get_desc(struct dec_rig *x, uint32_t list, unsigned n, unsigned word);

/* A receive ring of n descriptors with a buffer of `size` bytes each, and a start. */
void dec_start_rx(struct dec_rig *x, unsigned n, unsigned size, uint32_t csr6);
/* A frame of counting bytes in transmit buffer n, and a descriptor for all of it. */
void dec_put_frame(struct dec_rig *x, unsigned n, unsigned len, uint32_t control);
/* Start the transmitter on its list. */
void dec_start_tx(struct dec_rig *x, uint32_t csr6);
/* Let the carrier take what there is, and the wire be through with it; gives whether there is more.
 */
bool dec_collect(struct dec_rig *x);
/* A frame from the wire, of counting bytes behind the addresses. */
enum net_verdict dec_offer(struct dec_rig *x, unsigned len);

#endif
