/*
 * Scenes of the toolkit, light and dark, at several scales: what is on them is checked, and with
 * CANDELA_PICTURES=FOLDER they are written there for people to look at.
 */
#include "tests/ui/gui_rig.h"
#include "ui/chooser.h"
#include <criterion/criterion.h>

static struct gui_widget *status_bar(struct gui *g)
{
    struct gui_widget *bar, *w;

    gui_space(gui_root(g));
    bar = gui_hbox(gui_root(g));
    gui_set_look(bar, GUI_BAR);
    gui_set_spacing(bar, 2, 3);
    gui_item(bar, GUI_ICON_MENU, "", "Machine", NULL, NULL);
    gui_item(bar, GUI_ICON_PAUSE, "", "Pause", NULL, NULL);
    gui_item(bar, GUI_ICON_RESET, "", "Reset", NULL, NULL);
    gui_item(bar, GUI_ICON_POWER, "", "Power", NULL, NULL);
    w = gui_item(bar, GUI_ICON_DISK, "", "disk.vhd", NULL, NULL);
    gui_set_light(w, GUI_LIGHT_READ);
    w = gui_item(bar, GUI_ICON_CD, "", "debian-12.iso", NULL, NULL);
    gui_set_light(w, GUI_LIGHT_WRITE);
    gui_set_light(gui_item(bar, GUI_ICON_FLOPPY, "", "empty", NULL, NULL), GUI_LIGHT_OFF);
    w = gui_item(bar, GUI_ICON_NETWORK, "", "user", NULL, NULL);
    gui_set_light(w, GUI_LIGHT_ERROR);
    gui_set_enabled(gui_item(bar, GUI_ICON_SEARCH, "", "no use", NULL, NULL), false);
    gui_item(bar, GUI_ICON_CAMERA, "", "Screenshot", NULL, NULL);
    gui_item(bar, GUI_ICON_FULL, "", "Full screen", NULL, NULL);
    gui_space(bar);
    gui_item(bar, GUI_ICON_CHIP, "translator", "no KVM here", NULL, NULL);
    gui_item(bar, GUI_ICON_MOUSE, "", "Mouse", NULL, NULL);
    gui_item(bar, GUI_ICON_KEYBOARD, "Right Ctrl", "host key", NULL, NULL);
    return bar;
}

static void show_menu(struct gui *g, struct gui_widget *at)
{
    struct gui_widget *menu = gui_menu(g, at, 0, 0, NULL, NULL), *sub;

    gui_menu_add(menu, GUI_ICON_CD, "_Insert a CD image…", NULL, 1);
    gui_set_mark(gui_menu_add(menu, GUI_NO_ICON, "debian-12.5.0-amd64-netinst.iso", NULL, 2),
                 GUI_CHECKED);
    gui_menu_add(menu, GUI_NO_ICON, "windows98.iso", NULL, 3);
    gui_menu_line(menu);
    gui_menu_add(menu, GUI_ICON_EJECT, "_Eject", "Host+E", 4);
    sub = gui_menu_sub(menu, "_Cable");
    gui_set_mark(gui_menu_add(sub, GUI_NO_ICON, "_Connected", NULL, 5), GUI_CHECKED);
    gui_menu_add(sub, GUI_NO_ICON, "_Unplugged", NULL, 6);
    gui_set_enabled(gui_menu_add(menu, GUI_NO_ICON, "_Read only", NULL, 7), false);
}

static void form_dialog(struct gui *g)
{
    static const char *const engines[] = {"Automatic", "Translator", "Interpreter", NULL};
    struct gui_widget *d = gui_dialog(g, GUI_ICON_GEAR, "Settings of Debian", NULL, NULL);
    struct gui_widget *form, *w;

    gui_label(d, "Changes take effect when the machine is started the next time.", GUI_DIM);
    form = gui_form(d);
    gui_field(form, "_Name");
    gui_entry(form, "Debian 12 – Büro", "Name", NULL, NULL);
    gui_field(form, "_Memory");
    gui_spin(form, 1, 65536, 64, 1024, "MiB", NULL, NULL);
    gui_field(form, "_Processors");
    gui_spin(form, 1, 64, 1, 2, "", NULL, NULL);
    gui_field(form, "_Engine");
    gui_choice(form, engines, 0, NULL, NULL);
    gui_field(form, "_CD image");
    w = gui_hbox(form);
    gui_set_grow(gui_entry(w, "", "None", NULL, NULL), true);
    gui_button(w, GUI_ICON_FOLDER, "", NULL, NULL);
    gui_field(form, "_Disabled");
    gui_set_enabled(gui_entry(form, "cannot be changed", "", NULL, NULL), false);
    gui_check(d, "Start in _full screen", true, NULL, NULL);
    gui_check(d, "Show the _boot menu", false, NULL, NULL);
    gui_set_enabled(gui_check(d, "_USB tablet", true, NULL, NULL), false);
    gui_label(d, "The name 'Debian' is in use. Take another one.", GUI_ERROR);
    gui_dialog_button(d, "_Delete…", 2, GUI_DESTROYS);
    gui_dialog_button(d, "_Cancel", 0, GUI_CANCEL);
    gui_dialog_button(d, "_Save", 1, GUI_DEFAULT);
}

static void machine_list(struct gui *g, uint32_t *picture)
{
    struct gui_widget *root = gui_root(g), *bar, *list, *w;

    gui_set_look(root, GUI_WINDOW);
    gui_set_spacing(root, 12, 16);
    bar = gui_hbox(root);
    gui_picture(bar, GUI_ICON_CANDLE, 32);
    gui_label(bar, "Candela", GUI_TITLE);
    gui_space(bar);
    w = gui_entry(bar, "", "Search", NULL, NULL);
    gui_set_icon(w, GUI_ICON_SEARCH);
    gui_set_look(gui_button(bar, GUI_ICON_PLUS, "_New", NULL, NULL), GUI_PRIMARY);
    list = gui_list(root, NULL, NULL);
    gui_list_set_size(list, 92, 102);
    gui_list_add(list, &(struct gui_row){.text = "Debian 12",
                                         .sub = "1 GiB, 2 processors, translator, debian.vhd",
                                         .note = "Running",
                                         .light = GUI_LIGHT_READ,
                                         .picture = picture,
                                         .picture_w = 64,
                                         .picture_h = 48,
                                         .picture_stride = 256});
    gui_list_add(list, &(struct gui_row){.text = "Windows 98 Zweite Ausgabe",
                                         .sub = "256 MiB, 1 processor, win98.vhd (2 GiB)",
                                         .note = "Off",
                                         .light = GUI_LIGHT_OFF,
                                         .icon = GUI_ICON_CHIP});
    gui_list_add(list, &(struct gui_row){.text = "FreeDOS",
                                         .sub = "The file machine.cvm is damaged: line 3",
                                         .note = "Paused",
                                         .light = GUI_LIGHT_WRITE,
                                         .pale = true,
                                         .icon = GUI_ICON_WARNING});
    gui_set_value(list, 0);
    gui_focus(list);
}

static void draw_scene(int scene, const char *name, int w, int h, double scale,
                       enum gui_theme theme)
{
    struct gui_rig *r = gui_rig_new(w, h, scale, theme);
    uint32_t picture[64 * 48];
    struct gui_widget *bar;

    for (unsigned i = 0; i < ARRAY_LEN(picture); i++) {
        picture[i] = (i % 64) * 4 << 16 | (i / 64) * 5 << 8 | 0x40;
    }
    if (scene == 2) {
        machine_list(r->gui, picture);
    } else {
        bar = status_bar(r->gui);
        gui_toast(r->gui, "Screenshot written to /home/me/Pictures/debian.png", false);
        if (scene == 0) {
            show_menu(r->gui, bar);
            gui_rig_keys(r, "Down Down Down Right");
        } else if (scene == 1) {
            form_dialog(r->gui);
            gui_rig_keys(r, "Tab Tab");
        } else if (scene == 3) {
            gui_ask(r->gui, GUI_ICON_TRASH, "Delete Debian 12?",
                    "Its settings and the disk debian.vhd (3.1 GiB) will be deleted. This cannot "
                    "be taken back.",
                    "_Delete|_Cancel", NULL, NULL);
            gui_toast(r->gui, "ide1-cd0: /home/me/broken.iso: not a whole number of sectors", true);
        } else {
            chooser_open(r->gui, &(struct chooser_ask){"Insert a CD image", "/usr/share", NULL},
                         NULL, NULL);
            gui_rig_keys(r, "Down Down");
        }
    }
    gui_rig_picture(r, name);
    gui_rig_free(r);
}

Test(gui_pictures, scenes)
{
    static const char *const names[] = {"menu", "form", "list", "ask", "chooser"};

    for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
        for (int dark = 0; dark < 2; dark++) {
            g_autofree char *name = g_strdup_printf("%s-%s", names[i], dark ? "dark" : "light");

            draw_scene(i, name, 800, 600, 1, dark ? GUI_DARK : GUI_LIGHT);
        }
    }
    draw_scene(1, "form-2x", 1600, 1200, 2, GUI_LIGHT);
    draw_scene(1, "form-small", 360, 260, 1, GUI_DARK);
}
