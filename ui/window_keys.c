/*
 * The keyboard of a window: the host key and its shortcuts, and the keys that are down.
 */
#include "ui/window_keys.h"
#include "hw/core/input.h"

enum {
    HID_A = 0x04,
    HID_ENTER = 0x28,
    HID_SLASH = 0x38,
    HID_CAPS_LOCK = 0x39,
    HID_DELETE = 0x4c,
    HID_NUM_LOCK = 0x53,
    HID_KP_ENTER = 0x58,
    HID_MODIFIERS = 0xe0, /* to 0xe7 */
};
#define HID_LETTER(ch) (HID_A + (ch) - 'a')
#define MODIFIER(code) (1u << ((code)-HID_MODIFIERS))
enum {
    ANY_CTRL = 1 << 0 | 1 << 4,
    LEFT_ALT = 1 << 2, /* the right one is AltGr to most of Europe */
};

static const struct host_key host_keys[] = {
    {"right-ctrl", "Right Ctrl", "as VirtualBox", 0xe4, 0},
    {"right-alt", "Right Alt", "as Virtual PC; AltGr does not reach the guest", 0xe6, 0},
    {"ctrl-alt-g", "Ctrl+Alt+G", "as QEMU: G catches and releases, Ctrl+Alt goes with shortcuts", 0,
     HID_LETTER('g')},
    {"ctrl-alt", "Ctrl+Alt", "as VMware", 0, 0},
    {"right-shift", "Right Shift", "", 0xe5, 0},
    {"right-super", "Right Super", "", 0xe7, 0},
    {"menu", "Menu", "the key beside right Ctrl", 0x65, 0},
    {"scroll-lock", "Scroll Lock", "", 0x47, 0},
    {"f12", "F12", "", 0x45, 0},
};

static const struct shortcut shortcuts[] = {
    {ACTION_MENU, HID_LETTER('m'), "M", "the menu"},
    {ACTION_FULLSCREEN, HID_LETTER('f'), "F", "full screen, and back"},
    {ACTION_FULLSCREEN, HID_ENTER, "Enter", "the same"},
    {ACTION_FULLSCREEN, HID_KP_ENTER, NULL, NULL},
    {ACTION_SCALING, HID_LETTER('c'), "C", "scaling: smooth, sharp, integer"},
    {ACTION_ORIGINAL_SIZE, HID_LETTER('u'), "U", "the window as large as the guest's screen"},
    {ACTION_CTRL_ALT_DEL, HID_DELETE, "Del", "Ctrl+Alt+Del for the guest"},
    {ACTION_PASTE, HID_LETTER('v'), "V", "type the clipboard's text"},
    {ACTION_SCREENSHOT, HID_LETTER('e'), "E", "screenshot"},
    {ACTION_PAUSE, HID_LETTER('p'), "P", "pause, and go on"},
    {ACTION_RESET, HID_LETTER('r'), "R", "reset"},
    {ACTION_POWER_BUTTON, HID_LETTER('h'), "H", "press the power button"},
    {ACTION_HELP, HID_SLASH, "?", "these shortcuts"},
    {ACTION_CLOSE, HID_LETTER('q'), "Q", "close"},
};

const struct host_key *host_key_at(unsigned n)
{
    return n < ARRAY_LEN(host_keys) ? &host_keys[n] : NULL;
}

const struct host_key *host_key_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(host_keys); i++) {
        if (!g_ascii_strcasecmp(name, host_keys[i].name)) {
            return &host_keys[i];
        }
    }
    return NULL;
}

const struct shortcut *shortcut_at(unsigned n)
{
    return n < ARRAY_LEN(shortcuts) ? &shortcuts[n] : NULL;
}

/* What is held with a shortcut's key: without the key that only catches. */
static const char *host_prefix(const struct host_key *host)
{
    return host->code ? host->label : "Ctrl+Alt";
}

char *shortcut_row_label(const struct host_key *host, const struct shortcut *s)
{
    return g_strdup_printf("%s+%s", host_prefix(host), s->key);
}

char *shortcut_label(const struct host_key *host, enum window_action action)
{
    if (action == ACTION_CATCH) {
        return g_strdup(host->label);
    }
    for (unsigned i = 0; i < ARRAY_LEN(shortcuts); i++) {
        if (shortcuts[i].action == action) {
            return shortcut_row_label(host, &shortcuts[i]);
        }
    }
    return g_strdup("");
}

/* Keys ---------------------------------------------------------------------------------------- */

static bool set_has(const uint64_t *set, unsigned code)
{
    return code < 256 && (set[code / 64] >> code % 64 & 1);
}

static void set_put(uint64_t *set, unsigned code, bool on)
{
    uint64_t bit = 1ull << code % 64;

    set[code / 64] = on ? set[code / 64] | bit : set[code / 64] & ~bit;
}

static bool is_modifier(unsigned code)
{
    return code >= HID_MODIFIERS && code < HID_MODIFIERS + 8;
}

/* Locks --------------------------------------------------------------------------------------- */

static const struct {
    unsigned code, light;
} locks[] = {{HID_CAPS_LOCK, INPUT_LED_CAPS}, {HID_NUM_LOCK, INPUT_LED_NUM}};
static_assert(ARRAY_LEN(locks) == ARRAY_LEN(((struct window_keys *)NULL)->unanswered), "one each");
/* A guest without lights is asked an even number of times, which leaves it as it was. */
enum { UNANSWERED_MOST = 2 };

void window_keys_host_locks(struct window_keys *k, unsigned on)
{
    k->host_locks = on;
}

void window_keys_guest_locks(struct window_keys *k, unsigned lights)
{
    if (lights == k->guest_locks) {
        return;
    }
    k->guest_locks = lights;
    memset(k->unanswered, 0, sizeof k->unanswered);
    /* What answers a key that was pressed must not be answered: more of them may be on their way.
     * Other changes are the guest's own, as when its system starts. */
    k->locks_due |= !k->lock_sent;
    k->lock_sent = false;
}

void window_keys_come_back(struct window_keys *k)
{
    k->locks_due = true;
}

/* Before `code` goes down at the guest. */
static void keys_match_locks(struct window_keys *k, unsigned code)
{
    bool due = k->locks_due;

    k->locks_due = false;
    for (unsigned i = 0; i < ARRAY_LEN(locks); i++) {
        /* The host's is that after the key, if it is this one. */
        bool host = ((k->host_locks & locks[i].light) != 0) != (code == locks[i].code);
        bool guest = k->guest_locks & locks[i].light;

        k->lock_sent |= code == locks[i].code;
        if (due && host != guest && k->unanswered[i] < UNANSWERED_MOST) {
            k->unanswered[i]++;
            k->lock_sent = true;
            k->key(k->opaque, locks[i].code, true);
            k->key(k->opaque, locks[i].code, false);
        }
    }
}

/* --------------------------------------------------------------------------------------------- */

static void keys_to_guest(struct window_keys *k, unsigned code, bool down)
{
    if (down) {
        keys_match_locks(k, code);
    }
    set_put(k->down, code, down);
    k->key(k->opaque, code, down);
}

static void keys_let_go(struct window_keys *k)
{
    for (unsigned code = 0; code < 256; code++) {
        if (set_has(k->down, code)) {
            keys_to_guest(k, code, false);
        }
    }
}

void window_keys_release(struct window_keys *k)
{
    keys_let_go(k);
    memset(k->taken, 0, sizeof k->taken);
    k->modifiers = 0;
    k->host_down = k->host_used = false;
}

void window_keys_used(struct window_keys *k)
{
    k->host_used = true;
}

static bool keys_have_chord(const struct window_keys *k)
{
    return (k->modifiers & ANY_CTRL) && (k->modifiers & LEFT_ALT);
}

static bool keys_is_host(const struct window_keys *k)
{
    return k->host->code ? k->host_down : keys_have_chord(k);
}

/* What a key pressed with the host key held asks for. */
static enum window_action keys_action(const struct window_keys *k, unsigned code, unsigned symbol)
{
    if (symbol >= 'a' && symbol <= 'z') {
        code = HID_LETTER(symbol);
    }
    if (!k->host->code && k->host->toggle == code) {
        return ACTION_CATCH;
    }
    for (unsigned i = 0; i < ARRAY_LEN(shortcuts); i++) {
        if (shortcuts[i].code == code) {
            return shortcuts[i].action;
        }
    }
    return ACTION_NONE;
}

static void keys_note_modifier(struct window_keys *k, unsigned code, bool down)
{
    if (is_modifier(code)) {
        k->modifiers = down ? k->modifiers | MODIFIER(code) : k->modifiers & ~MODIFIER(code);
    }
}

/* The host key itself, when it is one key. */
static void keys_host_event(struct window_keys *k, bool down, bool repeat)
{
    bool tapped = k->host_down && !k->host_used;

    if (repeat) {
        return;
    }
    k->host_down = down;
    if (down) {
        k->host_used = false;
    } else if (tapped) {
        keys_let_go(k);
        k->action(k->opaque, ACTION_CATCH);
    }
}

/* Ctrl+Alt as the host key: pressed and let go with nothing between is a tap. */
static void keys_chord_event(struct window_keys *k, unsigned code, bool was, bool is)
{
    if (!was && is) {
        k->host_used = false;
    } else if (was && !is && !k->host_used && !k->host->toggle) {
        k->host_used = true;
        keys_let_go(k);
        k->action(k->opaque, ACTION_CATCH);
    } else if (code < HID_MODIFIERS) {
        k->host_used = true;
    }
}

static bool keys_shortcut(struct window_keys *k, unsigned code, unsigned symbol)
{
    enum window_action action = keys_action(k, code, symbol);

    if (action == ACTION_NONE && !k->host->code) {
        return false; /* Ctrl+Alt+F1 and the like are the guest's */
    }
    k->host_used = true;
    set_put(k->taken, code, true);
    if (action != ACTION_NONE) {
        keys_let_go(k);
        k->action(k->opaque, action);
    }
    return true;
}

/* Of a key that is pressed: whether it is no matter of the guest's. */
static bool keys_take(struct window_keys *k, unsigned code, unsigned symbol)
{
    if (is_modifier(code)) {
        return false;
    }
    if (keys_is_host(k)) {
        return keys_shortcut(k, code, symbol);
    }
    if (k->caught && keys_have_chord(k) && (symbol ? symbol == 'g' : code == HID_LETTER('g'))) {
        set_put(k->taken, code, true);
        keys_let_go(k);
        k->action(k->opaque, ACTION_CATCH);
        return true;
    }
    return false;
}

void window_keys_event(struct window_keys *k, unsigned code, unsigned symbol, bool down,
                       bool repeat)
{
    bool was = keys_have_chord(k);

    if (code == 0 || code > 0xff) {
        return;
    }
    keys_note_modifier(k, code, down);
    if (code == k->host->code) {
        keys_host_event(k, down, repeat);
        return;
    }
    if (!k->host->code) {
        keys_chord_event(k, code, was, keys_have_chord(k));
    }
    if (set_has(k->taken, code)) {
        set_put(k->taken, code, down);
        return;
    }
    if (down && !repeat && keys_take(k, code, symbol)) {
        return;
    }
    /* The guest's keyboard repeats by itself; a release of what it never saw go down is nothing to
     * it. */
    if (down ? !repeat && !set_has(k->down, code) : set_has(k->down, code)) {
        keys_to_guest(k, code, down);
    }
}
