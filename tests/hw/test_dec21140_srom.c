/*
 * The serial ROM of the 21140 card: read bit by bit in the ways drivers do, its contents taken
 * apart as they do, its checksums computed anew.
 *
 * Not modelled: see hw/net/dec21140_srom.c.
 */
#include "hw/net/dec21140_srom.h"
#include "tests/hw/dec21140_crc.h"
#include <criterion/criterion.h>

enum {
    SR = BIT(11),
    RD = BIT(14),
    WR = BIT(13),
    CS = BIT(0),
    CLK = BIT(1),
    DI = BIT(2),
    DO = BIT(3),
    READ = 6, /* with the start bit */
    WORDS = 64,
};

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0xab};

struct bus {
    struct dec_srom s;
    uint8_t rom[DEC_SROM_BYTES];
};

static struct bus *begin(void)
{
    struct bus *b = g_new(struct bus, 1);

    memset(&b->s, 0xff, sizeof b->s);
    state_reset(dec_srom_state, &b->s);
    dec_srom_fill(b->rom, mac);
    return b;
}

static void out(struct bus *b, uint32_t val)
{
    dec_srom_write(&b->s, b->rom, val);
}

static unsigned in(struct bus *b)
{
    uint32_t val = dec_srom_read(&b->s);

    cr_assert_eq(val & ~(uint32_t)DO, 0, "%#x", val);
    return val / DO;
}

/* Clock one bit in; DO after the rising edge. */
static unsigned shift(struct bus *b, uint32_t base, unsigned di)
{
    unsigned got;

    out(b, base | (di ? DI : 0));
    out(b, base | (di ? DI : 0) | CLK);
    got = in(b);
    return got;
}

/* As Linux's tulip and iPXE: DO is sampled while the clock is high, in the command too; all bits
 * sampled come back. */
static uint32_t read_linux(struct bus *b, unsigned location, unsigned address_bits)
{
    uint32_t enable = SR | RD | CS, got = 0;
    unsigned command = location | READ << address_bits;

    out(b, enable & ~(uint32_t)CS);
    out(b, enable);
    for (int i = 4 + (int)address_bits; i >= 0; i--) {
        got = got << 1 | shift(b, enable, command >> i & 1);
    }
    out(b, enable);
    for (unsigned i = 0; i < 16; i++) {
        out(b, enable | CLK);
        got = got << 1 | in(b);
        out(b, enable);
    }
    out(b, enable & ~(uint32_t)CS);
    return got;
}

/* As de4x5 and the Windows driver: the clock falls before the next bit is set up, and the dummy
 * bit is looked at after the address. */
static unsigned read_digital(struct bus *b, unsigned location)
{
    uint32_t base = SR | RD | CS;
    unsigned command = READ << 6 | location, got = 0;

    out(b, SR | RD);
    out(b, base);
    out(b, base | CLK); /* a clock without a start bit */
    out(b, base);
    for (int i = 8; i >= 0; i--) {
        uint32_t di = command >> i & 1 ? DI : 0;

        out(b, base | di);
        out(b, base | di | CLK);
        out(b, base | di);
    }
    cr_assert_eq(in(b), 0, "the dummy bit");
    for (unsigned i = 0; i < 16; i++) {
        out(b, base | CLK);
        got = got << 1 | in(b);
        out(b, base);
    }
    out(b, SR | RD);
    return got;
}

Test(dec21140_srom, reads_as_drivers_read_it)
{
    struct bus *b = begin();

    for (unsigned i = 0; i < WORDS; i++) {
        unsigned want = ld_le16(b->rom + 2 * i);

        cr_assert_eq(read_linux(b, i, 6) & 0xffff, want, "word %u", i);
        cr_assert_eq(read_digital(b, i), want, "word %u", i);
    }
    g_free(b);
}

Test(dec21140_srom, has_six_address_bits)
{
    struct bus *b = begin();
    unsigned sent;

    /* Linux sends eight and looks whether the dummy zero came with the sixth. */
    cr_assert_eq(read_linux(b, 0xff, 8) & BIT(18), 0);
    /* The BSDs send zeroes until the zero comes. */
    out(b, SR | RD);
    out(b, SR | RD | CS);
    shift(b, SR | RD | CS, 1);
    shift(b, SR | RD | CS, 1);
    cr_assert_eq(shift(b, SR | RD | CS, 0), 1, "nobody drives it");
    for (sent = 1; sent <= 12; sent++) {
        if (!shift(b, SR | RD | CS, 0)) {
            break;
        }
    }
    cr_assert_eq(sent, 6);
    g_free(b);
}

Test(dec21140_srom, goes_on_to_the_next_word)
{
    struct bus *b = begin();
    uint32_t base = SR | RD | CS;
    unsigned command = READ << 6 | 62;

    out(b, SR | RD);
    out(b, base);
    for (int i = 8; i >= 0; i--) {
        shift(b, base, command >> i & 1);
    }
    for (unsigned word = 62; word < 62 + 4; word++) {
        unsigned got = 0;

        for (unsigned i = 0; i < 16; i++) {
            got = got << 1 | shift(b, base, 0);
        }
        cr_assert_eq(got, ld_le16(b->rom + 2 * (word % WORDS)), "word %u", word);
    }
    g_free(b);
}

Test(dec21140_srom, answers_only_when_it_is_selected)
{
    struct bus *b = begin();
    uint32_t base = SR | RD | CS;
    unsigned command = READ << 6;

    cr_assert_eq(in(b), 1, "pulled up");
    for (int i = 8; i >= 0; i--) { /* another device behind CSR9 */
        shift(b, RD | CS, command >> i & 1);
    }
    cr_assert_eq(in(b), 1);
    for (int i = 8; i >= 0; i--) {
        shift(b, SR | RD, command >> i & 1);
    }
    cr_assert_eq(in(b), 1);
    out(b, base);
    for (int i = 8; i >= 0; i--) {
        shift(b, base, command >> i & 1);
    }
    cr_assert_eq(in(b), 0);
    out(b, RD | CS);
    cr_assert_eq(in(b), 1, "released in the middle of a read");
    out(b, base);
    cr_assert_eq(in(b), 1, "a new command begins with a start bit");
    cr_assert_eq(shift(b, base, 0), 1);
    out(b, RD | SR);
    out(b, base | CLK | DI); /* selected and clocked at once: that is no clock */
    out(b, base);
    for (int i = 8; i >= 0; i--) {
        shift(b, base, command >> i & 1);
    }
    cr_assert_eq(in(b), 0);
    g_free(b);
}

static void command(struct bus *b, unsigned op, unsigned address, int data)
{
    uint32_t base = SR | WR | CS;
    unsigned command = 4 | op;

    out(b, SR | WR);
    out(b, base);
    for (int i = 2; i >= 0; i--) {
        shift(b, base, command >> i & 1);
    }
    for (int i = 5; i >= 0; i--) {
        shift(b, base, address >> i & 1);
    }
    for (int i = 15; data >= 0 && i >= 0; i--) {
        shift(b, base, (unsigned)data >> i & 1);
    }
    out(b, SR | WR);
    out(b, base);
    cr_assert_eq(in(b), 1, "ready");
    out(b, SR | WR);
}

Test(dec21140_srom, is_write_protected)
{
    struct bus *b = begin();
    uint8_t before[DEC_SROM_BYTES];

    memcpy(before, b->rom, sizeof before);
    command(b, 0, 0x30, -1);     /* EWEN */
    command(b, 1, 10, 0x1234);   /* WRITE */
    command(b, 3, 11, -1);       /* ERASE */
    command(b, 0, 0x10, 0xabcd); /* WRAL */
    command(b, 0, 0x20, -1);     /* ERAL */
    command(b, 0, 0x00, -1);     /* EWDS */
    cr_assert_arr_eq(b->rom, before, sizeof before);
    for (unsigned i = 0; i < WORDS; i++) {
        cr_assert_eq(read_linux(b, i, 6) & 0xffff, ld_le16(before + 2 * i));
    }
    g_free(b);
}

Test(dec21140_srom, has_valid_checksums)
{
    struct bus *b = begin();

    cr_assert_eq(ld_le16(b->rom + 126), (uint16_t)~wire_crc32(b->rom, 126));
    cr_assert_eq(ld_le16(b->rom + 94), (uint16_t)~wire_crc32(b->rom, 94));
    /* computed with zlib and by hand */
    cr_assert_eq(ld_le16(b->rom + 126), 0x1315);
    cr_assert_eq(ld_le16(b->rom + 94), 0x2e90);
    cr_assert_eq(b->rom[16], 0x1d);
    g_free(b);
}

Test(dec21140_srom, identifies_the_card)
{
    struct bus *b = begin();

    cr_assert_eq(ld_le16(b->rom), DEC_SUBSYSTEM_VENDOR);
    cr_assert_eq(ld_le16(b->rom + 2), DEC_SUBSYSTEM);
    cr_assert_eq(b->rom[18], 3, "format version");
    cr_assert_eq(b->rom[19], 1, "one controller");
    cr_assert_arr_eq(b->rom + 20, mac, 6);
    cr_assert(memcmp(b->rom, b->rom + 16, 8), "not the format of the 21040");
    g_free(b);
}

/* The media block is walked as Linux's tulip and de4x5 walk it. */
Test(dec21140_srom, describes_one_mii_transceiver)
{
    struct bus *b = begin();
    const uint8_t *leaf = b->rom + ld_le16(b->rom + 27), *p = leaf + 4;
    unsigned gp, reset;

    cr_assert_eq(b->rom[28], 0, "drivers that take one byte get the same leaf");
    cr_assert_eq(ld_le16(leaf), 0x0800, "autosense");
    cr_assert_eq(leaf[3], 1, "one block");
    cr_assert(p[0] & 0x80, "extended format");
    cr_assert_eq(p[1], 1, "21140 MII");
    cr_assert_eq(p[2], 0, "transceiver number");
    gp = p[3];
    reset = p[4 + gp];
    cr_assert_eq((p[0] & 0x7f), 12 + gp + reset, "length");
    cr_assert_eq(ld_le16(p + 5 + gp + reset), 0x7800, "capabilities");
    cr_assert_eq(ld_le16(p + 7 + gp + reset), 0x01e0, "to advertise");
    cr_assert_eq(ld_le16(p + 9 + gp + reset), 0x5000, "full duplex");
    cr_assert_eq(ld_le16(p + 11 + gp + reset), 0x1800, "10 Mb/s threshold");
    /* tulip counts the sequences of this type in words, where it looks for what to advertise */
    cr_assert_eq(ld_le16(p + 7 + 2 * gp + 2 * p[4 + 2 * gp]), 0x01e0);
    g_free(b);
}

Test(dec21140_srom, state_is_listed)
{
    uint8_t covered[sizeof(struct dec_srom)] = {0};

    cr_assert(state_cover(dec_srom_state, 0, covered, sizeof covered));
    for (size_t i = 0; i < sizeof covered; i++) {
        cr_assert(covered[i], "byte %zu", i);
    }
}
