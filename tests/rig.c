/*
 * The rig of tests/rig.h.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>

static bool rig_build_nothing(G_GNUC_UNUSED struct machine *m, G_GNUC_UNUSED GError **err)
{
    return true;
}

static struct rig *rig_alloc(const struct vm_config *config)
{
    struct rig *r = g_new0(struct rig, 1);
    struct vm_config def;

    vm_config_init(&def);
    r->m = machine_new(config ? config : &def, NULL);
    vm_config_clear(&def);
    clock_set_stepped(r->m);
    return r;
}

struct rig *rig_begin(const struct vm_config *config)
{
    struct rig *r = rig_alloc(config);
    GError *err = NULL;

    machine_lock(r->m);
    r->ram = ram_new(r->m, "ram", RIG_RAM_BYTES, &err);
    if (!r->ram) {
        cr_assert_fail("no RAM for the rig: %s", err->message);
    }
    region_init_ram(&r->region, "ram", r->ram, 0, RIG_RAM_BYTES);
    region_add(r->m, &r->region, 0, 0);
    return r;
}

void rig_ready(struct rig *r)
{
    static const struct board board = {"rig", rig_build_nothing};
    GError *err = NULL;

    machine_unlock(r->m);
    if (!machine_build(r->m, &board, &err)) {
        cr_assert_fail("the machine cannot be built: %s", err->message);
    }
    machine_lock(r->m);
}

struct rig *rig_new(bool (*build)(struct machine *m, GError **err))
{
    struct rig *r = rig_begin(NULL);
    GError *err = NULL;

    if (build && !build(r->m, &err)) {
        cr_assert_fail("the devices cannot be built: %s", err->message);
    }
    rig_ready(r);
    return r;
}

struct rig *rig_new_board(const struct vm_config *config, const struct board *board,
                          void (*prepare)(struct machine *m), GError **err)
{
    struct rig *r = rig_alloc(config);

    if (prepare) {
        prepare(r->m);
    }
    if (!machine_build(r->m, board, err)) {
        machine_free(r->m);
        g_free(r);
        return NULL;
    }
    machine_lock(r->m);
    return r;
}

void rig_free(struct rig *r)
{
    machine_unlock(r->m);
    machine_free(r->m);
    g_free(r);
}

void rig_out8(struct rig *r, uint16_t port, uint8_t val)
{
    port_write_locked(r->m, port, val, 1);
}

void rig_out16(struct rig *r, uint16_t port, uint16_t val)
{
    port_write_locked(r->m, port, val, 2);
}

void rig_out32(struct rig *r, uint16_t port, uint32_t val)
{
    port_write_locked(r->m, port, val, 4);
}

uint8_t rig_in8(struct rig *r, uint16_t port)
{
    return (uint8_t)port_read_locked(r->m, port, 1);
}

uint16_t rig_in16(struct rig *r, uint16_t port)
{
    return (uint16_t)port_read_locked(r->m, port, 2);
}

uint32_t rig_in32(struct rig *r, uint16_t port)
{
    return port_read_locked(r->m, port, 4);
}

void rig_config_write(struct rig *r, unsigned devfn, unsigned reg, uint32_t val, unsigned size)
{
    rig_out32(r, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc));
    port_write_locked(r->m, (uint16_t)(0xcfc + (reg & 3)), val, size);
}

uint64_t rig_mmio_read(struct rig *r, uint64_t pa, unsigned size)
{
    return aspace_read_locked(r->m, pa, size);
}

void rig_mmio_write(struct rig *r, uint64_t pa, uint64_t val, unsigned size)
{
    aspace_write_locked(r->m, pa, val, size, NULL);
}

uint8_t *rig_ram(struct rig *r, uint64_t pa, uint64_t len)
{
    const struct flat_range *fr = aspace_find(r->m, pa, ACCESS_READ);

    if (!fr || !fr->host || len > fr->size - (pa - fr->base)) {
        cr_assert_fail("no RAM at %#llx", (unsigned long long)pa);
    }
    return fr->host + (pa - fr->base);
}

void rig_step(struct rig *r, int64_t ns)
{
    clock_step(r->m, ns);
}

void rig_settle(struct rig *r)
{
    /* A completion may submit again, a post may post again: a few rounds are plenty for any device.
     */
    for (unsigned i = 0; i < 16; i++) {
        block_drain(r->m);
        loop_run_posts(r->m);
    }
}

void rig_reset(struct rig *r)
{
    machine_exclusive_begin(r->m);
    machine_reset(r->m);
    machine_exclusive_end(r->m);
}

bool rig_irq_pin(struct rig *r)
{
    return vcpu_pending(r->m->vcpus[0]) & VCPU_REQ_INTR;
}

int rig_ack(struct rig *r)
{
    struct vcpu *v = r->m->vcpus[0];

    if (v->apic) {
        return v->apic->ack(v->apic_dev);
    }
    return r->m->intack ? r->m->intack(r->m) : -1;
}

static void rig_pin_set(void *opaque, G_GNUC_UNUSED int n, bool level)
{
    struct rig_pin *pin = opaque;

    pin->level = level;
    if (level) {
        pin->rises++;
    } else {
        pin->falls++;
    }
}

void rig_connect(struct line *l, struct rig_pin *pin)
{
    line_connect(l, rig_pin_set, pin, 0);
}

bool rig_level(const struct line *l)
{
    return l->level;
}

/* A disk in memory. */
struct rig_image {
    int fail;
    uint64_t bytes;
    uint8_t *data;
};

static int rig_image_read(void *img, uint64_t off, void *buf, size_t len)
{
    struct rig_image *i = img;

    if (!i->fail) {
        memcpy(buf, i->data + off, len);
    }
    return i->fail;
}

static int rig_image_write(void *img, uint64_t off, const void *buf, size_t len)
{
    struct rig_image *i = img;

    if (!i->fail) {
        memcpy(i->data + off, buf, len);
    }
    return i->fail;
}

static int rig_image_flush(void *img)
{
    return ((struct rig_image *)img)->fail;
}

static void rig_image_close(void *img)
{
    struct rig_image *i = img;

    g_free(i->data);
    g_free(i);
}

struct block *rig_disk(uint64_t sectors, uint8_t **data, int **fail)
{
    static const struct block_ops ops = {
        .name = "memory",
        .read_at = rig_image_read,
        .write_at = rig_image_write,
        .flush = rig_image_flush,
        .close = rig_image_close,
    };
    struct rig_image *img = g_new0(struct rig_image, 1);
    struct block *b = g_new0(struct block, 1);

    img->bytes = sectors * SECTOR_BYTES;
    img->data = g_malloc0(img->bytes);
    b->ops = &ops;
    b->img = img;
    b->sectors = sectors;
    b->path = g_strdup("memory");
    if (data) {
        *data = img->data;
    }
    if (fail) {
        *fail = &img->fail;
    }
    return b;
}
