/*
 * Completion in shells: `candela __complete WORD...` says what can stand in the place of the last
 * word (which is empty behind a blank).  It asks the tables that the command line is parsed by, so
 * that the shells' own files (data/completions) know nothing of options.
 *
 * The answer, a line each:
 *
 *     WORD<tab>HELP                a word, as a whole; one that ends in '=', ':' or ',' goes on
 *     :files<tab>ENDINGS<tab>TEXT  names of files behind TEXT, which the word begins with;
 *                                  ENDINGS: those wished for, by blanks apart ("iso img"); "*": any
 *     :folders<tab>*<tab>TEXT      the same for folders
 *
 * Lists (what the value `help` answers) are read for it: a line that begins with a word, as in
 *
 *     if=ide|floppy    the controller
 *     file:PATH        a file, no input
 *
 * and two blanks or more, offers the word; capital letters stand for what cannot be known, but for
 * FILE, PATH and DIR.  Words below a line "... after a comma:" come second.
 *
 * Not here: looking into folders, which shells do in their own way.
 */
#ifndef CANDELA_UI_COMPLETE_H
#define CANDELA_UI_COMPLETE_H

#include "ui/option_table.h"

/* What images are usually called. */
#define ENDINGS_DISK   "vhd avhd vud img raw"
#define ENDINGS_FLOPPY "vfd img ima flp"

struct completion {
    const char *begun; /* the last word */
    GString *out;
};

/* Offer before + word, if it begins as the last word does.  `help` may be NULL. */
void complete_offer(struct completion *c, const char *before, const char *word, const char *help);
/* Offer files; `endings` as above, NULL: any. */
void complete_files(struct completion *c, const char *before, const char *endings);

/* The last word is an option's name without dashes, '=' and a value (of flags: on, off). */
void complete_assignment(struct completion *c, const struct option_table *t);

/* Plain word `n` (from 0) of a command is wanted. */
typedef void complete_plain(struct completion *c, unsigned n, const void *of);
/* The words of a command with options: those, their values, or `plain` words (NULL: none), with
 * t->of.  argc counts the last word too, so it is at least 1. */
void complete_words(struct completion *c, const struct option_table *t, int argc, char *const *argv,
                    complete_plain *plain);

#endif
