/*
 * Input: from the window or a script to the machine's keyboard and pointer.
 *
 * Codes are those of the USB HID Usage Tables 1.12, section 10 (Keyboard/Keypad page).  Not
 * modelled: keyboard layouts other than US (a host that types text for another layout sends the
 * codes itself).
 */
#include "hw/core/machine.h"

#define HID_LEFT_SHIFT 0xe1
#define HID_LEFT_CTRL  0xe0
#define HID_FIRST      0x04

/* The characters of keys 0x04 to 0x38, without and with Shift; \1: none there. */
static const char keys_plain[] = "abcdefghijklmnopqrstuvwxyz1234567890\n\033\b\t -=[]\\\1;'`,./";
static const char keys_shift[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\1\1\1\1\1_+{}|\1:\"~<>?";
static_assert(sizeof keys_plain == 0x39 - HID_FIRST + 1, "one character per key");
static_assert(sizeof keys_shift == sizeof keys_plain, "one character per key");

void input_key(struct machine *m, unsigned hid_code, bool down)
{
    if (m->input && m->input->key) {
        m->input->key(m->input_dev, hid_code, down);
    }
}

void input_pointer(struct machine *m, int dx, int dy, int wheel, unsigned buttons)
{
    if (input_has_tablet(m)) {
        m->tablet->motion(m->tablet_dev, dx, dy, wheel, buttons);
    } else if (m->input && m->input->pointer) {
        m->input->pointer(m->input_dev, dx, dy, wheel, buttons);
    }
}

bool input_has_tablet(struct machine *m)
{
    return m->tablet && m->tablet->is_on(m->tablet_dev);
}

void input_tablet(struct machine *m, unsigned x, unsigned y, int wheel, unsigned buttons)
{
    if (input_has_tablet(m)) {
        m->tablet->move(m->tablet_dev, MIN(x, TABLET_MAX), MIN(y, TABLET_MAX), wheel, buttons);
    }
}

void input_release_all(struct machine *m)
{
    if (m->input && m->input->release) {
        m->input->release(m->input_dev);
    }
    if (m->tablet) {
        m->tablet->release(m->tablet_dev);
    }
}

unsigned input_leds(struct machine *m)
{
    return m->input && m->input->leds ? m->input->leds(m->input_dev) : 0;
}

/* Key code and modifier (a HID code, or 0) of an ASCII character; 0: no key. */
static unsigned input_key_of_char(char ch, unsigned *modifier)
{
    const char *at;

    *modifier = 0;
    if (ch == '\r' || ch == 0x7f) {
        ch = ch == '\r' ? '\n' : '\b';
    }
    if (ch > 1 && (at = strchr(keys_plain, ch))) {
        return HID_FIRST + (unsigned)(at - keys_plain);
    }
    if (ch > 1 && (at = strchr(keys_shift, ch))) {
        *modifier = HID_LEFT_SHIFT;
        return HID_FIRST + (unsigned)(at - keys_shift);
    }
    if (ch >= 1 && ch <= 26) {
        *modifier = HID_LEFT_CTRL;
        return HID_FIRST + (unsigned)ch - 1;
    }
    return 0;
}

bool input_type_char(struct machine *m, char ch)
{
    unsigned modifier;
    unsigned code = input_key_of_char(ch, &modifier);

    if (!code) {
        return false;
    }
    if (g_ascii_isalpha(ch) && (input_leds(m) & INPUT_LED_CAPS)) {
        modifier ^= HID_LEFT_SHIFT;
    }
    if (modifier) {
        input_key(m, modifier, true);
    }
    input_key(m, code, true);
    input_key(m, code, false);
    if (modifier) {
        input_key(m, modifier, false);
    }
    return true;
}
