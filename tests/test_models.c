/*
 * What every device model must pass, from its own tables: cover of its state, resets that really
 * reset, and no access that harms the process.
 *
 * The models stand on the real board, so that each has what it is wired to.
 *
 * Not modelled: the CPU.
 */
#include "hw/pc.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

#define MODEL(name) extern const struct device_ops name##_ops;
#include "hw/models.inc"
#undef MODEL

#define MODEL(name) &name##_ops,
static const struct device_ops *const models[] = {
#include "hw/models.inc"
};
#undef MODEL

#define FUZZ_PORT_ACCESSES 4000 /* per claim, a few more for large ones */
#define FUZZ_MMIO_ACCESSES 2000 /* per region */

/* Firmware that does nothing, a disk, a CD, a floppy and a network card. */
static void models_prepare(struct machine *m)
{
    static const uint8_t image[65536] = {0xf4};

    m->bios_image = g_bytes_new_static(image, sizeof image);
    m->vga_bios_image = g_bytes_new_static(image, 32768);
    m->drives[0] = rig_disk(20000, NULL, NULL);
    m->drives[1] = rig_disk(2000, NULL, NULL);
    m->drives[1]->readonly = true;
    m->drives[2] = rig_disk(2880, NULL, NULL);
    /* What the guest is shut down or reset for must not end the test. */
    m->config.no_reboot = false;
    m->config.no_shutdown = true;
}

static struct rig *models_rig(void)
{
    struct vm_config c;
    struct rig *r;
    GError *err = NULL;

    vm_config_init(&c);
    c.memory = 16 * MiB;
    c.rtc_base = g_strdup("2001-02-03T04:05:06");
    c.debug_exit_port = 0xf4;
    c.drives[0] = (struct drive_config){.used = true, .file = g_strdup("disk"), .index = 0};
    c.drives[1] = (struct drive_config){
        .used = true, .file = g_strdup("cd"), .media = DRIVE_CDROM, .index = 2};
    c.drives[2] =
        (struct drive_config){.used = true, .file = g_strdup("floppy"), .interface = DRIVE_FLOPPY};
    c.nics[0].used = true;
    r = rig_new_board(&c, &pc_board, models_prepare, &err);
    cr_assert(r, "the board cannot be built: %s", err ? err->message : "?");
    vm_config_clear(&c);
    return r;
}

static bool models_lists(const struct device_ops *ops)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        if (models[i] == ops) {
            return true;
        }
    }
    return false;
}

Test(models, every_device_of_the_board_is_a_listed_model)
{
    struct rig *r = models_rig();

    for (unsigned i = 0; i < r->m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(r->m->devices, i);

        cr_expect(models_lists(dev->ops), "%s (%s) is not in hw/models.inc", dev->name,
                  dev->ops->name);
    }
    rig_free(r);
}

Test(models, every_model_is_described)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        const struct device_ops *ops = models[i];

        cr_expect(ops->name && ops->name[0] && ops->title && ops->title[0],
                  "model %u has no name or title", i);
        cr_expect(ops->size >= sizeof(struct device), "%s: size", ops->name);
        cr_expect(!ops->s_size || ops->state, "%s: state without a table", ops->name);
        for (const struct port_range *p = ops->ports; p && p->count; p++) {
            unsigned sizes = p->sizes & ~(unsigned)SIZE_POSTED;

            cr_expect(sizes && !(sizes & ~7u), "%s: port %#x: sizes", ops->name, p->first);
        }
        for (unsigned n = 0; n < i; n++) {
            cr_expect_str_neq(models[n]->name, ops->name);
        }
    }
}

Test(models, the_state_table_covers_the_state_exactly)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        const struct device_ops *ops = models[i];
        g_autofree uint8_t *covered = NULL;

        if (!ops->state) {
            continue;
        }
        covered = g_malloc0(ops->size);
        cr_expect(state_cover(ops->state, 0, covered, ops->size),
                  "%s: a field overlaps another or lies outside", ops->name);
        for (size_t at = 0; at < ops->size; at++) {
            bool in = at >= ops->s_offset && at < ops->s_offset + ops->s_size;

            if (in != (covered[at] != 0)) {
                cr_expect(false, "%s: byte %zu of s is %s", ops->name, at - ops->s_offset,
                          in ? "in no field" : "outside and listed");
                break;
            }
        }
    }
}

/* Random accesses --------------------------------------------------------------------------- */

static const unsigned access_sizes[] = {1, 2, 4, 8};

static void fuzz_ports(struct rig *r, GRand *rand)
{
    struct machine *m = r->m;

    for (unsigned n = 0; n < FUZZ_PORT_ACCESSES * 10; n++) {
        const struct port_claim *c =
            g_ptr_array_index(m->port_claims, g_rand_int(rand) % m->port_claims->len);
        uint16_t port = (uint16_t)(c->range.first + g_rand_int(rand) % c->range.count);
        unsigned size = access_sizes[g_rand_int(rand) % 3];

        if (g_rand_int(rand) & 1) {
            port_write_locked(m, port, g_rand_int(rand) >> (g_rand_int(rand) % 32), size);
        } else {
            port_read_locked(m, port, size);
        }
        if (n % 64 == 0) {
            clock_step(m, (int64_t)(g_rand_int(rand) % 100000));
        }
        if (n % 1024 == 0) {
            rig_settle(r);
        }
    }
}

static void fuzz_region(struct rig *r, const struct region *region, GRand *rand)
{
    for (unsigned n = 0; n < FUZZ_MMIO_ACCESSES; n++) {
        uint64_t pa = region->base + (uint64_t)(g_rand_double(rand) * (double)region->size);
        unsigned size = access_sizes[g_rand_int(rand) % 4];

        if (g_rand_int(rand) & 1) {
            aspace_write_locked(r->m, pa, (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand), size,
                                NULL);
        } else {
            aspace_read_locked(r->m, pa, size);
        }
        if (n % 64 == 0) {
            clock_step(r->m, (int64_t)(g_rand_int(rand) % 100000));
        }
    }
}

/* Anything a guest can do with ports and registers, over everything the board registered. */
static void fuzz_machine(struct rig *r, unsigned seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct machine *m = r->m;

    fuzz_ports(r, rand);
    for (unsigned i = 0; i < m->regions->len; i++) {
        const struct region *region = g_ptr_array_index(m->regions, i);

        if (region->kind == REGION_MMIO && region->enabled) {
            fuzz_region(r, region, rand);
        }
    }
    rig_settle(r);
}

Test(models, random_accesses_do_no_harm, .timeout = 120)
{
    struct rig *r = models_rig();

    for (unsigned seed = 1; seed <= 4; seed++) {
        fuzz_machine(r, seed);
        cr_assert_eq(
            atomic_load(&r->m->end) == END_NONE || atomic_load(&r->m->end) == END_DEBUG_EXIT, true);
        for (unsigned i = 0; i < r->m->devices->len; i++) {
            struct device *dev = g_ptr_array_index(r->m->devices, i);
            g_autoptr(GString) out = g_string_new(NULL);

            if (dev->ops->state) {
                state_print(dev->ops->state, dev, 0, out);
            }
            if (dev->ops->info) {
                dev->ops->info(dev, out);
            }
        }
    }
    rig_free(r);
}

/* Reset ------------------------------------------------------------------------------------- */

/* What must be the same after any reset: all but kept fields and the time of deadlines. */
static void state_digest(const struct state_field *table, const uint8_t *base, const char *path,
                         GHashTable *out)
{
    for (const struct state_field *f = table; f->kind != STATE_KIND_END; f++) {
        for (uint32_t i = 0; i < f->count && !f->keep && f->kind != STATE_KIND_GONE; i++) {
            const uint8_t *p = base + f->offset + (size_t)i * f->size;
            char *name = g_strdup_printf("%s%s[%u]", path, f->name, i);
            uint64_t val = 0;

            switch (f->kind) {
            case STATE_KIND_STRUCTS:
                state_digest(f->sub, p, name, out);
                g_free(name);
                continue;
            case STATE_KIND_TIMER:
                val = ((const struct timer *)p)->armed;
                break;
            case STATE_KIND_LINE:
                val = ((const struct line *)p)->level;
                break;
            default:
                memcpy(&val, p, MIN(f->size, 8));
                break;
            }
            g_hash_table_insert(out, name, g_memdup2(&val, sizeof val));
        }
    }
}

static GHashTable *machine_digest(struct machine *m)
{
    GHashTable *out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (unsigned i = 0; i < m->devices->len; i++) {
        const struct device *dev = g_ptr_array_index(m->devices, i);
        g_autofree char *path = g_strdup_printf("%s.", dev->name);

        if (dev->ops->state) {
            state_digest(dev->ops->state, (const uint8_t *)dev, path, out);
        }
    }
    return out;
}

static unsigned digest_differences(GHashTable *a, GHashTable *b, bool report)
{
    GHashTableIter it;
    gpointer name, val;
    unsigned n = 0;

    g_hash_table_iter_init(&it, a);
    while (g_hash_table_iter_next(&it, &name, &val)) {
        uint64_t want = *(uint64_t *)val, got = *(uint64_t *)g_hash_table_lookup(b, name);

        n += got != want;
        if (report) {
            cr_expect_eq(got, want, "%s is %#llx after a reset, %#llx in a fresh machine",
                         (char *)name, (unsigned long long)got, (unsigned long long)want);
        }
    }
    return n;
}

Test(models, a_reset_brings_back_the_state_of_power_on, .timeout = 120)
{
    struct rig *r = models_rig(), *fresh = models_rig();
    unsigned dirty = 0;

    r->m->reset_pending = true; /* so that no reset asked for through a port comes before ours */
    for (unsigned seed = 11; seed <= 13; seed++) {
        g_autoptr(GHashTable) before = machine_digest(r->m);
        g_autoptr(GHashTable) after = NULL, now = NULL, want = NULL;

        fuzz_machine(r, seed);
        after = machine_digest(r->m);
        dirty += digest_differences(before, after, false);
        /* State may name the time of the reset: the fresh machine has its own at the same moment.
         */
        rig_step(fresh, clock_now(r->m) - clock_now(fresh->m));
        rig_reset(fresh);
        rig_reset(r);
        rig_reset(r);
        now = machine_digest(r->m);
        want = machine_digest(fresh->m);
        digest_differences(want, now, true);
    }
    cr_log_info("%u fields were changed before the resets", dirty);
    cr_assert(dirty > 100, "the accesses changed next to nothing: nothing was tested");
    rig_free(fresh);
    rig_free(r);
}
