/*
 * The transmit and receive processes of the DECchip 21140A: descriptor lists in guest memory, and
 * the frames they lead to.
 *
 * Follows the DECchip 21140A Hardware Reference Manual (EC-QN7NF), chapter 4.  Everything read from
 * memory here is the guest's and may be anything: lengths are checked before bytes move, the
 * number of descriptors looked at in one call is limited, and an address where nothing answers
 * ends both processes with a fatal bus error.
 *
 * A frame is complete as soon as it begins, so the early interrupts (ETI, ERI) are always overtaken
 * by the ones that clear them, and never seen.
 *
 * Not modelled: collisions, deferral, heartbeat, dribbling bits and MII errors; the FIFOs'
 * thresholds; external loopback does not reach the wire; a bus request without bus mastering
 * waits for ever in hardware and is a master abort here.
 */
#include "hw/net/dec21140_int.h"
#include "hw/pci.h"

enum { DESC_OWN = BIT(31), DESC_BYTES = 16 };

/* TDES0 and TDES1 */
enum {
    TDES0_ES = BIT(15),
    TDES0_TO = BIT(14),
    TDES0_LO = BIT(11),
    TDES0_NC = BIT(10),
    TDES0_UF = BIT(1),
    TDES0_SETUP_DONE = 0x7fffffff,
    TDES1_IC = BIT(31),
    TDES1_LS = BIT(30),
    TDES1_FS = BIT(29),
    TDES1_SET = BIT(27),
    TDES1_AC = BIT(26),  /* the frame has its CRC already */
    TDES1_DPD = BIT(23), /* do not pad */
};

/* RDES0 */
enum {
    RDES0_FF = BIT(30),
    RDES0_FL_SHIFT = 16,
    RDES0_ES = BIT(15),
    RDES0_DE = BIT(14),
    RDES0_DT_SHIFT = 12,
    RDES0_RF = BIT(11),
    RDES0_MF = BIT(10),
    RDES0_FS = BIT(9),
    RDES0_LS = BIT(8),
    RDES0_TL = BIT(7),
    RDES0_FT = BIT(5),
    RDES0_RW = BIT(4),
    RDES0_CE = BIT(1),
};

/* TDES1 and RDES1 */
enum { DES1_ER = BIT(25), DES1_CH = BIT(24) };

enum {
    FCS_BYTES = 4,
    FRAME_TOO_LONG = 1518, /* with check sequence */
    TYPE_FIRST = 1501,     /* what is longer than a length is a type */
    TX_BUDGET = 512,       /* descriptors a call, with those of frames looped back */
    RX_BUDGET = 8192,      /* descriptors a frame */
    BUFFER_MAX = 2047,
};
static_assert(NET_FRAME_MAX + FCS_BYTES < BIT(14), "FL has 14 bits");

struct dec_desc {
    uint32_t word[4]; /* status, control, first buffer, second buffer or next descriptor */
};

/* The bus -------------------------------------------------------------------------------------- */

/* Nothing answered: both processes end, until the driver stops and starts them. */
static void dec_bus_error(struct dec21140 *d, const char *what, uint32_t at)
{
    guest_error(&d->dev, "%s at %#x: no memory, or no bus mastering", what, at);
    d->s.eb = CSR5_EB_MASTER_ABORT;
    d->s.rs = RS_STOPPED;
    d->s.ts = TS_STOPPED;
    d->s.tx_open = false;
    d->counts.bus_errors++;
    dec_raise(d, CSR5_FBE);
}

/* Whether `len` bytes at `at` can be asked for; the chip has 32 address lines. */
static bool dec_can_dma(struct dec21140 *d, uint32_t at, uint32_t len)
{
    return pci_can_dma(&d->dev) && !(d->s.csr[5] & CSR5_FBE) && (uint64_t)at + len <= 4 * GiB;
}

/* The swap of a big-endian buffer: byte n of a longword lies at 3 - n. */
static bool dec_read_swapped(struct dec21140 *d, uint32_t at, uint8_t *to, uint32_t len)
{
    uint8_t raw[BUFFER_MAX + 8];
    uint32_t from = at & ~3u, skip = at & 3, span = (skip + len + 3) & ~3u;

    if (!dec_can_dma(d, from, span) || !dma_read(d->dev.m, from, raw, span)) {
        return false;
    }
    for (uint32_t i = 0; i < len; i++) {
        to[i] = raw[(skip + i) ^ 3];
    }
    return true;
}

/* Up to BUFFER_MAX bytes. */
static bool dec_read_buffer(struct dec21140 *d, uint32_t at, uint8_t *to, uint32_t len)
{
    if (d->s.csr[0] & CSR0_BLE) {
        return dec_read_swapped(d, at, to, len);
    }
    return dec_can_dma(d, at, len) && dma_read(d->dev.m, at, to, len);
}

static bool dec_write_buffer(struct dec21140 *d, uint32_t at, const uint8_t *from, uint32_t len)
{
    uint8_t raw[BUFFER_MAX + 8] = {0};

    if (!(d->s.csr[0] & CSR0_BLE)) {
        return dec_can_dma(d, at, len) && dma_write(d->dev.m, at, from, len);
    }
    /* Receive buffers begin and end at longwords, so what is written too much is in them. */
    for (uint32_t i = 0; i < len; i++) {
        raw[i ^ 3] = from[i];
    }
    len = (len + 3) & ~3u;
    return dec_can_dma(d, at, len) && dma_write(d->dev.m, at, raw, len);
}

static uint32_t dec_load(const struct dec21140 *d, const uint8_t *p)
{
    return d->s.csr[0] & CSR0_DBO ? ld_be32(p) : ld_le32(p);
}

static bool dec_desc_read(struct dec21140 *d, uint32_t at, struct dec_desc *desc)
{
    uint8_t raw[DESC_BYTES];

    if (!dec_can_dma(d, at, sizeof raw) || !dma_read(d->dev.m, at, raw, sizeof raw)) {
        dec_bus_error(d, "descriptor", at);
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LEN(desc->word); i++) {
        desc->word[i] = dec_load(d, raw + 4 * i);
    }
    return true;
}

/* Give a descriptor back, with its status. */
static bool dec_desc_close(struct dec21140 *d, uint32_t at, uint32_t status)
{
    uint8_t raw[4];

    if (d->s.csr[0] & CSR0_DBO) {
        st_be32(raw, status);
    } else {
        st_le32(raw, status);
    }
    if (!dec_can_dma(d, at, sizeof raw) || !dma_write(d->dev.m, at, raw, sizeof raw)) {
        dec_bus_error(d, "descriptor", at);
        return false;
    }
    return true;
}

/* Where the one after it lies; `base` is where the list begins.  End of ring goes before chained.
 */
static uint32_t dec_desc_next(const struct dec21140 *d, uint32_t at, const struct dec_desc *desc,
                              uint32_t base)
{
    if (desc->word[1] & DES1_ER) {
        return base;
    }
    if (desc->word[1] & DES1_CH) {
        return desc->word[3] & ~3u;
    }
    return at + DESC_BYTES + 4 * (uint32_t)bits(d->s.csr[0], 6, 2);
}

/* Size of buffer 0 or 1 of a descriptor. */
static uint32_t dec_desc_size(const struct dec_desc *desc, unsigned n)
{
    if (n == 0) {
        return (uint32_t)bits(desc->word[1], 10, 0);
    }
    return desc->word[1] & DES1_CH ? 0 : (uint32_t)bits(desc->word[1], 21, 11);
}

bool dec_owns(struct dec21140 *d, uint32_t at)
{
    uint8_t raw[4];

    return !dec_can_dma(d, at, sizeof raw) || !dma_read(d->dev.m, at, raw, sizeof raw) ||
           (dec_load(d, raw) & DESC_OWN);
}

/* Receive -------------------------------------------------------------------------------------- */

/* A frame with its check sequence, on its way into memory. */
struct dec_incoming {
    const uint8_t *frame;
    uint32_t len, total, done; /* without and with check sequence */
    uint8_t fcs[FCS_BYTES];
};

static bool dec_rx_put(struct dec21140 *d, struct dec_incoming *in, uint32_t at, uint32_t room)
{
    uint32_t n = MIN(room, in->total - in->done), frame = 0;

    if (in->done < in->len) {
        frame = MIN(n, in->len - in->done);
    }
    if (frame == n || !frame || !(d->s.csr[0] & CSR0_BLE)) {
        if (frame && !dec_write_buffer(d, at, in->frame + in->done, frame)) {
            return false;
        }
        in->done += frame;
        n -= frame;
        if (n && !dec_write_buffer(d, at + frame, &in->fcs[in->done - in->len], n)) {
            return false;
        }
    } else { /* swapped, a longword may hold bytes of both */
        uint8_t both[BUFFER_MAX + 1];

        memcpy(both, in->frame + in->done, frame);
        memcpy(both + frame, in->fcs, n - frame);
        if (!dec_write_buffer(d, at, both, n)) {
            return false;
        }
    }
    in->done += n;
    return true;
}

static bool dec_rx_fill(struct dec21140 *d, struct dec_incoming *in, const struct dec_desc *desc)
{
    for (unsigned i = 0; i < 2 && in->done < in->total; i++) {
        uint32_t room = dec_desc_size(desc, i) & ~3u;

        if (room && !dec_rx_put(d, in, desc->word[2 + i] & ~3u, room)) {
            dec_bus_error(d, "receive buffer", desc->word[2 + i]);
            return false;
        }
    }
    return true;
}

/* What RDES0 says of a frame, but for the errors of lacking descriptors. */
static uint32_t dec_rx_status(struct dec21140 *d, struct dec_incoming *in, uint32_t status)
{
    if (in->frame[0] & 1) {
        status |= RDES0_MF;
    }
    if (ld_be16(in->frame + 12) >= TYPE_FIRST) {
        status |= RDES0_FT;
    }
    if (in->total < NET_FRAME_MIN + FCS_BYTES) {
        status |= RDES0_RF | RDES0_ES;
    }
    if (in->total > FRAME_TOO_LONG) {
        status |= RDES0_TL | RDES0_ES;
    }
    if (in->total > DEC_WATCHDOG_BYTES && !(d->s.csr[15] & CSR15_RWD)) {
        in->total = DEC_WATCHDOG_BYTES;
        in->len = MIN(in->len, in->total);
        status |= RDES0_RW | RDES0_CE | RDES0_ES;
        d->counts.rx_watchdog++;
        dec_raise(d, CSR5_RWT);
    }
    return status;
}

static void dec_rx_suspend(struct dec21140 *d)
{
    if (d->s.rs == RS_WAITING) {
        d->s.rs = RS_SUSPENDED;
        dec_raise(d, CSR5_RU);
    }
}

/* The descriptors after the first of a frame that is on its way; gives the status of the last one
 * in `status`. */
static bool dec_rx_chain(struct dec21140 *d, struct dec_incoming *in, struct dec_desc *desc,
                         uint32_t *status)
{
    uint32_t first = RDES0_FS;

    for (unsigned budget = RX_BUDGET;; budget--) {
        uint32_t at = d->s.rx_at;
        struct dec_desc next = {0};

        d->work++;
        if (!dec_rx_fill(d, in, desc)) {
            return false;
        }
        d->s.rx_at = dec_desc_next(d, at, desc, d->s.csr[3]);
        if (in->done == in->total) {
            *status |= first | RDES0_LS | in->total << RDES0_FL_SHIFT;
            return dec_desc_close(d, at, *status);
        }
        if (budget && !dec_desc_read(d, d->s.rx_at, &next)) {
            return false;
        }
        if (!(next.word[0] & DESC_OWN)) {
            *status |= first | RDES0_LS | RDES0_DE | RDES0_ES | in->done << RDES0_FL_SHIFT;
            d->counts.rx_truncated++;
            dec_rx_suspend(d);
            return dec_desc_close(d, at, *status);
        }
        if (!dec_desc_close(d, at, first)) {
            return false;
        }
        *desc = next;
        first = 0;
    }
}

/* Store a frame; `status`: bits for its RDES0.  Lost: by a bus error. */
static enum net_verdict dec_rx_frame(struct dec21140 *d, const uint8_t *frame, uint32_t len,
                                     uint32_t status)
{
    struct dec_incoming in = {.frame = frame, .len = len, .total = len + FCS_BYTES};
    struct dec_desc desc;

    if (!dec_desc_read(d, d->s.rx_at, &desc)) {
        return NET_LOST;
    }
    if (!(desc.word[0] & DESC_OWN)) {
        dec_rx_suspend(d);
        return NET_FULL;
    }
    d->s.rs = RS_WAITING;
    st_le32(in.fcs, dec_fcs_of(&d->fcs, frame, len));
    status = dec_rx_status(d, &in, status);
    if (!dec_rx_chain(d, &in, &desc, &status)) {
        return NET_LOST;
    }
    trace(&d->dev, TR_DMA, "received %u bytes, RDES0 %#x", len, status);
    d->counts.rx_frames++;
    dec_frame_received(d);
    return NET_TAKEN;
}

static void dec_missed(struct device *dev)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    d->counts.rx_missed++;
    if (!++d->s.missed) {
        d->s.missed_over = true;
    }
}

/* RDES0 FF. */
static uint32_t dec_rx_failed(enum dec_filter_verdict verdict)
{
    return verdict == DEC_FILTER_FAILED ? RDES0_FF : 0;
}

/* A frame of our own that came back; `type` is RDES0 DT. */
static void dec_rx_loop(struct dec21140 *d, const uint8_t *frame, uint32_t len, uint32_t type)
{
    enum dec_filter_verdict verdict;

    d->counts.tx_looped++;
    if (d->s.rs == RS_STOPPED || len < NET_HEADER ||
        (len < NET_FRAME_MIN && !(d->s.csr[6] & CSR6_PB))) {
        return; /* runts are for those who pass bad frames */
    }
    verdict = dec_filter_check(&d->s.filter, d->s.csr[6], frame);
    type <<= RDES0_DT_SHIFT;
    if (verdict != DEC_FILTER_REJECT &&
        dec_rx_frame(d, frame, len, type | dec_rx_failed(verdict)) == NET_FULL) {
        dec_missed(&d->dev);
    }
}

/* Why a frame from the wire is not for the guest; NET_DROPS: it is. */
static enum net_drop dec_rx_refusal(const struct dec21140 *d, size_t len)
{
    if (!dec_mii_can_carry(&d->s.mii)) {
        return NET_DROP_LINK;
    }
    if (d->s.rs == RS_STOPPED || bits(d->s.csr[6], CSR6_OM_SHIFT + 1, CSR6_OM_SHIFT)) {
        return NET_DROP_STOPPED;
    }
    return len < NET_HEADER || len > NET_FRAME_MAX ? NET_DROP_MALFORMED : NET_DROPS;
}

static enum net_verdict dec_receive(struct device *dev, const uint8_t *frame, size_t len)
{
    struct dec21140 *d = (struct dec21140 *)dev;
    enum net_drop why = dec_rx_refusal(d, len);
    uint8_t padded[NET_FRAME_MIN] = {0};
    enum dec_filter_verdict filter = DEC_FILTER_REJECT;
    enum net_verdict verdict;

    d->s.rx_refused = false;
    if (why == NET_DROPS) {
        filter = dec_filter_check(&d->s.filter, d->s.csr[6], frame);
        why = filter == DEC_FILTER_REJECT ? NET_DROP_FILTERED : NET_DROPS;
    }
    if (why != NET_DROPS) {
        net_drop(d->net, why);
        return NET_LOST;
    }
    if (len < NET_FRAME_MIN) { /* as its sender would have */
        memcpy(padded, frame, len);
        frame = padded;
        len = sizeof padded;
    }
    verdict = dec_rx_frame(d, frame, (uint32_t)len, dec_rx_failed(filter));
    if (verdict == NET_FULL) {
        dec_rx_refuse(d);
    } else if (verdict == NET_LOST) {
        net_drop(d->net, NET_DROP_STOPPED);
    }
    dec_update_irq(d);
    return verdict;
}

/* Transmit ------------------------------------------------------------------------------------- */

static bool dec_tx_setup(struct dec21140 *d, const struct dec_desc *desc)
{
    uint8_t frame[DEC_SETUP_BYTES];

    if (dec_desc_size(desc, 0) != sizeof frame) {
        guest_error(&d->dev, "setup frame of %u bytes", dec_desc_size(desc, 0));
        return true;
    }
    if (!dec_can_dma(d, desc->word[2], sizeof frame) ||
        !dma_read(d->dev.m, desc->word[2], frame, sizeof frame)) {
        dec_bus_error(d, "setup frame", desc->word[2]);
        return false;
    }
    dec_filter_load(&d->s.filter, DEC_FILTER_MODE(desc->word[1]), frame);
    d->counts.tx_setups++;
    trace(&d->dev, TR_STATE, "setup frame, filter mode %u", DEC_FILTER_MODE(desc->word[1]));
    return true;
}

/* Take what a descriptor adds to the frame at `to`. */
static bool dec_tx_gather(struct dec21140 *d, const struct dec_desc *desc, uint8_t *to)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t len = dec_desc_size(desc, i);

        if (d->s.tx_over || len > NET_FRAME_MAX - d->s.tx_len) {
            d->s.tx_over = true;
            continue;
        }
        if (len && !dec_read_buffer(d, desc->word[2 + i], to + d->s.tx_len, len)) {
            dec_bus_error(d, "transmit buffer", desc->word[2 + i]);
            return false;
        }
        d->s.tx_len += len;
    }
    return true;
}

/* Bring the frame into the form it has in a batch: padded, without check sequence.  False: no
 * receiver would take it. */
static bool dec_tx_shape(struct dec21140 *d, uint8_t *frame)
{
    uint32_t control = d->s.tx_control, len = d->s.tx_len;
    bool padded = !(control & TDES1_DPD);

    /* A padded frame gets a check sequence of its own. */
    if (control & TDES1_AC && !(padded && len < NET_FRAME_MIN + FCS_BYTES)) {
        if (len < FCS_BYTES ||
            ld_le32(frame + len - FCS_BYTES) != dec_fcs_of(&d->fcs, frame, len - FCS_BYTES)) {
            return false;
        }
        len -= FCS_BYTES;
    }
    if (padded && len < NET_FRAME_MIN) {
        memset(frame + len, 0, NET_FRAME_MIN - len);
        len = NET_FRAME_MIN;
    }
    d->s.tx_len = len;
    return true;
}

/* A complete frame leaves; gives TDES0. */
static uint32_t dec_tx_send(struct dec21140 *d, struct net_batch *b, uint8_t *frame)
{
    unsigned om = (unsigned)bits(d->s.csr[6], CSR6_OM_SHIFT + 1, CSR6_OM_SHIFT);
    bool whole = dec_tx_shape(d, frame);

    if (om || dec_mii_is_loopback(&d->s.mii)) {
        if (whole) {
            dec_rx_loop(d, frame, d->s.tx_len, om & 3);
        }
        return 0;
    }
    if (!dec_mii_can_carry(&d->s.mii)) {
        net_drop(d->net, NET_DROP_LINK);
        d->counts.tx_errors++;
        return TDES0_ES | TDES0_LO | TDES0_NC;
    }
    if (!whole || d->s.tx_len < NET_FRAME_MIN) {
        net_drop(d->net, NET_DROP_MALFORMED);
        d->counts.tx_errors++;
        return 0;
    }
    net_batch_add(b, d->s.tx_len);
    d->counts.tx_frames++;
    return 0;
}

/* The last descriptor of a frame is in; gives TDES0. */
static uint32_t dec_tx_finish(struct dec21140 *d, struct net_batch *b, uint8_t *frame)
{
    uint32_t status;

    d->s.tx_open = false;
    if (d->s.tx_over) { /* more than the FIFO that holds a whole frame here */
        d->counts.tx_errors++;
        net_drop(d->net, NET_DROP_MALFORMED);
        d->s.ts = TS_SUSPENDED;
        dec_raise(d, CSR5_UNF);
        return TDES0_ES | TDES0_UF;
    }
    if ((d->s.csr[15] & (CSR15_JBD | CSR15_JCK)) == CSR15_JCK && d->s.tx_len > DEC_WATCHDOG_BYTES) {
        d->counts.tx_errors++;
        net_drop(d->net, NET_DROP_MALFORMED);
        d->s.ts = TS_STOPPED;
        dec_raise(d, CSR5_TJT);
        return TDES0_ES | TDES0_TO;
    }
    status = dec_tx_send(d, b, frame);
    trace(&d->dev, TR_DMA, "transmitted %u bytes, TDES0 %#x", d->s.tx_len, status);
    return status;
}

/* One descriptor of a frame; its TDES0 goes to `status`. */
static bool dec_tx_segment(struct dec21140 *d, struct net_batch *b, const struct dec_desc *desc,
                           uint32_t *status)
{
    uint8_t *frame = b->data + b->used;

    if (desc->word[1] & TDES1_FS) {
        if (d->s.tx_open) {
            guest_error(&d->dev, "a frame begins inside another");
        }
        d->s.tx_open = true;
        d->s.tx_over = false;
        d->s.tx_len = 0;
        d->s.tx_control = desc->word[1];
    } else if (!d->s.tx_open) { /* Linux's tulip puts an empty one before each setup frame */
        if (dec_desc_size(desc, 0) || dec_desc_size(desc, 1)) {
            guest_error(&d->dev, "a frame without beginning");
        }
        return true;
    }
    if (!dec_tx_gather(d, desc, frame)) {
        return false;
    }
    if (desc->word[1] & TDES1_LS) {
        *status = dec_tx_finish(d, b, frame);
    }
    return true;
}

/* One descriptor. */
static void dec_tx_step(struct dec21140 *d, struct net_batch *b)
{
    uint32_t at = d->s.tx_at, status = 0;
    struct dec_desc desc;

    if (!dec_desc_read(d, at, &desc)) {
        return;
    }
    if (!(desc.word[0] & DESC_OWN)) {
        dec_tx_suspend(d);
        return;
    }
    d->s.tx_polled = false;
    if (desc.word[1] & TDES1_SET) {
        status = TDES0_SETUP_DONE;
        if (!dec_tx_setup(d, &desc)) {
            return;
        }
    } else if (!dec_tx_segment(d, b, &desc, &status)) {
        return;
    }
    if (!dec_desc_close(d, at, status)) {
        return;
    }
    d->s.tx_at = dec_desc_next(d, at, &desc, d->s.csr[4]);
    if (desc.word[1] & TDES1_IC && desc.word[1] & (TDES1_SET | TDES1_LS)) {
        dec_frame_sent(d);
    }
}

static bool dec_transmit(struct device *dev, struct net_batch *b)
{
    struct dec21140 *d = (struct dec21140 *)dev;
    bool more = d->s.ts == TS_FETCHING;

    if (!more || !net_batch_has_room(b)) {
        return more;
    }
    if (d->s.tx_open) {
        memcpy(b->data + b->used, d->s.tx_fifo, d->s.tx_len);
    }
    for (d->work = 0; d->work < TX_BUDGET && more && net_batch_has_room(b); d->work++) {
        dec_tx_step(d, b);
        more = d->s.ts == TS_FETCHING;
    }
    if (d->s.tx_open) { /* in the middle of a frame: what is there of it waits in the chip */
        memcpy(d->s.tx_fifo, b->data + b->used, d->s.tx_len);
    }
    dec_update_irq(d);
    return more;
}

static void dec_link_changed(struct device *dev, bool up)
{
    struct dec21140 *d = (struct dec21140 *)dev;

    trace(dev, TR_STATE, "link %s", up ? "up" : "down");
    dec_mii_set_link(&d->s.mii, up);
}

const struct net_front dec_front = {
    .transmit = dec_transmit,
    .receive = dec_receive,
    .missed = dec_missed,
    .link_changed = dec_link_changed,
};
