/*
 * The key file of a machine (docs/man/candela.cvm.5).
 *
 *     [cvm]
 *     version=1
 *     [machine]
 *     memory=1G
 *     hda=lab.vhd
 *     nic=user;switch:lab
 *
 * The keys of [machine] are the long names of `candela run`'s options and their values what is
 * typed behind them there; options that may be repeated are lists.  Names of files are relative to
 * the key file's folder.  Comments, blank lines and the order of keys stay when a machine is
 * changed.
 *
 * A key file is hostile: it may hold anything.  Errors are FILE and FORMAT (exit code 3) for what
 * is in it, CONFIG for what is asked of it; they name the file.
 */
#ifndef CANDELA_UI_CVM_H
#define CANDELA_UI_CVM_H

#include "ui/options.h"

enum { CVM_VERSION = 1 };

struct cvm;

/* Read the file at that absolute path; NULL with an error. */
struct cvm *cvm_load(const char *path, GError **err);
/* A new one with nothing in it, to be saved there. */
struct cvm *cvm_new(const char *path);
void cvm_free(struct cvm *c);
/* Absolute. */
const char *cvm_folder(const struct cvm *c);

/* The values of the option of row `n` (ui/options.h), as the file has them; NULL-ended, empty: not
 * there.  g_strfreev. */
char **cvm_get(const struct cvm *c, unsigned n);
/* Give an option these values; none takes it out.  CONFIG error: it cannot be in a key file, or
 * cannot have several. */
bool cvm_put(struct cvm *c, unsigned n, char *const *values, GError **err);
/* Take out a key that is there, be it an option or not; false: it is not there. */
bool cvm_remove(struct cvm *c, const char *key);
/*
 * Set all options it has, with absolute paths, but for those that the command line (`o`) gives.
 * False with a FORMAT error: an unknown key (with the nearest known), a wrong value.
 */
bool cvm_apply(const struct cvm *c, struct options *o, GError **err);
/* Whether a machine comes of it: cvm_apply and options_finish, the outcome in `o`. */
bool cvm_check(const struct cvm *c, struct options *o, GError **err);
/* Both of a file: its options in `o`, which is set up and the caller clears in any case. */
bool cvm_read(const char *path, struct options *o, GError **err);
/* Write it: the old file stays until the new one is whole and on the disk. */
bool cvm_save(struct cvm *c, GError **err);

/* The value of option `n` with each path in it replaced by what `map` makes of it (g_malloc). */
typedef char *cvm_map(const char *path, void *opaque);
char *cvm_map_paths(unsigned n, const char *value, cvm_map *map, void *opaque);
/* The value with paths absolute, relative ones starting at the file's folder. */
char *cvm_resolve(const struct cvm *c, unsigned n, const char *value);
/*
 * The value for the file of one from a command line: a relative path that is there in the current
 * folder, or begins with "./" or "../", is taken from there, any other is the machine's own;
 * what lies in the machine's folder is relative.
 */
char *cvm_adopt(const struct cvm *c, unsigned n, const char *value);

#endif
