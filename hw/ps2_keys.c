/*
 * Key codes: USB HID usages (Keyboard page 0x07) to the PS/2 scan code sets 1, 2 and 3, and the
 * 8042's translation.
 *
 * Follows Microsoft's "Keyboard Scan Code Specification" 1.3a (sets 1 and 2) and the IBM PS/2
 * technical reference (set 3).  Set 1 is computed from set 2 by the controller's translation, which
 * is how set 1 came to be.
 *
 * Not modelled: codes of multimedia keys in set 3 (there are none), eject (likewise).
 */
#include "hw/ps2.h"

enum { HID_PRINT_SCREEN = 0x46, HID_PAUSE = 0x48, HID_INSERT = 0x49, HID_UP = 0x52 };
enum { HID_KEYPAD_DIVIDE = 0x54 };
/* Flags: the codes have the prefix 0xe0; nothing tells that the key is let go. */
enum { E = 1, ONCE = 2 };

struct key {
    uint8_t set2, set3, flags;
};

/* By HID usage.  Print Screen and Pause are in ps2_key_codes. */
static const struct key keys[256] = {
    [0x04] = {0x1c, 0x1c, 0}, /* a */
    [0x05] = {0x32, 0x32, 0}, /* b */
    [0x06] = {0x21, 0x21, 0}, /* c */
    [0x07] = {0x23, 0x23, 0}, /* d */
    [0x08] = {0x24, 0x24, 0}, /* e */
    [0x09] = {0x2b, 0x2b, 0}, /* f */
    [0x0a] = {0x34, 0x34, 0}, /* g */
    [0x0b] = {0x33, 0x33, 0}, /* h */
    [0x0c] = {0x43, 0x43, 0}, /* i */
    [0x0d] = {0x3b, 0x3b, 0}, /* j */
    [0x0e] = {0x42, 0x42, 0}, /* k */
    [0x0f] = {0x4b, 0x4b, 0}, /* l */
    [0x10] = {0x3a, 0x3a, 0}, /* m */
    [0x11] = {0x31, 0x31, 0}, /* n */
    [0x12] = {0x44, 0x44, 0}, /* o */
    [0x13] = {0x4d, 0x4d, 0}, /* p */
    [0x14] = {0x15, 0x15, 0}, /* q */
    [0x15] = {0x2d, 0x2d, 0}, /* r */
    [0x16] = {0x1b, 0x1b, 0}, /* s */
    [0x17] = {0x2c, 0x2c, 0}, /* t */
    [0x18] = {0x3c, 0x3c, 0}, /* u */
    [0x19] = {0x2a, 0x2a, 0}, /* v */
    [0x1a] = {0x1d, 0x1d, 0}, /* w */
    [0x1b] = {0x22, 0x22, 0}, /* x */
    [0x1c] = {0x35, 0x35, 0}, /* y */
    [0x1d] = {0x1a, 0x1a, 0}, /* z */
    [0x1e] = {0x16, 0x16, 0}, /* 1 */
    [0x1f] = {0x1e, 0x1e, 0}, /* 2 */
    [0x20] = {0x26, 0x26, 0}, /* 3 */
    [0x21] = {0x25, 0x25, 0}, /* 4 */
    [0x22] = {0x2e, 0x2e, 0}, /* 5 */
    [0x23] = {0x36, 0x36, 0}, /* 6 */
    [0x24] = {0x3d, 0x3d, 0}, /* 7 */
    [0x25] = {0x3e, 0x3e, 0}, /* 8 */
    [0x26] = {0x46, 0x46, 0}, /* 9 */
    [0x27] = {0x45, 0x45, 0}, /* 0 */
    [0x28] = {0x5a, 0x5a, 0}, /* Enter */
    [0x29] = {0x76, 0x08, 0}, /* Esc */
    [0x2a] = {0x66, 0x66, 0}, /* Backspace */
    [0x2b] = {0x0d, 0x0d, 0}, /* Tab */
    [0x2c] = {0x29, 0x29, 0}, /* Space */
    [0x2d] = {0x4e, 0x4e, 0}, /* - */
    [0x2e] = {0x55, 0x55, 0}, /* = */
    [0x2f] = {0x54, 0x54, 0}, /* [ */
    [0x30] = {0x5b, 0x5b, 0}, /* ] */
    [0x31] = {0x5d, 0x5c, 0}, /* \ */
    [0x32] = {0x5d, 0x53, 0}, /* non-US-# */
    [0x33] = {0x4c, 0x4c, 0}, /* ; */
    [0x34] = {0x52, 0x52, 0}, /* ' */
    [0x35] = {0x0e, 0x0e, 0}, /* ` */
    [0x36] = {0x41, 0x41, 0}, /* , */
    [0x37] = {0x49, 0x49, 0}, /* . */
    [0x38] = {0x4a, 0x4a, 0}, /* / */
    [0x39] = {0x58, 0x14, 0}, /* CapsLock */
    [0x3a] = {0x05, 0x07, 0}, /* F1 */
    [0x3b] = {0x06, 0x0f, 0}, /* F2 */
    [0x3c] = {0x04, 0x17, 0}, /* F3 */
    [0x3d] = {0x0c, 0x1f, 0}, /* F4 */
    [0x3e] = {0x03, 0x27, 0}, /* F5 */
    [0x3f] = {0x0b, 0x2f, 0}, /* F6 */
    [0x40] = {0x83, 0x37, 0}, /* F7 */
    [0x41] = {0x0a, 0x3f, 0}, /* F8 */
    [0x42] = {0x01, 0x47, 0}, /* F9 */
    [0x43] = {0x09, 0x4f, 0}, /* F10 */
    [0x44] = {0x78, 0x56, 0}, /* F11 */
    [0x45] = {0x07, 0x5e, 0}, /* F12 */
    [0x47] = {0x7e, 0x5f, 0}, /* ScrollLock */
    [0x49] = {0x70, 0x67, E}, /* Ins */
    [0x4a] = {0x6c, 0x6e, E}, /* Home */
    [0x4b] = {0x7d, 0x6f, E}, /* PgUp */
    [0x4c] = {0x71, 0x64, E}, /* Del */
    [0x4d] = {0x69, 0x65, E}, /* End */
    [0x4e] = {0x7a, 0x6d, E}, /* PgDn */
    [0x4f] = {0x74, 0x6a, E}, /* Right */
    [0x50] = {0x6b, 0x61, E}, /* Left */
    [0x51] = {0x72, 0x60, E}, /* Down */
    [0x52] = {0x75, 0x63, E}, /* Up */
    [0x53] = {0x77, 0x76, 0}, /* NumLock */
    [0x54] = {0x4a, 0x77, E}, /* KP/ */
    [0x55] = {0x7c, 0x7e, 0}, /* KP* */
    [0x56] = {0x7b, 0x84, 0}, /* KP- */
    [0x57] = {0x79, 0x7c, 0}, /* KP+ */
    [0x58] = {0x5a, 0x79, E}, /* KPEnter */
    [0x59] = {0x69, 0x69, 0}, /* KP1 */
    [0x5a] = {0x72, 0x72, 0}, /* KP2 */
    [0x5b] = {0x7a, 0x7a, 0}, /* KP3 */
    [0x5c] = {0x6b, 0x6b, 0}, /* KP4 */
    [0x5d] = {0x73, 0x73, 0}, /* KP5 */
    [0x5e] = {0x74, 0x74, 0}, /* KP6 */
    [0x5f] = {0x6c, 0x6c, 0}, /* KP7 */
    [0x60] = {0x75, 0x75, 0}, /* KP8 */
    [0x61] = {0x7d, 0x7d, 0}, /* KP9 */
    [0x62] = {0x70, 0x70, 0}, /* KP0 */
    [0x63] = {0x71, 0x71, 0}, /* KP. */
    [0x64] = {0x61, 0x13, 0}, /* non-US-\ */
    [0x65] = {0x2f, 0x8d, E}, /* Menu */
    [0x66] = {0x37, 0, E},    /* Power */
    [0x67] = {0x0f, 0, 0},    /* KP= */
    [0x68] = {0x08, 0, 0},    /* F13 */
    [0x69] = {0x10, 0, 0},    /* F14 */
    [0x6a] = {0x18, 0, 0},    /* F15 */
    [0x6b] = {0x20, 0, 0},    /* F16 */
    [0x6c] = {0x28, 0, 0},    /* F17 */
    [0x6d] = {0x30, 0, 0},    /* F18 */
    [0x6e] = {0x38, 0, 0},    /* F19 */
    [0x6f] = {0x40, 0, 0},    /* F20 */
    [0x70] = {0x48, 0, 0},    /* F21 */
    [0x71] = {0x50, 0, 0},    /* F22 */
    [0x72] = {0x57, 0, 0},    /* F23 */
    [0x73] = {0x5f, 0, 0},    /* F24 */
    [0x7f] = {0x23, 0, E},    /* Mute */
    [0x80] = {0x32, 0, E},    /* louder */
    [0x81] = {0x21, 0, E},    /* softer */
    [0x85] = {0x6d, 0, 0},    /* KP, */
    [0x87] = {0x51, 0x51, 0}, /* Ro */
    [0x88] = {0x13, 0x87, 0}, /* Kana */
    [0x89] = {0x6a, 0x5d, 0}, /* Yen */
    [0x8a] = {0x64, 0x86, 0}, /* Henkan */
    [0x8b] = {0x67, 0x85, 0}, /* Muhenkan */
    [0x90] = {0xf2, 0, ONCE}, /* Hangul */
    [0x91] = {0xf1, 0, ONCE}, /* Hanja */
    [0x92] = {0x63, 0, 0},    /* Katakana */
    [0x93] = {0x62, 0, 0},    /* Hiragana */
    [0x94] = {0x5f, 0, 0},    /* Zenkaku */
    [0xe0] = {0x14, 0x11, 0}, /* LeftCtrl */
    [0xe1] = {0x12, 0x12, 0}, /* LeftShift */
    [0xe2] = {0x11, 0x19, 0}, /* LeftAlt */
    [0xe3] = {0x1f, 0x8b, E}, /* LeftGui */
    [0xe4] = {0x14, 0x58, E}, /* RightCtrl */
    [0xe5] = {0x59, 0x59, 0}, /* RightShift */
    [0xe6] = {0x11, 0x39, E}, /* RightAlt */
    [0xe7] = {0x27, 0x8c, E}, /* RightGui */
    [INPUT_KEY_PLAY] = {0x34, 0, E},
    [INPUT_KEY_STOP] = {0x3b, 0, E},
    [INPUT_KEY_PREVIOUS] = {0x15, 0, E},
    [INPUT_KEY_NEXT] = {0x4d, 0, E},
    [INPUT_KEY_WWW] = {0x3a, 0, E},
    [INPUT_KEY_BACK] = {0x38, 0, E},
    [INPUT_KEY_FORWARD] = {0x30, 0, E},
    [INPUT_KEY_BROWSER_STOP] = {0x28, 0, E},
    [INPUT_KEY_SEARCH] = {0x10, 0, E},
    [INPUT_KEY_SLEEP] = {0x3f, 0, E},
    [INPUT_KEY_WAKE] = {0x5e, 0, E},
    [INPUT_KEY_REFRESH] = {0x20, 0, E},
    [INPUT_KEY_CALCULATOR] = {0x2b, 0, E},
    [INPUT_KEY_MAIL] = {0x48, 0, E},
    [INPUT_KEY_MEDIA] = {0x50, 0, E},
    [INPUT_KEY_COMPUTER] = {0x40, 0, E},
    [INPUT_KEY_FAVORITES] = {0x18, 0, E},
};

/* The 8042's table for codes 0x00..0x84; the rest passes unchanged. */
static const uint8_t translation[0x85] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58,
    0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, /* 00 */
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a,
    0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, /* 10 */
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c,
    0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, /* 20 */
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e,
    0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, /* 30 */
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60,
    0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, /* 40 */
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e,
    0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, /* 50 */
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b,
    0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, /* 60 */
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
    0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, /* 70 */
    0x80, 0x81, 0x82, 0x41, 0x54,                   /* 80 */
};

uint8_t ps2_translate(uint8_t set2)
{
    return set2 < sizeof translation ? translation[set2] : set2;
}

static unsigned put(uint8_t *out, const char *codes, unsigned n)
{
    memcpy(out, codes, n);
    return n;
}

/* Pause sends make and break at once when pressed, and nothing when released. */
static unsigned pause_codes(unsigned set, bool down, struct ps2_mods mods, uint8_t *out)
{
    if (!down) {
        return set == 3 ? put(out, "\xf0\x62", 2) : 0;
    }
    if (set == 3) {
        return put(out, "\x62", 1);
    }
    if (mods.ctrl) { /* Break */
        return set == 1 ? put(out, "\xe0\x46\xe0\xc6", 4) : put(out, "\xe0\x7e\xe0\xf0\x7e", 5);
    }
    return set == 1 ? put(out, "\xe1\x1d\x45\xe1\x9d\xc5", 6)
                    : put(out, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77", 8);
}

/* Print Screen comes with a fake shift; with Alt it is SysRq, with Ctrl or Shift the fake shift is
 * left out. */
static unsigned print_codes(unsigned set, bool down, struct ps2_mods mods, uint8_t *out)
{
    if (set == 3) {
        return down ? put(out, "\x57", 1) : put(out, "\xf0\x57", 2);
    }
    if (mods.alt) {
        if (set == 1) {
            return down ? put(out, "\x54", 1) : put(out, "\xd4", 1);
        }
        return down ? put(out, "\x84", 1) : put(out, "\xf0\x84", 2);
    }
    if (mods.ctrl || mods.left_shift || mods.right_shift) {
        if (set == 1) {
            return down ? put(out, "\xe0\x37", 2) : put(out, "\xe0\xb7", 2);
        }
        return down ? put(out, "\xe0\x7c", 2) : put(out, "\xe0\xf0\x7c", 3);
    }
    if (set == 1) {
        return down ? put(out, "\xe0\x2a\xe0\x37", 4) : put(out, "\xe0\xb7\xe0\xaa", 4);
    }
    return down ? put(out, "\xe0\x12\xe0\x7c", 4) : put(out, "\xe0\xf0\x7c\xe0\xf0\x12", 6);
}

/* A code of set 2 or 1 with its prefixes. */
static unsigned plain_codes(unsigned set, bool down, uint8_t set2, bool extended, uint8_t *out)
{
    unsigned n = 0;

    if (extended) {
        out[n++] = 0xe0;
    }
    if (set == 1) {
        out[n++] = ps2_translate(set2) | (down ? 0 : 0x80);
        return n;
    }
    if (!down) {
        out[n++] = 0xf0;
    }
    out[n++] = set2;
    return n;
}

/*
 * The keys that the AT's keyboard had on the keypad only: programs that know no prefix must see the
 * keypad's, in the state in which it moves and does not type.  So with Num Lock a shift is feigned,
 * and shifts that are held are feigned to be up; and taken back when the key is let go.
 */
static unsigned fake_shifts(unsigned hid, unsigned set, bool begin, struct ps2_mods mods,
                            uint8_t *out)
{
    bool grey = hid >= HID_INSERT && hid <= HID_UP, shift = mods.left_shift || mods.right_shift;
    unsigned n = 0;

    if (grey && mods.num && !shift) {
        return plain_codes(set, begin, 0x12, true, out);
    }
    if ((grey && !mods.num) || hid == HID_KEYPAD_DIVIDE) {
        n += mods.left_shift ? plain_codes(set, !begin, 0x12, true, out) : 0;
        n += mods.right_shift ? plain_codes(set, !begin, 0x59, true, out + n) : 0;
    }
    return n;
}

bool ps2_key_minds_mods(unsigned hid)
{
    return (hid >= HID_INSERT && hid <= HID_UP) || hid == HID_KEYPAD_DIVIDE ||
           hid == HID_PRINT_SCREEN;
}

enum ps2_key_class ps2_key_set3_class(unsigned hid)
{
    switch (hid) {
    case 0xe0 ... 0xe2: /* left modifiers, right Shift, Caps Lock */
    case 0xe5:
    case 0x39:
        return PS2_KEY_MAKE_BREAK;
    case 0x29:          /* Esc */
    case 0x3a ... 0x4b: /* F1 to Page Up */
    case 0x4d:          /* End, Page Down */
    case 0x4e:
    case 0x53 ... 0x56: /* the keypad but + */
    case 0x58 ... 0x63:
    case 0x65: /* Menu, right Ctrl, right Alt, the Windows keys */
    case 0xe3:
    case 0xe4:
    case 0xe6:
    case 0xe7:
        return PS2_KEY_MAKE_ONLY;
    default:
        return PS2_KEY_TYPEMATIC;
    }
}

uint8_t ps2_key_set3(unsigned hid)
{
    return hid == HID_PAUSE ? 0x62 : hid == HID_PRINT_SCREEN ? 0x57 : keys[hid & 255].set3;
}

unsigned ps2_key_codes(unsigned hid, unsigned set, bool down, struct ps2_mods mods, uint8_t *out)
{
    const struct key *k = &keys[hid & 255];
    unsigned n = 0;

    if (hid == HID_PAUSE) {
        return pause_codes(set, down, mods, out);
    }
    if (hid == HID_PRINT_SCREEN) {
        return print_codes(set, down, mods, out);
    }
    if (set == 3) {
        if (k->set3 && !down) {
            out[n++] = 0xf0;
        }
        if (k->set3) {
            out[n++] = k->set3;
        }
        return n;
    }
    if (!k->set2 || (k->flags & ONCE && !down)) {
        return 0;
    }
    if (down) {
        n = fake_shifts(hid, set, true, mods, out);
    }
    n += plain_codes(set, down || k->flags & ONCE, k->set2, k->flags & E, out + n);
    if (!down) {
        n += fake_shifts(hid, set, false, mods, out + n);
    }
    return n;
}
