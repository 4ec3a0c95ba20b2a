/*
 * The I/O port map: 64 K entries that point at the claim in force.
 *
 * Not modelled: bus time; the ISA bus's splitting of unaligned accesses is by natural alignment.
 */
#include "hw/core/machine.h"

#define PORTS 0x10000u

void ports_init(struct machine *m)
{
    m->port_map = g_new0(struct port_claim *, PORTS);
    m->port_claims = g_ptr_array_new_with_free_func(g_free);
}

void ports_fini(struct machine *m)
{
    g_clear_pointer(&m->port_claims, g_ptr_array_unref);
    g_clear_pointer(&m->port_map, g_free);
}

struct port_claim *ports_claim(struct device *dev, const struct port_range *range, uint16_t first)
{
    struct machine *m = dev->m;
    struct port_claim *c = g_new0(struct port_claim, 1);

    c->range = *range;
    c->range.first = first;
    c->range.count = (uint16_t)MIN(range->count, PORTS - first);
    c->dev = dev;
    g_ptr_array_add(m->port_claims, c);
    for (unsigned i = 0; i < c->range.count; i++) {
        m->port_map[first + i] = c;
    }
    return c;
}

static bool claim_has(const struct port_claim *c, unsigned port)
{
    return port >= c->range.first && port - c->range.first < c->range.count;
}

void ports_release(struct machine *m, struct port_claim *claim)
{
    unsigned first, end;

    if (!claim) {
        return;
    }
    first = claim->range.first;
    end = first + claim->range.count;
    for (unsigned port = first; port < end; port++) {
        if (m->port_map[port] != claim) {
            continue;
        }
        m->port_map[port] = NULL;
        for (unsigned i = m->port_claims->len; i-- > 0;) {
            struct port_claim *c = g_ptr_array_index(m->port_claims, i);

            if (c != claim && claim_has(c, port)) {
                m->port_map[port] = c;
                break;
            }
        }
    }
    g_ptr_array_remove(m->port_claims, claim);
}

static uint32_t port_ones(unsigned size)
{
    return size >= 4 ? 0xffffffffu : BIT(8 * size) - 1;
}

static void port_trace(struct port_claim *c, bool write, unsigned port, uint32_t val, unsigned size)
{
    trace(c->dev, TR_IO, "%s port %04x size %u: %0*x", write ? "write" : "read ", port, size,
          (int)(2 * size), val);
}

static void port_missed(struct machine *m, bool write, unsigned port, uint32_t val, unsigned size)
{
    m->port_unclaimed++;
    if (unlikely(m->trace_mask & TR_IO)) {
        trace_write(m, "unclaimed", TR_IO, "%s port %04x size %u: %0*x", write ? "write" : "read ",
                    port, size, (int)(2 * size), val);
    }
}

/* One access of a size the claim takes. */
static uint32_t claim_read(struct port_claim *c, unsigned port, unsigned size)
{
    uint32_t val = port_ones(size);

    c->reads++;
    if (c->range.read) {
        val &= c->range.read(c->dev, port - c->range.first, size);
    }
    if (unlikely(c->dev->trace_mask & TR_IO)) {
        port_trace(c, false, port, val, size);
    }
    return val;
}

static void claim_write(struct port_claim *c, unsigned port, uint32_t val, unsigned size)
{
    val &= port_ones(size);
    c->writes++;
    if (unlikely(c->dev->trace_mask & TR_IO)) {
        port_trace(c, true, port, val, size);
    }
    if (c->range.write) {
        c->range.write(c->dev, port - c->range.first, val, size);
    }
}

uint32_t port_read_locked(struct machine *m, uint16_t port, unsigned size)
{
    uint32_t val = 0;

    for (unsigned done = 0; done < size;) {
        unsigned at = (port + done) & (PORTS - 1);
        struct port_claim *c = m->port_map[at];
        unsigned part = c ? device_access_part(c->range.sizes, at, size - done) : 0;
        uint32_t v;

        if (part) {
            v = claim_read(c, at, part);
        } else {
            part = 1;
            v = port_ones(1);
            port_missed(m, false, at, v, 1);
        }
        val |= v << (8 * done);
        done += part;
    }
    return val;
}

void port_write_locked(struct machine *m, uint16_t port, uint32_t val, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        unsigned at = (port + done) & (PORTS - 1);
        struct port_claim *c = m->port_map[at];
        unsigned part = c ? device_access_part(c->range.sizes, at, size - done) : 0;
        uint32_t v = val >> (8 * done);

        if (part) {
            claim_write(c, at, v, part);
        } else {
            part = 1;
            port_missed(m, true, at, v & 0xff, 1);
        }
        done += part;
    }
}

/* One access is one row, of its first port, however it is split. */
static struct exits_row *port_row(struct vcpu *v, uint16_t port)
{
    struct machine *m = v->m;
    struct port_claim *c = m->port_map[port];

    return exits_row(&v->exits, c ? &c->dev->exits[0] : &m->exits.nobody[0], port);
}

uint32_t port_read(struct vcpu *v, uint16_t port, unsigned size)
{
    uint32_t val;

    machine_lock_vcpu(v);
    struct exits_row *row = port_row(v, port);
    uint64_t start = exits_begin(&v->exits, row);
    val = port_read_locked(v->m, port, size);
    exits_end(&v->exits, row, EXITS_PORT, false, start);
    machine_unlock_vcpu(v);
    return val;
}

void port_write(struct vcpu *v, uint16_t port, uint32_t val, unsigned size)
{
    machine_lock_vcpu(v);
    struct exits_row *row = port_row(v, port);
    uint64_t start = exits_begin(&v->exits, row);
    port_write_locked(v->m, port, val, size);
    exits_end(&v->exits, row, EXITS_PORT, true, start);
    machine_unlock_vcpu(v);
}
