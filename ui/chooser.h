/*
 * A dialog to choose a file: a folder's list, and the path to type.
 */
#ifndef CANDELA_UI_CHOOSER_H
#define CANDELA_UI_CHOOSER_H

#include "ui/gui/gui.h"

struct chooser_ask {
    const char *title;
    const char *folder;   /* to start in; NULL: the home folder */
    const char *patterns; /* "*.iso;*.img": others are shown on demand; NULL: all */
};

/* `fn` is called once, with NULL when it was cancelled; never when the gui goes first. */
void chooser_open(struct gui *g, const struct chooser_ask *ask,
                  void (*fn)(void *of, const char *path), void *of);

#endif
