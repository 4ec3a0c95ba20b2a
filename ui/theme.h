/*
 * Light or dark: what a user chose for windows, and what the desktop prefers.
 *
 * Not here: following a desktop that changes its mind while a window is open; the colours
 * (ui/gui/gui_draw.c).
 */
#ifndef CANDELA_UI_THEME_H
#define CANDELA_UI_THEME_H

#include "ui/gui/gui.h"
#include <gio/gio.h>

enum theme_choice { THEME_AUTO, THEME_LIGHT, THEME_DARK, THEMES };

/* "auto" and so on, as options have it; NULL behind the last. */
const char *theme_name(enum theme_choice t);
const char *theme_help(enum theme_choice t);
/*
 * What the desktop says: in GTK_THEME, else to its portal's callers.  Dark where nobody answers.
 * Any thread; waits for the session bus, at most a second.
 */
enum gui_theme theme_of_desktop(GCancellable *cancel);

#endif
