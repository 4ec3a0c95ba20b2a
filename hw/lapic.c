/*
 * The local APIC of a processor: xAPIC registers in memory, x2APIC registers as MSRs.
 *
 * Follows the Intel SDM volume 3A, chapter 11 (APIC) in the December 2023 numbering.  There is no
 * APIC bus: messages are delivered at once, so delivery status bits always read 0 and arbitration
 * never happens.
 *
 * The timer counts 1 GHz (LAPIC_BUS_HZ); its registers are computed from virtual time, a core timer
 * runs only while an interrupt can come of it.  TSC deadlines are virtual nanoseconds.
 *
 * After reset the boot processor's LINT0 is an unmasked ExtINT ("virtual wire mode", Intel MP
 * specification 3.6.2.2) as its firmware would set it up, so that the 8259 works for software that
 * never heard of the APIC.
 *
 * While an accelerator has the state (lapic_away.c), an NMI pin gets through whatever its entry
 * says, and LINT0 is an ExtINT.
 *
 * Not modelled: SMI, CMCI and remote read; performance and thermal interrupts never come;
 * lowest-priority arbitration beyond the processor priority; register pages at different addresses.
 */
#include "hw/lapic_int.h"
#include "hw/ioapic.h"

#define BROADCAST 0xffu

#define F(m, ...) STATE(struct lapic, s.m, __VA_ARGS__)
#define A(m, ...) STATE_ARRAY(struct lapic, s.m, __VA_ARGS__)
static const struct state_field lapic_state[] = {
    F(timer),
    F(base),
    F(icr),
    F(tsc_deadline),
    F(count_start),
    F(fired),
    A(irr),
    A(isr),
    A(tmr),
    A(lvt, .reset = LVT_MASKED),
    F(ldr),
    F(dfr, .reset = 0xffffffff),
    F(svr, .reset = 0xff),
    F(tpr, .max = 0xff),
    F(esr),
    F(errors),
    F(initial),
    F(divide, .max = 11),
    A(lint),
    F(extint),
    F(counting),
    STATE_HOLE(struct lapic, s.hole),
    STATE_END,
};

static const struct prop lapic_props[] = {
    PROP_DEF_UINT(struct lapic, id, "id", 0, VM_MAX_CPUS - 1, "number of the vCPU, and APIC id"),
    PROP_DEF_END,
};

/* ---- vectors ---- */

static bool bit_test(const uint32_t *map, unsigned v)
{
    return map[v >> 5] & BIT(v & 31);
}

static void bit_put(uint32_t *map, unsigned v, bool on)
{
    map[v >> 5] = on ? map[v >> 5] | BIT(v & 31) : map[v >> 5] & ~BIT(v & 31);
}

/* The highest vector of a map, or -1. */
static int bit_highest(const uint32_t *map)
{
    for (int i = 7; i >= 0; i--) {
        if (map[i]) {
            return i * 32 + 31 - __builtin_clz(map[i]);
        }
    }
    return -1;
}

uint8_t lapic_ppr(const struct lapic *l)
{
    int isr = bit_highest(l->s.isr);
    uint8_t in_service = isr < 0 ? 0 : isr & 0xf0;
    return (l->s.tpr & 0xf0) >= in_service ? l->s.tpr : in_service;
}

/* The vector that may be delivered now, or -1. */
static int lapic_pending(const struct lapic *l)
{
    int irr = bit_highest(l->s.irr);
    return irr >= 0 && (irr & 0xf0) > (lapic_ppr(l) & 0xf0) ? irr : -1;
}

bool lapic_passes_extint(struct device *dev)
{
    const struct lapic *l = (const struct lapic *)dev;
    uint32_t lvt = l->s.lvt[LVT_LINT0];

    if (atomic_load(&dev->m->apics_away)) { /* as it shows */
        return l->extint_taken && clock_now(dev->m) - l->extint_at < NS_PER_SEC;
    }
    /* With the APIC off the pin is INTR. */
    return !lapic_is_on(l) || (!(lvt & LVT_MASKED) && (lvt >> 8 & 7) == LAPIC_EXTINT);
}

/* Whether the 8259 asks through this APIC. */
static bool lapic_has_extint(struct lapic *l)
{
    return (l->s.extint && lapic_is_on(l)) || (l->s.lint[0] && lapic_passes_extint(&l->dev));
}

void lapic_update(struct lapic *l)
{
    if (!l->vcpu) {
        return;
    }
    if (atomic_load(&l->dev.m->apics_away)) { /* whether it gets through is the engine's business */
        vcpu_intr(l->vcpu, l->s.extint || l->s.lint[0]);
    } else {
        vcpu_intr(l->vcpu, lapic_has_extint(l) || (lapic_is_on(l) && lapic_pending(l) >= 0));
    }
}

/* Take a fixed interrupt into IRR. */
bool lapic_accept(struct lapic *l, uint8_t vector, bool level)
{
    if (!lapic_is_on(l) || !(l->s.svr & SVR_ENABLE)) {
        return false;
    }
    if (vector < 16) {
        lapic_error(l, ESR_RECEIVE_ILLEGAL);
        return false;
    }
    bit_put(l->s.irr, vector, true);
    bit_put(l->s.tmr, vector, level);
    lapic_update(l);
    return true;
}

/* An entry of the local vector table asks. */
void lapic_local(struct lapic *l, unsigned n)
{
    uint32_t lvt = l->s.lvt[n];
    if (lvt & LVT_MASKED) {
        return;
    }
    switch (n == LVT_TIMER || n == LVT_ERROR ? LAPIC_FIXED : lvt >> 8 & 7) {
    case LAPIC_FIXED:
        lapic_accept(l, lvt & 0xff, false);
        break;
    case LAPIC_NMI:
        if (l->vcpu) {
            vcpu_nmi(l->vcpu);
        }
        break;
    default: /* ExtINT: see lapic_has_extint */
        lapic_update(l);
        break;
    }
}

void lapic_error(struct lapic *l, uint32_t bit)
{
    bool first = !(l->s.errors & bit);
    l->s.errors |= bit;
    /* An illegal vector in the error entry itself must not ask again for ever. */
    if (first && (l->s.lvt[LVT_ERROR] & 0xff) >= 16) {
        lapic_local(l, LVT_ERROR);
    }
}

void lapic_set_lint(struct lapic *l, unsigned n, bool level)
{
    bool rise = level && !l->s.lint[n];
    uint32_t *lvt = &l->s.lvt[LVT_LINT0 + n];

    l->s.lint[n] = level;
    if (atomic_load(&l->dev.m->apics_away)) {
        if (n == 1 && rise && l->vcpu) {
            atomic_fetch_add(&l->vcpu->lint1, 1);
            vcpu_request(l->vcpu, VCPU_REQ_NMI);
        }
    } else if (!lapic_is_on(l)) {
        if (n == 1 && rise && l->vcpu) {
            vcpu_nmi(l->vcpu); /* the pin is NMI then */
        }
    } else if (n == 0 && (*lvt & LVT_LEVEL) && (*lvt >> 8 & 7) == LAPIC_FIXED) {
        if (level && !(*lvt & (LVT_MASKED | LVT_REMOTE_IRR)) &&
            lapic_accept(l, *lvt & 0xff, true)) {
            *lvt |= LVT_REMOTE_IRR;
        }
    } else if (rise) {
        lapic_local(l, LVT_LINT0 + n);
    }
    lapic_update(l);
}

void lapic_set_lint0(void *dev, int n, bool level)
{
    (void)n;
    lapic_set_lint(dev, 0, level);
}

void lapic_set_lint1(void *dev, int n, bool level)
{
    (void)n;
    lapic_set_lint(dev, 1, level);
}

void lapic_eoi(struct lapic *l)
{
    int v = bit_highest(l->s.isr);
    uint32_t *lint0 = &l->s.lvt[LVT_LINT0];

    if (v < 0) {
        return;
    }
    bit_put(l->s.isr, v, false);
    if (bit_test(l->s.tmr, v) && !(l->s.svr & SVR_NO_BROADCAST)) {
        ioapic_eoi(l->dev.m, v);
    }
    if ((*lint0 & LVT_REMOTE_IRR) && (int)(*lint0 & 0xff) == v) {
        *lint0 &= ~LVT_REMOTE_IRR;
        lapic_set_lint(l, 0, l->s.lint[0]);
    }
    lapic_update(l);
}

static int lapic_ack(struct device *dev)
{
    struct lapic *l = (struct lapic *)dev;
    bool away = atomic_load(&dev->m->apics_away);
    int v = lapic_is_on(l) && !away ? lapic_pending(l) : -1;

    if (v >= 0) {
        bit_put(l->s.irr, v, false);
        bit_put(l->s.isr, v, true);
    } else if ((away ? l->s.extint || l->s.lint[0] : lapic_has_extint(l)) && dev->m->intack) {
        l->s.extint = false;
        l->extint_taken = true;
        l->extint_at = clock_now(dev->m);
        v = dev->m->intack(dev->m);
    }
    trace(dev, TR_IRQ, "delivers %#x", v);
    lapic_update(l);
    return v;
}

/* ---- messages ---- */

/* The machine's APICs in turn: `*i` counts devices. */
static struct lapic *lapic_next(struct machine *m, unsigned *i)
{
    while (*i < m->devices->len) {
        struct device *dev = g_ptr_array_index(m->devices, (*i)++);
        if (dev->ops == &lapic_ops) {
            return (struct lapic *)dev;
        }
    }
    return NULL;
}

uint32_t lapic_ldr(const struct lapic *l)
{
    return lapic_is_x2(l) ? (uint32_t)(l->id >> 4) << 16 | BIT(l->id & 15) : l->s.ldr;
}

/* `dest` has 32 bits; those of 8 go through lapic_wide. */
static bool lapic_is_target(const struct lapic *l, uint32_t dest, bool logical)
{
    if (dest == UINT32_MAX) {
        return true;
    }
    if (!logical) {
        return dest == l->id;
    }
    uint32_t ldr = lapic_ldr(l);
    if (lapic_is_x2(l)) {
        return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff);
    }
    ldr >>= 24;
    if (l->s.dfr >> 28 == 0xf) { /* flat model */
        return dest & ldr & 0xff;
    }
    return (dest >> 4 & 15) == ldr >> 4 && (dest & ldr & 15);
}

static uint32_t lapic_wide(uint32_t dest)
{
    return dest == BROADCAST ? UINT32_MAX : dest;
}

static bool lapic_take(struct lapic *l, unsigned mode, uint8_t vector, bool level)
{
    switch (mode) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        return lapic_accept(l, vector, level);
    case LAPIC_EXTINT:
        l->s.extint = lapic_is_on(l) || atomic_load(&l->dev.m->apics_away);
        lapic_update(l);
        return true;
    default:
        break;
    }
    if (!l->vcpu) {
        return false;
    }
    switch (mode) {
    case LAPIC_NMI:
        vcpu_nmi(l->vcpu);
        return true;
    case LAPIC_INIT:
        vcpu_init(l->vcpu);
        return true;
    case LAPIC_SIPI:
        vcpu_sipi(l->vcpu, vector);
        return true;
    default: /* SMI and reserved modes */
        return false;
    }
}

struct apic_message lapic_message(uint8_t dest, bool logical, unsigned mode, uint8_t vector,
                                  bool level)
{
    return (struct apic_message){
        .addr = MSI_BASE | (uint32_t)dest << 12 | (logical ? BIT(2) : 0),
        .data = vector | mode << 8 | (level ? BIT(14) | BIT(15) : 0),
    };
}

static bool lapic_route(struct machine *m, uint32_t dest, bool logical, unsigned mode,
                        uint8_t vector, bool level)
{
    struct lapic *l, *best = NULL;
    bool taken = false;

    if (atomic_load(&m->apics_away) && mode != LAPIC_EXTINT) {
        const struct apic_message msg = lapic_message((uint8_t)dest, logical, mode, vector, level);

        return m->accel->apic_message(m, &msg); /* ExtINT is ours in any case: the 8259 is */
    }
    for (unsigned i = 0; (l = lapic_next(m, &i));) {
        if (!lapic_is_target(l, dest, logical)) {
            continue;
        }
        if (mode != LAPIC_LOWEST) {
            taken |= lapic_take(l, mode, vector, level);
        } else if (lapic_is_on(l) && (l->s.svr & SVR_ENABLE) &&
                   (!best || lapic_ppr(l) < lapic_ppr(best))) {
            best = l;
        }
    }
    return best ? lapic_take(best, mode, vector, level) : taken;
}

bool lapic_deliver(struct machine *m, uint8_t dest, bool logical, unsigned mode, uint8_t vector,
                   bool level)
{
    return lapic_route(m, lapic_wide(dest), logical, mode, vector, level);
}

bool lapic_is_waiting(struct machine *m, uint8_t dest, bool logical, uint8_t vector)
{
    struct lapic *l;
    bool waits = false;

    if (atomic_load(&m->apics_away)) {
        return false; /* nobody can say, without asking the guest out */
    }

    for (unsigned i = 0; (l = lapic_next(m, &i));) {
        waits |= lapic_is_target(l, lapic_wide(dest), logical) && bit_test(l->s.irr, vector);
    }
    return waits;
}

bool lapic_deliver_msi(struct machine *m, uint64_t addr, uint32_t data)
{
    bool logical = addr & BIT(2);
    return lapic_deliver(m, addr >> 12 & 0xff, logical, data >> 8 & 7, data & 0xff, data & BIT(15));
}

void lapic_send(struct lapic *l)
{
    uint32_t low = (uint32_t)l->s.icr, dest = (uint32_t)(l->s.icr >> 32);
    unsigned mode = low >> 8 & 7, to = low >> 18 & 3;
    uint8_t vector = low & 0xff;
    struct lapic *other;

    if (!lapic_is_x2(l)) {
        dest = lapic_wide(dest >> 24);
    }
    trace(&l->dev, TR_IRQ, "IPI %#x to %#x", low, dest);
    if (mode == LAPIC_INIT && (low & ICR_LEVEL) && !(low & ICR_ASSERT)) {
        return; /* INIT level de-assert only synchronised arbitration ids */
    }
    if ((mode == LAPIC_FIXED || mode == LAPIC_LOWEST) && vector < 16) {
        lapic_error(l, ESR_SEND_ILLEGAL);
        return;
    }
    switch (to) {
    case 0:
        lapic_route(l->dev.m, dest, low & ICR_LOGICAL, mode, vector, false);
        break;
    case 1:
        lapic_take(l, mode, vector, false);
        break;
    default: /* all, with or without itself */
        for (unsigned i = 0; (other = lapic_next(l->dev.m, &i));) {
            if (to == 2 || other != l) {
                lapic_take(other, mode, vector, false);
            }
        }
        break;
    }
}

/* ---- what the processor asks (struct apic_ops) ---- */

static uint64_t lapic_get_base(struct device *dev)
{
    return ((struct lapic *)dev)->s.base;
}

/* Back to the power-on state but for the base. */
static void lapic_init(struct device *dev)
{
    struct lapic *l = (struct lapic *)dev;
    uint64_t base = l->s.base;
    bool lint0 = l->s.lint[0], lint1 = l->s.lint[1];

    state_reset(lapic_state, l);
    l->s.base = base;
    l->s.lint[0] = lint0;
    l->s.lint[1] = lint1;
    if (!l->id) {
        l->s.lvt[LVT_LINT0] = LAPIC_EXTINT << 8; /* virtual wire */
    }
    lapic_update(l);
}

/*
 * The register page follows the base of APIC 0, and is there while any processor uses it: one that
 * has gone to x2APIC mode must not take it from the others.
 */
void lapic_place(struct lapic *l)
{
    struct machine *m = l->dev.m;
    struct lapic *first = NULL, *each;
    bool used = false;

    for (unsigned i = 0; (each = lapic_next(m, &i));) {
        first = each->id == 0 ? each : first;
        used |= (each->s.base & (BASE_ENABLE | BASE_X2APIC)) == BASE_ENABLE;
    }
    if (first && first->region.ops) {
        aspace_begin(m);
        region_set_base(m, &first->region, first->s.base & BASE_ADDRESS);
        region_set_enabled(m, &first->region, used);
        aspace_commit(m);
    }
}

static bool lapic_set_base(struct device *dev, uint64_t val)
{
    struct lapic *l = (struct lapic *)dev;
    uint64_t old = l->s.base, mode = BASE_ENABLE | BASE_X2APIC;

    if ((val & ~(BASE_ADDRESS | BASE_BSP | mode)) || (val & mode) == BASE_X2APIC) {
        return false;
    }
    /* From x2APIC the way goes over "disabled", and from there not straight back. */
    if (((old & mode) == mode && (val & mode) == BASE_ENABLE) ||
        (!(old & mode) && (val & mode) == mode)) {
        return false;
    }
    val = (val & ~(uint64_t)BASE_BSP) | (old & BASE_BSP);
    if (val == old) {
        return true;
    }
    l->s.base = val;
    trace(dev, TR_STATE, "base %#" G_GINT64_MODIFIER "x", val);
    if ((old & BASE_ENABLE) && !(val & BASE_ENABLE)) {
        lapic_init(dev);
    }
    lapic_place(l);
    lapic_update(l);
    return true;
}

static uint8_t lapic_get_tpr(struct device *dev)
{
    return ((struct lapic *)dev)->s.tpr >> 4;
}

static void lapic_set_tpr(struct device *dev, uint8_t cr8)
{
    struct lapic *l = (struct lapic *)dev;
    l->s.tpr = (cr8 & 15) << 4;
    lapic_update(l);
}

static void lapic_update_pin(struct device *dev)
{
    lapic_update((struct lapic *)dev);
}

const struct apic_ops lapic_apic_ops = {
    .ack = lapic_ack,
    .get_base = lapic_get_base,
    .set_base = lapic_set_base,
    .get_tpr = lapic_get_tpr,
    .set_tpr = lapic_set_tpr,
    .msr_read = lapic_msr_read,
    .msr_write = lapic_msr_write,
    .init = lapic_init,
    .save = lapic_save,
    .load = lapic_load,
    .update = lapic_update_pin,
};

/* ---- device ---- */

void lapic_bind(struct device *dev, struct vcpu *v)
{
    struct lapic *l = (struct lapic *)dev;
    l->vcpu = v;
    v->apic = &lapic_apic_ops;
    v->apic_dev = dev;
}

static bool lapic_attach(struct device *dev, GError **err)
{
    struct lapic *l = (struct lapic *)dev;

    timer_init(&l->s.timer, dev, lapic_timer_fire, 0);
    if (l->id >= dev->m->ncpus) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "%s: there is no processor %u",
                    dev->name, (unsigned)l->id);
        return false;
    }
    lapic_bind(dev, dev->m->vcpus[l->id]);
    if (l->id == 0) {
        region_init_mmio(&l->region, "lapic", dev, &lapic_mmio, PAGE_BYTES);
        region_add(dev->m, &l->region, LAPIC_DEFAULT_BASE, LAPIC_PRIORITY);
        region_init_mmio(&l->messages, "msi", dev, &lapic_messages, MSI_BYTES);
        region_add(dev->m, &l->messages, MSI_BASE, LAPIC_PRIORITY - 1);
    }
    return true;
}

static void lapic_reset(struct device *dev)
{
    struct lapic *l = (struct lapic *)dev;
    l->s.base = LAPIC_DEFAULT_BASE | BASE_ENABLE | (l->id ? 0 : BASE_BSP);
    if (!l->id) {
        l->s.lvt[LVT_LINT0] = LAPIC_EXTINT << 8;
    }
    lapic_place(l);
    lapic_update(l);
}

const struct device_ops lapic_ops = {
    .name = "lapic",
    .title = "Local APIC (xAPIC and x2APIC)",
    DEVICE_STATE(struct lapic),
    .state = lapic_state,
    .props = lapic_props,
    .attach = lapic_attach,
    .reset = lapic_reset,
    .info = lapic_info,
};
