/*
 * A window on SDL: it shows one picture (a guest's screen, scaled) with the toolkit's widgets
 * around and over it, and tells what keys and pointer do.  SDL's headers stay in ui/sdl*.
 *
 * The toolkit gets events first; what is not for it comes to the owner's `event`.  Pointer events
 * do not get there while a button is held that was pressed on the picture, or the pointer is
 * caught.
 *
 * All of it is for the main thread, but sdl_post, which every thread may call.
 *
 * Not here: machines (ui/window.c), several windows of one process.
 */
#ifndef CANDELA_UI_SDL_H
#define CANDELA_UI_SDL_H

#include "hw/core/display.h"
#include "ui/gui/gui.h"
#include "ui/theme.h"
#include "ui/window_view.h"

struct sdl;

enum sdl_event_kind {
    SDL_ON_KEY,
    SDL_ON_MOTION,
    SDL_ON_BUTTON,
    SDL_ON_WHEEL,
    SDL_ON_FOCUS,  /* down: the window has the keyboard now, else it lost it */
    SDL_ON_LEAVE,  /* the pointer left the window, or is over one of its widgets */
    SDL_ON_RESIZE, /* the size in pixels, the full screen or the visibility changed */
    SDL_ON_CLOSE,
    SDL_ON_DROP, /* text: the path of a file */
};

/* Places are in pixels of the window's surface, from its top left. */
struct sdl_event {
    enum sdl_event_kind kind;
    unsigned code;   /* of a key: HID usage */
    unsigned symbol; /* the lower-case letter it is on the host's layout, or 0 */
    unsigned locks;  /* of the host, after a key: INPUT_LED_CAPS, INPUT_LED_NUM */
    bool down, repeat;
    int x, y, dx, dy; /* of the pointer; wheel: dy > 0 is away from the user */
    unsigned button;  /* INPUT_BUTTON_LEFT ... */
    unsigned buttons; /* held after this */
    const char *text;
};

struct sdl_setup {
    const char *title;
    int width, height; /* of the whole, in units of the toolkit's */
    bool fullscreen;
    enum theme_choice theme;
    void (*event)(void *opaque, const struct sdl_event *e);
    void *opaque;
};

/* Whether a display is named in the environment; says nothing of whether it can be opened. */
bool sdl_has_display(void);
/* Open the display and make a window, not shown yet.  HOST error that says what SDL does. */
struct sdl *sdl_new(const struct sdl_setup *setup, GError **err);
void sdl_free(struct sdl *s);
void sdl_show(struct sdl *s);
/* Handle events until sdl_quit. */
void sdl_run(struct sdl *s);
void sdl_quit(struct sdl *s);
/* Call fn(arg) in the main thread, inside sdl_run, in the order of the calls.  Any thread.  What is
 * not called any more when sdl_run ends is dropped. */
void sdl_post(struct sdl *s, void (*fn)(void *arg), void *arg);

void sdl_set_title(struct sdl *s, const char *title);
/* The whole picture, or lines of it: what `changed_top` and `changed_lines` say.  A picture of
 * another size or shape is taken whole. */
void sdl_set_picture(struct sdl *s, const struct surface *picture);
void sdl_set_scaling(struct sdl *s, enum view_scaling scaling);
void sdl_set_fullscreen(struct sdl *s, bool on);
bool sdl_is_fullscreen(const struct sdl *s);
/* Whether something of the window can be seen; else drawing is for nobody. */
bool sdl_is_visible(const struct sdl *s);
/* Make the window fit the picture in its natural size, or as near as the screen allows. */
void sdl_fit_window(struct sdl *s);
/* The toolkit of this window, which resizes it, paints it and gives it events. */
struct gui *sdl_gui(struct sdl *s);
/* Pixels at the bottom that are not for the picture. */
void sdl_set_bar(struct sdl *s, int height);
/* Where the picture stands. */
struct view_rect sdl_picture_place(const struct sdl *s);
/* The pointer is hidden and its motions are told without places; the keyboard is the window's, with
 * the keys of the desktop. */
void sdl_catch(struct sdl *s, bool pointer, bool keyboard);
/* Hide the host's pointer while it is over the window. */
void sdl_hide_pointer(struct sdl *s, bool hide);
/* Text of the clipboard, or NULL; g_free. */
char *sdl_clipboard(struct sdl *s);
/* Where the host's pointer is, in pixels of the window; may be outside of it, or not known there.
 */
void sdl_pointer(struct sdl *s, int *x, int *y);

/* Whether it is in the window. */
bool sdl_has_pointer(const struct sdl *s);

/* For --stats: presented frames and uploads of picture lines. */
void sdl_counters(const struct sdl *s, uint64_t *frames, uint64_t *uploads);

#endif
