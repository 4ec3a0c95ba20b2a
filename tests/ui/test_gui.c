/*
 * The toolkit's core: layout, focus, mnemonics, what is painted again and what is not, sizes that
 * make no sense.
 */
#include "tests/ui/gui_rig.h"
#include "ui/chooser.h"
#include <criterion/criterion.h>

struct counts {
    unsigned clicks, changes;
};

static void on_click(struct gui_widget *w, void *of)
{
    struct counts *c = of;

    (void)w;
    c->clicks++;
}

static void on_change(struct gui_widget *w, void *of)
{
    struct counts *c = of;

    (void)w;
    c->changes++;
}

/* A window as the library has: everything in it is the toolkit's. */
static struct gui_widget *window(struct gui_rig *r)
{
    struct gui_widget *root = gui_root(r->gui);

    gui_set_look(root, GUI_WINDOW);
    gui_set_spacing(root, 8, 8);
    return root;
}

static unsigned painted(struct gui_rig *r, struct gui_rect *out)
{
    return gui_paint(r->gui, out, 16);
}

Test(gui, tab_goes_through_what_can_be_used)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct counts c = {0};
    struct gui_widget *root = window(r), *b;

    gui_label(root, "Label", GUI_PLAIN);
    gui_button(root, GUI_NO_ICON, "One", on_click, &c);
    b = gui_button(root, GUI_NO_ICON, "Two", on_click, &c);
    gui_set_enabled(b, false);
    b = gui_button(root, GUI_NO_ICON, "Three", on_click, &c);
    gui_show(b, false);
    gui_button(root, GUI_NO_ICON, "Four", on_click, &c);
    gui_check(root, "Five", false, on_change, &c);
    gui_focus(gui_button(root, GUI_NO_ICON, "Six", on_click, &c));
    cr_assert(gui_rig_has(r, "button \"Six\" [focused]"), "%s", gui_rig_dump(r));
    gui_rig_keys(r, "tab");
    cr_assert(gui_rig_has(r, "button \"One\" [focused]"), "%s", gui_rig_dump(r));
    gui_rig_keys(r, "tab");
    cr_assert(gui_rig_has(r, "button \"Four\" [focused]"), "%s", gui_rig_dump(r));
    gui_rig_keys(r, "Shift+tab Shift+tab");
    cr_assert(gui_rig_has(r, "button \"Six\" [focused]"), "%s", gui_rig_dump(r));
    gui_rig_keys(r, "space enter kp_enter");
    cr_assert_eq(c.clicks, 3);
    gui_rig_keys(r, "Shift+tab space");
    cr_assert_eq(c.changes, 1);
    cr_assert(gui_rig_has(r, "check \"Five\" [focused] [checked]"), "%s", gui_rig_dump(r));
    gui_rig_keys(r, "up");
    cr_assert(gui_rig_has(r, "button \"Four\" [focused]"), "arrows go as Tab does");
    gui_rig_free(r);
}

Test(gui, letters_lead_to_widgets)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct counts c = {0};
    struct gui_widget *root = window(r), *form = gui_form(root), *entry, *check;
    g_autofree char *plain = gui_plain("a_n_b");

    gui_field(form, "_Name");
    entry = gui_entry(form, "", "", on_change, &c);
    check = gui_check(root, "_Big", false, on_change, &c);
    gui_button(root, GUI_NO_ICON, "_Go", on_click, &c);
    gui_button(root, GUI_NO_ICON, plain, on_click, &c);
    gui_focus(check);
    gui_rig_keys(r, "Alt+n");
    cr_assert(gui_rig_has(r, "entry [focused]"), "%s", gui_rig_dump(r));
    gui_rig_type(r, "g");
    cr_assert_str_eq(gui_text(entry), "g", "a letter alone is text");
    gui_rig_keys(r, "Alt+g");
    cr_assert_eq(c.clicks, 1);
    gui_rig_keys(r, "Alt+b");
    cr_assert_eq(gui_value(check), 1);
    cr_assert_str_eq(plain, "a__n__b");
    gui_rig_free(r);
}

Test(gui, clicks_reach_what_is_below_them)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct counts c = {0};
    struct gui_widget *root = window(r), *row = gui_hbox(root), *a, *b;
    struct gui_rect at;

    a = gui_button(row, GUI_ICON_PLUS, "A", on_click, &c);
    b = gui_check(root, "B", false, on_change, &c);
    gui_rig_click_on(r, a);
    cr_assert_eq(c.clicks, 1);
    gui_rig_click_on(r, b);
    cr_assert_eq(gui_value(b), 1);
    /* let go beside it: no click */
    at = gui_where(a);
    gui_event(r->gui, &(struct gui_event){.kind = GUI_PRESS,
                                          .x = at.x + 5,
                                          .y = at.y + 5,
                                          .button = GUI_BUTTON_LEFT,
                                          .clicks = 1});
    gui_event(r->gui, &(struct gui_event){
                          .kind = GUI_RELEASE, .x = 390, .y = 290, .button = GUI_BUTTON_LEFT});
    cr_assert_eq(c.clicks, 1);
    gui_set_enabled(a, false);
    gui_rig_click_on(r, a);
    cr_assert_eq(c.clicks, 1);
    gui_rig_free(r);
}

Test(gui, idle_costs_nothing_and_a_light_little)
{
    struct gui_rig *r = gui_rig_new(1280, 1024, 1, GUI_LIGHT);
    struct gui_widget *bar, *item;
    struct gui_rect out[16];

    gui_space(gui_root(r->gui));
    bar = gui_hbox(gui_root(r->gui));
    gui_set_look(bar, GUI_BAR);
    gui_set_spacing(bar, 2, 3);
    for (int i = 0; i < 20; i++) {
        item = gui_item(bar, GUI_ICON_DISK, "", "a disk", NULL, NULL);
    }
    cr_assert_gt(painted(r, out), 0);
    cr_assert_eq(painted(r, out), 0, "nothing changed");
    cr_assert_eq(gui_tick(r->gui, 1000), -1, "nothing to wait for");
    r->wakes = 0;
    gui_set_light(item, GUI_LIGHT_READ);
    cr_assert_eq(r->wakes, 1);
    gui_set_light(item, GUI_LIGHT_WRITE);
    cr_assert_eq(r->wakes, 1, "one wake until it is painted");
    cr_assert_eq(painted(r, out), 1);
    cr_assert_leq(out[0].w * out[0].h, 40 * 40, "%dx%d", out[0].w, out[0].h);
    r->wakes = 0;
    gui_set_light(item, GUI_LIGHT_WRITE);
    gui_set_text(item, "");
    gui_set_tip(item, "another");
    cr_assert_eq(r->wakes, 0);
    cr_assert_eq(painted(r, out), 0);
    gui_rig_free(r);
}

Test(gui, text_of_one_item_does_not_repaint_all)
{
    struct gui_rig *r = gui_rig_new(1280, 1024, 1, GUI_LIGHT);
    struct gui_widget *bar, *item;
    struct gui_rect out[16];

    gui_space(gui_root(r->gui));
    bar = gui_hbox(gui_root(r->gui));
    gui_set_look(bar, GUI_BAR);
    gui_space(bar);
    item = gui_item(bar, GUI_ICON_CHIP, "100 MIPS", NULL, NULL, NULL);
    painted(r, out);
    gui_set_text(item, "9999 MIPS");
    cr_assert_eq(gui_paint(r->gui, out, 1), 1);
    cr_assert_leq(out[0].h, 40);
    cr_assert_geq(out[0].y, 980, "only in the bar");
    gui_rig_free(r);
}

Test(gui, behind_it_all_is_the_guests)
{
    struct gui_rig *r = gui_rig_new(640, 512, 1, GUI_DARK);
    struct gui_widget *bar, *item;
    struct gui_rect out[16];

    gui_space(gui_root(r->gui));
    bar = gui_hbox(gui_root(r->gui));
    gui_set_look(bar, GUI_BAR);
    item = gui_item(bar, GUI_ICON_DISK, "", NULL, NULL, NULL);
    cr_assert_eq(gui_rig_pixel(r, 100, 100), 0, "transparent");
    cr_assert_eq(gui_rig_pixel(r, 300, 500) >> 24, 0xff, "the bar is not");
    cr_assert_eq(gui_layers(r->gui, out, 16), 1);
    cr_assert_eq(out[0].y + out[0].h, 512);
    cr_assert_eq(out[0].w, 640);
    cr_assert(!gui_event(r->gui, &(struct gui_event){.kind = GUI_MOTION, .x = 100, .y = 100}));
    cr_assert(!gui_event(
        r->gui, &(struct gui_event){.kind = GUI_PRESS, .x = 9, .y = 9, .button = 1, .clicks = 1}));
    cr_assert(gui_event(r->gui, &(struct gui_event){.kind = GUI_MOTION, .x = 300, .y = 500}));
    cr_assert(!gui_event(r->gui, &(struct gui_event){.kind = GUI_KEY, .key = 0x28}));
    cr_assert(!gui_wants_keys(r->gui));
    gui_rig_click_on(r, item);
    cr_assert(!gui_wants_keys(r->gui), "a click on the bar leaves the keyboard with the guest");
    gui_focus(item);
    cr_assert(gui_wants_keys(r->gui));
    gui_rig_keys(r, "esc");
    cr_assert(!gui_wants_keys(r->gui));
    gui_show(bar, false);
    gui_rig_pixel(r, 0, 0);
    cr_assert_eq(gui_layers(r->gui, out, 16), 0);
    cr_assert_eq(gui_rig_pixel(r, 300, 500), 0, "gone with the bar");
    gui_rig_free(r);
}

Test(gui, scale_makes_everything_larger)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct counts c = {0};
    struct gui_widget *root = window(r), *b = gui_button(root, GUI_NO_ICON, "A", on_click, &c);
    struct gui_rect one = gui_where(b), two;

    gui_resize(r->gui, 800, 600, 2);
    two = gui_where(b);
    cr_assert_eq(two.w, 2 * one.w);
    cr_assert_eq(two.h, 2 * one.h);
    gui_rig_click(r, two.x + two.w - 4, two.y + two.h - 4, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(c.clicks, 1);
    gui_rig_click(r, two.x + two.w + 4, two.y + two.h + 4, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(c.clicks, 1);
    gui_resize(r->gui, 1000, 750, 1.25);
    cr_assert_eq(gui_rig_pixel(r, 999, 749) >> 24, 0xff, "to the last pixel");
    gui_rig_free(r);
}

Test(gui, focus_is_seen_by_keys_only)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct counts c = {0};
    struct gui_widget *root = window(r), *b = gui_button(root, GUI_NO_ICON, "A", on_click, &c);
    struct gui_rect at = gui_where(b);
    uint32_t before = gui_rig_pixel(r, at.x + at.w / 2, at.y - 2);

    gui_rig_click_on(r, b);
    cr_assert_eq(gui_rig_pixel(r, at.x + at.w / 2, at.y - 2), before, "no ring by a click");
    gui_rig_keys(r, "tab");
    cr_assert_neq(gui_rig_pixel(r, at.x + at.w / 2, at.y - 2), before, "a ring by a key");
    gui_rig_click(r, 300, 250, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(gui_rig_pixel(r, at.x + at.w / 2, at.y - 2), before, "gone again");
    gui_rig_free(r);
}

Test(gui, hover_and_disabled_show)
{
    struct gui_rig *r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    struct gui_widget *root = window(r), *b = gui_button(root, GUI_NO_ICON, "", NULL, NULL);
    struct gui_rect at = gui_where(b);
    uint32_t plain = gui_rig_pixel(r, at.x + 8, at.y + 8);

    gui_rig_move(r, at.x + 8, at.y + 8);
    cr_assert_neq(gui_rig_pixel(r, at.x + 8, at.y + 8), plain);
    gui_event(r->gui, &(struct gui_event){.kind = GUI_LEAVE});
    cr_assert_eq(gui_rig_pixel(r, at.x + 8, at.y + 8), plain);
    gui_set_enabled(b, false);
    gui_rig_move(r, at.x + 8, at.y + 8);
    cr_assert_eq(gui_rig_pixel(r, at.x + 8, at.y + 8), plain);
    gui_rig_free(r);
}

/* Painting piece by piece gives what painting all gives. */
Test(gui, pieces_are_as_the_whole)
{
    struct gui_rig *r = gui_rig_new(700, 500, 1.5, GUI_DARK);
    struct gui_widget *root = window(r), *list = gui_list(root, NULL, NULL), *b, *check;
    struct gui_rect out;
    unsigned stride;
    g_autofree uint32_t *pieces = NULL;
    size_t size;

    b = gui_button(root, GUI_ICON_PLUS, "_Button", NULL, NULL);
    check = gui_check(root, "_Check", false, NULL, NULL);
    for (int i = 0; i < 40; i++) {
        g_autofree char *name = g_strdup_printf("row %d", i);

        gui_list_add(list, &(struct gui_row){.text = name, .note = "note", .light = GUI_LIGHT_OFF});
    }
    gui_focus(list);
    gui_paint(r->gui, &out, 1);
    for (int i = 0; i < 30; i++) {
        gui_rig_keys(r, i % 5 == 4 ? "pageup" : "down");
        gui_rig_move(r, 20 * i, 15 * i);
        gui_paint(r->gui, &out, 1);
    }
    gui_set_value(check, 1);
    gui_set_enabled(b, false);
    gui_paint(r->gui, &out, 1);
    size = (size_t)500 * (gui_pixels(r->gui, &stride) ? stride : 0);
    pieces = g_memdup2(gui_pixels(r->gui, &stride), size);
    gui_set_theme(r->gui, GUI_LIGHT);
    gui_set_theme(r->gui, GUI_DARK);
    gui_paint(r->gui, &out, 1);
    cr_assert_eq(out.w, 700);
    cr_assert_eq(memcmp(pieces, gui_pixels(r->gui, &stride), size), 0);
    gui_rig_free(r);
}

static void fill(struct gui *g, const char *text)
{
    const char *const texts[] = {text, text, NULL};
    struct gui_widget *root = gui_root(g), *row, *form, *list;

    gui_set_look(root, GUI_WINDOW);
    row = gui_hbox(root);
    gui_label(row, text, GUI_TITLE);
    gui_button(row, GUI_ICON_CD, text, NULL, NULL);
    gui_item(row, GUI_ICON_CD, text, text, NULL, NULL);
    gui_label(root, text, GUI_PLAIN);
    form = gui_form(root);
    gui_field(form, text);
    gui_entry(form, text, text, NULL, NULL);
    gui_field(form, text);
    gui_choice(form, texts, 1, NULL, NULL);
    gui_check(root, text, true, NULL, NULL);
    gui_spin(root, INT32_MIN, INT32_MAX, INT32_MAX, 7, text, NULL, NULL);
    list = gui_list(gui_vbox(root), NULL, NULL);
    gui_list_add(list, &(struct gui_row){.text = text, .sub = text, .note = text});
    gui_ask(g, GUI_ICON_INFO, text, text, text, NULL, NULL);
    gui_menu_add(gui_menu(g, NULL, 5, 5, NULL, NULL), GUI_NO_ICON, text, text, 1);
    gui_toast(g, text, true);
}

Test(gui, any_size_and_any_text_is_survived)
{
    static const int sizes[][2] = {{1, 1}, {3, 200}, {200, 3}, {64, 48}, {320, 200}, {1999, 1111}};
    g_autofree char *monster = g_strnfill(100000, 'W');
    const char *const texts[] = {"",
                                 "_",
                                 "__",
                                 "a_",
                                 "\xff\xfe broken \xc3",
                                 "l1\nl2\tl3\x01",
                                 "\xe2\x80\xae\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d right to left",
                                 "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81",
                                 monster};
    static const double scales[] = {0.5, 1, 2, 4, -1, 1e9};
    struct gui_rect out;

    for (unsigned t = 0; t < ARRAY_LEN(texts); t++) {
        struct gui_rig *r = gui_rig_new(300, 200, 1, t % 2 ? GUI_DARK : GUI_LIGHT);

        fill(r->gui, texts[t]);
        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
            gui_resize(r->gui, sizes[i][0], sizes[i][1], scales[i]);
            gui_paint(r->gui, &out, 1);
            gui_rig_click(r, sizes[i][0] / 2, sizes[i][1] / 2, GUI_BUTTON_LEFT, 2);
            gui_event(r->gui, &(struct gui_event){
                                  .kind = GUI_WHEEL, .x = 1, .y = 1, .dy = i % 2 ? 9999 : -9999});
            gui_rig_keys(r, "tab up down pgup pgdn home end Alt+n space left right esc");
            gui_rig_type(r, texts[t]);
            gui_paint(r->gui, &out, 1);
            cr_assert_gt(strlen(gui_rig_dump(r)), 10);
        }
        gui_resize(r->gui, INT32_MAX, -5, 1);
        gui_event(r->gui, &(struct gui_event){.kind = GUI_MOTION, .x = INT32_MAX, .y = INT32_MIN});
        gui_event(r->gui, &(struct gui_event){.kind = (enum gui_event_kind)99});
        gui_rig_free(r);
    }
}

/* Also where text is not edited: a list finds by it, and a widget's user may want it first. */
Test(gui, typed_text_is_mended_before_anybody_has_it)
{
    struct gui_rig *r = gui_rig_new(300, 200, 1, GUI_LIGHT);
    struct gui_widget *list = gui_list(gui_root(r->gui), NULL, NULL);

    gui_list_add(list, &(struct gui_row){.text = "\xff\xc3"});
    gui_list_add(list, &(struct gui_row){.text = "other"});
    gui_set_value(list, 1);
    gui_focus(list);
    gui_rig_type(r, "\xff\xc3");
    cr_expect_eq(gui_value(list), 0);
    cr_expect(g_utf8_validate(gui_rig_dump(r), -1, NULL), "%s", gui_rig_dump(r));
    gui_rig_free(r);
}

/* Keys, clicks and texts at random: nothing may break. */
Test(gui, random_events_are_survived)
{
    static const char *const keys[] = {"tab",   "Shift+tab", "up",  "down",  "left",
                                       "right", "esc",       "ret", "space", "Alt+n",
                                       "Alt+a", "Alt+o",     "menu"};
    struct gui_rig *r = gui_rig_new(500, 400, 1, GUI_LIGHT);
    GRand *rand = g_rand_new_with_seed(4711);
    struct gui_rect out;

    fill(r->gui, "_Any o_ther");
    for (int i = 0; i < 4000; i++) {
        int what = g_rand_int_range(rand, 0, 6), x = g_rand_int_range(rand, -5, 505);

        if (what < 2) {
            gui_rig_keys(r, keys[g_rand_int_range(rand, 0, ARRAY_LEN(keys))]);
        } else if (what == 2) {
            gui_rig_type(r, "ä");
        } else {
            gui_event(r->gui, &(struct gui_event){.kind = (enum gui_event_kind)(what - 3),
                                                  .x = x,
                                                  .y = g_rand_int_range(rand, -5, 405),
                                                  .button = (unsigned)g_rand_int_range(rand, 1, 4),
                                                  .clicks = 1 + (unsigned)what % 2});
        }
        if (i % 50 == 0) {
            gui_ask(r->gui, GUI_ICON_TRASH, "Delete?", "All of it", "_Delete|_Other|_Cancel", NULL,
                    NULL);
            gui_toast(r->gui, "toast", i % 100 == 0);
            gui_resize(r->gui, 400 + i % 300, 300 + i % 200, i % 3 ? 1 : 1.5);
            chooser_open(r->gui, &(struct chooser_ask){"File", "/", "*.iso"}, NULL, NULL);
        }
        gui_tick(r->gui, i * 100);
        gui_paint(r->gui, &out, 1);
    }
    g_rand_free(rand);
    gui_rig_free(r);
}
