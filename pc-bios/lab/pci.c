/*
 * Finds every PCI function by reading configuration space: bus 0 first, then the bus behind each
 * bridge found. Follows: PCI Local Bus specification 3.0 section 3.2.2.3 (configuration mechanism
 * #1), appendix D (class codes). Not modelled: sizing of base addresses (it would move devices that
 * are in use), capabilities, PCI Express space.
 */
#include "io.h"
#include "lab.h"

#define PCI_ADDRESS   0xcf8
#define PCI_DATA      0xcfc
#define PCI_ENABLE    0x80000000u
#define HEADER_BRIDGE 1
#define HEADER_MULTI  0x80

struct class_name {
    uint8_t class, subclass;
    const char *name;
};

struct device_name {
    uint16_t vendor, device;
    const char *name;
};

static const struct class_name class_names[] = {
    {0x00, 0x01, "VGA (old)"},   {0x01, 0x00, "SCSI"},       {0x01, 0x01, "IDE"},
    {0x01, 0x02, "Floppy"},      {0x01, 0x06, "SATA"},       {0x01, 0x08, "NVMe"},
    {0x02, 0x00, "Ethernet"},    {0x03, 0x00, "VGA"},        {0x03, 0x80, "Display"},
    {0x04, 0x01, "Audio"},       {0x04, 0x03, "HD audio"},   {0x05, 0x00, "Memory"},
    {0x06, 0x00, "Host bridge"}, {0x06, 0x01, "ISA bridge"}, {0x06, 0x04, "PCI bridge"},
    {0x06, 0x80, "Bridge"},      {0x07, 0x00, "Serial"},     {0x08, 0x00, "PIC"},
    {0x08, 0x80, "System"},      {0x0c, 0x03, "USB"},        {0x0c, 0x05, "SMBus"},
};

static const struct device_name device_names[] = {
    {0x1011, 0x0009, "DEC 21140 Ethernet"},
    {0x1011, 0x0019, "DEC 21143 Ethernet"},
    {0x1013, 0x00b8, "Cirrus GD5446 VGA"},
    {0x10ec, 0x8029, "Realtek RTL8029 Ethernet"},
    {0x10ec, 0x8139, "Realtek RTL8139 Ethernet"},
    {0x1022, 0x2000, "AMD PCnet Ethernet"},
    {0x1234, 0x1111, "Bochs VGA"},
    {0x1414, 0x5353, "Hyper-V video"},
    {0x15ad, 0x0405, "VMware SVGA II"},
    {0x1af4, 0x1000, "virtio network"},
    {0x1af4, 0x1001, "virtio disk"},
    {0x8086, 0x100e, "Intel 82540EM Ethernet"},
    {0x8086, 0x1237, "Intel 440FX host bridge"},
    {0x8086, 0x122e, "Intel PIIX ISA bridge"},
    {0x8086, 0x1230, "Intel PIIX IDE"},
    {0x8086, 0x29c0, "Intel Q35 host bridge"},
    {0x8086, 0x2918, "Intel ICH9 LPC bridge"},
    {0x8086, 0x2922, "Intel ICH9 SATA"},
    {0x8086, 0x2930, "Intel ICH9 SMBus"},
    {0x8086, 0x7000, "Intel PIIX3 ISA bridge"},
    {0x8086, 0x7010, "Intel PIIX3 IDE"},
    {0x8086, 0x7020, "Intel PIIX3 USB"},
    {0x8086, 0x7110, "Intel PIIX4 ISA bridge"},
    {0x8086, 0x7111, "Intel PIIX4 IDE"},
    {0x8086, 0x7112, "Intel PIIX4 USB"},
    {0x8086, 0x7113, "Intel PIIX4 power"},
    {0x8086, 0x7190, "Intel 440BX host bridge"},
    {0x8086, 0x7191, "Intel 440BX AGP bridge"},
    {0x8086, 0x7192, "Intel 440BX host bridge"},
};

uint32_t pci_read(uint8_t bus, uint8_t dev, uint8_t fn, uint8_t reg)
{
    outl(PCI_ADDRESS,
         PCI_ENABLE | (uint32_t)bus << 16 | (uint32_t)dev << 11 | (uint32_t)fn << 8 | (reg & 0xfc));
    return inl(PCI_DATA);
}

/* The address register keeps what is written to it, if there is one. */
static bool pci_is_present(void)
{
    outl(PCI_ADDRESS, PCI_ENABLE);
    return inl(PCI_ADDRESS) == PCI_ENABLE;
}

static const struct pci_fn *pci_add(struct pci_info *pci, uint8_t bus, uint8_t dev, uint8_t fn,
                                    uint32_t id)
{
    uint32_t class = pci_read(bus, dev, fn, 0x08), irq = pci_read(bus, dev, fn, 0x3c);
    struct pci_fn *f;

    if (pci->count == PCI_MAX) {
        pci->dropped++;
        return NULL;
    }
    f = &pci->fn[pci->count++];
    f->bus = bus;
    f->dev = dev;
    f->fn = fn;
    f->vendor = (uint16_t)id;
    f->device = (uint16_t)(id >> 16);
    f->class = (uint8_t)(class >> 24);
    f->subclass = (uint8_t)(class >> 16);
    f->prog_if = (uint8_t)(class >> 8);
    f->revision = (uint8_t) class;
    f->header = (uint8_t)(pci_read(bus, dev, fn, 0x0c) >> 16);
    f->irq_line = (uint8_t)irq;
    f->irq_pin = (uint8_t)(irq >> 8);
    for (uint8_t i = 0; i < ((f->header & 0x7f) == HEADER_BRIDGE ? 2 : 6); i++)
        f->bar[i] = pci_read(bus, dev, fn, 0x10 + 4 * i);
    return f;
}

static void pci_walk_bus(struct pci_info *pci, uint8_t bus)
{
    for (uint8_t dev = 0; dev < 32; dev++) {
        uint8_t fns = 1;

        for (uint8_t fn = 0; fn < fns; fn++) {
            uint32_t id = pci_read(bus, dev, fn, 0);

            if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
                continue;
            if (fn == 0 && pci_read(bus, dev, 0, 0x0c) >> 16 & HEADER_MULTI)
                fns = 8;
            pci_add(pci, bus, dev, fn, id);
        }
    }
}

void pci_walk(struct pci_info *pci)
{
    uint8_t seen[32] = {
        1}; /* one bit per bus: bridges that point at each other must not send us round */

    pci->present = pci_is_present();
    if (!pci->present)
        return;
    pci_walk_bus(pci, 0);
    for (uint32_t i = 0; i < pci->count; i++) {
        const struct pci_fn *f = &pci->fn[i];
        uint8_t bus;

        if ((f->header & 0x7f) != HEADER_BRIDGE)
            continue;
        bus = (uint8_t)(pci_read(f->bus, f->dev, f->fn, 0x18) >> 8);
        if (seen[bus >> 3] >> (bus & 7) & 1)
            continue;
        seen[bus >> 3] |= (uint8_t)(1 << (bus & 7));
        pci_walk_bus(pci, bus);
    }
}

const char *pci_class_name(const struct pci_fn *f)
{
    for (size_t i = 0; i < ARRAY_LEN(class_names); i++)
        if (class_names[i].class == f->class && class_names[i].subclass == f->subclass)
            return class_names[i].name;
    return "Other";
}

const char *pci_device_name(const struct pci_fn *f)
{
    for (size_t i = 0; i < ARRAY_LEN(device_names); i++)
        if (device_names[i].vendor == f->vendor && device_names[i].device == f->device)
            return device_names[i].name;
    return pci_class_name(f);
}
