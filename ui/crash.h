/*
 * The terminal after a crash: raw mode would make it look dead.
 */
#ifndef CANDELA_UI_CRASH_H
#define CANDELA_UI_CRASH_H

#include <termios.h>

/*
 * From now on a signal that ends the program at once gives standard input these settings first;
 * NULL: no more.  Call from one thread at a time.
 */
void crash_guard_terminal(const struct termios *saved);

#endif
