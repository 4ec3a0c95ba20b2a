/*
 * The serial ROM of a DECchip 21140A card: a 93C46 (64 words of 16 bits, MicroWire) behind CSR9.
 *
 * Follows the NM93C46 data sheet for the interface, the 21140A Hardware Reference Manual (section
 * 3.2.2.9 and chapter 7) for CSR9, and DEC's "21X4 Serial ROM Format" version 3 for the contents,
 * with the checksum at both places where drivers look (94: versions before 4 of CardBus cards;
 * 126).
 *
 * The contents cannot be changed: the chip's program enable pin is tied low.  WRITE, ERASE, WRAL
 * and ERAL are taken in, end at once with DO ready, and do nothing, so that the card's address is
 * always the one the user configured.
 *
 * Not modelled: the time a command takes, the boot ROM and the external register that share CSR9.
 */
#include "hw/net/dec21140_srom.h"
#include "hw/net/dec21140_filter.h"

enum {
    PHASE_IDLE,    /* before the start bit */
    PHASE_COMMAND, /* after it: opcode and address */
    PHASE_READ,    /* a word goes out */
    PHASE_DONE,    /* until CS falls */

    COMMAND_BITS = 2 + 6,
    OP_READ = 2,

    /* The contents: bytes from the start of the ROM. */
    ROM_SUBSYSTEM_VENDOR = 0,
    ROM_SUBSYSTEM = 2,
    ROM_ID_CRC = 16,
    ROM_VERSION = 18,
    ROM_CONTROLLERS = 19,
    ROM_ADDRESS = 20,
    ROM_DEVICE0 = 26,
    ROM_LEAF0 = 27, /* two bytes */
    ROM_LEAF = 30,
    ROM_SHORT_CRC = 94,
    ROM_CRC = 126,

    FORMAT_VERSION = 3,
};

const struct state_field dec_srom_state[] = {
    STATE(struct dec_srom, shift),
    STATE(struct dec_srom, phase, .max = PHASE_DONE),
    STATE(struct dec_srom, count, .max = 16),
    STATE(struct dec_srom, address, .max = DEC_SROM_BYTES / 2 - 1),
    STATE(struct dec_srom, selected),
    STATE(struct dec_srom, clk),
    STATE(struct dec_srom, low),
    STATE_END,
};

/*
 * The info leaf: what hangs on the chip.  One MII transceiver and nothing on the general-purpose
 * pins, so neither a selection nor a reset sequence for them.
 */
static const uint8_t dec_srom_leaf[] = {
    0x00,      0x08, /* connection: sense it */
    0x00,            /* direction of the general-purpose pins: all are inputs */
    1,               /* media blocks */
    0x80 | 12,       /* extended format; bytes that follow */
    1,               /* type: 21140 with MII */
    0,               /* the first transceiver found */
    0,               /* length of the selection sequence */
    0,               /* length of the reset sequence */
    0x00,      0x78, /* media capabilities, as in BMSR: 100TX and 10T, each full and half duplex */
    0xe0,      0x01, /* what to advertise, as in ANAR */
    0x00,      0x50, /* full duplex bits, of the capabilities */
    0x00,      0x18, /* for which of them CSR6 TTM is set: 10 Mb/s */
};
static_assert(ROM_LEAF + sizeof dec_srom_leaf <= ROM_SHORT_CRC, "the leaf fits");

/* CRC-8 (x^8 + x^2 + x + 1, from all ones) of the ID block, in the order its bits are shifted out:
 * words from the first on, the high byte first; up to the byte before the checksum. */
static uint8_t dec_srom_id_crc(const uint8_t rom[DEC_SROM_BYTES])
{
    uint8_t crc = 0xff;

    for (unsigned i = 0; i <= ROM_ID_CRC; i++) {
        crc ^= rom[i ^ 1];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (uint8_t)(crc << 1 ^ (crc & 0x80 ? 0x07 : 0));
        }
    }
    return crc;
}

/* The checksum of the first `len` bytes: half an Ethernet frame check sequence. */
static void dec_srom_put_crc(uint8_t rom[DEC_SROM_BYTES], unsigned len)
{
    st_le16(rom + len, (uint16_t)~dec_crc32(rom, len));
}

void dec_srom_fill(uint8_t rom[DEC_SROM_BYTES], const uint8_t mac[6])
{
    memset(rom, 0, DEC_SROM_BYTES);
    st_le16(rom + ROM_SUBSYSTEM_VENDOR, DEC_SUBSYSTEM_VENDOR);
    st_le16(rom + ROM_SUBSYSTEM, DEC_SUBSYSTEM);
    rom[ROM_ID_CRC] = dec_srom_id_crc(rom);
    rom[ROM_VERSION] = FORMAT_VERSION;
    rom[ROM_CONTROLLERS] = 1;
    memcpy(rom + ROM_ADDRESS, mac, 6);
    rom[ROM_DEVICE0] = 0; /* one controller: drivers do not compare it */
    st_le16(rom + ROM_LEAF0, ROM_LEAF);
    memcpy(rom + ROM_LEAF, dec_srom_leaf, sizeof dec_srom_leaf);
    dec_srom_put_crc(rom, ROM_SHORT_CRC);
    dec_srom_put_crc(rom, ROM_CRC);
}

/* The next word is at the output; the first bit of it comes with the next clock. */
static void dec_srom_fetch(struct dec_srom *s, const uint8_t rom[DEC_SROM_BYTES], unsigned word)
{
    s->address = (uint8_t)(word % (DEC_SROM_BYTES / 2));
    s->shift = ld_le16(rom + 2 * s->address);
    s->count = 0;
}

static void dec_srom_command(struct dec_srom *s, const uint8_t rom[DEC_SROM_BYTES])
{
    if (s->shift >> 6 == OP_READ) {
        s->phase = PHASE_READ;
        s->low = true; /* the dummy bit, with the last bit of the address */
        dec_srom_fetch(s, rom, s->shift & 0x3f);
    } else {
        s->phase = PHASE_DONE;
    }
}

/* CLK rose while the ROM is selected. */
static void dec_srom_clock(struct dec_srom *s, const uint8_t rom[DEC_SROM_BYTES], bool di)
{
    switch (s->phase) {
    case PHASE_IDLE:
        if (di) {
            s->phase = PHASE_COMMAND;
            s->count = 0;
            s->shift = 0;
        }
        break;
    case PHASE_COMMAND:
        s->shift = (uint16_t)(s->shift << 1 | di);
        if (++s->count == COMMAND_BITS) {
            dec_srom_command(s, rom);
        }
        break;
    case PHASE_READ:
        if (s->count == 16) { /* on and on, for as long as it is clocked */
            dec_srom_fetch(s, rom, s->address + 1u);
        }
        s->low = !(s->shift & BIT(15));
        s->shift = (uint16_t)(s->shift << 1);
        s->count++;
        break;
    default: /* PHASE_DONE */
        break;
    }
}

void dec_srom_write(struct dec_srom *s, const uint8_t rom[DEC_SROM_BYTES], uint32_t csr9)
{
    bool selected = csr9 & DEC_CSR9_SR && csr9 & DEC_CSR9_CS;
    bool clk = csr9 & DEC_CSR9_CLK;

    if (!selected) {
        s->phase = PHASE_IDLE;
        s->count = 0;
        s->shift = 0;
        s->low = false;
    } else if (s->selected && clk && !s->clk) {
        dec_srom_clock(s, rom, csr9 & DEC_CSR9_DI);
    }
    s->selected = selected;
    s->clk = clk;
}

uint32_t dec_srom_read(const struct dec_srom *s)
{
    return s->low ? 0 : DEC_CSR9_DO;
}
