/*
 * The serial ROM of a DECchip 21140A card: contents and MicroWire interface
 * (hw/net/dec21140_srom.c).
 *
 *     dec_srom_fill(rom, mac);                 once
 *     dec_srom_write(&s->srom, rom, val);      at each write of CSR9
 *     val |= dec_srom_read(&s->srom);          at each read of CSR9
 *
 * Not modelled: see hw/net/dec21140_srom.c.
 */
#ifndef HW_NET_DEC21140_SROM_H
#define HW_NET_DEC21140_SROM_H

#include "hw/core/state.h"

enum {
    DEC_SROM_BYTES = 128,
    /* What the ROM and PCI configuration space must say alike.  These are the ids of the emulated
     * card of Virtual PC and Hyper-V: Windows Vista and later bring a 21140 driver for it only. */
    DEC_SUBSYSTEM_VENDOR = 0x0a00,
    DEC_SUBSYSTEM = 0x2114,
};

/* Bits of CSR9 (21140A manual table 3-47). */
enum {
    DEC_CSR9_CS = BIT(0),
    DEC_CSR9_CLK = BIT(1),
    DEC_CSR9_DI = BIT(2), /* into the ROM */
    DEC_CSR9_DO = BIT(3), /* out of it; read only */
    DEC_CSR9_SR = BIT(11),
};

/* The guest-visible state of the interface; all zeroes at reset.  The contents are configuration.
 */
struct dec_srom {
    uint16_t shift; /* the command being taken in, or the rest of the word going out */
    uint8_t phase;
    uint8_t count;   /* bits done in this phase */
    uint8_t address; /* of the word going out */
    bool selected, clk;
    bool low; /* the ROM drives DO low; else it is high, be it driven or pulled up */
};
extern const struct state_field dec_srom_state[];

/* Make the contents (DEC's serial ROM format 3) of a card with this address. */
void dec_srom_fill(uint8_t rom[DEC_SROM_BYTES], const uint8_t mac[6]);
/* CSR9 was written. */
void dec_srom_write(struct dec_srom *s, const uint8_t rom[DEC_SROM_BYTES], uint32_t csr9);
/* DEC_CSR9_DO or 0. */
uint32_t dec_srom_read(const struct dec_srom *s);

#endif
