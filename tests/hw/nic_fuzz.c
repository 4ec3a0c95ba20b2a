/*
 * A network card under fire; see nic_fuzz.h.
 *
 * Not modelled: processors, threads.
 */
#include "hw/net/dec21140.h"
#include "tests/hw/nic_fuzz_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct nic_fuzz *fuzz_of(struct net *n)
{
    return container_of(n, struct nic_fuzz, net);
}

G_NORETURN static void broken(const char *what)
{
    fprintf(stderr, "nic_fuzz: %s\n", what);
    abort();
}

static void must(bool good, const char *what)
{
    if (!good) {
        broken(what);
    }
}

static void fuzz_kick(struct net *n, unsigned kicks)
{
    struct nic_fuzz *f = fuzz_of(n);

    must(kicks && !(kicks & ~(unsigned)(NET_KICK_TX | NET_KICK_RX)), "an unknown kick");
    must(!f->in_front, "the card kicks for what the carrier does itself");
    f->kicks |= kicks;
}

/* The input ------------------------------------------------------------------------------------ */

/* A place in physical memory that is worth something. */
static uint32_t place(struct nic_fuzz *f)
{
    uint8_t kind = u8(f), fine = u8(f);

    switch (kind % 16) {
    case 0:
    case 1:
    case 2:
        return TX_RING + 16u * (fine % SLOTS);
    case 3:
    case 4:
    case 5:
        return RX_RING + 16u * (fine % SLOTS);
    case 6:
    case 7:
    case 8:
        return BUFFERS + BUFFER_BYTES * (fine % SLOTS);
    case 9:
        return RAM_BYTES - fine;
    case 10:
        return RAM_BYTES + fine;
    case 11:
        return MMIO_BASE + fine;
    case 12:
        return ROM_BASE + fine * 4u;
    case 13:
        return TOP_BASE + fine * 4u;
    case 14:
        return 0u - fine;
    default:
        return (uint32_t)fine << 24 | u16(f);
    }
}

/* A length that is worth something: of a buffer or a frame. */
static uint32_t length(struct nic_fuzz *f)
{
    static const uint16_t lengths[] = {0,    1,    3,    4,    13,   14,    15,    59,
                                       60,   63,   64,   65,   128,  192,   512,   1514,
                                       1515, 1518, 1519, 1536, 2044, 2046,  2047,  2048,
                                       2556, 2557, 2560, 2561, 9000, 16348, 16352, 16384};
    uint16_t val = u16(f);

    return val & 0x8000 ? lengths[val % ARRAY_LEN(lengths)] : val % 16500u;
}

/* Registers ------------------------------------------------------------------------------------ */

/* By the card's own table, so that it works wherever the BARs are. */
static uint32_t csr_read(struct nic_fuzz *f, unsigned n)
{
    const struct pci_bar_desc *bars = f->dev->ops->pci->bars;

    for (unsigned i = 0; i < 6; i++) {
        if (bars[i].kind == PCI_BAR_MEM) {
            return (uint32_t)bars[i].mmio->read(f->dev, 8 * n, 4);
        }
    }
    return bars[0].ports->read(f->dev, 8 * n, 4);
}

void nic_csr_write(struct nic_fuzz *f, unsigned n, uint32_t val)
{
    port_write_locked(f->m, (uint16_t)(IO + 8 * n), val, 4);
}

static void config_write(struct nic_fuzz *f, unsigned reg, uint32_t val, unsigned size)
{
    port_write_locked(f->m, 0xcf8, 0x80000000u | CARD << 8 | (reg & 0xfc), 4);
    port_write_locked(f->m, (uint16_t)(0xcfc + (reg & 3)), val, size);
}

static void map(struct nic_fuzz *f)
{
    config_write(f, 0x10, IO, 4);
    config_write(f, 0x14, MMIO_BASE, 4);
    config_write(f, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    config_write(f, 0x40, 0, 4); /* neither asleep nor snoozing */
}

static bool is_master(struct nic_fuzz *f)
{
    return pci_func(f->dev)->s->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

void nic_begin_at(struct nic_fuzz *f, uint32_t tx, uint32_t rx, uint32_t csr6)
{
    nic_csr_write(f, 3, rx);
    nic_csr_write(f, 4, tx);
    nic_csr_write(f, 7, 0x1ffff);
    nic_csr_write(f, 6, csr6 | CSR6_ST | CSR6_SR | CSR6_PS);
}

/* What must hold at any time ------------------------------------------------------------------- */

static void check_state(const struct state_field *table, const uint8_t *base)
{
    for (const struct state_field *s = table; s->kind != STATE_KIND_END; s++) {
        if (s->kind == STATE_KIND_UINT && !s->max) {
            continue;
        }
        for (uint32_t i = 0; i < s->count; i++) {
            const uint8_t *at = base + s->offset + (size_t)i * s->size;
            uint64_t val = 0;

            if (s->kind == STATE_KIND_STRUCTS) {
                check_state(s->sub, at);
            } else if (s->kind == STATE_KIND_UINT) {
                memcpy(&val, at, s->size);
                must(val <= s->max, s->name);
            } else if (s->kind == STATE_KIND_BOOL) {
                must(*at <= 1, s->name);
            } else if (s->kind == STATE_KIND_HOLE) {
                must(*at == 0, s->name);
            }
        }
    }
}

static void check(struct nic_fuzz *f)
{
    uint32_t csr5 = csr_read(f, 5), csr6 = csr_read(f, 6), csr7 = csr_read(f, 7);
    unsigned rs = (unsigned)bits(csr5, 19, 17), ts = (unsigned)bits(csr5, 22, 20);
    uint32_t on = csr5 & csr7;

    check_state(f->dev->ops->state, (const uint8_t *)f->dev);
    must(csr5 == csr_read(f, 5), "reading CSR5 changes it");
    must(rs == RS_STOPPED || rs == RS_WAITING || rs == RS_SUSPENDED, "CSR5 RS");
    must(ts == TS_STOPPED || ts == TS_FETCHING || ts == TS_SUSPENDED, "CSR5 TS");
    must(csr6 & CSR6_SR || rs == RS_STOPPED, "receiving without CSR6 SR");
    must(csr6 & CSR6_ST || ts == TS_STOPPED, "transmitting without CSR6 ST");
    must(!(csr5 & CSR5_NIS) == !(on & CSR5_NORMAL), "CSR5 NIS");
    must(!(csr5 & CSR5_AIS) == !(on & CSR5_ABNORMAL), "CSR5 AIS");
    must(pci_func(f->dev)->s->irq == !!(on & (CSR5_NIS | CSR5_AIS)), "the interrupt line");
}

/* What people are told changes nothing. */
static void check_info(struct nic_fuzz *f)
{
    const struct device_ops *ops = f->dev->ops;
    const uint8_t *state = (const uint8_t *)f->dev + ops->s_offset;
    g_autofree void *before = g_memdup2(state, ops->s_size);
    GString *out = g_string_new(NULL);

    ops->info(f->dev, out);
    must(out->len && g_str_has_suffix(out->str, "\n"), "no information");
    must(!memcmp(before, state, ops->s_size), "looking changes the card");
    g_string_free(out, true);
}

static void check_batch(struct nic_fuzz *f)
{
    const struct net_batch *b = &f->batch;
    uint32_t used = 0;

    must(b->count <= NET_BATCH_FRAMES && b->used <= NET_BATCH_BYTES, "the batch is too full");
    for (unsigned i = 0; i < b->count; i++) {
        must(b->frame[i].at == used, "frames with gaps");
        must(b->frame[i].len >= NET_FRAME_MIN && b->frame[i].len <= NET_FRAME_MAX,
             "a frame of no length");
        used += b->frame[i].len;
    }
    must(used == b->used, "bytes that are in no frame");
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static uint64_t all_counted(const struct net *n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < NET_DROPS; i++) {
        sum += atomic_load(&n->stats.drops[i]);
    }
    return sum;
}

/* The carrier ---------------------------------------------------------------------------------- */

static bool pull(struct nic_fuzz *f)
{
    struct dec21140 *d = (struct dec21140 *)f->dev;
    bool loops = bits(d->s.csr[6], 11, 10) || dec_mii_is_loopback(&d->s.mii), more;
    unsigned closed = 0;

    f->batch.count = 0;
    f->batch.used = 0;
    memcpy(f->before, f->ram->host, BUFFERS);
    f->in_front = true;
    more = f->front->transmit(f->dev, &f->batch);
    f->in_front = false;
    for (unsigned i = 0; i < BUFFERS; i += 4) {
        closed += ld_le32(f->before + i) != ld_le32(f->ram->host + i);
    }
    must(loops || closed <= MAX_CLOSED, "too many descriptors at once");
    return more;
}

static void step_pull(struct nic_fuzz *f)
{
    unsigned times = u8(f) % 4 + 1u;
    bool more = true;

    for (unsigned i = 0; i < times && more; i++) {
        more = pull(f);
        check_batch(f);
    }
}

/* Each frame is either stored, or counted by reason, or offered again. */
static void offer(struct nic_fuzz *f, const uint8_t *frame, size_t len)
{
    const struct dec_counts *counts = &((struct dec21140 *)f->dev)->counts;
    uint64_t dropped = all_counted(&f->net), stored = counts->rx_frames;
    enum net_verdict verdict;

    f->in_front = true;
    verdict = f->front->receive(f->dev, frame, len);
    f->in_front = false;
    must(verdict == NET_TAKEN || verdict == NET_LOST || verdict == NET_FULL, "no verdict");
    must(counts->rx_frames - stored == (verdict == NET_TAKEN), "a frame that was taken is stored");
    must(all_counted(&f->net) - dropped == (verdict == NET_LOST), "a frame lost is counted");
}

static void step_frame(struct nic_fuzz *f)
{
    static uint8_t const pattern[] = {0x08, 0x00, 0x45, 0x00};
    uint8_t who = u8(f);
    uint32_t want = length(f), len = CLAMP(want, NET_HEADER, NET_FRAME_MAX);
    /* of its own, so that a byte too far is seen */
    g_autofree uint8_t *frame = g_malloc(len);

    memset(frame, u8(f), len);
    memcpy(frame, nic_addresses[who % ARRAY_LEN(nic_addresses)], 6);
    memcpy(frame + 12, pattern, MIN(sizeof pattern, len - 12));
    if (who & 0x80) { /* a descriptor, should it land on one */
        for (uint32_t i = 16; i + 16 <= len; i += 16) {
            st_le32(frame + i, OWN);
            st_le32(frame + i + 4, u8(f) | CH);
            st_le32(frame + i + 8, RX_RING);
            st_le32(frame + i + 12, RX_RING);
        }
    }
    offer(f, frame, len);
}

/* Steps ---------------------------------------------------------------------------------------- */

static void step_write(struct nic_fuzz *f)
{
    static const uint32_t values[] = {0,          1,          0x2002,       0xffffffff,
                                      0x0001ffff, 0x00100080, 0x0006007c,   0x80000000,
                                      0x32442002, 0x40002042, TX_RING,      RX_RING,
                                      MMIO_BASE,  0xfffffff0, RAM_BYTES - 8};
    uint8_t how = u8(f), reg = u8(f);
    uint32_t val = u32(f);
    unsigned off = how & 4 ? reg % 256u : 8u * (reg % 16);
    unsigned size = how & 8 ? 1u << (reg >> 5) % 3 : 4;

    if (how & 2) {
        val = values[val % ARRAY_LEN(values)];
    }
    if (how & 1) {
        port_write_locked(f->m, (uint16_t)(IO + off % 128), val, size);
    } else {
        aspace_write_locked(f->m, MMIO_BASE + off, val, size, NULL);
    }
}

static void step_read(struct nic_fuzz *f)
{
    uint8_t how = u8(f), reg = u8(f);
    unsigned off = how & 4 ? reg % 256u : 8u * (reg % 16);
    unsigned size = how & 8 ? 1u << (reg >> 5) % 3 : 4;

    if (how & 1) {
        port_read_locked(f->m, (uint16_t)(IO + off % 128), size);
    } else {
        aspace_read_locked(f->m, MMIO_BASE + off, size);
    }
}

static void step_config(struct nic_fuzz *f)
{
    static const uint8_t regs[] = {0x04, 0x10, 0x14, 0x40, 0x43, 0x3c, 0x0c, 0x06};
    uint8_t how = u8(f), reg = u8(f);
    uint32_t val = u32(f);

    if (how & 1) {
        map(f);
    } else {
        config_write(f, how & 2 ? reg : regs[reg % ARRAY_LEN(regs)], val,
                     how & 4 ? 1u << (how >> 3) % 3 : 4);
    }
}

static void step_desc(struct nic_fuzz *f)
{
    uint32_t at = place(f), one, two;
    uint8_t what = u8(f), more = u8(f);
    uint32_t control = SIZES(length(f) & 2047, what & 1 ? length(f) & 2047 : 0);

    control |= (what & 2 ? FS : 0) | (what & 4 ? LS : 0) | (what & 8 ? CH : 0) |
               (what & 16 ? ER : 0) | (what & 32 ? IC : 0) | (what & 64 ? SET : 0);
    control |= (more & 1 ? BIT(26) : 0) | (more & 2 ? BIT(23) : 0) | (more & 4 ? BIT(22) : 0) |
               (more & 8 ? BIT(28) : 0);
    one = place(f);
    two = place(f);
    nic_put_desc(f, at, what & 128 ? 0 : OWN, control, one, two);
}

static void step_fill(struct nic_fuzz *f)
{
    uint32_t at = place(f), len = length(f);
    uint8_t val = u8(f);

    for (uint32_t i = 0; i < len; i++) {
        nic_put(f, at + i, &val, 1);
    }
}

static void step_bytes(struct nic_fuzz *f)
{
    uint32_t at = place(f);

    for (unsigned len = u8(f) % 48u; len && f->p < f->end; len--) {
        nic_put(f, at++, f->p++, 1);
    }
}

static void step_setup(struct nic_fuzz *f)
{
    uint32_t at = place(f);
    uint8_t what = u8(f);

    nic_put_setup(f, SETUP, what & 1, what >> 4, what & 4 ? 0xff : 0);
    nic_put_desc(f, at, OWN,
                 SET | DEC_SETUP_BYTES | (what & 1 ? BIT(22) : 0) | (what & 2 ? BIT(28) : 0) |
                     (what & 8 ? IC : 0),
                 SETUP, 0);
}

static void step_time(struct nic_fuzz *f)
{
    static const int64_t times[] = {1,       999,      81920,          204800,
                                    1000000, 10000000, 20 * NS_PER_MS, 100 * NS_PER_MS};

    clock_step(f->m, times[u8(f) % ARRAY_LEN(times)]);
}

static void step_serial(struct nic_fuzz *f)
{
    unsigned count = u8(f) % 64u;
    bool srom = count & 1;

    for (unsigned i = 0; i < count; i++) {
        uint8_t bits = u8(f);
        uint32_t val = srom ? 0x4800u | (bits & 1 ? 4 : 0) | (bits & 16 ? 1 : 0)
                            : (bits & 1 ? BIT(17) : 0) | (bits & 2 ? BIT(18) : 0);

        nic_csr_write(f, 9, val);
        nic_csr_write(f, 9, val | (srom ? 2 : BIT(16)));
        csr_read(f, 9);
    }
}

/* Running -------------------------------------------------------------------------------------- */

static void step_other(struct nic_fuzz *f, enum nic_step step)
{
    switch (step) {
    case NIC_STEP_MISSED:
        f->in_front = true;
        f->front->missed(f->dev);
        f->in_front = false;
        break;
    case NIC_STEP_LINK:
        net_set_link(&f->net, u8(f) & 1);
        break;
    case NIC_STEP_TIME:
        step_time(f);
        break;
    case NIC_STEP_RESET:
        if (u8(f) & 1) {
            nic_csr_write(f, 0, CSR0_SWR);
        } else {
            machine_reset(f->m);
            map(f);
        }
        break;
    case NIC_STEP_START: {
        uint32_t tx = place(f), rx = place(f);

        nic_begin_at(f, tx, rx, u32(f));
        break;
    }
    case NIC_STEP_POLL:
        nic_csr_write(f, 1 + (u8(f) & 1), 1);
        break;
    case NIC_STEP_ACK:
        nic_csr_write(f, 5, csr_read(f, 5));
        break;
    case NIC_STEP_SERIAL:
        step_serial(f);
        break;
    default: /* NIC_STEP_STOP */
        nic_csr_write(f, 6, csr_read(f, 6) & ~(uint32_t)(u8(f) & 1 ? CSR6_ST : CSR6_SR));
        break;
    }
}

static void run_step(struct nic_fuzz *f)
{
    enum nic_step step = u8(f) % NIC_STEPS;

    if (!f->connected &&
        (step == NIC_STEP_FRAME || step == NIC_STEP_PULL || step == NIC_STEP_MISSED)) {
        step = NIC_STEP_TIME; /* nobody is there to do that */
    }
    switch (step) {
    case NIC_STEP_SCENE:
        nic_step_scene(f);
        break;
    case NIC_STEP_WRITE:
        step_write(f);
        break;
    case NIC_STEP_READ:
        step_read(f);
        break;
    case NIC_STEP_CONFIG:
        step_config(f);
        break;
    case NIC_STEP_DESC:
        step_desc(f);
        break;
    case NIC_STEP_FILL:
        step_fill(f);
        break;
    case NIC_STEP_BYTES:
        step_bytes(f);
        break;
    case NIC_STEP_SETUP:
        step_setup(f);
        break;
    case NIC_STEP_FRAME:
        step_frame(f);
        break;
    case NIC_STEP_PULL:
        step_pull(f);
        break;
    default:
        step_other(f, step);
        break;
    }
}

/* Whether a step must not change memory: where only the card would, and may not. */
static bool leaves_memory(struct nic_fuzz *f, uint8_t step)
{
    switch (step % NIC_STEPS) {
    case NIC_STEP_FRAME:
    case NIC_STEP_PULL:
    case NIC_STEP_TIME:
    case NIC_STEP_POLL:
        return !is_master(f) || csr_read(f, 5) & CSR5_FBE;
    default:
        return false;
    }
}

static void restart(struct nic_fuzz *f, uint8_t how)
{
    memset(f->ram->host, 0, RAM_BYTES);
    memset(f->top->host, 0, TOP_BYTES);
    memset(f->rom->host, 0, ROM_BYTES);
    f->kicks = 0;
    f->net.link = !(how & NIC_FUZZ_NO_LINK);
    machine_reset(f->m);
    if (!(how & NIC_FUZZ_BARE)) {
        map(f);
    }
}

void nic_fuzz_run(struct nic_fuzz *f, const uint8_t *data, size_t size)
{
    int64_t begin = cpu_ns();

    f->p = data;
    f->end = data + size;
    machine_lock(f->m);
    restart(f, u8(f));
    check(f);
    for (unsigned n = 0; n < MAX_STEPS && f->p < f->end; n++) {
        bool still = leaves_memory(f, *f->p);

        if (still) {
            memcpy(f->still, f->ram->host, RAM_BYTES);
        }
        run_step(f);
        must(!still || !memcmp(f->still, f->ram->host, RAM_BYTES),
             "DMA without bus mastering, or after a fatal error");
        check(f);
    }
    check_info(f);
    must(cpu_ns() - begin < INPUT_SECONDS * NS_PER_SEC, "an input that takes too long");
    machine_unlock(f->m);
}

static struct ram *add_ram(struct nic_fuzz *f, struct region *r, const char *name, uint64_t base,
                           uint64_t size, GError **err)
{
    struct ram *ram = ram_new(f->m, name, size, err);

    if (ram) {
        region_init_ram(r, name, ram, 0, size);
        region_add(f->m, r, base, 0);
    }
    return ram;
}

static bool build_nothing(G_GNUC_UNUSED struct machine *m, G_GNUC_UNUSED GError **err)
{
    return true;
}

static bool build(struct nic_fuzz *f, GError **err)
{
    static const struct board board = {"nic_fuzz", build_nothing};

    machine_lock(f->m);
    clock_set_stepped(f->m);
    f->ram = add_ram(f, &f->ram_region, "ram", 0, RAM_BYTES, err);
    f->top = f->ram ? add_ram(f, &f->top_region, "top", TOP_BASE, TOP_BYTES, err) : NULL;
    f->rom = f->top ? add_ram(f, &f->rom_region, "rom", ROM_BASE, ROM_BYTES, err) : NULL;
    if (f->rom) {
        region_set_access(f->m, &f->rom_region, ACCESS_READ);
        device_new(f->m, &pci_ops, "pci");
        f->dev = device_new(f->m, &dec21140_ops, "nic0");
        pci_place(f->dev, CARD);
    }
    machine_unlock(f->m);
    return f->rom && machine_build(f->m, &board, err);
}

struct nic_fuzz *nic_fuzz_new(bool connected, GError **err)
{
    struct nic_fuzz *f = g_new0(struct nic_fuzz, 1);
    struct vm_config c;

    vm_config_init(&c);
    f->m = machine_new(&c, NULL);
    vm_config_clear(&c);
    f->before = g_malloc(BUFFERS);
    f->still = g_malloc(RAM_BYTES);
    f->net.kick = fuzz_kick;
    f->net.m = f->m;
    f->net.id = g_strdup("nic0");
    f->net.link = true;
    memcpy(f->net.mac, nic_addresses[0], 6);
    f->connected = connected;
    f->m->nics[0] = connected ? &f->net : NULL;
    if (!build(f, err)) {
        nic_fuzz_free(f);
        return NULL;
    }
    f->front = f->net.front;
    return f;
}

void nic_fuzz_free(struct nic_fuzz *f)
{
    machine_free(f->m);
    g_free(f->net.id);
    g_free(f->before);
    g_free(f->still);
    g_free(f);
}
