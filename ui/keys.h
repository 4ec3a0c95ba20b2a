/*
 * Keys by name, as --type and the monitor's sendkey take them: QEMU's names ("ctrl", "ret", "spc",
 * "pgup") and plainer ones for the same ("enter", "space", "pageup").
 */
#ifndef CANDELA_UI_KEYS_H
#define CANDELA_UI_KEYS_H

#include "hw/core/base.h"

enum { KEYS_COMBO_MAX = 8 };

/* The USB HID usage of a key; case does not matter; 0: there is none of that name. */
uint8_t key_find(const char *name);
/* The n-th name, but those of one letter or digit; NULL after the last. */
const char *key_name(unsigned n);
/*
 * "ctrl-alt-delete": the keys to be held together, in order.  Gives how many, at most
 * KEYS_COMBO_MAX; 0 with a CONFIG error.
 */
unsigned keys_parse_combo(const char *text, uint8_t codes[KEYS_COMBO_MAX], GError **err);

#endif
