/*
 * The socket by which `candela ctl` and windows command a running machine: commands of the monitor,
 * with answers a program can take apart.
 *
 * A request is a line "FOLDER COMMAND\n" with the lengths of what follows: the folder where
 * relative names of files in the command start, and the command.  The answer is a line "STATUS TEXT
 * ERROR\n", STATUS "ok" or "error", with the lengths of the text and of the error message that
 * follow.  One peer at a time is served; requests of one peer are answered in order.
 */
#ifndef CANDELA_UI_LIBRARY_CONTROL_H
#define CANDELA_UI_LIBRARY_CONTROL_H

#include "ui/monitor_cmd.h"

enum { CONTROL_PART_MAX = 8192 }; /* bytes of a folder, of a command */

struct control;
/* For the peers of that stream.  Machine lock held, or before the machine runs. */
struct control *control_new(struct machine *m, struct chr *c);
/* After machine_stop, before machine_free. */
void control_free(struct control *ctl);

#endif
