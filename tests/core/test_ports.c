/*
 * The port map: splitting, unclaimed ports, claims over claims.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>

struct probe {
    struct device dev;
    GString *log;
};

static uint32_t probe_read(struct device *dev, unsigned off, unsigned size)
{
    g_string_append_printf(((struct probe *)dev)->log, "r%u@%u ", size, off);
    return 0xa0b0c0d0u + off;
}

static void probe_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    g_string_append_printf(((struct probe *)dev)->log, "w%u@%u=%x ", size, off, val);
}

static const struct device_ops probe_ops = {.name = "probe", .size = sizeof(struct probe)};

static struct probe *probe_new(struct rig *r)
{
    struct probe *p = (struct probe *)device_new(r->m, &probe_ops, "probe");

    p->log = g_string_new(NULL);
    return p;
}

static const struct port_range bytes = {
    .count = 4, .sizes = SIZE_1, .read = probe_read, .write = probe_write};
static const struct port_range all = {
    .count = 4, .sizes = SIZE_1 | SIZE_2 | SIZE_4, .read = probe_read, .write = probe_write};
static const struct port_range dwords = {
    .count = 4, .sizes = SIZE_4, .read = probe_read, .write = probe_write};
static const struct port_range data16 = {
    .count = 1, .sizes = SIZE_2, .read = probe_read, .write = probe_write};
static const struct port_range mute = {.count = 1, .sizes = SIZE_1};

Test(ports, accesses_are_split_to_what_the_range_takes)
{
    struct rig *r = rig_new(NULL);
    struct probe *p = probe_new(r);
    static const struct {
        const struct port_range *range;
        uint16_t at, port;
        unsigned size;
        uint32_t expect;
        const char *log;
    } cases[] = {
        {&bytes, 0x100, 0x100, 1, 0xd0, "r1@0 "},
        {&bytes, 0x100, 0x102, 2, 0xd3d2, "r1@2 r1@3 "},
        {&bytes, 0x100, 0x102, 4, 0xffffd3d2, "r1@2 r1@3 "},
        {&all, 0x100, 0x100, 4, 0xa0b0c0d0, "r4@0 "},
        {&all, 0x100, 0x102, 4, 0xffffc0d2, "r2@2 "},
        {&all, 0x100, 0x101, 2, 0xd2d1, "r1@1 r1@2 "},
        {&dwords, 0x100, 0x100, 1, 0xff, ""},
        {&dwords, 0x100, 0x100, 4, 0xa0b0c0d0, "r4@0 "},
        {&data16, 0x1f0, 0x1f0, 2, 0xc0d0, "r2@0 "},
        {&data16, 0x1f0, 0x1f0, 4, 0xffffc0d0, "r2@0 "},
        {&data16, 0x1f0, 0x1f0, 1, 0xff, ""},
        {&mute, 0x200, 0x200, 1, 0xff, ""},
        {&bytes, 0xfffe, 0xfffe, 4, 0xffffd1d0, "r1@0 r1@1 "},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct port_claim *c = ports_claim(&p->dev, cases[i].range, cases[i].at);
        uint32_t got = port_read_locked(r->m, cases[i].port, cases[i].size);

        cr_assert_eq(got, cases[i].expect, "case %u: %x", i, got);
        cr_assert_str_eq(p->log->str, cases[i].log, "case %u: %s", i, p->log->str);
        g_string_truncate(p->log, 0);
        ports_release(r->m, c);
    }
    g_string_free(p->log, TRUE);
    rig_free(r);
}

Test(ports, writes_are_split_and_cut_to_size)
{
    struct rig *r = rig_new(NULL);
    struct probe *p = probe_new(r);
    struct port_claim *c = ports_claim(&p->dev, &bytes, 0x300);

    rig_out32(r, 0x301, 0x44332211);
    cr_assert_str_eq(p->log->str, "w1@1=11 w1@2=22 w1@3=33 ");
    cr_assert_eq(c->writes, 3);
    cr_assert_eq(r->m->port_unclaimed, 1);
    g_string_free(p->log, TRUE);
    rig_free(r);
}

Test(ports, the_newest_claim_wins_and_gives_back)
{
    struct rig *r = rig_new(NULL);
    struct probe *a = probe_new(r), *b = probe_new(r);
    struct port_claim *ca = ports_claim(&a->dev, &bytes, 0x80),
                      *cb = ports_claim(&b->dev, &bytes, 0x82);

    cr_assert_eq(rig_in8(r, 0x82), 0xd0);
    cr_assert_eq(rig_in8(r, 0x81), 0xd1);
    ports_release(r->m, cb);
    cr_assert_eq(rig_in8(r, 0x82), 0xd2, "the older claim is back");
    cr_assert_eq(rig_in8(r, 0x84), 0xff);
    cb = ports_claim(&b->dev, &bytes, 0x82);
    ports_release(r->m, ca);
    cr_assert_eq(rig_in8(r, 0x81), 0xff);
    cr_assert_eq(rig_in8(r, 0x83), 0xd1);
    ports_release(r->m, NULL);
    g_string_free(a->log, TRUE);
    g_string_free(b->log, TRUE);
    rig_free(r);
}

Test(ports, unclaimed_reads_give_ones)
{
    struct rig *r = rig_new(NULL);

    cr_assert_eq(rig_in8(r, 0x1234), 0xff);
    cr_assert_eq(rig_in16(r, 0x1234), 0xffff);
    cr_assert_eq(rig_in32(r, 0xffff), 0xffffffff);
    rig_out32(r, 0xffff, 1);
    cr_assert_eq(r->m->port_unclaimed, 11);
    rig_free(r);
}
