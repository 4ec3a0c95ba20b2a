/*
 * candela disk: its command line.  One table of subcommands, one of options (ui/disk.c); what they
 * print is in ui/disk_print.c, the work in vhd/disk.h.
 */
#ifndef CANDELA_UI_DISK_H
#define CANDELA_UI_DISK_H

#include "vhd/disk.h"

/* What the words after the subcommand said. */
struct disk_args {
    char *file[2]; /* as many as the subcommand takes */
    uint64_t size; /* 0: not given */
    char *format, *type, *source_format, *parent, *into;
    bool force, repair, json, remove, shrink, quiet, help;
};

struct disk_command;
/* Subcommand `n` of the table, or NULL; for tests. */
const struct disk_command *disk_command_at(unsigned n);
const char *disk_command_name(const struct disk_command *c);
/* The help of one subcommand, or (NULL) of all. */
void disk_help(const struct disk_command *c, GString *out);
/* Take over the words; CONFIG errors.  The caller clears it in any case. */
bool disk_args_parse(struct disk_args *a, const struct disk_command *c, int argc, char *const *argv,
                     GError **err);
void disk_args_clear(struct disk_args *a);

/* For standard output, as text for people or as JSON. */
char *disk_info_text(const struct disk_info *info);
char *disk_info_json(const struct disk_info *info);
char *disk_report_text(const struct disk_report *r);
char *disk_report_json(const struct disk_report *r);
char *disk_tree_text(const struct disk_node *root);
char *disk_tree_json(const struct disk_node *root);

#endif
