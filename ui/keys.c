/*
 * Keys by name.
 *
 * Codes follow the USB HID Usage Tables 1.12, section 10; which keys exist is hw/ps2_keys.c's
 * business.
 *
 * Not here: keys of other layouts than US (their places are the same).
 */
#include "ui/keys.h"
#include "ui/parse.h"

/* Several names may stand for one key: QEMU's first. */
static const struct {
    const char *name;
    uint8_t code;
} key_names[] = {
    {"ctrl", 0xe0},         {"shift", 0xe1},        {"alt", 0xe2},
    {"meta_l", 0xe3},       {"ctrl_r", 0xe4},       {"shift_r", 0xe5},
    {"alt_r", 0xe6},        {"meta_r", 0xe7},       {"win", 0xe3},
    {"altgr", 0xe6},        {"ret", 0x28},          {"enter", 0x28},
    {"esc", 0x29},          {"backspace", 0x2a},    {"tab", 0x2b},
    {"spc", 0x2c},          {"space", 0x2c},        {"minus", 0x2d},
    {"equal", 0x2e},        {"bracket_left", 0x2f}, {"bracket_right", 0x30},
    {"backslash", 0x31},    {"semicolon", 0x33},    {"apostrophe", 0x34},
    {"grave_accent", 0x35}, {"comma", 0x36},        {"dot", 0x37},
    {"slash", 0x38},        {"caps_lock", 0x39},    {"caps", 0x39},
    {"f1", 0x3a},           {"f2", 0x3b},           {"f3", 0x3c},
    {"f4", 0x3d},           {"f5", 0x3e},           {"f6", 0x3f},
    {"f7", 0x40},           {"f8", 0x41},           {"f9", 0x42},
    {"f10", 0x43},          {"f11", 0x44},          {"f12", 0x45},
    {"print", 0x46},        {"sysrq", 0x46},        {"scroll_lock", 0x47},
    {"scroll", 0x47},       {"pause", 0x48},        {"insert", 0x49},
    {"home", 0x4a},         {"pgup", 0x4b},         {"pageup", 0x4b},
    {"delete", 0x4c},       {"end", 0x4d},          {"pgdn", 0x4e},
    {"pagedown", 0x4e},     {"right", 0x4f},        {"left", 0x50},
    {"down", 0x51},         {"up", 0x52},           {"num_lock", 0x53},
    {"numlock", 0x53},      {"kp_divide", 0x54},    {"kp_multiply", 0x55},
    {"asterisk", 0x55},     {"kp_subtract", 0x56},  {"kp_add", 0x57},
    {"kp_enter", 0x58},     {"kp_1", 0x59},         {"kp_2", 0x5a},
    {"kp_3", 0x5b},         {"kp_4", 0x5c},         {"kp_5", 0x5d},
    {"kp_6", 0x5e},         {"kp_7", 0x5f},         {"kp_8", 0x60},
    {"kp_9", 0x61},         {"kp_0", 0x62},         {"kp_decimal", 0x63},
    {"less", 0x64},         {"menu", 0x65},         {"compose", 0x65},
    {"power", 0x66},        {"kp_equals", 0x67},    {"mute", 0x7f},
    {"volumeup", 0x80},     {"volumedown", 0x81},   {"kp_comma", 0x85},
    {"ro", 0x87},           {"hiragana", 0x88},     {"yen", 0x89},
    {"henkan", 0x8a},       {"muhenkan", 0x8b},     {"lang1", 0x90},
    {"lang2", 0x91},        {"audioplay", 0xe8},    {"audiostop", 0xe9},
    {"audioprev", 0xea},    {"audionext", 0xeb},    {"ac_home", 0xf0},
    {"ac_back", 0xf1},      {"ac_forward", 0xf2},   {"find", 0xf4},
    {"sleep", 0xf8},        {"wake", 0xf9},         {"ac_refresh", 0xfa},
    {"calculator", 0xfb},   {"mail", 0xfc},         {"mediaselect", 0xfd},
    {"computer", 0xfe},     {"ac_bookmarks", 0xff},
};

uint8_t key_find(const char *name)
{
    char ch = g_ascii_tolower(name[0]);

    if (ch >= 'a' && ch <= 'z' && !name[1]) {
        return (uint8_t)(0x04 + ch - 'a');
    }
    if (ch >= '0' && ch <= '9' && !name[1]) {
        return (uint8_t)(ch == '0' ? 0x27 : 0x1e + ch - '1');
    }
    for (unsigned i = 0; i < ARRAY_LEN(key_names); i++) {
        if (!g_ascii_strcasecmp(name, key_names[i].name)) {
            return key_names[i].code;
        }
    }
    return 0;
}

const char *key_name(unsigned n)
{
    return n < ARRAY_LEN(key_names) ? key_names[n].name : NULL;
}

unsigned keys_parse_combo(const char *text, uint8_t codes[KEYS_COMBO_MAX], GError **err)
{
    g_auto(GStrv) names = g_strsplit(text, "-", KEYS_COMBO_MAX + 2);
    unsigned n = 0;

    for (char **name = names; *name; name++) {
        uint8_t code = key_find(*name);

        if (!code) {
            parse_fail(err, "unknown key '%.32s'; keys are named as in f12, up, ctrl-alt-delete",
                       *name);
            return 0;
        }
        if (n == KEYS_COMBO_MAX) {
            parse_fail(err, "at most %d keys together", KEYS_COMBO_MAX);
            return 0;
        }
        codes[n++] = code;
    }
    if (!n) {
        parse_fail(err, "no key is named");
    }
    return n;
}
