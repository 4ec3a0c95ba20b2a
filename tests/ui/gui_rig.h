/*
 * A gui for tests: events by name, its tree as text, pictures on demand.
 */
#ifndef TESTS_UI_GUI_RIG_H
#define TESTS_UI_GUI_RIG_H

#include "ui/gui/gui.h"

struct gui_rig {
    struct gui *gui;
    char *clipboard;
    unsigned wakes;
    char *dumped;
};

struct gui_rig *gui_rig_new(int w, int h, double scale, enum gui_theme theme);
void gui_rig_free(struct gui_rig *r);
/* "Tab Shift+Tab Ctrl+a Alt+n Down" and so on, one after the other. */
void gui_rig_keys(struct gui_rig *r, const char *keys);
void gui_rig_type(struct gui_rig *r, const char *text);
/* In device pixels. */
void gui_rig_move(struct gui_rig *r, int x, int y);
void gui_rig_click(struct gui_rig *r, int x, int y, unsigned button, unsigned clicks);
/* In the middle of a widget. */
void gui_rig_click_on(struct gui_rig *r, struct gui_widget *w);
/* The tree; valid until the next call. */
const char *gui_rig_dump(struct gui_rig *r);
bool gui_rig_has(struct gui_rig *r, const char *text);
/* What is painted at a place. */
uint32_t gui_rig_pixel(struct gui_rig *r, int x, int y);
/* Into the folder CANDELA_PICTURES as NAME.ppm, if that is set. */
void gui_rig_picture(struct gui_rig *r, const char *name);

#endif
