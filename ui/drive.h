/*
 * Drives on the command line: -hda and its like, the long form -drive, and the place each gets.
 */
#ifndef CANDELA_UI_DRIVE_H
#define CANDELA_UI_DRIVE_H

#include "ui/options.h"

struct drive_request {
    struct drive_config config; /* config.index counts only with has_index */
    bool has_index, has_snapshot;
    bool weak;  /* gives its place to another that asks for it */
    char *from; /* the option as typed, for messages */
};

/* "primary master" and so on, of an IDE drive's index. */
const char *drive_ide_place(unsigned index);
/* The place (index) of a drive that asks for none, where these (a bit for each index) have others
 * of that interface; -1: there is none left. */
int drive_free_place(enum drive_if interface, enum drive_media media, unsigned taken);
void drive_request_free(struct drive_request *r);
/* A drive of a short form (-hda FILE and so on). */
struct drive_request *drive_request_new(const char *option, const char *file,
                                        enum drive_if interface, enum drive_media media);
/* The long form; NULL with a CONFIG error. */
struct drive_request *drive_parse(const char *option, const char *text, GError **err);
/* Give every drive its place in o->vm.drives (weak ones, if it is taken, none); false when two want
 * the same or there is none left.
 */
bool drive_place_all(struct options *o, GError **err);
/* The keys and values of -drive, for `-drive help`. */
void drive_help(GString *out);

#endif
