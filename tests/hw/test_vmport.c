/*
 * The VMware port: commands, the pointer's packets, what is brought up to date and what is kept,
 * the PS/2 mouse's notice, hostile guests; and that an IN of a guest passes registers in and out
 * under every engine.
 *
 * Not modelled: the drivers (tests/boot has Linux's).
 */
#include "hw/i8042.h"
#include "hw/ps2.h"
#include "hw/vmport.h"
#include "tests/cpu/guest.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

enum { PORT = 0x5658, MAGIC = 0x564d5868, ID = 0x3442554a };
enum { ENABLE = 0x45414552, DISABLE = 0xf5, RELATIVE = 0x4c455252, ABSOLUTE = 0x53424152 };
enum { VERSION = 10, DATA = 39, STATUS = 40, COMMAND = 41 };

/* A processor that is nothing but registers. */
struct regs {
    uint32_t r[8];
};

static uint32_t regs_get(struct vcpu *v, unsigned reg)
{
    return ((struct regs *)v->engine)->r[reg];
}

static void regs_set(struct vcpu *v, unsigned reg, uint32_t val)
{
    ((struct regs *)v->engine)->r[reg] = val;
}

static const struct accel_ops regs_accel = {
    .name = "registers", .reg_get = regs_get, .reg_set = regs_set};

struct bench {
    struct rig *r;
    struct regs regs;
    struct device *kbc;
    struct rig_pin irq12;
};

static struct bench *begin(void)
{
    struct bench *b = g_new0(struct bench, 1);
    struct device *ps2, *vmport;

    b->r = rig_begin(NULL);
    b->kbc = device_new(b->r->m, &i8042_ops, "i8042");
    ps2 = device_new(b->r->m, &ps2_ops, "ps2");
    i8042_connect(b->kbc, ps2);
    rig_connect(i8042_irq(b->kbc, 1), &b->irq12);
    vmport = device_new(b->r->m, &vmport_ops, "vmport");
    vmport_connect(vmport, ps2);
    rig_ready(b->r);
    return b;
}

static void end(struct bench *b)
{
    rig_free(b->r);
    g_free(b);
}

/* IN EAX, DX by a processor with these registers. */
static uint32_t backdoor(struct bench *b, uint32_t command, uint32_t ebx)
{
    struct machine *m = b->r->m;
    uint32_t eax;

    b->regs.r[VCPU_EAX] = MAGIC;
    b->regs.r[VCPU_EBX] = ebx;
    b->regs.r[VCPU_ECX] = command;
    b->regs.r[VCPU_EDX] = PORT;
    m->accel = &regs_accel;
    m->vcpus[0]->engine = &b->regs;
    pthread_setspecific(m->vcpu_key, m->vcpus[0]);
    eax = rig_in32(b->r, PORT);
    pthread_setspecific(m->vcpu_key, NULL);
    m->accel = NULL;
    m->vcpus[0]->engine = NULL;
    return eax;
}

static void go_absolute(struct bench *b)
{
    backdoor(b, COMMAND, ENABLE);
    cr_assert_eq(backdoor(b, STATUS, 0), 1);
    cr_assert_eq(backdoor(b, DATA, 1), ID);
    backdoor(b, COMMAND, ABSOLUTE);
    cr_assert(input_has_tablet(b->r->m));
}

/* The next packet as text; "" when there is none. */
static const char *packet(struct bench *b)
{
    static char text[64];
    uint32_t n = backdoor(b, STATUS, 0), flags;

    text[0] = 0;
    if (n) {
        cr_assert_eq(n % 4, 0);
        flags = backdoor(b, DATA, 4);
        g_snprintf(text, sizeof text, "%x %d %d %d", flags, (int)b->regs.r[VCPU_EBX],
                   (int)b->regs.r[VCPU_ECX], (int)b->regs.r[VCPU_EDX]);
    }
    return text;
}

Test(vmport, answers_only_who_knows_the_magic_number)
{
    struct bench *b = begin();

    cr_expect_eq(rig_in32(b->r, PORT), 0xffffffff, "no processor asks");
    cr_expect_eq(rig_in8(b->r, PORT), 0xff);
    cr_expect_eq(backdoor(b, VERSION, 0), 6);
    cr_expect_eq(b->regs.r[VCPU_EBX], MAGIC);
    cr_expect_eq(backdoor(b, 9999, 0), 0xffffffff);
    cr_expect_eq(backdoor(b, 20, 0), 512, "MiB");
    end(b);
}

Test(vmport, time_and_clocks)
{
    struct bench *b = begin();
    uint32_t seconds;

    b->r->m->clock_stepped_real = 1700000000 * NS_PER_SEC;
    rig_step(b->r, 1500 * NS_PER_MS);
    seconds = backdoor(b, 23, 0);
    cr_expect_eq(seconds, 1700000001);
    cr_expect_eq(b->regs.r[VCPU_EBX], 500000);
    cr_expect_eq(backdoor(b, 46, 0), MAGIC);
    cr_expect_eq(b->regs.r[VCPU_EDX], 1700000001);
    cr_expect_eq(b->regs.r[VCPU_ESI], 0);
    cr_expect_eq(backdoor(b, 45, 0), 1000000000, "the TSC's");
    cr_expect_eq(b->regs.r[VCPU_EBX], 0);
    end(b);
}

Test(vmport, a_driver_enables_and_disables_the_pointer)
{
    struct bench *b = begin();

    cr_expect_eq(backdoor(b, STATUS, 0), 0xffff0000);
    backdoor(b, COMMAND, ABSOLUTE);
    cr_expect_not(input_has_tablet(b->r->m), "not enabled");
    go_absolute(b);
    cr_expect_str_eq(packet(b), "");
    input_tablet(b->r->m, 0x1234, 0xffff, 0, 0);
    cr_expect_str_eq(packet(b), "0 4660 65535 0");
    backdoor(b, COMMAND, RELATIVE);
    cr_expect_not(input_has_tablet(b->r->m));
    go_absolute(b);
    rig_reset(b->r);
    cr_expect_not(input_has_tablet(b->r->m));
    go_absolute(b);
    backdoor(b, COMMAND, DISABLE);
    cr_expect_eq(backdoor(b, STATUS, 0), 0xffff0000);
    cr_expect_not(input_has_tablet(b->r->m));
    end(b);
}

Test(vmport, motion_is_brought_up_to_date_and_clicks_keep_order_and_place)
{
    struct bench *b = begin();
    struct machine *m = b->r->m;

    go_absolute(b);
    for (unsigned i = 0; i <= 100; i++) {
        input_tablet(m, i, 2 * i, i % 50 == 1, 0);
    }
    cr_expect_eq(backdoor(b, STATUS, 0), 4);
    input_tablet(m, 100, 200, 0, INPUT_BUTTON_LEFT);
    input_tablet(m, 150, 250, 0, INPUT_BUTTON_LEFT);
    input_tablet(m, 160, 260, 0, INPUT_BUTTON_LEFT);
    input_tablet(m, 160, 260, 0, INPUT_BUTTON_LEFT | INPUT_BUTTON_RIGHT);
    input_tablet(m, 160, 260, -3, INPUT_BUTTON_MIDDLE);
    cr_expect_str_eq(packet(b), "0 100 200 -2");
    cr_expect_str_eq(packet(b), "20 100 200 0", "the press, where it was");
    cr_expect_str_eq(packet(b), "20 160 260 0", "the way since");
    cr_expect_str_eq(packet(b), "30 160 260 0");
    cr_expect_str_eq(packet(b), "8 160 260 3");
    cr_expect_str_eq(packet(b), "");
    end(b);
}

Test(vmport, a_packet_half_fetched_stays_as_it_is)
{
    struct bench *b = begin();

    go_absolute(b);
    input_tablet(b->r->m, 1, 2, 0, 0);
    cr_expect_eq(backdoor(b, DATA, 2), 0);
    cr_expect_eq(b->regs.r[VCPU_EBX], 1);
    input_tablet(b->r->m, 3, 4, 0, 0);
    cr_expect_eq(backdoor(b, STATUS, 0), 6);
    cr_expect_eq(backdoor(b, DATA, 6), 2, "Y and wheel, and a whole packet");
    cr_expect_eq(b->regs.r[VCPU_EDX], 3);
    cr_expect_eq(b->regs.r[VCPU_ESI], 4);
    cr_expect_str_eq(packet(b), "");
    end(b);
}

Test(vmport, relative_motion_and_releases_while_the_pointer_is_absolute)
{
    struct bench *b = begin();

    go_absolute(b);
    input_pointer(b->r->m, 5, 7, 0, 0);
    input_pointer(b->r->m, -10, 3, 1, 0);
    input_pointer(b->r->m, 0, 0, 0, INPUT_BUTTON_LEFT);
    input_release_all(b->r->m);
    input_release_all(b->r->m);
    cr_expect_str_eq(packet(b), "10000 -5 -10 -1");
    cr_expect_str_eq(packet(b), "10020 0 0 0");
    cr_expect_str_eq(packet(b), "10000 0 0 0");
    cr_expect_str_eq(packet(b), "");
    end(b);
}

/* A byte of the mouse, -1: none. */
static int mouse_byte(struct bench *b)
{
    rig_step(b->r, 50 * NS_PER_MS);
    return rig_in8(b->r, 0x64) & 0x20 ? rig_in8(b->r, 0x60) : -1;
}

Test(vmport, the_ps2_mouse_says_that_there_is_something)
{
    struct bench *b = begin();

    rig_out8(b->r, 0x64, 0x60);
    rig_out8(b->r, 0x60, 0x02);
    rig_out8(b->r, 0x64, 0xd4);
    rig_out8(b->r, 0x60, 0xf4);
    cr_expect_eq(mouse_byte(b), 0xfa);
    go_absolute(b);
    unsigned before = b->irq12.rises;
    for (unsigned i = 0; i < 100; i++) {
        input_tablet(b->r->m, i, i, 0, 0);
    }
    cr_expect_eq(mouse_byte(b), 0x08);
    cr_expect_eq(b->irq12.rises, before + 1);
    input_tablet(b->r->m, 500, 500, 0, 0); /* while a packet is under way */
    cr_expect_eq(mouse_byte(b), 0);
    cr_expect_eq(mouse_byte(b), 0);
    cr_expect_eq(mouse_byte(b), 0x08, "another one");
    cr_expect_eq(mouse_byte(b), 0);
    cr_expect_eq(mouse_byte(b), 0);
    cr_expect_eq(mouse_byte(b), -1);
    cr_expect_str_eq(packet(b), "0 500 500 0");
    end(b);
}

Test(vmport, a_guest_that_does_not_read_or_reads_nonsense)
{
    struct bench *b = begin();
    uint32_t x = 1;

    go_absolute(b);
    for (unsigned i = 0; i < 1000; i++) {
        input_tablet(b->r->m, i, i, 100, i & 1);
    }
    cr_expect_eq(backdoor(b, STATUS, 0), 64);
    cr_expect_eq(backdoor(b, DATA, 0), 0xffff0000);
    cr_expect_eq(backdoor(b, DATA, 7), 0xffff0000);
    cr_expect_eq(backdoor(b, DATA, 0xffffffff), 0xffff0000);
    cr_expect_eq(backdoor(b, STATUS, 0), 64);
    for (unsigned i = 0; i < 20000; i++) {
        static const uint32_t ebx[] = {ENABLE, DISABLE, RELATIVE, ABSOLUTE, 1, 4, 6, 3};
        x = x * 1103515245 + 12345;
        backdoor(b, (uint32_t[]){DATA, STATUS, COMMAND, x >> 16 & 127}[x >> 12 & 3],
                 ebx[x >> 24 & 7]);
        input_tablet(b->r->m, x, x >> 8, (int)x, x >> 20);
        input_pointer(b->r->m, (int)x, -(int)x, (int)x, x >> 22);
        if (x >> 28 == 0) {
            input_release_all(b->r->m);
        }
        uint32_t n = backdoor(b, STATUS, 0);
        cr_assert(n == 0xffff0000 || n <= 65, "%x", n);
    }
    end(b);
}

/* MOV EAX,magic; MOV ECX,10; MOV EDX,port; IN EAX,DX; again with other registers full; HLT. */
static const uint8_t code[] = "\xb8\x68\x58\x4d\x56\xb9\x0a\x00\x00\x00\xba\x58\x56\x00\x00\xed"
                              "\x89\xc5\xb8\x68\x58\x4d\x56\xb9\x0a\x00\x00\x00\xed\xf4";

static void run_engine(struct guest *g, const struct accel_ops *accel)
{
    struct machine *m = g->rig->m;
    GError *err = NULL;

    machine_lock(m);
    cr_assert(device_attach(device_new(m, &vmport_ops, "vmport"), &err));
    machine_unlock(m);
    m->accel = accel;
    pthread_setspecific(m->vcpu_key, g->v);
    guest_long(g);
    g->c->r[R_RBX] = ~0ull;
    g->c->r[R_RSI] = ~0ull;
    guest_code(g, code, sizeof code - 1);
    cr_assert_eq(guest_run(g), VCPU_EXIT_HALT);
    cr_expect_eq(g->c->r[R_RAX], 6);
    cr_expect_eq(g->c->r[R_RBP], 6);
    cr_expect_eq(g->c->r[R_RBX], MAGIC);
    cr_expect_eq(g->c->r[R_RCX], 4);
    cr_expect_eq(g->c->r[R_RSI], ~0ull);
    pthread_setspecific(m->vcpu_key, NULL);
    m->accel = NULL;
    guest_free(g);
}

Test(vmport, registers_pass_under_the_engine)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    run_engine(&g, rig_accel_ops());
}

Test(vmport, registers_pass_under_the_comparison_of_engines)
{
    struct guest g;

    guest_init_checked(&g, "x86-64-v3", &check_second_jit);
    run_engine(&g, &accel_check_jit);
}
