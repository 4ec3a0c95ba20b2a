/*
 * Pasting: text typed as the key strokes of a US keyboard, as fast as the guest takes them.
 *
 *     struct paste *p = paste_start(m, text, on_end, window, &err);
 *
 * All calls with the machine lock held (a loop_post is the way there).
 *
 * Not here: other keyboard layouts (the guest must use the US one, or text comes out wrong),
 * reading the clipboard.
 */
#ifndef CANDELA_UI_PASTE_H
#define CANDELA_UI_PASTE_H

#include "hw/core/machine.h"

enum { PASTE_MAX = 64 * 1024 }; /* characters at once */

struct paste;
/*
 * Begin to type `text` (UTF-8; line ends of all kinds are Enter).  NULL with a CONFIG error when
 * nothing in it can be typed, it is too long, or the machine has no keyboard.  `done`(arg) is
 * called in the I/O thread, lock held, when the last character is typed; it may free the object.
 */
struct paste *paste_start(struct machine *m, const char *text, void (*done)(void *arg), void *arg,
                          GError **err);
/* One step, as the I/O thread makes it every few milliseconds: false when all is typed (and after
 * that nothing more).  For tests. */
bool paste_tick(struct paste *p);
/* Characters still to be typed. */
unsigned paste_left(const struct paste *p);
/*
 * What was left out because no key of a US keyboard gives it: how many characters, and if `some` is
 * not NULL the first few different ones (UTF-8; g_free).
 */
unsigned paste_skipped(const struct paste *p, char **some);
/* Stop typing, if it is not done, and free; NULL is allowed. */
void paste_free(struct paste *p);

#endif
