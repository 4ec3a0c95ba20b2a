/*
 * The MAC addresses of cards that were given none: see nic.h.
 *
 * Not modelled: addresses of a vendor.
 */
#define _GNU_SOURCE /* canonical paths */
#include "ui/nic.h"
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { DIGEST = 32 };

static void sum_text(GChecksum *sum, const char *text)
{
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

/* The disk by which a machine without a name is known: two running machines cannot both write to
 * it.  NULL: there is none. */
static const struct drive_config *identity_disk(const struct vm_config *c)
{
    for (unsigned place = 0; place < VM_MAX_DRIVES; place++) {
        for (unsigned i = 0; i < VM_MAX_DRIVES; i++) {
            const struct drive_config *d = &c->drives[i];

            if (d->used && d->file && d->interface == DRIVE_IDE && d->index == place &&
                d->media == DRIVE_DISK && !d->readonly && !d->snapshot) {
                return d;
            }
        }
    }
    return NULL;
}

/* A path names a file on one host only. */
static void sum_host(GChecksum *sum)
{
    g_autofree char *id = NULL;

    if (g_file_get_contents("/etc/machine-id", &id, NULL, NULL) && *g_strstrip(id)) {
        sum_text(sum, id);
    } else {
        sum_text(sum, g_get_host_name());
    }
}

static void sum_path(GChecksum *sum, const char *path)
{
    char *real = realpath(path, NULL);

    sum_text(sum, real ? real : path);
    free(real);
}

static void sum_chance(GChecksum *sum)
{
    uint64_t bytes[2] = {0};

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        bytes[0] = (uint64_t)g_get_real_time();
        bytes[1] = (uint64_t)getpid();
    }
    g_checksum_update(sum, (const guchar *)bytes, sizeof bytes);
}

void nic_identity(const struct vm_config *c, uint8_t identity[32])
{
    const struct drive_config *disk = identity_disk(c);
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize len = DIGEST;

    if (c->uuid) {
        g_autofree char *uuid = g_ascii_strdown(c->uuid, -1);

        sum_text(sum, "candela uuid");
        sum_text(sum, uuid);
    } else if (c->name) {
        sum_text(sum, "candela name");
        sum_text(sum, c->name);
    } else if (disk) {
        sum_text(sum, "candela disk");
        sum_host(sum);
        sum_path(sum, disk->file);
    } else {
        sum_text(sum, "candela run");
        sum_chance(sum);
    }
    g_checksum_get_digest(sum, identity, &len);
    g_checksum_free(sum);
}

void nic_make_mac(const uint8_t identity[32], unsigned index, unsigned tries, uint8_t mac[6])
{
    const uint8_t which[2] = {(uint8_t)index, (uint8_t)tries};
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[DIGEST];
    gsize len = sizeof digest;

    sum_text(sum, "candela mac");
    g_checksum_update(sum, identity, DIGEST);
    g_checksum_update(sum, which, sizeof which);
    g_checksum_get_digest(sum, digest, &len);
    g_checksum_free(sum);
    memcpy(mac, digest, 6);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2); /* one station's, locally administered */
}

static bool mac_is_taken(const struct vm_config *c, const uint8_t mac[6])
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (c->nics[i].used && c->nics[i].has_mac && !memcmp(c->nics[i].mac, mac, 6)) {
            return true;
        }
    }
    return false;
}

void nic_give_macs(struct vm_config *c)
{
    uint8_t identity[DIGEST];

    nic_identity(c, identity);
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        struct nic_config *n = &c->nics[i];
        unsigned tries = 0;

        if (!n->used || n->has_mac) {
            continue;
        }
        do {
            nic_make_mac(identity, i, tries++, n->mac);
        } while (mac_is_taken(c, n->mac));
        n->has_mac = true;
    }
}
