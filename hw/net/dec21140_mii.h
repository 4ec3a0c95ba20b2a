/*
 * The MII transceiver of a DECchip 21140A card behind its management lines (hw/net/dec21140_mii.c).
 *
 *     dec_mii_set_link(&s->mii, up);       when the cable is plugged or pulled, and after
 * state_reset dec_mii_write(&s->mii, val);         at each write of CSR9 val |=
 * dec_mii_read(&s->mii);        at each read of CSR9
 *
 * A software reset of the 21140A (CSR0 SWR) leaves the transceiver alone: it is another chip.
 *
 * Not modelled: see hw/net/dec21140_mii.c.
 */
#ifndef HW_NET_DEC21140_MII_H
#define HW_NET_DEC21140_MII_H

#include "hw/core/state.h"

enum { DEC_MII_ADDRESS = 1 };

/* Bits of CSR9 (21140A manual table 3-47). */
enum {
    DEC_CSR9_MDC = BIT(16),
    DEC_CSR9_MDO = BIT(17),
    DEC_CSR9_MII = BIT(18), /* the 21140A does not drive MDIO, it reads it */
    DEC_CSR9_MDI = BIT(19), /* read only */
};

/* Guest-visible state. */
struct dec_mii {
    /* the management interface */
    uint32_t shift; /* bits of the frame taken in */
    uint16_t data;  /* what is being read */
    uint8_t count;  /* bits into a frame; 0: between frames */
    uint8_t hole[1];
    bool mdc, mdo, released; /* the lines, as CSR9 was written last; released: its MII bit */
    bool driven, level;      /* the transceiver drives MDIO, and how */
    /* the transceiver */
    bool plugged;   /* there is a link partner */
    bool link_lost; /* since BMSR was read */
    bool page_rx;   /* a partner's page came since ANER was read */
    uint16_t bmcr, anar;
    uint16_t agreed; /* the modes (bits of ANAR) both ends had at the last negotiation */
    uint16_t pcr, lbremr, tbtcr;
};
extern const struct state_field dec_mii_state[];

/* There is a link partner, or not any more. */
void dec_mii_set_link(struct dec_mii *m, bool plugged);
/* CSR9 was written. */
void dec_mii_write(struct dec_mii *m, uint32_t csr9);
/* DEC_CSR9_MDI or 0. */
uint32_t dec_mii_read(const struct dec_mii *m);

/* Frames pass between chip and wire: link, and neither isolated, powered down nor looped back. */
bool dec_mii_can_carry(const struct dec_mii *m);
/* The transceiver gives frames that the chip sends back to it. */
bool dec_mii_is_loopback(const struct dec_mii *m);
/* There is a link; how fast it is in Mb/s and whether it is full duplex. */
bool dec_mii_has_link(const struct dec_mii *m, unsigned *mbits, bool *full);

/* A register as management sees it, with its side effects; 0..31. */
uint16_t dec_mii_get(struct dec_mii *m, unsigned reg);
void dec_mii_set(struct dec_mii *m, unsigned reg, uint16_t val);

#endif
