/*
 * A line editor for the monitor: bytes of a peer go in, lines and what its screen shall show come
 * out.
 *
 * With editing on, the peer is a person at a terminal in raw mode: what is typed is echoed, and
 * cursor keys, history and completion work.  With editing off it is a program, or a terminal that
 * edits lines itself: lines are taken as they come and nothing is echoed.
 */
#ifndef CANDELA_UI_LINEEDIT_H
#define CANDELA_UI_LINEEDIT_H

#include "hw/core/base.h"

enum { LINEEDIT_MAX = 1023 }; /* bytes of a line */

enum line_event {
    LINE_MORE,     /* nothing to do */
    LINE_DONE,     /* Enter: the line is in lineedit_text; lineedit_next when it was used */
    LINE_TOO_LONG, /* a line without editing that did not fit: it must not be run */
    LINE_COMPLETE, /* Tab: lineedit_insert may be called */
    LINE_CANCEL,   /* Ctrl-C: the line is empty again, and the prompt is due */
};

struct lineedit;

/* What the peer shall see is appended to `out`, which outlives the editor. */
struct lineedit *lineedit_new(const char *prompt, GString *out);
void lineedit_free(struct lineedit *e);
void lineedit_set_editing(struct lineedit *e, bool on);
bool lineedit_is_editing(const struct lineedit *e);

enum line_event lineedit_take(struct lineedit *e, uint8_t byte);
/* The line, and how many bytes of it are left of the cursor. */
const char *lineedit_text(const struct lineedit *e);
size_t lineedit_cursor(const struct lineedit *e);
/* Put text at the cursor as if it had been typed; what does not fit is left out. */
void lineedit_insert(struct lineedit *e, const char *text);
/* Show the prompt and the line (again). */
void lineedit_show(struct lineedit *e);
/* After LINE_DONE: into the history (if editing), and an empty line. */
void lineedit_next(struct lineedit *e);
/* Another peer: an empty line, and no history. */
void lineedit_reset(struct lineedit *e);

#endif
