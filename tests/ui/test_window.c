/*
 * What the window works out without a window: where the picture stands, whose a key is, and what
 * waits for the machine.
 */
#include "tests/rig.h"
#include "ui/window_input.h"
#include "ui/window_keys.h"
#include "ui/window_view.h"
#include <criterion/criterion.h>

/* The picture --------------------------------------------------------------------------------- */

Test(window, pictures_keep_their_shape)
{
    static const struct {
        struct view_picture p;
        enum view_scaling scaling;
        int w, h;
        struct view_rect want;
    } cases[] = {
        /* square pixels: as they are, twice, with bars at the sides, above and below */
        {{640, 480, false}, VIEW_SMOOTH, 640, 480, {0, 0, 640, 480}},
        {{640, 480, false}, VIEW_SMOOTH, 1280, 960, {0, 0, 1280, 960}},
        {{640, 480, false}, VIEW_SMOOTH, 1000, 480, {180, 0, 640, 480}},
        {{640, 480, false}, VIEW_SHARP, 640, 800, {0, 160, 640, 480}},
        {{1280, 720, false}, VIEW_SMOOTH, 640, 480, {0, 60, 640, 360}},
        /* a tube is 4:3 whatever it is made of */
        {{720, 400, true}, VIEW_SMOOTH, 800, 600, {0, 0, 800, 600}},
        {{640, 350, true}, VIEW_SHARP, 1000, 600, {100, 0, 800, 600}},
        /* whole multiples, each way by itself */
        {{640, 480, false}, VIEW_INTEGER, 1500, 1100, {110, 70, 1280, 960}},
        {{320, 200, true}, VIEW_INTEGER, 1600, 1200, {0, 0, 1600, 1200}},
        {{720, 400, true}, VIEW_INTEGER, 800, 600, {40, 100, 720, 400}},
        /* less than one pixel each: fits all the same */
        {{640, 480, false}, VIEW_INTEGER, 320, 300, {0, 30, 320, 240}},
        {{0, 0, false}, VIEW_SMOOTH, 320, 300, {0, 0, 0, 0}},
        {{1, 4096, false}, VIEW_SMOOTH, 10, 10, {4, 0, 1, 10}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct view_rect r = view_place(&cases[i].p, cases[i].scaling, cases[i].w, cases[i].h);

        cr_expect(!memcmp(&r, &cases[i].want, sizeof r), "case %u: %d,%d %dx%d", i, r.x, r.y, r.w,
                  r.h);
    }
}

Test(window, whole_multiples_are_whole_and_fit)
{
    static const struct view_picture pictures[] = {
        {320, 200, true}, {720, 400, true}, {640, 350, true}, {800, 600, false}, {1, 1, false}};

    for (unsigned i = 0; i < ARRAY_LEN(pictures); i++) {
        const struct view_picture *p = &pictures[i];

        for (int w = (int)p->width; w < 3000; w += 97) {
            for (int h = (int)p->height; h < 2000; h += 89) {
                struct view_rect r = view_place(p, VIEW_INTEGER, w, h);

                cr_assert(r.x >= 0 && r.y >= 0 && r.x + r.w <= w && r.y + r.h <= h);
                cr_assert(r.w % (int)p->width == 0 && r.h % (int)p->height == 0 && r.w && r.h);
            }
        }
    }
}

Test(window, natural_size_stretches_and_never_cuts)
{
    int w, h;

    view_natural(&(struct view_picture){720, 400, true}, 1, &w, &h);
    cr_expect(w == 720 && h == 540, "%dx%d", w, h);
    view_natural(&(struct view_picture){640, 480, true}, 2, &w, &h);
    cr_expect(w == 1280 && h == 960, "%dx%d", w, h);
    view_natural(&(struct view_picture){800, 480, false}, 1, &w, &h);
    cr_expect(w == 800 && h == 480, "%dx%d", w, h);
    cr_expect_eq(view_zoom(&(struct view_picture){720, 400, true}, 1280, 1024), 1);
    cr_expect_eq(view_zoom(&(struct view_picture){320, 200, true}, 1280, 1024), 2);
    cr_expect_eq(view_zoom(&(struct view_picture){1, 1, false}, 1280, 1024), 8);
}

Test(window, places_map_to_the_whole_picture)
{
    struct view_rect r = {100, 50, 641, 481};
    unsigned x, y;

    cr_expect(view_to_guest(&r, 100, 50, 0xffff, &x, &y) && x == 0 && y == 0);
    cr_expect(view_to_guest(&r, 740, 530, 0xffff, &x, &y) && x == 0xffff && y == 0xffff);
    cr_expect(view_to_guest(&r, 420, 290, 1000, &x, &y) && x == 500 && y == 500);
    cr_expect(!view_to_guest(&r, 99, 290, 1000, &x, &y) && x == 0 && y == 500);
    cr_expect(!view_to_guest(&r, 741, 9000, 1000, &x, &y) && x == 1000 && y == 1000);
    cr_expect(!view_to_guest(&(struct view_rect){0}, 5, 5, 1000, &x, &y) && !x && !y);
}

/* Keys ---------------------------------------------------------------------------------------- */

struct typist {
    struct window_keys k;
    GString *said; /* "+04" down, "-04" up, "!3" an action */
};

static void typist_key(void *opaque, unsigned code, bool down)
{
    g_string_append_printf(((struct typist *)opaque)->said, "%c%02x ", down ? '+' : '-', code);
}

static void typist_action(void *opaque, enum window_action action)
{
    g_string_append_printf(((struct typist *)opaque)->said, "!%d ", action);
}

/* Keys in hexadecimal: + down, - up, = repeated; a letter behind ':' is the symbol on it.  L: the
 * keyboard goes elsewhere, B: and comes back; H and G: the locks of host and guest (Num 2, Caps 4).
 * What came of them. */
static void keys_expect(const char *host, bool caught, const char *events, const char *want)
{
    struct typist t = {.k = {.host = host_key_find(host),
                             .caught = caught,
                             .key = typist_key,
                             .action = typist_action},
                       .said = g_string_new(NULL)};
    g_auto(GStrv) words = g_strsplit(events, " ", -1);

    cr_assert(t.k.host);
    t.k.opaque = &t;
    for (char **w = words; *w; w++) {
        const char *symbol = strchr(*w, ':');
        unsigned code = (unsigned)g_ascii_strtoull(*w + 1, NULL, 16);

        if (**w == 'L') {
            window_keys_release(&t.k);
        } else if (**w == 'B') {
            window_keys_come_back(&t.k);
        } else if (**w == 'H') {
            window_keys_host_locks(&t.k, code);
        } else if (**w == 'G') {
            window_keys_guest_locks(&t.k, code);
        } else {
            window_keys_event(&t.k, code, symbol ? (unsigned)symbol[1] : 0, **w != '-', **w == '=');
        }
    }
    g_string_truncate(t.said, t.said->len - (t.said->len > 0));
    cr_expect_str_eq(t.said->str, want, "%s: %s gives %s", host, events, t.said->str);
    g_string_free(t.said, TRUE);
}

Test(window, one_key_is_the_host_key)
{
    g_autofree char *catch = g_strdup_printf("!%d", ACTION_CATCH);
    g_autofree char *full = g_strdup_printf("!%d", ACTION_FULLSCREEN);
    g_autofree char *menu = g_strdup_printf("+04 -04 !%d", ACTION_MENU);

    keys_expect("right-ctrl", false, "+04 =04 -04", "+04 -04");
    keys_expect("right-ctrl", false, "+e4 =e4 -e4", catch);
    keys_expect("right-alt", false, "+e6 -e6", catch);
    keys_expect("right-alt", false, "+e4 -e4", "+e4 -e4");
    /* a shortcut: neither of its keys is the guest's, and no tap follows */
    keys_expect("right-ctrl", true, "+e4 +09 =09 -09 -e4", full);
    keys_expect("right-ctrl", true, "+e4 +09 -e4 -09", full);
    /* unknown ones neither */
    keys_expect("right-ctrl", true, "+e4 +2b -2b -e4 +2b -2b", "+2b -2b");
    /* what the guest has down is let go before anything happens */
    keys_expect("right-ctrl", true, "+04 +e4 +10 -10 -e4 -04", menu);
    /* by what is printed on the key: AZERTY has its M where US has ';' */
    keys_expect("right-ctrl", true, "+e4 +33:m -33:m -e4", menu + strlen("+04 -04 "));
}

Test(window, ctrl_and_alt_are_the_host_key)
{
    g_autofree char *catch = g_strdup_printf("+e0 +e2 -e0 -e2 !%d", ACTION_CATCH);
    g_autofree char *full = g_strdup_printf("+e0 +e2 -e0 -e2 !%d", ACTION_FULLSCREEN);

    keys_expect("ctrl-alt-g", true, "+e0 +e2 +0a:g -0a:g -e0 -e2", catch);
    keys_expect("ctrl-alt-g", true, "+e0 +e2 +09 -09 -e2 -e0", full);
    keys_expect("ctrl-alt-g", true, "+e0 +e2 -e2 -e0", "+e0 +e2 -e2 -e0");
    /* consoles of Linux */
    keys_expect("ctrl-alt-g", true, "+e0 +e2 +3a -3a -e2 -e0", "+e0 +e2 +3a -3a -e2 -e0");
    keys_expect("ctrl-alt", true, "+e0 +e2 -e2 -e0", catch);
    keys_expect("ctrl-alt", true, "+e0 +e2 +3a -3a -e2 -e0", "+e0 +e2 +3a -3a -e2 -e0");
    /* a caught mouse is let go by QEMU's keys whatever the host key is; a free one is not caught */
    keys_expect("right-ctrl", true, "+e0 +e2 +0a -0a -e2 -e0", catch);
    keys_expect("right-ctrl", false, "+e0 +e2 +0a -0a -e2 -e0", "+e0 +e2 +0a -0a -e2 -e0");
}

Test(window, no_key_is_left_down)
{
    /* the focus goes while keys are down; their releases come late or never */
    keys_expect("right-ctrl", true, "+e1 +04 L -04 -e1 +05 -05", "+e1 +04 -04 -e1 +05 -05");
    /* a key that was down before the window had the keyboard */
    keys_expect("right-ctrl", true, "=04 -04 =04", "");
    /* the focus goes with the host key */
    keys_expect("right-ctrl", true, "+e4 L +09 -09 -e4", "+09 -09");
    keys_expect("right-ctrl", true, "+00 +100 +ffff", "");
}

Test(window, locks_follow_the_host)
{
    /* changed while the keyboard was elsewhere: before the first key, and once */
    keys_expect("right-ctrl", false, "H4 B +04 -04 +05 -05", "+39 -39 +04 -04 +05 -05");
    keys_expect("right-ctrl", false, "H6 B +04", "+39 -39 +53 -53 +04");
    keys_expect("right-ctrl", false, "H0 G4 +04", "+39 -39 +04");
    keys_expect("right-ctrl", false, "H2 G2 B +04", "+04");
    /* not for what is no key of the guest's */
    keys_expect("right-ctrl", false, "H4 B +e4 +2b -2b -e4", "");
    /* the first key is the lock itself: the host's state is told as it is after that */
    keys_expect("right-ctrl", false, "H4 B +39 -39", "+39 -39");
    keys_expect("right-ctrl", false, "H0 B +39 -39", "+39 -39 +39 -39");
    /* pressed here both change alike, the guest's lights later: nobody presses it again */
    keys_expect("right-ctrl", false, "B +04 H4 +39 -39 +04 G4 +05 H0 +39 -39 G0 +06",
                "+04 +39 -39 +05 +39 -39 +06");
    /* a guest that has no lights is left as it was */
    keys_expect("right-ctrl", false, "H4 B +04 -04 B +04 -04 B +04 -04 B +04",
                "+39 -39 +04 -04 +39 -39 +04 -04 +04 -04 +04");
    /* the guest's own change, as when its system starts, is put right */
    keys_expect("right-ctrl", false, "H2 B +04 -04 G2 G0 +04", "+53 -53 +04 -04 +53 -53 +04");
}

Test(window, every_shortcut_has_a_label_and_a_key_of_its_own)
{
    const struct shortcut *s, *t;

    for (unsigned i = 0; (s = shortcut_at(i)); i++) {
        g_autofree char *label = shortcut_label(host_key_at(0), s->action);

        cr_expect(g_str_has_prefix(label, "Right Ctrl+"), "%s", label);
        for (unsigned n = 0; n < i && (t = shortcut_at(n)); n++) {
            cr_expect_neq(s->code, t->code, "%s", label);
        }
    }
    for (unsigned i = 0; host_key_at(i); i++) {
        cr_expect_eq(host_key_find(host_key_at(i)->name), host_key_at(i));
    }
    cr_expect_null(host_key_find("any"));
}

/* To the machine ------------------------------------------------------------------------------ */

struct listener {
    struct device dev;
    GString *said;
};

static void listener_key(struct device *dev, unsigned code, bool down)
{
    struct listener *l = (struct listener *)dev;

    g_string_append_printf(l->said, "%c%02x ", down ? '+' : '-', code);
}

static void listener_pointer(struct device *dev, int dx, int dy, int wheel, unsigned buttons)
{
    struct listener *l = (struct listener *)dev;

    g_string_append_printf(l->said, "%d,%d,%d/%u ", dx, dy, wheel, buttons);
}

static bool listener_is_on(struct device *dev)
{
    (void)dev;
    return true;
}

static void listener_place(struct device *dev, unsigned x, unsigned y, int wheel, unsigned buttons)
{
    listener_pointer(dev, (int)x, (int)y, wheel, buttons);
}

static const struct input_ops listener_input = {.key = listener_key, .pointer = listener_pointer};
static const struct tablet_ops listener_tablet = {
    .is_on = listener_is_on, .move = listener_place, .motion = listener_pointer};

static bool build_nothing(struct machine *m, GError **err)
{
    (void)m;
    (void)err;
    return true;
}

static const struct board empty_board = {"empty", build_nothing};

static struct machine *listener_machine(struct listener *l)
{
    struct vm_config c;
    struct machine *m;

    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    cr_assert(machine_build(m, &empty_board, NULL));
    l->said = g_string_new(NULL);
    m->input = &listener_input;
    m->input_dev = &l->dev;
    m->tablet = &listener_tablet;
    m->tablet_dev = &l->dev;
    return m;
}

Test(window, motions_are_added_up_and_stay_in_order)
{
    struct listener l = {0};
    struct machine *m = listener_machine(&l);
    struct window_input in;

    window_input_init(&in, m);
    for (unsigned i = 0; i < 1000; i++) {
        window_input_motion(&in, 1, -2, 0, 0);
    }
    window_input_key(&in, 4, true);
    window_input_motion(&in, 5, 5, 0, 0);
    window_input_motion(&in, 0, 0, 0, 1); /* a button */
    window_input_motion(&in, 1, 1, 0, 1);
    window_input_motion(&in, 0, 0, 0, 0);
    window_input_place(&in, 7, 8, 0, 0);
    window_input_place(&in, 9, 10, 1, 0);
    machine_lock(m);
    window_input_flush(&in);
    machine_unlock(m);
    cr_expect_str_eq(l.said->str, "1000,-2000,0/0 +04 5,5,0/0 1,1,0/1 0,0,0/0 9,10,1/0 ");
    g_string_free(l.said, TRUE);
    machine_stop(m);
    window_input_clear(&in);
    machine_free(m);
}

Test(window, a_guest_that_takes_nothing_fills_a_bounded_queue)
{
    struct listener l = {0};
    struct machine *m = listener_machine(&l);
    struct window_input in;

    window_input_init(&in, m);
    for (unsigned i = 0; i < 10 * INPUT_ITEMS; i++) {
        window_input_key(&in, 4, true);
    }
    window_input_key(&in, 4, false);
    cr_expect_eq(in.count, (unsigned)INPUT_ITEMS);
    machine_lock(m);
    window_input_flush(&in);
    machine_unlock(m);
    cr_expect(g_str_has_suffix(l.said->str, "+04 -04 "));
    g_string_free(l.said, TRUE);
    machine_stop(m);
    window_input_clear(&in);
    machine_free(m);
}
