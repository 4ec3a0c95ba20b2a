/*
 * The toolkit in a window on SDL: its events, its picture over the guest's, its text input.
 *
 * SDL's software renderer knows no premultiplied alpha, so what the toolkit painted is divided out
 * on its way into the texture; it is little, and seldom.
 */
#include "ui/sdl_int.h"

enum { GUI_RECTS = 16 };

static void gui_on_wake(void *of)
{
    ((struct sdl *)of)->repaint = true;
}

static void gui_set_clipboard(void *of, const char *text)
{
    (void)of;
    SDL_SetClipboardText(text);
}

static char *gui_get_clipboard(void *of)
{
    return sdl_clipboard(of);
}

/* The theme --------------------------------------------------------------------------------- */

static void theme_is_light(void *arg)
{
    gui_set_theme(((struct sdl *)arg)->gui, GUI_LIGHT);
}

/* The session bus may take its time: the window does not wait for it. */
static gpointer theme_ask(gpointer data)
{
    struct sdl *s = data;

    if (theme_of_desktop(s->asking) == GUI_LIGHT) {
        sdl_post(s, theme_is_light, s);
    }
    return NULL;
}

static void theme_begin(struct sdl *s)
{
    if (s->setup.theme == THEME_AUTO) {
        s->asking = g_cancellable_new();
        s->asks_theme = g_thread_new("theme", theme_ask, s);
    }
}

static void theme_end(struct sdl *s)
{
    if (s->asks_theme) {
        g_cancellable_cancel(s->asking);
        g_thread_join(s->asks_theme);
        g_object_unref(s->asking);
    }
}

/* ------------------------------------------------------------------------------------------- */

void sdl_gui_open(struct sdl *s)
{
    struct gui_host host = {.of = s,
                            .wake = gui_on_wake,
                            .set_clipboard = gui_set_clipboard,
                            .get_clipboard = gui_get_clipboard};

    s->gui = gui_new(&host, s->setup.theme == THEME_LIGHT ? GUI_LIGHT : GUI_DARK);
    s->tick_at = -1;
    theme_begin(s);
}

void sdl_gui_close(struct sdl *s)
{
    theme_end(s);
    if (s->widgets) {
        SDL_DestroyTexture(s->widgets);
    }
    if (s->gui) {
        gui_free(s->gui);
    }
}

double sdl_scale(const struct sdl *s)
{
    const char *told = g_getenv("GDK_SCALE");
    double scale = s->ratio;

    if (told && scale == 1) {
        scale = CLAMP(g_ascii_strtod(told, NULL), 1, 4);
    }
    return CLAMP(scale, 0.5, 4);
}

void sdl_gui_resize(struct sdl *s)
{
    int w = 0, h = 0;

    if (s->widgets) {
        SDL_QueryTexture(s->widgets, NULL, NULL, &w, &h);
    }
    if (w == s->width && h == s->height) {
        return;
    }
    if (s->widgets) {
        SDL_DestroyTexture(s->widgets);
    }
    s->widgets = SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_ARGB8888,
                                   SDL_TEXTUREACCESS_STREAMING, s->width, s->height);
    if (s->widgets) {
        SDL_SetTextureBlendMode(s->widgets, SDL_BLENDMODE_BLEND);
    }
    gui_resize(s->gui, s->width, s->height, sdl_scale(s));
    s->repaint = true;
}

static uint32_t straight(uint32_t p)
{
    uint32_t a = p >> 24, half = a / 2;

    if (a == 0 || a == 255) {
        return p;
    }
    return a << 24 | MIN(((p >> 16 & 0xff) * 255 + half) / a, 255) << 16 |
           MIN(((p >> 8 & 0xff) * 255 + half) / a, 255) << 8 |
           MIN(((p & 0xff) * 255 + half) / a, 255);
}

static void sdl_gui_upload(struct sdl *s, const struct gui_rect *r)
{
    SDL_Rect to = {r->x, r->y, r->w, r->h};
    unsigned stride;
    const uint32_t *from = gui_pixels(s->gui, &stride);
    void *pixels;
    int pitch;

    if (!s->widgets || r->w <= 0 || r->h <= 0 ||
        SDL_LockTexture(s->widgets, &to, &pixels, &pitch)) {
        return;
    }
    for (int y = 0; y < r->h; y++) {
        const uint32_t *in = from + (size_t)(r->y + y) * (stride / 4) + r->x;
        uint32_t *out = (uint32_t *)((uint8_t *)pixels + (size_t)y * (size_t)pitch);

        for (int x = 0; x < r->w; x++) {
            out[x] = straight(in[x]);
        }
    }
    SDL_UnlockTexture(s->widgets);
}

/* Text is made of keys only while a widget wants it: an input method would keep keys from the
 * guest. */
static void sdl_gui_text_input(struct sdl *s)
{
    bool wanted = gui_wants_keys(s->gui);

    if (wanted != s->text_input) {
        s->text_input = wanted;
        (wanted ? SDL_StartTextInput : SDL_StopTextInput)();
    }
}

void sdl_gui_update(struct sdl *s)
{
    struct gui_rect rects[GUI_RECTS];
    int64_t now = (int64_t)SDL_GetTicks64();
    unsigned n;
    int next;

    if (!s->repaint && (s->tick_at < 0 || now < s->tick_at)) {
        return;
    }
    next = gui_tick(s->gui, now);
    s->tick_at = next < 0 ? -1 : now + next;
    s->repaint = false;
    n = gui_paint(s->gui, rects, GUI_RECTS);
    for (unsigned i = 0; i < n; i++) {
        sdl_gui_upload(s, &rects[i]);
    }
    s->dirty |= n > 0;
    sdl_gui_text_input(s);
}

void sdl_gui_draw(struct sdl *s)
{
    struct gui_rect layers[GUI_RECTS];
    unsigned n = s->widgets ? gui_layers(s->gui, layers, GUI_RECTS) : 0;

    for (unsigned i = 0; i < n; i++) {
        SDL_Rect r = {layers[i].x, layers[i].y, layers[i].w, layers[i].h};

        SDL_RenderCopy(s->renderer, s->widgets, &r, &r);
    }
}

int sdl_gui_wait(const struct sdl *s)
{
    int64_t left = s->tick_at - (int64_t)SDL_GetTicks64();

    return s->tick_at < 0 ? -1 : (int)CLAMP(left, 0, 60000);
}

/* Events -------------------------------------------------------------------------------------- */

static unsigned button_of(unsigned button)
{
    return button == SDL_BUTTON_LEFT     ? GUI_BUTTON_LEFT
           : button == SDL_BUTTON_MIDDLE ? GUI_BUTTON_MIDDLE
           : button == SDL_BUTTON_RIGHT  ? GUI_BUTTON_RIGHT
                                         : 0;
}

static unsigned mods_of(uint16_t mod)
{
    return (mod & KMOD_SHIFT ? (unsigned)GUI_SHIFT : 0) | (mod & KMOD_CTRL ? GUI_CTRL : 0) |
           (mod & KMOD_ALT ? GUI_ALT : 0);
}

/* The event in the toolkit's words; false: there are none. */
static bool gui_event_of(struct sdl *s, const SDL_Event *e, struct gui_event *out)
{
    *out = (struct gui_event){.time = (int64_t)SDL_GetTicks64()};
    switch (e->type) {
    case SDL_MOUSEMOTION:
        out->kind = GUI_MOTION;
        out->x = sdl_pixel(s, e->motion.x);
        out->y = sdl_pixel(s, e->motion.y);
        return true;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        out->kind = e->type == SDL_MOUSEBUTTONDOWN ? GUI_PRESS : GUI_RELEASE;
        out->x = sdl_pixel(s, e->button.x);
        out->y = sdl_pixel(s, e->button.y);
        out->button = button_of(e->button.button);
        out->clicks = e->button.clicks;
        return out->button != 0;
    case SDL_MOUSEWHEEL:
        out->kind = GUI_WHEEL;
        out->x = sdl_pixel(s, e->wheel.mouseX);
        out->y = sdl_pixel(s, e->wheel.mouseY);
        out->dy = e->wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? -e->wheel.y : e->wheel.y;
        return true;
    case SDL_WINDOWEVENT:
        out->kind = GUI_LEAVE;
        return e->window.event == SDL_WINDOWEVENT_LEAVE;
    case SDL_KEYDOWN:
        out->kind = GUI_KEY;
        out->key = (unsigned)e->key.keysym.scancode;
        out->mods = mods_of(e->key.keysym.mod);
        if (e->key.keysym.sym >= 0x20 && e->key.keysym.sym < 0x110000) {
            out->sym = (uint32_t)e->key.keysym.sym;
        }
        return true;
    case SDL_TEXTINPUT:
        out->kind = GUI_TEXT;
        out->text = e->text.text;
        return true;
    default:
        return false;
    }
}

static void sdl_gui_over(struct sdl *s, bool over)
{
    if (over && !s->over_widgets) {
        sdl_tell(s, &(struct sdl_event){.kind = SDL_ON_LEAVE});
    }
    s->over_widgets = over;
}

bool sdl_gui_event(struct sdl *s, const SDL_Event *e)
{
    struct gui_event ge;
    bool key = e->type == SDL_KEYDOWN || e->type == SDL_TEXTINPUT, taken;

    if (!gui_event_of(s, e, &ge) || (key && !gui_wants_keys(s->gui)) ||
        (!key && (s->caught_pointer || s->buttons))) {
        return false;
    }
    taken = gui_event(s->gui, &ge);
    if (e->type == SDL_MOUSEMOTION) {
        sdl_gui_over(s, taken);
    }
    /* While a menu or dialog has the keyboard nothing is for the guest. */
    return e->type != SDL_WINDOWEVENT && (taken || key);
}
