/*
 * The HPET: registers, counter, one-shot and periodic comparators, levels and edges, routes,
 * messages, legacy replacement on the board, catching up.
 *
 * Not modelled: see hw/hpet.c.
 */
#include "hw/hpet.h"
#include "hw/i8259.h"
#include "hw/lapic.h"
#include "hw/pc.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum { CAP = 0, CONF = 0x10, STATUS = 0x20, COUNTER = 0xf0 };
enum { LEVEL = 2, INT = 4, PERIODIC = 8, VAL_SET = 0x40, MODE_32 = 0x100, FSB = 0x4000 };
#define T_CONF(n) (0x100 + 0x20 * (n))
#define T_CMP(n)  (0x108 + 0x20 * (n))
#define T_FSB(n)  (0x110 + 0x20 * (n))
#define ROUTE(n)  ((uint64_t)(n) << 9)
#define TICKS(n)  ((n) * (int64_t)HPET_TICK_NS)

static struct device *hpet;
static struct rig_pin out[HPET_OUTPUTS], legacy;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);

    memset(out, 0, sizeof out);
    memset(&legacy, 0, sizeof legacy);
    hpet = device_new(r->m, &hpet_ops, "hpet");
    for (unsigned i = 0; i < HPET_OUTPUTS; i++) {
        rig_connect(hpet_irq(hpet, i), &out[i]);
    }
    rig_connect(hpet_legacy(hpet), &legacy);
    rig_ready(r);
    return r;
}

static uint64_t get(struct rig *r, unsigned reg)
{
    return rig_mmio_read(r, HPET_BASE + reg, 8);
}

static void set(struct rig *r, unsigned reg, uint64_t val)
{
    rig_mmio_write(r, HPET_BASE + reg, val, 8);
}

Test(hpet, capabilities_are_legal_and_read_only)
{
    struct rig *r = begin();
    uint64_t cap = get(r, CAP);

    cr_assert_eq(cap >> 32, 10000000, "10 ns in femtoseconds");
    cr_assert_leq(cap >> 32, 0x05f5e100, "the longest period allowed");
    cr_assert_geq((cap >> 8 & 31) + 1, 3, "timers");
    cr_assert(cap & BIT(13), "64 bits");
    cr_assert(cap & BIT(15), "legacy replacement");
    cr_assert_neq(cap & 0xff, 0, "a revision");
    cr_assert_eq(cap & BIT(14), 0);
    set(r, CAP, 0);
    cr_assert_eq(get(r, CAP), cap);
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        uint64_t conf = get(r, T_CONF(n));

        cr_assert_eq(conf & 0xffff, 0x8030, "FSB, 64 bits, periodic");
        cr_assert_eq(conf >> 32, HPET_ROUTES);
        cr_assert_eq(get(r, T_CMP(n)), UINT64_MAX);
        set(r, T_CONF(n), UINT64_MAX);
        /* All ones route to 31, which is not there; VAL_SET never reads as one. */
        cr_assert_eq(get(r, T_CONF(n)), conf | LEVEL | INT | PERIODIC | MODE_32 | FSB);
    }
    cr_assert_eq(get(r, T_CONF(HPET_TIMERS)), 0, "no more timers");
    cr_assert_eq(get(r, 0x008), 0);
    set(r, CONF, UINT64_MAX);
    cr_assert_eq(get(r, CONF), 3);
    rig_reset(r);
    cr_assert_eq(get(r, CONF), 0);
    cr_assert_eq(get(r, T_CONF(0)) & 0xffff, 0x8030);
    cr_assert_eq(get(r, T_CMP(0)), UINT64_MAX);
    rig_free(r);
}

Test(hpet, halves_are_accesses_of_their_own)
{
    struct rig *r = begin();

    cr_assert_eq(rig_mmio_read(r, HPET_BASE + CAP + 4, 4), 10000000);
    cr_assert_eq(rig_mmio_read(r, HPET_BASE + CAP, 4), (uint32_t)HPET_BLOCK_ID);
    rig_mmio_write(r, HPET_BASE + COUNTER, 0x11223344, 4);
    rig_mmio_write(r, HPET_BASE + COUNTER + 4, 0x55667788, 4);
    cr_assert_eq(get(r, COUNTER), 0x5566778811223344);
    rig_mmio_write(r, HPET_BASE + T_CMP(1) + 4, 0x99, 4);
    cr_assert_eq(get(r, T_CMP(1)), 0x99ffffffff);
    rig_mmio_write(r, HPET_BASE + T_FSB(2), 1, 4);
    rig_mmio_write(r, HPET_BASE + T_FSB(2) + 4, 2, 4);
    cr_assert_eq(get(r, T_FSB(2)), 0x200000001);
    rig_mmio_write(r, HPET_BASE + T_CONF(0) + 4, 0xffffffff, 4);
    cr_assert_eq(get(r, T_CONF(0)) & 0xffffffff, 0x8030, "the route capabilities are fixed");
    rig_free(r);
}

Test(hpet, counter_runs_only_when_enabled)
{
    struct rig *r = begin();

    rig_step(r, NS_PER_SEC);
    cr_assert_eq(get(r, COUNTER), 0);
    set(r, COUNTER, 0xfffffffffffffff0);
    set(r, CONF, 1);
    rig_step(r, TICKS(0x20));
    cr_assert_eq(get(r, COUNTER), 0x10, "it comes round");
    set(r, COUNTER, 0x1000);
    cr_assert_eq(get(r, COUNTER), 0x10, "not writable while it runs");
    set(r, CONF, 3);
    rig_step(r, TICKS(1));
    cr_assert_eq(get(r, COUNTER), 0x11, "legacy replacement does not stop it");
    set(r, CONF, 0);
    rig_step(r, NS_PER_SEC);
    cr_assert_eq(get(r, COUNTER), 0x11);
    set(r, CONF, 1);
    rig_step(r, NS_PER_SEC);
    cr_assert_eq(get(r, COUNTER), 0x11 + 100000000);
    rig_free(r);
}

Test(hpet, one_shot_edge)
{
    struct rig *r = begin();
    unsigned pin = HPET_PIN_OUTPUT(21);

    set(r, T_CONF(2), INT | ROUTE(21));
    cr_assert_eq(get(r, T_CONF(2)) >> 9 & 31, 21);
    set(r, T_CMP(2), 1000000);
    set(r, CONF, 1);
    rig_step(r, TICKS(999999));
    cr_assert_eq(out[pin].rises, 0);
    rig_step(r, TICKS(1));
    cr_assert_eq(out[pin].rises, 1);
    cr_assert_eq(get(r, STATUS), 0, "edges have no status");
    rig_step(r, 100 * NS_PER_SEC);
    cr_assert_eq(out[pin].rises, 1, "64 bits do not come round");
    /* A little in the past: the guest was held up. */
    set(r, T_CMP(2), get(r, COUNTER) - 100);
    cr_assert_eq(out[pin].rises, 2, "at once");
    /* Long past: a whole turn. */
    set(r, T_CMP(2), get(r, COUNTER) - 100000000);
    rig_step(r, 100 * NS_PER_SEC);
    cr_assert_eq(out[pin].rises, 2);
    for (unsigned i = 0; i < HPET_OUTPUTS; i++) {
        cr_assert(i == pin || !out[i].rises);
    }
    rig_free(r);
}

Test(hpet, thirty_two_bit_mode_comes_round)
{
    struct rig *r = begin();
    unsigned pin = HPET_PIN_OUTPUT(20);

    set(r, COUNTER, 0x3ffffff00);
    set(r, T_CONF(1), INT | MODE_32 | ROUTE(20));
    cr_assert_eq(get(r, T_CMP(1)), UINT32_MAX);
    set(r, T_CMP(1), 0xabcd00000010);
    cr_assert_eq(get(r, T_CMP(1)), 0x10);
    set(r, CONF, 1);
    rig_step(r, TICKS(0x110));
    cr_assert_eq(out[pin].rises, 1);
    cr_assert_eq(get(r, COUNTER), 0x400000010, "the counter itself stays wide");
    rig_step(r, TICKS(0xffffffffll));
    cr_assert_eq(out[pin].rises, 1);
    rig_step(r, TICKS(1));
    cr_assert_eq(out[pin].rises, 2, "a one-shot of 32 bits matches each turn");
    rig_free(r);
}

Test(hpet, periodic_mode_adds_what_was_written_last)
{
    struct rig *r = begin();
    unsigned pin = HPET_PIN_OUTPUT(23);

    set(r, CONF, 1);
    rig_step(r, TICKS(500000));
    set(r, T_CONF(0), INT | PERIODIC | VAL_SET | ROUTE(23));
    set(r, T_CMP(0), 2000000); /* the accumulator, */
    set(r, T_CMP(0), 100000);  /* and the period: VAL_SET has gone */
    cr_assert_eq(get(r, T_CMP(0)), 2000000);
    rig_step(r, TICKS(1499999));
    cr_assert_eq(out[pin].rises, 0);
    rig_step(r, TICKS(1));
    cr_assert_eq(out[pin].rises, 1);
    cr_assert_eq(get(r, T_CMP(0)), 2100000, "reads as the next match");
    rig_step(r, TICKS(1000000));
    cr_assert_eq(out[pin].rises, 11);
    set(r, T_CMP(0), 200000);
    rig_step(r, TICKS(100000));
    cr_assert_eq(out[pin].rises, 12, "the match under way stays");
    cr_assert_eq(get(r, T_CMP(0)), 3300000);
    rig_step(r, TICKS(2000000));
    cr_assert_eq(out[pin].rises, 22);
    set(r, CONF, 0);
    rig_step(r, NS_PER_SEC);
    cr_assert_eq(out[pin].rises, 22, "halted");
    cr_assert_not(out[pin].level);
    set(r, CONF, 1);
    rig_step(r, TICKS(200000));
    cr_assert_eq(out[pin].rises, 23, "goes on where it stood");
    /* As a one-shot the comparator stays. */
    set(r, T_CONF(0), INT | ROUTE(23));
    set(r, T_CMP(0), get(r, COUNTER) + 50000);
    rig_step(r, TICKS(1000000));
    cr_assert_eq(out[pin].rises, 24);
    rig_free(r);
}

/* What software does that writes once: the first match is one period from zero. */
Test(hpet, one_write_with_val_set_sets_both)
{
    struct rig *r = begin();

    set(r, T_CONF(0), INT | PERIODIC | VAL_SET | ROUTE(20));
    set(r, T_CMP(0), 100000);
    set(r, CONF, 1);
    rig_step(r, TICKS(1000000));
    cr_assert_eq(out[HPET_PIN_OUTPUT(20)].rises, 10);
    rig_free(r);
}

Test(hpet, level_holds_until_the_status_is_cleared)
{
    struct rig *r = begin();
    unsigned pin = HPET_PIN_OUTPUT(22);

    set(r, CONF, 1);
    set(r, T_CONF(1), LEVEL | INT | ROUTE(22));
    set(r, T_CMP(1), 10000);
    rig_step(r, TICKS(10000));
    cr_assert(out[pin].level);
    cr_assert_eq(get(r, STATUS), 2);
    set(r, STATUS, 5);
    cr_assert(out[pin].level, "zeroes and others' bits do nothing");
    set(r, T_CONF(1), LEVEL | ROUTE(22));
    cr_assert_not(out[pin].level, "not enabled");
    cr_assert_eq(get(r, STATUS), 2);
    set(r, T_CONF(1), LEVEL | INT | ROUTE(20));
    cr_assert(out[HPET_PIN_OUTPUT(20)].level, "and on another pin");
    set(r, CONF, 0);
    cr_assert_not(out[HPET_PIN_OUTPUT(20)].level);
    set(r, CONF, 1);
    cr_assert(out[HPET_PIN_OUTPUT(20)].level);
    set(r, STATUS, 2);
    cr_assert_not(out[HPET_PIN_OUTPUT(20)].level);
    cr_assert_eq(get(r, STATUS), 0);
    rig_free(r);
}

Test(hpet, status_comes_without_an_interrupt_too)
{
    struct rig *r = begin();

    set(r, CONF, 1);
    set(r, T_CONF(0), LEVEL | PERIODIC | VAL_SET);
    set(r, T_CMP(0), 1000);
    rig_step(r, TICKS(999));
    cr_assert_eq(get(r, STATUS), 0);
    rig_step(r, TICKS(1));
    cr_assert_eq(get(r, STATUS), 1);
    set(r, STATUS, 1);
    cr_assert_eq(get(r, STATUS), 0);
    rig_step(r, TICKS(5500));
    cr_assert_eq(get(r, STATUS), 1);
    cr_assert_eq(get(r, T_CMP(0)), 7000);
    set(r, STATUS, 1);
    rig_step(r, TICKS(499));
    cr_assert_eq(get(r, STATUS), 0, "nothing is made up for");
    for (unsigned i = 0; i < HPET_OUTPUTS; i++) {
        cr_assert_eq(out[i].rises, 0);
    }
    rig_free(r);
}

Test(hpet, routes_that_do_not_exist_are_not_taken)
{
    struct rig *r = begin();

    for (unsigned route = 0; route < 32; route++) {
        bool there = HPET_ROUTES >> route & 1;

        set(r, T_CONF(0), ROUTE(21));
        set(r, T_CONF(0), ROUTE(route));
        cr_assert_eq(get(r, T_CONF(0)) >> 9 & 31, there ? route : 21);
    }
    rig_free(r);
}

Test(hpet, legacy_replacement_takes_the_first_two)
{
    struct rig *r = begin();

    set(r, CONF, 3);
    cr_assert(legacy.level);
    for (unsigned n = 0; n < 3; n++) {
        set(r, T_CONF(n), INT | ROUTE(21));
        set(r, T_CMP(n), 1000);
    }
    rig_step(r, TICKS(1000));
    cr_assert_eq(out[0].rises, 1);
    cr_assert_eq(out[1].rises, 1);
    cr_assert_eq(out[HPET_PIN_OUTPUT(21)].rises, 1, "the third goes its own way");
    set(r, CONF, 1);
    cr_assert_not(legacy.level);
    rig_free(r);
}

Test(hpet, two_timers_share_a_pin)
{
    struct rig *r = begin();
    unsigned pin = HPET_PIN_OUTPUT(21);

    set(r, CONF, 1);
    for (unsigned n = 0; n < 2; n++) {
        set(r, T_CONF(n), INT | LEVEL | ROUTE(21));
        set(r, T_CMP(n), 1000 * (n + 1));
    }
    rig_step(r, TICKS(2000));
    cr_assert_eq(get(r, STATUS), 3);
    set(r, STATUS, 1);
    cr_assert(out[pin].level);
    set(r, STATUS, 2);
    cr_assert_not(out[pin].level);
    cr_assert_eq(out[pin].rises, 1);
    rig_free(r);
}

/* A message that is no interrupt is a write to memory. */
Test(hpet, messages_are_writes)
{
    struct rig *r = begin();

    set(r, CONF, 1);
    set(r, T_FSB(2), 0x12345ull << 32 | 0xdeadbeef);
    set(r, T_CONF(2), FSB | INT | LEVEL | ROUTE(21));
    set(r, T_CMP(2), 1000);
    rig_step(r, TICKS(1000));
    cr_assert_eq(ld_le32(rig_ram(r, 0x12344, 4)), 0xdeadbeef, "aligned");
    cr_assert_eq(get(r, STATUS), 0, "messages have no status");
    cr_assert_eq(out[HPET_PIN_OUTPUT(21)].rises, 0);
    rig_free(r);
}

static bool untaken;

static bool is_waiting(void *opaque, unsigned output)
{
    return opaque == &untaken && output == 0 && untaken;
}

Test(hpet, periods_wait_for_the_guest_and_follow)
{
    struct rig *r = begin();

    hpet_set_waiting(hpet, is_waiting, &untaken);
    set(r, CONF, 3);
    set(r, T_CONF(0), INT | PERIODIC | VAL_SET);
    set(r, T_CMP(0), 100000); /* 1 ms */
    rig_step(r, 10 * NS_PER_MS);
    cr_assert_eq(out[0].rises, 10);
    untaken = true;
    rig_step(r, 50 * NS_PER_MS);
    cr_assert_eq(out[0].rises, 10);
    cr_assert_eq(get(r, T_CMP(0)), 6100000, "the comparator knows nothing of it");
    untaken = false;
    rig_step(r, 20 * NS_PER_MS);
    cr_assert_eq(out[0].rises, 80, "not one is lost");
    rig_step(r, 20 * NS_PER_MS);
    cr_assert_eq(out[0].rises, 100, "and none is added");
    rig_free(r);
}

/* On the board ----------------------------------------------------------------------------------
 */

static void prepare(struct machine *m)
{
    static const uint8_t image[65536] = {0xf4};

    m->bios_image = g_bytes_new_static(image, sizeof image);
    m->vga_bios_image = g_bytes_new_static(image, 32768);
}

static struct rig *board(const char *model)
{
    struct vm_config c;
    struct rig *r;

    vm_config_init(&c);
    c.memory = 16 * MiB;
    g_free(c.cpu_model);
    c.cpu_model = g_strdup(model);
    r = rig_new_board(&c, &pc_board, prepare, NULL);
    vm_config_clear(&c);
    return r;
}

static void start_pit_and_clock(struct rig *r)
{
    rig_out8(r, 0x43, 0x34);
    rig_out8(r, 0x40, 1000 & 0xff);
    rig_out8(r, 0x40, 1000 >> 8);
    rig_out8(r, 0x70, 0x0b);
    rig_out8(r, 0x71, 0x42);
}

static bool pic_requests(struct rig *r, unsigned irq)
{
    return rig_in8(r, irq < 8 ? 0x20 : 0xa0) >> (irq & 7) & 1;
}

Test(hpet, on_the_board_it_takes_over_timer_and_clock)
{
    struct rig *r = board(NULL);
    struct device *pic = device_find(r->m, "i8259");

    for (unsigned port = 0x20; port <= 0xa0; port += 0x80) {
        rig_out8(r, (uint16_t)port, 0x11);
        rig_out8(r, (uint16_t)(port + 1), port == 0x20 ? 0x20 : 0x28);
        rig_out8(r, (uint16_t)(port + 1), port == 0x20 ? 4 : 2);
        rig_out8(r, (uint16_t)(port + 1), 1);
        rig_out8(r, (uint16_t)(port + 1), 0);
    }
    start_pit_and_clock(r);
    rig_step(r, 2 * NS_PER_MS);
    cr_assert(pic_requests(r, 0) && pic_requests(r, 8), "the old ones");
    set(r, CONF, 3);
    cr_assert_eq(i8259_ack(pic), 0x20);
    rig_out8(r, 0x20, 0x20);
    cr_assert_eq(i8259_ack(pic), 0x28);
    rig_out8(r, 0xa0, 0x20);
    rig_out8(r, 0x20, 0x20);
    rig_out8(r, 0x70, 0x0c);
    (void)rig_in8(r, 0x71);
    rig_step(r, 10 * NS_PER_MS);
    cr_assert_not(pic_requests(r, 0), "are not heard any more");
    cr_assert_not(pic_requests(r, 8));
    set(r, T_CONF(0), INT);
    set(r, T_CMP(0), get(r, COUNTER) + 1000);
    rig_step(r, TICKS(1000));
    cr_assert(pic_requests(r, 0));
    cr_assert_not(pic_requests(r, 8));
    set(r, T_CONF(1), INT);
    set(r, T_CMP(1), get(r, COUNTER) + 1000);
    rig_step(r, TICKS(1000));
    cr_assert(pic_requests(r, 8));
    g_autoptr(GString) info = g_string_new(NULL);
    pc_ops.info(device_find(r->m, "pc"), info);
    cr_assert(strstr(info->str, " HPET (the HPET's)"), "%s", info->str);
    rig_free(r);
}

Test(hpet, on_the_board_messages_and_pins_reach_the_processor)
{
    struct rig *r = board(NULL);
    struct device *apic = device_find(r->m, "lapic0");

    lapic_mmio_write(apic, 0xf0, 0x1ff);
    /* Pin 22 as vector 0x51, edge. */
    rig_mmio_write(r, 0xfec00000, 0x10 + 2 * 22, 4);
    rig_mmio_write(r, 0xfec00010, 0x51, 4);
    set(r, CONF, 1);
    set(r, T_CONF(0), INT | ROUTE(22));
    set(r, T_CMP(0), 1000);
    set(r, T_FSB(1), 0xfee00000ull << 32 | 0x62);
    set(r, T_CONF(1), INT | FSB);
    set(r, T_CMP(1), 2000);
    rig_step(r, TICKS(1000));
    cr_assert_eq(lapic_mmio_read(apic, 0x220), BIT(0x51 & 31));
    rig_step(r, TICKS(1000));
    cr_assert_eq(lapic_mmio_read(apic, 0x230), BIT(0x62 & 31));
    rig_free(r);
}

Test(hpet, old_processors_have_none)
{
    struct rig *r = board("486");

    cr_assert_not_null(r);
    cr_assert_null(device_find(r->m, "hpet"));
    cr_assert_eq(rig_mmio_read(r, HPET_BASE, 4), 0xffffffff);
    rig_free(r);
}
