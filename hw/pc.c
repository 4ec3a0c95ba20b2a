/*
 * The board: an i440FX + PIIX4 class PC.  Devices in order, RAM, firmware, and every interrupt
 * wire.
 *
 * The order below is the order of creation, attach, reset and snapshot.  "fw_cfg" comes first,
 * because "pc" fills it while it attaches; "pci" comes before its functions, whose reset hooks
 * build on the bus's.
 *
 * Not modelled: NMI sources, the turbo switch, a second I/O APIC.
 */
#include "hw/pc.h"
#include "hw/debugcon.h"
#include "hw/fdc.h"
#include "hw/ferr.h"
#include "hw/firmware.h"
#include "hw/fw_cfg.h"
#include "hw/hpet.h"
#include "hw/i440fx.h"
#include "hw/i8042.h"
#include "hw/i8237.h"
#include "hw/i8254.h"
#include "hw/i8259.h"
#include "hw/ide.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "hw/net/dec21140.h"
#include "hw/pci.h"
#include "hw/piix.h"
#include "hw/piix_pm.h"
#include "hw/piix_smbus.h"
#include "hw/port80.h"
#include "hw/port92.h"
#include "hw/ps2.h"
#include "hw/rtc.h"
#include "hw/uart.h"
#include "hw/vga.h"
#include "hw/vmport.h"

/* Who drives an ISA interrupt line: they are ORed. */
enum pc_source { SOURCE_ISA, SOURCE_PIRQ, SOURCE_SCI, SOURCE_SMBUS, SOURCE_HPET, SOURCES };
enum { PC_FIRST_NIC_SLOT = 3 };
#define PC_IRQ(source, irq) ((source) << 8 | (irq))

struct pc {
    struct device dev;
    struct device *pic, *ioapic, *lapic, *pm; /* the local APIC is the boot processor's */
    struct ram *ram;
    struct region below_vga, above_1m, above_4g;
    struct firmware firmware;
    uint64_t irq_rises[16]; /* for `info irq` */
    struct pc_state {
        uint16_t irq[SOURCES]; /* levels by source, a bit per IRQ */
        bool hpet_legacy;      /* IRQ 0 and 8 are the HPET's alone */
        uint8_t hole[1];
    } s;
};

static const struct state_field pc_state[] = {
    STATE_ARRAY(struct pc, s.irq),
    STATE(struct pc, s.hpet_legacy),
    STATE_HOLE(struct pc, s.hole),
    STATE_END,
};

bool pc_has_apic(const struct vm_config *c)
{
    const char *model = c->cpu_model ? c->cpu_model : "";

    return !(g_str_has_prefix(model, "486") || strstr(model, ",-apic"));
}

/* Interrupts ----------------------------------------------------------------------------------- */

static bool pc_is_replaced(const struct pc *pc, unsigned irq)
{
    return pc->s.hpet_legacy && (irq == 0 || irq == 8);
}

static unsigned pc_irq_level(const struct pc *pc, unsigned irq)
{
    unsigned any = 0;

    for (unsigned i = 0; i < SOURCES; i++) {
        if (i == SOURCE_HPET || !pc_is_replaced(pc, irq)) {
            any |= pc->s.irq[i];
        }
    }
    return (any >> irq) & 1;
}

/* An ISA interrupt changed to `level`: tell both controllers.  The timer is on pin 2 of the I/O
 * APIC, as the MADT says. */
static void pc_irq_changed(struct pc *pc, unsigned irq, bool level)
{
    pc->irq_rises[irq] += level;
    i8259_set_irq(pc->pic, (int)irq, level);
    if (pc->ioapic) {
        ioapic_set_irq(pc->ioapic, irq == 0 ? 2 : (int)irq, level);
    }
}

/* Sink of every ISA interrupt. */
static void pc_irq_sink(void *opaque, int n, bool level)
{
    struct pc *pc = opaque;
    unsigned source = (unsigned)n >> 8, irq = n & 15, before = pc_irq_level(pc, irq), after;

    pc->s.irq[source] =
        (uint16_t)(level ? pc->s.irq[source] | BIT(irq) : pc->s.irq[source] & ~BIT(irq));
    after = pc_irq_level(pc, irq);
    if (before != after) {
        pc_irq_changed(pc, irq, after);
    }
}

/* Whether an ISA interrupt's last edge is still to be taken, on whichever way it comes. */
static bool pc_irq_is_waiting(struct pc *pc, unsigned irq)
{
    if (pc->ioapic && ioapic_is_waiting(pc->ioapic, irq == 0 ? 2 : (int)irq)) {
        return true;
    }
    return (!pc->lapic || lapic_passes_extint(pc->lapic)) && i8259_is_waiting(pc->pic, irq);
}

static bool pc_timer_is_waiting(void *opaque)
{
    return !pc_is_replaced(opaque, 0) && pc_irq_is_waiting(opaque, 0);
}

/* The HPET's outputs: two in the place of the 8254's and the clock's, the others to the I/O APIC.
 */
static void pc_hpet_sink(void *opaque, int n, bool level)
{
    struct pc *pc = opaque;

    if (n < 2) {
        pc_irq_sink(pc, PC_IRQ(SOURCE_HPET, n ? 8 : 0), level);
    } else {
        ioapic_set_irq(pc->ioapic, HPET_FIRST_PIN + n - 2, level);
    }
}

static bool pc_hpet_is_waiting(void *opaque, unsigned output)
{
    struct pc *pc = opaque;

    if (output < 2) {
        return pc_irq_is_waiting(pc, output ? 8 : 0);
    }
    return ioapic_is_waiting(pc->ioapic, HPET_FIRST_PIN + (int)output - 2);
}

static void pc_hpet_legacy_sink(void *opaque, int n, bool level)
{
    struct pc *pc = opaque;
    unsigned timer = pc_irq_level(pc, 0), clock = pc_irq_level(pc, 8);

    (void)n;
    pc->s.hpet_legacy = level;
    if (timer != pc_irq_level(pc, 0)) {
        pc_irq_changed(pc, 0, !timer);
    }
    if (clock != pc_irq_level(pc, 8)) {
        pc_irq_changed(pc, 8, !clock);
    }
}

/* The clock's interrupt is a power management event as well. */
static void pc_rtc_sink(void *opaque, int n, bool level)
{
    struct pc *pc = opaque;

    pc_irq_sink(pc, n, level);
    if (level) {
        piix_pm_rtc_alarm(pc->pm);
    }
}

/* INTR of a processor without a local APIC. */
static void pc_intr_sink(void *opaque, int n, bool level)
{
    struct machine *m = opaque;

    if (m->vcpus && m->vcpus[n]) {
        vcpu_intr(m->vcpus[n], level);
    }
}

static void pc_connect(struct pc *pc, struct line *line, int irq)
{
    line_connect(line, pc_irq_sink, pc, PC_IRQ(SOURCE_ISA, irq));
}

/* Devices -------------------------------------------------------------------------------------- */

/* Where there is an I/O APIC: the processors without one are older. */
static void pc_new_hpet(struct pc *pc)
{
    struct device *hpet;

    if (!pc->ioapic) {
        return;
    }
    hpet = device_new(pc->dev.m, &hpet_ops, "hpet");
    for (int i = 0; i < HPET_OUTPUTS; i++) {
        line_connect(hpet_irq(hpet, (unsigned)i), pc_hpet_sink, pc, i);
    }
    line_connect(hpet_legacy(hpet), pc_hpet_legacy_sink, pc, 0);
    hpet_set_waiting(hpet, pc_hpet_is_waiting, pc);
}

static bool pc_new_apics(struct pc *pc, GError **err)
{
    struct machine *m = pc->dev.m;

    if (!pc_has_apic(&m->config)) {
        line_connect(i8259_intr(pc->pic), pc_intr_sink, m, 0);
        return true;
    }
    pc->ioapic = device_new(m, &ioapic_ops, "ioapic");
    for (unsigned i = 0; i < m->config.cpus; i++) {
        char name[16], id[8];
        struct device *lapic;

        g_snprintf(name, sizeof name, "lapic%u", i);
        g_snprintf(id, sizeof id, "%u", i);
        lapic = device_new(m, &lapic_ops, name);
        if (!device_set(lapic, "id", id, err)) {
            return false;
        }
        if (i == 0) {
            pc->lapic = lapic;
            line_connect(i8259_intr(pc->pic), lapic_set_lint0, lapic, 0);
        }
    }
    return true;
}

static void pc_new_chipset(struct pc *pc)
{
    struct machine *m = pc->dev.m;
    struct device *pci = device_new(m, &pci_ops, "pci"), *piix, *smbus;

    pci_place(device_new(m, &i440fx_ops, "i440fx"), PCI_DEVFN(0, 0));
    piix = device_new(m, &piix_ops, "piix");
    pci_place(piix, PCI_DEVFN(1, 0));
    pci_place(device_new(m, &piix_ide_ops, "piix_ide"), PCI_DEVFN(1, 1));
    pc->pm = device_new(m, &piix_pm_ops, "piix_pm");
    pci_place(pc->pm, PCI_DEVFN(1, 3));
    smbus = device_new(m, &piix_smbus_ops, "piix_smbus");
    line_connect(piix_smbus_irq(smbus), pc_irq_sink, pc, PC_IRQ(SOURCE_SMBUS, PIIX_SCI_IRQ));
    for (unsigned i = 0; i < 4; i++) {
        line_connect(pci_pirq(pci, i), piix_pirq_sink, piix, (int)i);
    }
    for (unsigned i = 0; i < 16; i++) {
        line_connect(piix_isa_irq(piix, i), pc_irq_sink, pc, PC_IRQ(SOURCE_PIRQ, (int)i));
    }
    line_connect(piix_pm_sci(pc->pm), pc_irq_sink, pc, PC_IRQ(SOURCE_SCI, PIIX_SCI_IRQ));
}

static void pc_new_legacy(struct pc *pc)
{
    struct machine *m = pc->dev.m;
    struct device *pit, *kbc, *ps2, *vmport;

    device_new(m, &i8237_ops, "i8237");
    device_new(m, &port80_ops, "port80");
    pit = device_new(m, &i8254_ops, "i8254");
    pc_connect(pc, i8254_out0(pit), 0);
    i8254_set_waiting(pit, pc_timer_is_waiting, pc);
    line_connect(rtc_irq(device_new(m, &rtc_ops, "rtc")), pc_rtc_sink, pc, PC_IRQ(SOURCE_ISA, 8));
    pc_new_hpet(pc);
    device_new(m, &port92_ops, "port92");
    kbc = device_new(m, &i8042_ops, "i8042");
    ps2 = device_new(m, &ps2_ops, "ps2");
    i8042_connect(kbc, ps2);
    pc_connect(pc, i8042_irq(kbc, 0), 1);
    pc_connect(pc, i8042_irq(kbc, 1), 12);
    if (m->config.pointer == POINTER_VMWARE) {
        vmport = device_new(m, &vmport_ops, "vmport");
        vmport_connect(vmport, ps2);
    }
    pc_connect(pc, fdc_irq(device_new(m, &fdc_ops, "fdc")), 6);
    pc_connect(pc, ferr_irq(device_new(m, &ferr_ops, "ferr")), 13);
}

/* A numbered device on fixed ports: two properties and a wire. */
static bool pc_new_uarts(struct pc *pc, GError **err)
{
    static const struct {
        const char *name, *base, *index;
        int irq;
    } uarts[VM_SERIALS] = {{"uart0", "0x3f8", "0", 4}, {"uart1", "0x2f8", "1", 3}};

    for (unsigned i = 0; i < ARRAY_LEN(uarts); i++) {
        struct device *uart = device_new(pc->dev.m, &uart_ops, uarts[i].name);

        if (!device_set(uart, "base", uarts[i].base, err) ||
            !device_set(uart, "index", uarts[i].index, err)) {
            return false;
        }
        pc_connect(pc, uart_irq(uart), uarts[i].irq);
    }
    return true;
}

static bool pc_new_ide(struct pc *pc, GError **err)
{
    for (unsigned i = 0; i < 2; i++) {
        struct device *ide = device_new(pc->dev.m, &ide_ops, i ? "ide1" : "ide0");

        if (!device_set(ide, "channel", i ? "1" : "0", err)) {
            return false;
        }
        piix_ide_connect(device_find(pc->dev.m, "piix_ide"), i, ide);
        pc_connect(pc, ide_irq(ide), 14 + (int)i);
    }
    return true;
}

/* The network cards, in slots 3 and up. */
static bool pc_new_nics(struct pc *pc, GError **err)
{
    struct machine *m = pc->dev.m;

    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        char name[16], index[8];
        struct device *nic;

        if (!m->config.nics[i].used) {
            continue;
        }
        g_snprintf(name, sizeof name, "nic%u", i);
        g_snprintf(index, sizeof index, "%u", i);
        nic = device_new(m, &dec21140_ops, name);
        if (!device_set(nic, "nic", index, err)) {
            return false;
        }
        pci_place(nic, PCI_DEVFN(PC_FIRST_NIC_SLOT + i, 0));
    }
    return true;
}

static bool pc_build(struct machine *m, GError **err)
{
    struct device *vga;
    struct pc *pc;

    if (m->config.cpus < 1 || m->config.cpus > VM_MAX_CPUS) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "%u processors: a machine has 1 to %d", m->config.cpus, VM_MAX_CPUS);
        return false;
    }
    if (m->config.cpus > 1 && !pc_has_apic(&m->config)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "%u processors need local APICs, and the CPU model %s has none; use -smp 1 or "
                    "another model",
                    m->config.cpus, m->config.cpu_model);
        return false;
    }
    device_new(m, &fw_cfg_ops, "fw_cfg");
    pc = (struct pc *)device_new(m, &pc_ops, "pc");
    pc_new_chipset(pc);
    pc->pic = device_new(m, &i8259_ops, "i8259");
    if (!pc_new_apics(pc, err)) {
        return false;
    }
    pc_new_legacy(pc);
    if (!pc_new_uarts(pc, err) || !pc_new_ide(pc, err)) {
        return false;
    }
    vga = device_new(m, &vga_ops, "vga");
    if (vga->ops->pci) {
        pci_place(vga, PCI_DEVFN(2, 0));
    }
    if (!pc_new_nics(pc, err)) {
        return false;
    }
    device_new(m, &debugcon_ops, "debugcon"); /* last: its exit port must be nobody else's */
    return true;
}

/* Memory --------------------------------------------------------------------------------------- */

/* 0xa0000-0xfffff belongs to the VGA, the firmware and the host bridge's shadowing. */
static bool pc_map_ram(struct pc *pc, GError **err)
{
    struct machine *m = pc->dev.m;
    uint64_t low = pc_low_memory(&m->config), high = m->config.memory - low;

    pc->ram = ram_new(m, "ram", m->config.memory, err);
    if (!pc->ram) {
        return false;
    }
    i440fx_set_ram(device_find(m, "i440fx"), pc->ram);
    aspace_begin(m);
    region_init_ram(&pc->below_vga, "ram-640k", pc->ram, 0, 0xa0000);
    region_add(m, &pc->below_vga, 0, 0);
    if (low > MiB) {
        region_init_ram(&pc->above_1m, "ram-low", pc->ram, MiB, low - MiB);
        region_add(m, &pc->above_1m, MiB, 0);
    }
    if (high) {
        region_init_ram(&pc->above_4g, "ram-high", pc->ram, low, high);
        region_add(m, &pc->above_4g, 4 * GiB, 0);
    }
    aspace_commit(m);
    return true;
}

static bool pc_attach(struct device *dev, GError **err)
{
    struct pc *pc = (struct pc *)dev;
    struct machine *m = dev->m;
    uint64_t memory = m->config.memory;

    if (memory < VM_MIN_MEMORY || memory > VM_MAX_MEMORY || memory % (64 * KiB)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "memory of %" G_GUINT64_FORMAT
                    " bytes: it must be 1 MiB to 64 GiB, in steps of 64 KiB",
                    memory);
        return false;
    }
    return pc_map_ram(pc, err) && firmware_map(m, &pc->firmware, err) && pc_configure(m, err);
}

static void pc_info(struct device *dev, GString *out)
{
    static const char *const sources[SOURCES] = {"ISA", "PCI", "SCI", "SMBus", "HPET"};
    const struct pc *pc = (struct pc *)dev;

    for (unsigned irq = 0; irq < ARRAY_LEN(pc->irq_rises); irq++) {
        g_string_append_printf(out, "IRQ %2u: %" G_GUINT64_FORMAT " rises, %s", irq,
                               pc->irq_rises[irq], pc_irq_level(pc, irq) ? "high by" : "low");
        for (unsigned i = 0; i < SOURCES; i++) {
            if (pc->s.irq[i] >> irq & 1) {
                g_string_append_printf(out, " %s", sources[i]);
            }
        }
        g_string_append(out, pc_is_replaced(pc, irq) ? " (the HPET's)\n" : "\n");
    }
}

const struct device_ops pc_ops = {
    .name = "pc",
    .title = "The board: memory, firmware, interrupt wiring",
    DEVICE_STATE(struct pc),
    .state = pc_state,
    .attach = pc_attach,
    .info = pc_info,
};

const struct board pc_board = {
    .name = "i440fx-piix4",
    .build = pc_build,
};
