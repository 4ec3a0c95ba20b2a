/*
 * What lies over a window: menus, dialogs, toasts, tips.
 */
#include "tests/ui/gui_rig.h"
#include <criterion/criterion.h>

struct bench {
    struct gui_rig *r;
    struct gui_widget *item;
    int chosen, closed;
    bool keep;
};

static void on_chosen(struct gui_widget *item, void *of)
{
    struct bench *b = of;

    b->chosen = gui_value(item);
}

static bool on_closed(struct gui_widget *dialog, int id, void *of)
{
    struct bench *b = of;

    (void)dialog;
    b->closed = id;
    return !b->keep;
}

static void bench(struct bench *b)
{
    struct gui_widget *bar;

    memset(b, 0, sizeof *b);
    b->r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    b->closed = -1;
    gui_space(gui_root(b->r->gui));
    bar = gui_hbox(gui_root(b->r->gui));
    gui_set_look(bar, GUI_BAR);
    b->item = gui_item(bar, GUI_ICON_CD, "", "The CD drive", NULL, NULL);
}

/* At the bar's item, or (false) in the window. */
static void open_menu_at(struct bench *b, bool item)
{
    struct gui_widget *menu = gui_menu(b->r->gui, item ? b->item : NULL, 50, 50, on_chosen, b);
    struct gui_widget *below;

    gui_menu_add(menu, GUI_NO_ICON, "_Insert…", "Host+I", 1);
    gui_set_enabled(gui_menu_add(menu, GUI_NO_ICON, "_Grey", NULL, 2), false);
    gui_menu_line(menu);
    below = gui_menu_sub(menu, "_Cable");
    gui_set_mark(gui_menu_add(below, GUI_NO_ICON, "_Connected", NULL, 10), GUI_CHECKED);
    gui_set_mark(gui_menu_add(below, GUI_NO_ICON, "_Pulled", NULL, 11), GUI_UNCHECKED);
    gui_menu_add(menu, GUI_NO_ICON, "_Eject", NULL, 3);
}

static void open_menu(struct bench *b)
{
    open_menu_at(b, true);
}

Test(gui_menu, by_keys)
{
    struct bench b;

    bench(&b);
    open_menu(&b);
    cr_assert(gui_is_modal(b.r->gui) && gui_wants_keys(b.r->gui));
    gui_rig_keys(b.r, "down down");
    cr_assert(gui_rig_has(b.r, "item \"_Cable\" [sub] [selected]"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "right");
    cr_assert(gui_rig_has(b.r, "item \"_Connected\" [checked] [selected]"), "%s",
              gui_rig_dump(b.r));
    gui_rig_keys(b.r, "left");
    cr_assert(!gui_rig_has(b.r, "_Connected"));
    gui_rig_keys(b.r, "right down ret");
    cr_assert_eq(b.chosen, 11);
    cr_assert(!gui_is_modal(b.r->gui));
    open_menu(&b);
    gui_rig_keys(b.r, "up space");
    cr_assert_eq(b.chosen, 3, "up starts at the end");
    open_menu(&b);
    gui_rig_keys(b.r, "i");
    cr_assert_eq(b.chosen, 1, "its letter");
    b.chosen = 0;
    open_menu(&b);
    gui_rig_keys(b.r, "g");
    cr_assert_eq(b.chosen, 0, "a grey one cannot be chosen");
    cr_assert(gui_is_modal(b.r->gui));
    gui_rig_keys(b.r, "esc");
    cr_assert(!gui_is_modal(b.r->gui));
    cr_assert_eq(b.chosen, 0);
    gui_rig_free(b.r);
}

Test(gui_menu, keys_go_back_to_the_guest)
{
    struct bench b;

    bench(&b);
    gui_focus(b.item);
    open_menu(&b);
    gui_rig_keys(b.r, "esc");
    cr_assert(gui_wants_keys(b.r->gui), "Esc leads back to the bar");
    open_menu(&b);
    gui_rig_keys(b.r, "e");
    cr_assert_eq(b.chosen, 3);
    cr_assert(!gui_wants_keys(b.r->gui), "a choice leads back to the guest");
    gui_rig_free(b.r);
}

Test(gui_menu, by_pointer)
{
    struct bench b;

    bench(&b);
    open_menu_at(&b, false);
    gui_event(b.r->gui, &(struct gui_event){
                            .kind = GUI_RELEASE, .x = 70, .y = 65, .button = GUI_BUTTON_RIGHT});
    cr_assert(gui_is_modal(b.r->gui), "the release of the click that opened it chooses nothing");
    gui_rig_click(b.r, 70, 65, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(b.chosen, 1);
    open_menu_at(&b, false);
    gui_rig_click(b.r, 70, 65 + 28, GUI_BUTTON_LEFT, 1);
    cr_assert(gui_is_modal(b.r->gui), "grey");
    gui_rig_click(b.r, 70, 65 + 28 + 9 + 28, GUI_BUTTON_LEFT, 1);
    cr_assert(gui_rig_has(b.r, "_Pulled"), "%s", gui_rig_dump(b.r));
    gui_rig_click(b.r, 390, 290, GUI_BUTTON_LEFT, 1);
    cr_assert(!gui_is_modal(b.r->gui), "a click beside it closes all");
    cr_assert_eq(b.chosen, 1);
    gui_rig_free(b.r);
}

Test(gui_menu, stays_inside_the_window)
{
    struct bench b;
    struct gui_widget *menu;
    struct gui_rect out[16];
    unsigned n;

    bench(&b);
    menu = gui_menu(b.r->gui, NULL, 399, 299, on_chosen, &b);
    for (int i = 0; i < 60; i++) {
        gui_menu_add(menu, GUI_NO_ICON, "Item", NULL, i);
    }
    gui_rig_keys(b.r, "end");
    n = gui_layers(b.r->gui, out, 16);
    for (unsigned i = 0; i < n; i++) {
        cr_assert(out[i].x >= 0 && out[i].y >= 0 && out[i].x + out[i].w <= 400 &&
                  out[i].y + out[i].h <= 300);
    }
    gui_rig_click(b.r, 380, 270, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(b.chosen, 59, "it scrolls: %d", b.chosen);
    gui_rig_free(b.r);
}

static void remove_it(struct gui_widget *w, void *of)
{
    (void)of;
    gui_remove(w);
}

Test(gui_menu, a_choice_that_goes_takes_its_menu_along)
{
    static const char *const texts[] = {"one", "two", NULL};
    struct bench b;
    struct gui_widget *choice;

    bench(&b);
    choice = gui_choice(gui_root(b.r->gui), texts, 0, remove_it, NULL);
    gui_focus(choice);
    gui_rig_keys(b.r, "down");
    cr_assert(!gui_rig_has(b.r, "choice"), "removed in its own callback");
    choice = gui_choice(gui_root(b.r->gui), texts, 0, NULL, NULL);
    gui_focus(choice);
    gui_rig_keys(b.r, "space down");
    cr_assert(gui_is_modal(b.r->gui));
    gui_remove(choice);
    cr_assert(!gui_is_modal(b.r->gui));
    gui_rig_free(b.r);
}

Test(gui_menu, choices)
{
    static const char *const texts[] = {"Automatic", "One_two", "Three", NULL};
    struct bench b;
    struct gui_widget *choice;

    bench(&b);
    choice = gui_choice(gui_root(b.r->gui), texts, 1, NULL, NULL);
    gui_focus(choice);
    cr_assert(gui_rig_has(b.r, "choice \"One_two\" [focused]"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "down down");
    cr_assert_eq(gui_value(choice), 2);
    gui_rig_keys(b.r, "space up up ret");
    cr_assert_eq(gui_value(choice), 0);
    cr_assert_str_eq(gui_text(choice), "Automatic");
    gui_rig_click_on(b.r, choice);
    cr_assert(gui_is_modal(b.r->gui));
    gui_rig_keys(b.r, "esc");
    gui_set_value(choice, 99);
    cr_assert_eq(gui_value(choice), 2);
    gui_rig_free(b.r);
}

Test(gui_menu, dialogs)
{
    struct bench b;
    struct gui_widget *d, *ok;

    bench(&b);
    d = gui_dialog(b.r->gui, GUI_ICON_GEAR, "Title", on_closed, &b);
    gui_entry(d, "text", "", NULL, NULL);
    gui_dialog_button(d, "_Cancel", 0, GUI_CANCEL);
    ok = gui_dialog_button(d, "_Save", 1, GUI_DEFAULT);
    cr_assert(gui_rig_has(b.r, "entry \"text\" [focused]"), "%s", gui_rig_dump(b.r));
    b.keep = true;
    gui_rig_keys(b.r, "ret");
    cr_assert_eq(b.closed, 1);
    cr_assert(gui_is_modal(b.r->gui), "it may stay");
    b.keep = false;
    gui_set_enabled(ok, false);
    b.closed = -1;
    gui_rig_keys(b.r, "ret");
    cr_assert_eq(b.closed, -1);
    gui_set_enabled(ok, true);
    gui_rig_click(b.r, 3, 3, GUI_BUTTON_LEFT, 1);
    cr_assert(gui_is_modal(b.r->gui), "a click beside it does nothing");
    gui_rig_keys(b.r, "Alt+c");
    cr_assert_eq(b.closed, 0);
    cr_assert(!gui_is_modal(b.r->gui));
    gui_rig_free(b.r);
}

Test(gui_menu, questions)
{
    struct bench b;

    bench(&b);
    gui_ask(b.r->gui, GUI_ICON_POWER, "Close?", "text", "_Save|_Turn off|_Cancel", on_closed, &b);
    gui_rig_keys(b.r, "ret");
    cr_assert_eq(b.closed, 0, "Enter is the first");
    gui_ask(b.r->gui, GUI_ICON_POWER, "Close?", "text", "_Save|_Turn off|_Cancel", on_closed, &b);
    gui_rig_keys(b.r, "esc");
    cr_assert_eq(b.closed, 2, "Esc is the last");
    gui_ask(b.r->gui, GUI_ICON_POWER, "Close?", "text", "_Save|_Turn off|_Cancel", on_closed, &b);
    gui_rig_keys(b.r, "t");
    cr_assert_eq(b.closed, 1, "a letter alone will do");
    gui_ask(b.r->gui, GUI_ICON_TRASH, "Delete?", "text", "_Delete|_Cancel", on_closed, &b);
    gui_rig_keys(b.r, "ret");
    cr_assert_eq(b.closed, 1, "Enter destroys nothing");
    gui_ask(b.r->gui, GUI_ICON_TRASH, "Delete?", "text", "_Delete|_Cancel", on_closed, &b);
    gui_rig_keys(b.r, "left ret");
    cr_assert_eq(b.closed, 0);
    cr_assert(!gui_is_modal(b.r->gui));
    gui_rig_free(b.r);
}

Test(gui_menu, a_large_dialog_fits_and_scrolls)
{
    struct bench b;
    struct gui_widget *d, *last = NULL;
    struct gui_rect at;

    bench(&b);
    d = gui_dialog(b.r->gui, GUI_NO_ICON, "Title", on_closed, &b);
    for (int i = 0; i < 30; i++) {
        last = gui_entry(d, "", "", NULL, NULL);
    }
    gui_dialog_button(d, "_OK", 1, GUI_DEFAULT | GUI_CANCEL);
    gui_rig_keys(b.r, "Shift+tab Shift+tab");
    at = gui_where(last);
    cr_assert(gui_rig_has(b.r, "entry [focused]"), "%s", gui_rig_dump(b.r));
    cr_assert(at.y > 0 && at.y + at.h < 300, "the last one is shown: %d", at.y);
    gui_rig_free(b.r);
}

/* What is painted now is what painting all gives. */
static void assert_whole(struct bench *b, const char *what)
{
    struct gui_rect out;
    unsigned stride;
    g_autofree uint32_t *pieces = NULL;
    size_t size;

    gui_paint(b->r->gui, &out, 1);
    size = (size_t)300 * (gui_pixels(b->r->gui, &stride) ? stride : 0);
    pieces = g_memdup2(gui_pixels(b->r->gui, &stride), size);
    gui_set_theme(b->r->gui, GUI_LIGHT);
    gui_paint(b->r->gui, &out, 1);
    cr_assert_eq(out.w, 400);
    cr_assert_eq(memcmp(pieces, gui_pixels(b->r->gui, &stride), size), 0, "%s", what);
}

Test(gui_menu, a_dialog_is_painted_where_it_changes)
{
    struct bench b;
    static const char *const texts[] = {"one", "two", NULL};
    struct gui_widget *d, *label, *more, *button, *choice;
    struct gui_rect out[16];

    bench(&b);
    d = gui_dialog(b.r->gui, GUI_NO_ICON, "Title", on_closed, &b);
    label = gui_label(d, "A line", GUI_PLAIN);
    more = gui_label(d, "Another", GUI_ERROR);
    button = gui_dialog_button(d, "_OK", 1, GUI_DEFAULT | GUI_CANCEL);
    assert_whole(&b, "at first");
    gui_set_text(b.item, "9 MIPS");
    cr_assert_eq(gui_paint(b.r->gui, out, 1), 1);
    cr_assert_leq(out[0].h, 40, "only the bar below it: %d", out[0].h);
    gui_set_text(label, "Now it is another line");
    assert_whole(&b, "a text");
    gui_set_look(more, GUI_PLAIN);
    assert_whole(&b, "a look");
    gui_set_look(button, GUI_PLAIN);
    assert_whole(&b, "a button's look");
    gui_show(more, false);
    assert_whole(&b, "less");
    gui_show(more, true);
    assert_whole(&b, "more");
    for (int i = 0; i < 12; i++) {
        gui_entry(d, "", "", NULL, NULL);
        assert_whole(&b, "another entry");
    }
    gui_remove(more);
    assert_whole(&b, "one gone");
    gui_rig_keys(b.r, "tab tab");
    assert_whole(&b, "another has the keyboard");
    choice = gui_choice(d, texts, 0, NULL, NULL);
    gui_focus(choice);
    assert_whole(&b, "a choice");
    gui_rig_keys(b.r, "space");
    assert_whole(&b, "its menu");
    gui_rig_keys(b.r, "esc");
    assert_whole(&b, "no menu");
    gui_remove(choice);
    assert_whole(&b, "the first has the keyboard");
    gui_dialog_close(d);
    assert_whole(&b, "all gone");
    gui_rig_free(b.r);
}

Test(gui_menu, toasts_go_by_themselves)
{
    struct bench b;
    struct gui_rect out[16];
    unsigned before, layers;

    bench(&b);
    gui_paint(b.r->gui, out, 16);
    before = gui_layers(b.r->gui, out, 16);
    gui_toast(b.r->gui, "It _worked", false);
    gui_toast(b.r->gui, "It did not", true);
    cr_assert(!gui_wants_keys(b.r->gui), "keys stay the guest's");
    gui_paint(b.r->gui, out, 16);
    layers = gui_layers(b.r->gui, out, 16);
    cr_assert_gt(layers, before);
    cr_assert_gt(gui_tick(b.r->gui, 1000), 0);
    cr_assert(gui_rig_has(b.r, "toast \"It _worked\""));
    gui_tick(b.r->gui, 9000);
    cr_assert(!gui_rig_has(b.r, "It _worked"));
    cr_assert(gui_rig_has(b.r, "It did not"), "errors stay longer");
    cr_assert_eq(gui_tick(b.r->gui, 60000), -1);
    cr_assert(!gui_rig_has(b.r, "toast"));
    for (int i = 0; i < 10; i++) {
        gui_toast(b.r->gui, "many", false);
    }
    gui_paint(b.r->gui, out, 16);
    gui_rig_click(b.r, 200, 30, GUI_BUTTON_LEFT, 1);
    cr_assert(gui_rig_has(b.r, "many"));
    gui_tick(b.r->gui, 100000);
    gui_tick(b.r->gui, 200000);
    gui_paint(b.r->gui, out, 16);
    cr_assert_eq(gui_layers(b.r->gui, out, 16), before);
    cr_assert_eq(gui_rig_pixel(b.r, 200, 30), 0);
    gui_rig_free(b.r);
}

Test(gui_menu, tips_come_when_the_pointer_rests)
{
    struct bench b;
    struct gui_rect at, out[16];
    unsigned before;

    bench(&b);
    at = gui_where(b.item);
    gui_paint(b.r->gui, out, 16);
    before = gui_layers(b.r->gui, out, 16);
    gui_tick(b.r->gui, 1000);
    gui_rig_move(b.r, at.x + 5, at.y + 5);
    cr_assert_gt(gui_tick(b.r->gui, 1100), 0);
    cr_assert_eq(gui_layers(b.r->gui, out, 16), before);
    cr_assert_eq(gui_tick(b.r->gui, 2000), -1);
    cr_assert_gt(gui_layers(b.r->gui, out, 16), before);
    gui_rig_move(b.r, 200, 100);
    cr_assert_eq(gui_layers(b.r->gui, out, 16), before);
    gui_focus(b.item);
    gui_rig_keys(b.r, "tab");
    cr_assert_gt(gui_layers(b.r->gui, out, 16), before, "with the keyboard at once");
    gui_rig_free(b.r);
}
