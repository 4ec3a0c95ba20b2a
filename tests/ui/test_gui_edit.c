/*
 * Entries, numbers and lists: editing, selecting, the clipboard, typing to a row.
 */
#include "tests/ui/gui_rig.h"
#include <criterion/criterion.h>

struct bench {
    struct gui_rig *r;
    struct gui_widget *w;
    unsigned changes, activated, menus;
};

static void on_change(struct gui_widget *w, void *of)
{
    struct bench *b = of;

    (void)w;
    b->changes++;
}

static void on_activate(struct gui_widget *w, void *of)
{
    struct bench *b = of;

    (void)w;
    b->activated++;
}

static void on_menu(struct gui_widget *w, void *of)
{
    struct bench *b = of;

    (void)w;
    b->menus++;
}

static struct gui_widget *root(struct bench *b)
{
    b->r = gui_rig_new(400, 300, 1, GUI_LIGHT);
    gui_set_look(gui_root(b->r->gui), GUI_WINDOW);
    return gui_root(b->r->gui);
}

static void entry(struct bench *b, const char *text)
{
    memset(b, 0, sizeof *b);
    b->w = gui_entry(root(b), text, "hint", on_change, b);
    gui_on_activate(b->w, on_activate);
    gui_focus(b->w);
    gui_rig_keys(b->r, "end");
}

#define TEXT_IS(b, s) cr_assert_str_eq(gui_text((b)->w), s)

Test(gui_edit, typing_and_erasing)
{
    struct bench b;

    entry(&b, "");
    gui_rig_type(b.r, "Bür");
    gui_rig_type(b.r, "o");
    TEXT_IS(&b, "Büro");
    cr_assert_eq(b.changes, 2);
    gui_rig_keys(b.r, "left left backspace");
    TEXT_IS(&b, "Bro");
    gui_rig_keys(b.r, "delete");
    TEXT_IS(&b, "Bo");
    gui_rig_keys(b.r, "home delete end backspace backspace delete");
    TEXT_IS(&b, "");
    gui_rig_type(b.r, "a\tb\nc");
    TEXT_IS(&b, "a b c");
    gui_rig_keys(b.r, "ret");
    cr_assert_eq(b.activated, 1);
    gui_rig_free(b.r);
}

Test(gui_edit, marks_go_with_their_letter)
{
    struct bench b;

    entry(&b, "xe\xcc\x81y");
    gui_rig_keys(b.r, "left backspace");
    TEXT_IS(&b, "xy");
    gui_rig_keys(b.r, "Ctrl+a backspace");
    gui_rig_type(b.r, "xe\xcc\x81y");
    gui_rig_keys(b.r, "home right delete");
    TEXT_IS(&b, "xy");
    gui_rig_free(b.r);
}

Test(gui_edit, who_gets_the_keyboard_is_typed_anew)
{
    struct bench b;
    struct gui_widget *other;

    entry(&b, "one");
    other = gui_entry(gui_root(b.r->gui), "two", "", NULL, NULL);
    gui_rig_keys(b.r, "tab");
    gui_rig_type(b.r, "2");
    cr_assert_str_eq(gui_text(other), "2");
    gui_rig_click_on(b.r, b.w);
    gui_rig_type(b.r, "!");
    TEXT_IS(&b, "one!");
    gui_rig_free(b.r);
}

Test(gui_edit, right_to_left)
{
    struct bench b;

    entry(&b, "\xd7\x90\xd7\x91");
    gui_rig_keys(b.r, "home left"); /* it begins at the right */
    gui_rig_type(b.r, "\xd7\x92");
    TEXT_IS(&b, "\xd7\x90\xd7\x92\xd7\x91");
    gui_rig_free(b.r);
}

Test(gui_edit, selecting)
{
    struct bench b;

    entry(&b, "one two three");
    gui_rig_keys(b.r, "Shift+Ctrl+left");
    gui_rig_type(b.r, "3");
    TEXT_IS(&b, "one two 3");
    gui_rig_keys(b.r, "home Ctrl+right Shift+Ctrl+right delete");
    TEXT_IS(&b, "one 3");
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "é");
    TEXT_IS(&b, "é");
    gui_rig_type(b.r, "bc");
    gui_rig_keys(b.r, "Shift+home left");
    gui_rig_type(b.r, "<");
    TEXT_IS(&b, "<ébc");
    gui_rig_free(b.r);
}

Test(gui_edit, the_clipboard)
{
    struct bench b;

    entry(&b, "one two");
    gui_rig_keys(b.r, "Ctrl+c");
    cr_assert_null(b.r->clipboard, "nothing is selected");
    gui_rig_keys(b.r, "Shift+Ctrl+left Ctrl+c end Ctrl+v");
    TEXT_IS(&b, "one twotwo");
    gui_rig_keys(b.r, "Ctrl+a Ctrl+x");
    TEXT_IS(&b, "");
    cr_assert_str_eq(b.r->clipboard, "one twotwo");
    gui_rig_keys(b.r, "Shift+insert Shift+home Shift+delete Shift+insert");
    TEXT_IS(&b, "one twotwo");
    g_free(b.r->clipboard);
    b.r->clipboard = g_strdup("line\nline \xff");
    gui_rig_keys(b.r, "Ctrl+a Ctrl+v");
    TEXT_IS(&b, "line line \xef\xbf\xbd");
    g_free(b.r->clipboard);
    b.r->clipboard = g_strnfill(1000000, 'x');
    gui_rig_keys(b.r, "Ctrl+v");
    cr_assert_leq(strlen(gui_text(b.w)), 5000);
    gui_rig_free(b.r);
}

Test(gui_edit, by_pointer)
{
    struct bench b;
    struct gui_rect at;

    entry(&b, "first second");
    at = gui_where(b.w);
    gui_rig_click(b.r, at.x + 10, at.y + 10, GUI_BUTTON_LEFT, 1);
    gui_rig_type(b.r, "<");
    TEXT_IS(&b, "<first second");
    gui_rig_click(b.r, at.x + 30, at.y + 10, GUI_BUTTON_LEFT, 2);
    gui_rig_type(b.r, "1st");
    TEXT_IS(&b, "<1st second");
    gui_event(b.r->gui,
              &(struct gui_event){.kind = GUI_PRESS, .x = at.x + 5, .y = at.y + 9, .button = 1});
    gui_rig_move(b.r, at.x + 390, at.y + 9);
    gui_event(b.r->gui, &(struct gui_event){
                            .kind = GUI_RELEASE, .x = at.x + 390, .y = at.y + 9, .button = 1});
    gui_rig_type(b.r, "all");
    TEXT_IS(&b, "all");
    gui_rig_free(b.r);
}

Test(gui_edit, long_text_shows_the_caret)
{
    struct bench b;
    g_autofree char *text = g_strnfill(500, 'm');
    struct gui_rect at;
    uint32_t end, start;

    entry(&b, text);
    at = gui_where(b.w);
    end = gui_rig_pixel(b.r, at.x + at.w - 12, at.y + 16);
    gui_rig_keys(b.r, "home");
    start = gui_rig_pixel(b.r, at.x + 10, at.y + 12);
    cr_assert_neq(start, 0);
    cr_assert_neq(end, 0);
    cr_assert(gui_rig_has(b.r, "caret=0"));
    gui_rig_free(b.r);
}

Test(gui_edit, numbers)
{
    struct bench b = {0};

    b.w = gui_spin(root(&b), 1, 4096, 64, 512, "MiB", on_change, &b);
    gui_focus(b.w);
    gui_rig_keys(b.r, "up");
    cr_assert_eq(gui_value(b.w), 576);
    gui_rig_keys(b.r, "down down down");
    cr_assert_eq(gui_value(b.w), 384);
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "7");
    gui_rig_type(b.r, "x");
    gui_rig_type(b.r, "0");
    cr_assert_eq(gui_value(b.w), 70, "%d", gui_value(b.w));
    gui_rig_keys(b.r, "up");
    cr_assert_eq(gui_value(b.w), 128, "to a multiple");
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "99999999999999999999");
    cr_assert_eq(gui_value(b.w), 4096);
    gui_rig_keys(b.r, "ret");
    TEXT_IS(&b, "4096");
    gui_rig_keys(b.r, "pgdn");
    cr_assert_eq(gui_value(b.w), 4096 - 512);
    gui_rig_keys(b.r, "Ctrl+a delete");
    cr_assert_eq(gui_value(b.w), 1);
    gui_set_value(b.w, -7);
    TEXT_IS(&b, "1");
    gui_rig_free(b.r);
}

static void list(struct bench *b, unsigned rows)
{
    memset(b, 0, sizeof *b);
    b->w = gui_list(root(b), on_change, b);
    gui_on_activate(b->w, on_activate);
    gui_on_menu(b->w, on_menu);
    for (unsigned i = 0; i < rows; i++) {
        g_autofree char *name = g_strdup_printf("%c%u", "aäb"[0] + (int)(i / 100), i);

        gui_list_add(b->w, &(struct gui_row){.text = name, .icon = GUI_ICON_FILE});
    }
    gui_focus(b->w);
}

Test(gui_edit, lists_by_keys)
{
    struct bench b;

    list(&b, 200);
    gui_rig_keys(b.r, "down");
    cr_assert_eq(gui_value(b.w), 0);
    gui_rig_keys(b.r, "down down up");
    cr_assert_eq(gui_value(b.w), 1);
    cr_assert_eq(b.changes, 4);
    gui_rig_keys(b.r, "end");
    cr_assert_eq(gui_value(b.w), 199);
    gui_rig_keys(b.r, "pgup");
    cr_assert_eq(gui_value(b.w), 199 - 300 / 32 + 1);
    gui_rig_keys(b.r, "home up");
    cr_assert_eq(gui_value(b.w), 0);
    gui_rig_keys(b.r, "ret menu Shift+f10");
    cr_assert_eq(b.activated, 1);
    cr_assert_eq(b.menus, 2);
    gui_rig_free(b.r);
}

Test(gui_edit, typing_goes_to_a_row)
{
    struct bench b;

    list(&b, 200);
    gui_rig_type(b.r, "b");
    cr_assert_eq(gui_value(b.w), 100);
    gui_rig_type(b.r, "1");
    gui_rig_type(b.r, "5");
    gui_rig_type(b.r, "7");
    cr_assert_eq(gui_value(b.w), 157);
    gui_event(b.r->gui, &(struct gui_event){.kind = GUI_TEXT, .text = "A", .time = 10000});
    cr_assert_eq(gui_value(b.w), 0, "after a while it starts anew; case does not matter");
    gui_rig_free(b.r);
}

Test(gui_edit, lists_by_pointer)
{
    struct bench b;
    struct gui_rect at;

    list(&b, 200);
    at = gui_where(b.w);
    gui_rig_click(b.r, at.x + 50, at.y + 4 + 3 * 32 + 5, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(gui_value(b.w), 3);
    gui_rig_click(b.r, at.x + 50, at.y + 4 + 3 * 32 + 5, GUI_BUTTON_LEFT, 2);
    cr_assert_eq(b.activated, 1);
    gui_event(b.r->gui, &(struct gui_event){.kind = GUI_WHEEL, .x = 50, .y = 50, .dy = -2});
    gui_rig_click(b.r, at.x + 50, at.y + 4 + 5, GUI_BUTTON_RIGHT, 1);
    cr_assert_eq(gui_value(b.w), 3, "96 units on: %d", gui_value(b.w));
    cr_assert_eq(b.menus, 1);
    /* the bar: its end is the list's */
    gui_event(b.r->gui, &(struct gui_event){
                            .kind = GUI_PRESS, .x = at.x + at.w - 6, .y = at.y + 8, .button = 1});
    gui_rig_move(b.r, at.x + at.w - 6, at.y + at.h + 500);
    gui_event(b.r->gui, &(struct gui_event){.kind = GUI_RELEASE, .button = 1});
    gui_rig_click(b.r, at.x + 50, at.y + at.h - 10, GUI_BUTTON_LEFT, 1);
    cr_assert_eq(gui_value(b.w), 199);
    gui_list_clear(b.w);
    gui_rig_keys(b.r, "down end ret");
    cr_assert_eq(gui_value(b.w), -1);
    cr_assert_eq(b.activated, 1, "no row, nothing to activate");
    gui_rig_free(b.r);
}
