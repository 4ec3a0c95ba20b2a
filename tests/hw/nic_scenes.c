/*
 * The situations of the network card's fuzzer; see nic_fuzz.h.
 *
 * Not modelled: processors, threads.
 */
#include "tests/hw/nic_fuzz_int.h"

void nic_put(struct nic_fuzz *f, uint32_t at, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t pa = at + (uint32_t)i;
        uint8_t val = ((const uint8_t *)bytes)[i];

        if (pa < RAM_BYTES) {
            f->ram->host[pa] = val;
        } else if (pa >= TOP_BASE) {
            f->top->host[pa - TOP_BASE] = val;
        } else if (pa >= ROM_BASE && pa < ROM_BASE + ROM_BYTES) {
            f->rom->host[pa - ROM_BASE] = val; /* not the guest, but its image file */
        }
    }
}

void nic_put_desc(struct nic_fuzz *f, uint32_t at, uint32_t status, uint32_t control, uint32_t one,
                  uint32_t two)
{
    bool swapped = ((struct dec21140 *)f->dev)->s.csr[0] & CSR0_DBO;
    uint32_t words[4] = {status, control, one, two};
    uint8_t raw[16];

    for (unsigned i = 0; i < 4; i++) {
        if (swapped) {
            st_be32(raw + 4 * i, words[i]);
        } else {
            st_le32(raw + 4 * i, words[i]);
        }
    }
    nic_put(f, at, raw, sizeof raw);
}

const uint8_t nic_addresses[5][6] = {
    {0x52, 0x54, 0, 0x12, 0x34, 0x56}, /* the card's */
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x01, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0, 0, 0, 1},
    {0x52, 0x54, 0, 0x12, 0x34, 0x57},
};

void nic_put_setup(struct nic_fuzz *f, uint32_t at, bool hash, unsigned count, uint8_t noise)
{
    uint8_t raw[DEC_SETUP_BYTES];
    unsigned base = hash ? 39 : 0;

    memset(raw, noise, sizeof raw);
    for (unsigned i = 0; i < (hash ? 1 : count) && 3 * i + base < 48; i++) {
        for (unsigned k = 0; k < 6; k++) {
            raw[4 * (base + 3 * i + k / 2) + k % 2] =
                nic_addresses[i % ARRAY_LEN(nic_addresses)][k];
        }
    }
    for (unsigned i = 0; hash && i < count; i++) {
        unsigned bit = dec_filter_hash(nic_addresses[i % ARRAY_LEN(nic_addresses)]);

        raw[bit / 16 * 4 + bit % 16 / 8] |= (uint8_t)(1 << bit % 8);
    }
    nic_put(f, at, raw, sizeof raw);
}

/* Situations ----------------------------------------------------------------------------------- */

static void scene_rings(struct nic_fuzz *f, uint32_t csr6)
{
    nic_put_setup(f, SETUP, false, 3, 0);
    nic_put_desc(f, TX_RING, OWN, SET | IC | DEC_SETUP_BYTES, SETUP, 0);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t len = i == 3 ? 40 : 60 + 180 * i;

        if (i) {
            nic_put_desc(f, TX_RING + 16 * i, OWN,
                         FS | LS | IC | (i == 7 ? ER : 0) | (i & 1 ? DPD : 0) | (i & 4 ? AC : 0) |
                             SIZES(len, 0),
                         BUFFERS + BUFFER_BYTES * i, 0);
        }
        nic_put_desc(f, RX_RING + 16 * i, OWN, (i == 7 ? ER : 0) | SIZES(1024, 512),
                     BUFFERS + BUFFER_BYTES * (i + 16), BUFFERS + BUFFER_BYTES * (i + 16) + 1024);
    }
    nic_begin_at(f, TX_RING, RX_RING, csr6);
}

/* Four descriptors a frame, in chains that close. */
static void scene_chain(struct nic_fuzz *f)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t next = (i + 1) % 8;

        nic_put_desc(f, TX_RING + 64 * i, OWN,
                     CH | (i % 4 == 0 ? FS : 0) | (i % 4 == 3 ? LS | IC : 0) | SIZES(300 + i, 0),
                     BUFFERS + i, TX_RING + 64 * next);
        nic_put_desc(f, RX_RING + 64 * i, OWN, CH | SIZES(256, 0),
                     BUFFERS + BUFFER_BYTES * (i + 16), RX_RING + 64 * next);
    }
    nic_begin_at(f, TX_RING, RX_RING, 0x40);
}

static void scene_self(struct nic_fuzz *f)
{
    uint8_t what = u8(f);

    nic_put_desc(f, TX_RING, OWN, CH | (what & 1 ? FS : 0) | (what & 2 ? LS : 0) | SIZES(2047, 0),
                 what & 4 ? TX_RING : BUFFERS, TX_RING);
    nic_put_desc(f, RX_RING, OWN, CH | SIZES(what & 8 ? 0 : 16, 0), what & 16 ? RX_RING : BUFFERS,
                 RX_RING);
    nic_begin_at(f, TX_RING, RX_RING, 0x40);
}

/* Lists that begin `at`, with one descriptor there. */
static void scene_at(struct nic_fuzz *f, uint32_t at, uint32_t buffer)
{
    uint8_t what = u8(f);

    nic_put_desc(f, at, OWN, FS | LS | SIZES(64 + what, what & 1 ? 700 : 0) | (what & 2 ? ER : 0),
                 buffer, buffer);
    nic_begin_at(f, at, what & 4 ? at : RX_RING, 0x40);
}

static void scene_giant(struct nic_fuzz *f)
{
    uint8_t what = u8(f);

    for (unsigned i = 0; i < SLOTS; i++) {
        bool last = i == (what & 31u);

        nic_put_desc(f, TX_RING + 16 * i, OWN,
                     (i == 0 ? FS : 0) | (last ? LS : 0) | (i == SLOTS - 1 ? ER : 0) |
                         SIZES(2047, 2047),
                     BUFFERS, BUFFERS + 3);
    }
    nic_begin_at(f, TX_RING, RX_RING, 0x40);
}

static void scene_empty(struct nic_fuzz *f)
{
    uint8_t what = u8(f);

    for (unsigned i = 0; i < BUFFERS; i += 16) {
        nic_put_desc(f, i, OWN, i / 16 & what ? FS | LS : 0, 0, 0);
    }
    nic_begin_at(f, 0, BUFFERS / 2, 0x40);
}

static void scene_bad_setup(struct nic_fuzz *f)
{
    static const uint16_t sizes[] = {0, 1, 191, 192, 193, 384, 2047};

    nic_put_setup(f, SETUP, true, 5, 0xff);
    for (unsigned i = 0; i < 16; i++) {
        uint8_t what = u8(f);

        nic_put_desc(f, TX_RING + 16 * i, OWN,
                     (what & 1 ? SET : 0) | (what & 2 ? FS : 0) | (what & 4 ? LS : 0) |
                         (what & 8 ? BIT(22) : 0) | (what & 16 ? BIT(28) : 0) |
                         SIZES(sizes[what % ARRAY_LEN(sizes)], what & 32 ? 192 : 0),
                     what & 64 ? RAM_BYTES - 100 : SETUP, SETUP);
    }
    nic_begin_at(f, TX_RING, RX_RING, 0);
}

/* What is sent is a list of descriptors and lands on the lists. */
static void scene_loopback(struct nic_fuzz *f)
{
    uint8_t what = u8(f);

    for (unsigned i = 0; i < 64; i++) {
        nic_put_desc(f, BUFFERS + 16 * i, OWN, FS | LS | CH | SIZES(1008, 0), BUFFERS,
                     what & 1 ? TX_RING : TX_RING + 16);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        nic_put_desc(f, TX_RING + 16 * i, OWN, FS | LS | (i == SLOTS - 1 ? ER : 0) | SIZES(1008, 0),
                     BUFFERS, 0);
        nic_put_desc(f, RX_RING + 16 * i, OWN, (i == SLOTS - 1 ? ER : 0) | SIZES(1024, 0),
                     what & 2 ? TX_RING : RX_RING, 0);
    }
    nic_begin_at(f, TX_RING, RX_RING, 0x40 | (what & 4 ? 2u : 1u) << CSR6_OM_SHIFT);
    if (what & 8) { /* in the transceiver */
        nic_csr_write(f, 6, 0x40 | CSR6_ST | CSR6_SR | CSR6_PS);
        dec_mii_set(&((struct dec21140 *)f->dev)->s.mii, 0, 0x4000);
    }
}

static void scene_over_rx(struct nic_fuzz *f)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        nic_put_desc(f, RX_RING + 16 * i, OWN, SIZES(16, 32), RX_RING + 16 * (i + 1), RX_RING);
    }
    nic_begin_at(f, TX_RING, RX_RING, 0x40);
}

static void scene_timers(struct nic_fuzz *f)
{
    uint8_t what = u8(f);

    nic_csr_write(f, 0, (uint32_t)(what & 3) << 17);
    nic_csr_write(f, 11, 0xffff0000u | (what & 4 ? 0x10000u : 0) | what);
    scene_rings(f, 0x40);
    nic_csr_write(f, 1, 1);
    nic_csr_write(f, 2, 1);
}

void nic_step_scene(struct nic_fuzz *f)
{
    static const uint32_t ends[] = {RAM_BYTES - 100, 0xffffffe0u, RAM_BYTES - 1, 0xfffffffdu};
    enum nic_scene scene = u8(f) % NIC_SCENES;

    switch (scene) {
    case NIC_SCENE_RINGS:
        scene_rings(f, u8(f) & 0xc8);
        break;
    case NIC_SCENE_CHAIN:
        scene_chain(f);
        break;
    case NIC_SCENE_SELF:
        scene_self(f);
        break;
    case NIC_SCENE_RAM_END:
        scene_at(f, RAM_BYTES - 4u * (u8(f) % 5), BUFFERS);
        break;
    case NIC_SCENE_OWN_BAR:
        scene_at(f, u8(f) & 1 ? MMIO_BASE : TX_RING, MMIO_BASE);
        break;
    case NIC_SCENE_ROM:
        scene_at(f, ROM_BASE + u8(f), ROM_BASE);
        break;
    case NIC_SCENE_WRAP:
        scene_at(f, 0u - 4u * (u8(f) % 8), BUFFERS);
        break;
    case NIC_SCENE_BUFFER_ENDS:
        scene_at(f, TX_RING, ends[u8(f) % ARRAY_LEN(ends)]);
        break;
    case NIC_SCENE_GIANT:
        scene_giant(f);
        break;
    case NIC_SCENE_EMPTY:
        scene_empty(f);
        break;
    case NIC_SCENE_BAD_SETUP:
        scene_bad_setup(f);
        break;
    case NIC_SCENE_LOOPBACK:
        scene_loopback(f);
        break;
    case NIC_SCENE_OVER_RX:
        scene_over_rx(f);
        break;
    case NIC_SCENE_SWAPPED:
        nic_csr_write(f, 0, (u8(f) & 1 ? CSR0_BLE : 0) | CSR0_DBO);
        scene_rings(f, 0x40);
        break;
    default: /* NIC_SCENE_TIMERS */
        scene_timers(f);
        break;
    }
}
