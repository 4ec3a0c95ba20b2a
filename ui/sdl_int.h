/*
 * Inside the window on SDL.
 */
#ifndef CANDELA_UI_SDL_INT_H
#define CANDELA_UI_SDL_INT_H

#include "ui/sdl.h"
#include <SDL.h>

struct sdl_call {
    void (*fn)(void *arg);
    void *arg;
};

struct sdl {
    struct sdl_setup setup;
    SDL_Window *window;
    SDL_Renderer *renderer;
    uint32_t wake_event;
    bool shown, hidden, fullscreen, quit;

    SDL_Texture *texture;        /* the guest's picture */
    struct view_picture picture; /* what the texture holds */
    enum view_scaling scaling;
    struct view_rect place;
    int width, height; /* of the output, in pixels */
    double ratio;      /* output pixels of a point of the window system's */
    int asked_w, asked_h;
    bool user_sized;
    bool dirty; /* the window does not show what it should */

    struct gui *gui;
    GThread *asks_theme; /* or NULL: the theme is known */
    GCancellable *asking;
    SDL_Texture *widgets; /* the toolkit's picture */
    bool repaint;         /* the toolkit has something to paint, or is to be called */
    int64_t tick_at;      /* when, in milliseconds of SDL's clock; -1: never */
    int bar;              /* pixels at the bottom that are not the picture's */
    bool text_input;      /* SDL makes text of keys */

    bool caught_pointer, over_widgets;
    unsigned buttons; /* held, of those pressed on the picture */
    double wheel;     /* fractions of a notch */

    GMutex lock; /* leaf: posts */
    GQueue posts;
    uint64_t frames, uploads;
};

void sdl_tell(struct sdl *s, const struct sdl_event *e);
/* A place in points of the window system, in pixels. */
int sdl_pixel(const struct sdl *s, int point);

/* Pixels of one unit of the toolkit's and, in the natural size, of one of the guest's: what the
 * window system says, or the desktop's whole number where (on X11) that says nothing. */
double sdl_scale(const struct sdl *s);

/* sdl_keys.c: the code that input.h has for a key, or 0. */
unsigned sdl_key_code(SDL_Scancode code);

/* sdl_gui.c: the toolkit in the window. */
void sdl_gui_open(struct sdl *s);
void sdl_gui_close(struct sdl *s);
/* The window has another size. */
void sdl_gui_resize(struct sdl *s);
/* Bring its picture up to date. */
void sdl_gui_update(struct sdl *s);
/* Put its picture over the guest's. */
void sdl_gui_draw(struct sdl *s);
/* Milliseconds until it wants to be updated, or -1. */
int sdl_gui_wait(const struct sdl *s);
/* Give it an event of SDL's; true: it took it. */
bool sdl_gui_event(struct sdl *s, const SDL_Event *e);

#endif
