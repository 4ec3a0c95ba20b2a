/*
 * A window on SDL 2: a renderer with one streaming texture, and the event loop.
 *
 * Nothing is drawn unless something changed.  Uploads are of changed lines only; a frame is
 * presented once for all that came since the last one.
 *
 * Not here: OpenGL of our own, joysticks, touch.
 */
#include "ui/sdl_int.h"
#include "hw/core/input.h"
#include <math.h>

bool sdl_has_display(void)
{
    const char *x11 = g_getenv("DISPLAY"), *wayland = g_getenv("WAYLAND_DISPLAY"),
               *forced = g_getenv("SDL_VIDEODRIVER");

    return (x11 && *x11) || (wayland && *wayland) || (forced && *forced);
}

/* Making and ending it ------------------------------------------------------------------------ */

static void sdl_set_hints(void)
{
    static const char *const hints[][2] = {
        {SDL_HINT_NO_SIGNAL_HANDLERS, "1"}, /* run.c has its own */
        {SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0"},
        {SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1"},
        {SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0"},
        {SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1"},
        {SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0"},
        {SDL_HINT_GRAB_KEYBOARD, "1"},
        {SDL_HINT_FRAMEBUFFER_ACCELERATION, "0"}, /* the software renderer is chosen for a reason */
        {SDL_HINT_APP_NAME, "Candela"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(hints); i++) {
        SDL_SetHint(hints[i][0], hints[i][1]);
    }
}

static bool sdl_fail(GError **err, const char *what)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "%s: %s", what, SDL_GetError());
    return false;
}

/* Whether this "graphics card" is the processor in disguise: then SDL's own renderer is cheaper. */
static bool sdl_is_emulated(void)
{
    const unsigned char *(*get_string)(unsigned name);
    const char *name;
    enum { GL_RENDERER_NAME = 0x1f01 };

    if (!SDL_GL_GetCurrentContext()) {
        return false;
    }
    *(void **)&get_string = SDL_GL_GetProcAddress("glGetString");
    name = get_string ? (const char *)get_string(GL_RENDERER_NAME) : NULL;
    return name && (strstr(name, "llvmpipe") || strstr(name, "softpipe") || strstr(name, "swrast"));
}

static bool sdl_open_renderer(struct sdl *s)
{
    s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_ACCELERATED);
    if (s->renderer && sdl_is_emulated()) {
        SDL_DestroyRenderer(s->renderer);
        s->renderer = NULL;
    }
    if (!s->renderer) {
        s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE);
    }
    if (!s->renderer) { /* SDL's own needs a frame buffer, which Wayland's windows do not have */
        s->renderer = SDL_CreateRenderer(s->window, -1, 0);
    }
    return s->renderer != NULL;
}

/* SDL has drivers that show nothing ("offscreen"), and takes one where no display answers. */
static bool sdl_can_be_seen(GError **err)
{
    const char *driver = SDL_GetCurrentVideoDriver(), *forced = g_getenv("SDL_VIDEODRIVER");

    if ((forced && *forced) || (driver && (!strcmp(driver, "x11") || !strcmp(driver, "wayland")))) {
        return true;
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                "no window can be opened: no display answers (DISPLAY, WAYLAND_DISPLAY)");
    return false;
}

static bool sdl_open(struct sdl *s, GError **err)
{
    uint32_t flags = SDL_WINDOW_HIDDEN | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;

    sdl_set_hints();
    if (SDL_InitSubSystem(SDL_INIT_VIDEO | SDL_INIT_EVENTS)) {
        return sdl_fail(err, "no window can be opened");
    }
    if (!sdl_can_be_seen(err)) {
        return false;
    }
    s->wake_event = SDL_RegisterEvents(1);
    s->window = SDL_CreateWindow(s->setup.title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 s->setup.width, s->setup.height, flags);
    if (!s->window) {
        return sdl_fail(err, "no window can be opened");
    }
    if (!sdl_open_renderer(s)) {
        return sdl_fail(err, "nothing can be drawn in the window");
    }
    SDL_StopTextInput(); /* an input method would keep keys from the guest */
    SDL_EventState(SDL_DROPFILE, SDL_ENABLE);
    sdl_gui_open(s);
    return true;
}

static void sdl_measure(struct sdl *s)
{
    int w = 1, h = 1, points = 1;

    SDL_GetRendererOutputSize(s->renderer, &w, &h);
    SDL_GetWindowSize(s->window, &points, NULL);
    s->width = MAX(w, 1);
    s->height = MAX(h, 1);
    s->ratio = points > 0 ? (double)s->width / points : 1;
    s->place = view_place(&s->picture, s->scaling, s->width, s->height - s->bar);
    sdl_gui_resize(s);
    s->dirty = true;
}

/* What windows may cover of the screen that this one is on. */
static SDL_Rect sdl_screen(const struct sdl *s)
{
    SDL_Rect screen = {0, 0, 1 << 14, 1 << 14};

    SDL_GetDisplayUsableBounds(MAX(SDL_GetWindowDisplayIndex(s->window), 0), &screen);
    return screen;
}

/* The size that was asked for is in units. */
static void sdl_first_size(struct sdl *s)
{
    double points = sdl_scale(s) / s->ratio;
    SDL_Rect screen = sdl_screen(s);

    s->asked_w = MIN((int)lround(s->setup.width * points), screen.w);
    s->asked_h = MIN((int)lround(s->setup.height * points), screen.h);
    if (s->asked_w != s->setup.width || s->asked_h != s->setup.height) {
        SDL_SetWindowSize(s->window, s->asked_w, s->asked_h);
        SDL_SetWindowPosition(s->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
        sdl_measure(s);
    }
}

struct sdl *sdl_new(const struct sdl_setup *setup, GError **err)
{
    struct sdl *s = g_new0(struct sdl, 1);

    s->setup = *setup;
    g_mutex_init(&s->lock);
    g_queue_init(&s->posts);
    if (!sdl_open(s, err)) {
        sdl_free(s);
        return NULL;
    }
    sdl_measure(s);
    sdl_first_size(s);
    return s;
}

void sdl_free(struct sdl *s)
{
    if (!s) {
        return;
    }
    sdl_gui_close(s);
    g_queue_clear_full(&s->posts, g_free);
    if (s->texture) {
        SDL_DestroyTexture(s->texture);
    }
    if (s->renderer) {
        SDL_DestroyRenderer(s->renderer);
    }
    if (s->window) {
        SDL_DestroyWindow(s->window);
    }
    SDL_QuitSubSystem(SDL_INIT_VIDEO | SDL_INIT_EVENTS);
    g_mutex_clear(&s->lock);
    g_free(s);
}

void sdl_show(struct sdl *s)
{
    s->shown = true;
    SDL_ShowWindow(s->window);
    SDL_RaiseWindow(s->window);
    if (s->setup.fullscreen) {
        sdl_set_fullscreen(s, true);
    }
    sdl_measure(s);
}

/* The picture --------------------------------------------------------------------------------- */

static bool sdl_new_texture(struct sdl *s, const struct surface *picture)
{
    if (s->texture) {
        SDL_DestroyTexture(s->texture);
    }
    /* Without alpha: the guest's fourth byte says nothing. */
    s->texture = SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                   (int)picture->width, (int)picture->height);
    s->picture = (struct view_picture){picture->width, picture->height, picture->tube};
    return s->texture != NULL;
}

static void sdl_set_filter(struct sdl *s)
{
    SDL_SetTextureScaleMode(s->texture,
                            s->scaling == VIEW_SMOOTH ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
}

void sdl_set_picture(struct sdl *s, const struct surface *picture)
{
    unsigned top = picture->changed_top, lines = picture->changed_lines;

    if (!s->texture || s->picture.width != picture->width || s->picture.height != picture->height ||
        s->picture.tube != picture->tube) {
        if (!sdl_new_texture(s, picture)) {
            return;
        }
        sdl_set_filter(s);
        top = 0;
        lines = picture->height;
        if (!s->user_sized) {
            sdl_fit_window(s);
        }
        sdl_measure(s);
    }
    if (top >= picture->height || !lines) {
        return;
    }
    lines = MIN(lines, picture->height - top);
    SDL_UpdateTexture(s->texture, &(SDL_Rect){0, (int)top, (int)picture->width, (int)lines},
                      (const uint8_t *)picture->pixels + (size_t)top * picture->stride,
                      (int)picture->stride);
    s->uploads++;
    s->dirty = true;
}

void sdl_set_scaling(struct sdl *s, enum view_scaling scaling)
{
    s->scaling = scaling;
    if (s->texture) {
        sdl_set_filter(s);
    }
    sdl_measure(s);
}

static void sdl_draw(struct sdl *s)
{
    const struct view_rect *r = &s->place;

    s->dirty = false;
    if (!sdl_is_visible(s)) {
        return;
    }
    SDL_SetRenderDrawColor(s->renderer, 0, 0, 0, 255);
    SDL_RenderClear(s->renderer);
    if (s->texture) {
        SDL_RenderCopy(s->renderer, s->texture, NULL, &(SDL_Rect){r->x, r->y, r->w, r->h});
    }
    sdl_gui_draw(s);
    SDL_RenderPresent(s->renderer);
    s->frames++;
}

struct gui *sdl_gui(struct sdl *s)
{
    return s->gui;
}

void sdl_set_bar(struct sdl *s, int height)
{
    if (s->bar != height) {
        s->bar = height;
        if (!s->user_sized) {
            sdl_fit_window(s);
        }
        sdl_measure(s);
    }
}

struct view_rect sdl_picture_place(const struct sdl *s)
{
    return s->place;
}

void sdl_counters(const struct sdl *s, uint64_t *frames, uint64_t *uploads)
{
    *frames = s->frames;
    *uploads = s->uploads;
}

/* The window ---------------------------------------------------------------------------------- */

void sdl_set_title(struct sdl *s, const char *title)
{
    SDL_SetWindowTitle(s->window, title);
}

void sdl_set_fullscreen(struct sdl *s, bool on)
{
    if (SDL_SetWindowFullscreen(s->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) == 0) {
        s->fullscreen = on;
    }
    sdl_measure(s);
}

bool sdl_is_fullscreen(const struct sdl *s)
{
    return s->fullscreen;
}

bool sdl_is_visible(const struct sdl *s)
{
    return s->shown && !s->hidden;
}

/* A window that grows does so to the right and down, and its bar must be seen.  (Where programs may
 * not place windows nothing comes of it.) */
static void sdl_keep_on_screen(struct sdl *s, const SDL_Rect *screen)
{
    int x, y, top = 0, left = 0, bottom = 0, right = 0, in_x, in_y;

    SDL_GetWindowPosition(s->window, &x, &y);
    SDL_GetWindowBordersSize(s->window, &top, &left, &bottom, &right);
    in_x = MAX(MIN(x, screen->x + screen->w - right - s->asked_w), screen->x + left);
    in_y = MAX(MIN(y, screen->y + screen->h - bottom - s->asked_h), screen->y + top);
    if (s->shown && (in_x < x || in_y < y)) {
        SDL_SetWindowPosition(s->window, MIN(x, in_x), MIN(y, in_y));
    }
}

void sdl_fit_window(struct sdl *s)
{
    SDL_Rect screen = sdl_screen(s);
    double points = sdl_scale(s) / s->ratio; /* of the window system's, a pixel of the guest's */
    unsigned zoom;
    int w, h;

    s->user_sized = false;
    if (s->fullscreen || !s->picture.width ||
        (SDL_GetWindowFlags(s->window) & SDL_WINDOW_MAXIMIZED)) {
        return;
    }
    zoom = view_zoom(&s->picture, (int)(screen.w / points), (int)(screen.h / points));
    view_natural(&s->picture, zoom, &w, &h);
    s->asked_w = MIN((int)lround(w * points), screen.w);
    s->asked_h = MIN((int)lround(h * points + s->bar / s->ratio), screen.h);
    SDL_SetWindowSize(s->window, s->asked_w, s->asked_h);
    sdl_keep_on_screen(s, &screen);
    sdl_measure(s);
}

void sdl_catch(struct sdl *s, bool pointer, bool keyboard)
{
    SDL_SetWindowKeyboardGrab(s->window, keyboard ? SDL_TRUE : SDL_FALSE);
    if (pointer != s->caught_pointer) {
        SDL_SetRelativeMouseMode(pointer ? SDL_TRUE : SDL_FALSE);
        s->caught_pointer = pointer;
    }
}

void sdl_hide_pointer(struct sdl *s, bool hide)
{
    (void)s;
    SDL_ShowCursor(hide ? SDL_DISABLE : SDL_ENABLE);
}

void sdl_pointer(struct sdl *s, int *x, int *y)
{
    int left = 0, top = 0;

    SDL_GetGlobalMouseState(x, y);
    SDL_GetWindowPosition(s->window, &left, &top);
    *x = sdl_pixel(s, *x - left);
    *y = sdl_pixel(s, *y - top);
}

bool sdl_has_pointer(const struct sdl *s)
{
    return SDL_GetMouseFocus() == s->window;
}

char *sdl_clipboard(struct sdl *s)
{
    char *text = SDL_GetClipboardText(), *copy;

    (void)s;
    copy = text && *text ? g_strdup(text) : NULL;
    SDL_free(text);
    return copy;
}

/* Events -------------------------------------------------------------------------------------- */

void sdl_tell(struct sdl *s, const struct sdl_event *e)
{
    s->setup.event(s->setup.opaque, e);
}

int sdl_pixel(const struct sdl *s, int point)
{
    return (int)(point * s->ratio);
}

static unsigned sdl_button(unsigned button)
{
    switch (button) {
    case SDL_BUTTON_LEFT:
        return INPUT_BUTTON_LEFT;
    case SDL_BUTTON_RIGHT:
        return INPUT_BUTTON_RIGHT;
    case SDL_BUTTON_MIDDLE:
        return INPUT_BUTTON_MIDDLE;
    case SDL_BUTTON_X1:
        return INPUT_BUTTON_SIDE;
    case SDL_BUTTON_X2:
        return INPUT_BUTTON_EXTRA;
    default:
        return 0;
    }
}

static void sdl_on_key(struct sdl *s, const SDL_KeyboardEvent *k)
{
    bool letter = k->keysym.sym >= 'a' && k->keysym.sym <= 'z';
    unsigned caps = k->keysym.mod & KMOD_CAPS ? INPUT_LED_CAPS : 0,
             num = k->keysym.mod & KMOD_NUM ? INPUT_LED_NUM : 0;
    unsigned code = sdl_key_code(k->keysym.scancode);

    if (code) {
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_KEY,
                                        .code = code,
                                        .symbol = letter ? (unsigned)k->keysym.sym : 0,
                                        .locks = caps | num,
                                        .down = k->state == SDL_PRESSED,
                                        .repeat = k->repeat != 0});
    }
}

static void sdl_on_button(struct sdl *s, const SDL_MouseButtonEvent *b)
{
    unsigned button = sdl_button(b->button);
    bool down = b->state == SDL_PRESSED;

    if (!button || (!down && !(s->buttons & button))) {
        return; /* let go on the picture, pressed elsewhere */
    }
    s->buttons = down ? s->buttons | button : s->buttons & ~button;
    sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_BUTTON,
                                    .x = sdl_pixel(s, b->x),
                                    .y = sdl_pixel(s, b->y),
                                    .button = button,
                                    .buttons = s->buttons,
                                    .down = down});
}

static void sdl_on_motion(struct sdl *s, const SDL_MouseMotionEvent *m)
{
    sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_MOTION,
                                    .x = sdl_pixel(s, m->x),
                                    .y = sdl_pixel(s, m->y),
                                    .dx = m->xrel,
                                    .dy = m->yrel,
                                    .buttons = s->buttons});
}

/* Touchpads scroll by fractions of a notch. */
static void sdl_on_wheel(struct sdl *s, const SDL_MouseWheelEvent *w)
{
    double notches;

    s->wheel += w->direction == SDL_MOUSEWHEEL_FLIPPED ? -w->preciseY : w->preciseY;
    notches = trunc(CLAMP(s->wheel, -100, 100));
    s->wheel -= notches;
    if (notches != 0) {
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_WHEEL,
                                        .x = sdl_pixel(s, w->mouseX),
                                        .y = sdl_pixel(s, w->mouseY),
                                        .dy = (int)notches,
                                        .buttons = s->buttons});
    }
}

static void sdl_on_size(struct sdl *s, const SDL_WindowEvent *w)
{
    /* What we asked for comes back as well, more than once. */
    if (w->event == SDL_WINDOWEVENT_RESIZED && !s->fullscreen &&
        (w->data1 != s->asked_w || w->data2 != s->asked_h)) {
        s->user_sized = true;
    }
    sdl_measure(s);
    sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_RESIZE});
}

static void sdl_on_visible(struct sdl *s, bool visible)
{
    s->hidden = !visible;
    s->dirty = true;
    sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_RESIZE});
}

static void sdl_on_window(struct sdl *s, const SDL_WindowEvent *w)
{
    switch (w->event) {
    case SDL_WINDOWEVENT_RESIZED:
    case SDL_WINDOWEVENT_SIZE_CHANGED:
        sdl_on_size(s, w);
        break;
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_HIDDEN:
        sdl_on_visible(s, false);
        break;
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_MAXIMIZED:
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_EXPOSED:
        sdl_on_visible(s, true);
        break;
    case SDL_WINDOWEVENT_FOCUS_GAINED:
    case SDL_WINDOWEVENT_FOCUS_LOST:
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_FOCUS,
                                        .down = w->event == SDL_WINDOWEVENT_FOCUS_GAINED});
        break;
    case SDL_WINDOWEVENT_LEAVE:
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_LEAVE});
        break;
    case SDL_WINDOWEVENT_CLOSE:
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_CLOSE});
        break;
    default:
        break;
    }
}

static void sdl_run_posts(struct sdl *s)
{
    GQueue calls;
    struct sdl_call *c;

    g_mutex_lock(&s->lock);
    calls = s->posts;
    g_queue_init(&s->posts);
    g_mutex_unlock(&s->lock);
    while ((c = g_queue_pop_head(&calls))) {
        c->fn(c->arg);
        g_free(c);
    }
}

static void sdl_on_event(struct sdl *s, SDL_Event *e)
{
    if (sdl_gui_event(s, e)) {
        return;
    }
    switch (e->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        sdl_on_key(s, &e->key);
        break;
    case SDL_MOUSEMOTION:
        sdl_on_motion(s, &e->motion);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        sdl_on_button(s, &e->button);
        break;
    case SDL_MOUSEWHEEL:
        sdl_on_wheel(s, &e->wheel);
        break;
    case SDL_WINDOWEVENT:
        sdl_on_window(s, &e->window);
        break;
    case SDL_DROPFILE:
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_DROP, .text = e->drop.file});
        SDL_free(e->drop.file);
        break;
    case SDL_RENDER_TARGETS_RESET:
        s->dirty = true;
        break;
    default:
        if (e->type == s->wake_event) {
            sdl_run_posts(s);
        }
        break;
    }
}

void sdl_post(struct sdl *s, void (*fn)(void *arg), void *arg)
{
    struct sdl_call *c = g_new(struct sdl_call, 1);
    bool first;

    *c = (struct sdl_call){fn, arg};
    g_mutex_lock(&s->lock);
    first = g_queue_is_empty(&s->posts);
    g_queue_push_tail(&s->posts, c);
    g_mutex_unlock(&s->lock);
    if (first) {
        SDL_PushEvent(&(SDL_Event){.type = s->wake_event});
    }
}

void sdl_run(struct sdl *s)
{
    SDL_Event e;

    while (!s->quit) {
        int wait = s->dirty || s->repaint ? 0 : sdl_gui_wait(s);
        bool some = wait < 0 ? SDL_WaitEvent(&e) : SDL_WaitEventTimeout(&e, wait);

        while (some && !s->quit) {
            sdl_on_event(s, &e);
            some = SDL_PollEvent(&e);
        }
        sdl_gui_update(s);
        if (s->dirty) {
            sdl_draw(s);
        }
    }
}

void sdl_quit(struct sdl *s)
{
    s->quit = true;
}
