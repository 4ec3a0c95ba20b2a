/*
 * A DECchip 21140A card alone; see dec21140_rig.h.
 *
 * Not modelled: see there.
 */
#include "tests/hw/dec21140_rig.h"

static void dec_rig_kick(struct net *n, unsigned kicks)
{
    struct dec_rig *x = container_of(n, struct dec_rig, net);

    x->kicks_tx += (kicks & NET_KICK_TX) != 0;
    x->kicks_rx += (kicks & NET_KICK_RX) != 0;
}

static struct dec_rig *dec_begin_with(bool connected)
{
    static const uint8_t mac[6] = {2, 0, 0, 0x12, 0x34, 0x56};
    struct dec_rig *x = g_new0(struct dec_rig, 1);

    x->r = rig_begin(NULL);
    if (connected) {
        x->net.kick = dec_rig_kick;
        x->net.m = x->r->m;
        x->net.id = g_strdup("nic0");
        x->net.link = true;
        memcpy(x->net.mac, mac, sizeof mac);
        x->r->m->nics[0] = &x->net;
    }
    device_new(x->r->m, &pci_ops, "pci");
    x->dev = device_new(x->r->m, &dec21140_ops, "nic0");
    x->card = (struct dec21140 *)x->dev;
    pci_place(x->dev, DEC_DEVFN);
    rig_ready(x->r);
    rig_config_write(x->r, DEC_DEVFN, PCI_BAR0, DEC_IO, 4);
    rig_config_write(x->r, DEC_DEVFN, PCI_BAR0 + 4, DEC_MEM, 4);
    rig_config_write(x->r, DEC_DEVFN, PCI_COMMAND,
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    x->kicks_tx = x->kicks_rx = 0;
    return x;
}

struct dec_rig *dec_begin(void)
{
    return dec_begin_with(true);
}

struct dec_rig *dec_begin_unconnected(void)
{
    return dec_begin_with(false);
}

void dec_end(struct dec_rig *x)
{
    rig_free(x->r);
    g_free(x->net.id);
    g_free(x);
}

uint32_t dec_in(struct dec_rig *x, unsigned csr)
{
    return rig_in32(x->r, (uint16_t)(DEC_IO + 8 * csr));
}

void dec_out(struct dec_rig *x, unsigned csr, uint32_t val)
{
    rig_out32(x->r, (uint16_t)(DEC_IO + 8 * csr), val);
}

bool dec_irq(struct dec_rig *x)
{
    return pci_func(x->dev)->s->irq;
}

void dec_put_desc(struct dec_rig *x, uint32_t list, unsigned n, uint32_t status, uint32_t control,
                  uint32_t buffer1, uint32_t buffer2)
{
    uint8_t *at = rig_ram(x->r, list + 16 * n, 16);

    st_le32(at, status);
    st_le32(at + 4, control);
    st_le32(at + 8, buffer1);
    st_le32(at + 12, buffer2);
}

uint32_t dec_get_desc(struct dec_rig *x, uint32_t list, unsigned n, unsigned word)
{
    return ld_le32(rig_ram(x->r, list + 16 * n + 4 * word, 4));
}

void dec_start_rx(struct dec_rig *x, unsigned n, unsigned size, uint32_t csr6)
{
    for (unsigned i = 0; i < n; i++) {
        dec_put_desc(x, DEC_RX_LIST, i, DES0_OWN, size | (i + 1 == n ? DES1_END_OF_RING : 0),
                     DEC_RX_BUFFERS + i * DEC_BUFFER_STEP, 0);
    }
    dec_out(x, 3, DEC_RX_LIST);
    dec_out(x, 6, csr6 | CSR6_SR);
}

void dec_put_frame(struct dec_rig *x, unsigned n, unsigned len, uint32_t control)
{
    uint32_t buffer = DEC_TX_BUFFERS + n * DEC_BUFFER_STEP;
    uint8_t *at = rig_ram(x->r, buffer, len);

    for (unsigned i = 0; i < len; i++) {
        at[i] = (uint8_t)(i + n);
    }
    dec_put_desc(x, DEC_TX_LIST, n, DES0_OWN, TD1_FS | TD1_LS | control | len, buffer, 0);
}

void dec_start_tx(struct dec_rig *x, uint32_t csr6)
{
    dec_out(x, 4, DEC_TX_LIST);
    dec_out(x, 6, csr6 | CSR6_ST);
}

bool dec_collect(struct dec_rig *x)
{
    bool more = x->net.front->transmit(x->dev, &x->batch);

    if (!more) {
        rig_step(x->r, 100 * NS_PER_US);
    }
    return more;
}

enum net_verdict dec_offer(struct dec_rig *x, unsigned len)
{
    static const uint8_t header[NET_HEADER] = {2, 0, 0, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1, 8, 0};
    uint8_t *frame = g_malloc(len);
    enum net_verdict verdict;

    for (unsigned i = 0; i < len; i++) {
        frame[i] = i < NET_HEADER ? header[i] : (uint8_t)i;
    }
    verdict = x->net.front->receive(x->dev, frame, len);
    g_free(frame);
    return verdict;
}
