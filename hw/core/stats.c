/*
 * machine_stats_json: the counters of a machine as one JSON object.
 *
 * Port ranges and regions that were given back (a moved BAR) take their counts with them.
 *
 * Not modelled: anything of the guest.
 */
#include "hw/core/json.h"
#include "hw/core/machine.h"
#include "hw/core/net.h"

static void stats_vcpus(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "vcpus");
    for (unsigned i = 0; i < m->ncpus; i++) {
        json_row(out, &first);
        json_count(out, "id", i);
        json_count(out, "instructions", atomic_load(&m->vcpus[i]->insns));
        json_count(out, "halts", atomic_load(&m->vcpus[i]->halts));
        if (m->accel && m->accel->stats_json && m->vcpus[i]->engine) {
            m->accel->stats_json(m->vcpus[i], out);
        }
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void stats_ports(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "ports");
    for (unsigned i = 0; i < m->port_claims->len; i++) {
        const struct port_claim *c = g_ptr_array_index(m->port_claims, i);

        json_row(out, &first);
        json_name(out, "device", c->dev->name);
        json_count(out, "first", c->range.first);
        json_count(out, "count", c->range.count);
        json_count(out, "reads", c->reads);
        json_count(out, "writes", c->writes);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void stats_mmio(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "mmio");
    for (unsigned i = 0; i < m->regions->len; i++) {
        const struct region *r = g_ptr_array_index(m->regions, i);

        if (r->kind != REGION_MMIO) {
            continue;
        }
        json_row(out, &first);
        json_name(out, "device", r->dev->name);
        json_name(out, "region", r->name);
        json_count(out, "base", r->base);
        json_count(out, "size", r->size);
        json_count(out, "reads", r->reads);
        json_count(out, "writes", r->writes);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void stats_disks(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "disks");
    for (unsigned i = 0; i < m->blocks->len; i++) {
        const struct block *b = g_ptr_array_index(m->blocks, i);

        json_row(out, &first);
        json_name(out, "file", b->path);
        json_count(out, "reads", b->read_reqs);
        json_count(out, "read_bytes", b->read_bytes);
        json_count(out, "writes", b->write_reqs);
        json_count(out, "write_bytes", b->write_bytes);
        json_count(out, "flushes", b->flush_reqs);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void json_counter(GString *out, const char *name, const _Atomic uint64_t *counter)
{
    json_count(out, name, atomic_load_explicit(counter, memory_order_relaxed));
}

/* Frames of a card; "tx" is what its guest sent. */
static void stats_nic(const struct net *n, GString *out)
{
    g_autofree char *mac = g_strdup_printf(NET_MAC_FORMAT, NET_MAC_ARGS(n->mac));
    const struct net_stats *st = &n->stats;

    json_name(out, "id", n->id);
    json_name(out, "mac", mac);
    json_name(out, "link", n->link ? "up" : "down");
    json_counter(out, "tx_frames", &st->tx_frames);
    json_counter(out, "tx_bytes", &st->tx_bytes);
    json_counter(out, "tx_batches", &st->tx_batches);
    json_counter(out, "rx_frames", &st->rx_frames);
    json_counter(out, "rx_bytes", &st->rx_bytes);
    json_counter(out, "rx_batches", &st->rx_batches);
    g_string_append(out, ",\n      \"dropped\": {");
    for (unsigned why = 0; why < NET_DROPS; why++) {
        json_counter(out, net_drop_name((enum net_drop)why), &st->drops[why]);
    }
    g_string_append(out, "}}");
}

static void stats_nics(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "nics");
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (m->nics[i]) {
            json_row(out, &first);
            stats_nic(m->nics[i], out);
        }
    }
    g_string_append_c(out, ']');
}

static void stats_guest_errors(struct machine *m, GString *out)
{
    bool first = true;

    json_open(out, "guest_errors");
    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);

        if (dev->guest_errors) {
            json_row(out, &first);
            json_name(out, "device", dev->name);
            json_count(out, "count", dev->guest_errors);
            g_string_append_c(out, '}');
        }
    }
    g_string_append_c(out, ']');
}

void machine_stats_json(struct machine *m, GString *out)
{
    machine_assert_locked(m);
    g_string_append(out, "{");
    json_name(out, "accelerator", m->accel ? m->accel->name : "none");
    json_count(out, "virtual_ns", (uint64_t)clock_now(m));
    json_count(out, "resets", m->resets);
    json_count(out, "unclaimed_ports", m->port_unclaimed);
    json_count(out, "dma_errors", m->dma_errors);
    stats_vcpus(m, out);
    stats_ports(m, out);
    stats_mmio(m, out);
    stats_disks(m, out);
    stats_nics(m, out);
    stats_guest_errors(m, out);
    exits_json(m, out);
    g_string_append(out, "\n}\n");
}
