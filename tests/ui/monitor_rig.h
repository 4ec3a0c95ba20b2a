/*
 * For the tests of the monitor: the whole board with a software processor that does not run, known
 * bytes at the reset vector, drives: a disk, an empty CD drive (ide1-cd0) and a floppy disk; and
 * ports for network cards, wan and nic1, without cables.
 *
 * Not modelled: the I/O thread; what is posted runs in mon_run and mon_settle.
 */
#ifndef TESTS_UI_MONITOR_RIG_H
#define TESTS_UI_MONITOR_RIG_H

#include "cpu/cpu.h"
#include "ui/monitor_cmd.h"

struct mon {
    struct machine *m;
    struct nets *nets;
    struct cpu *c;
    struct session s;
    char *folder; /* of the images; mon_path names files in it */
    /* the last answer */
    bool answered;
    char *text;
    GError *err;
};

enum { MON_RAM = 16 * 1024 * 1024, MON_RESET_VECTOR_BYTES = 16 };
extern const uint8_t mon_reset_vector[MON_RESET_VECTOR_BYTES];

/* Lock held until mon_free.  `fds`: descriptors of tests are the caller's. */
struct mon *mon_new(void);
void mon_free(struct mon *b);
/* A name in the folder, which goes with it; the caller frees the text. */
char *mon_path(struct mon *b, const char *name);
/* Make a file of zeros there. */
char *mon_file(struct mon *b, const char *name, size_t bytes);
/* Run a line to its end: its text, errors in b->err (NULL: none). */
const char *mon_run(struct mon *b, const char *line);
/* The same with a name of a file put in for %s. */
const char *mon_run_file(struct mon *b, const char *line, const char *path);
/* Fails the test unless the line gives no error, or one of this code whose message has `part`. */
void mon_good(struct mon *b, const char *line, const char *part);
void mon_bad(struct mon *b, const char *line, enum monitor_error code, const char *part);
/* Let posts run for at least `ms` of host time. */
void mon_settle(struct mon *b, unsigned ms);
/* Bytes of guest RAM. */
uint8_t *mon_ram(struct mon *b, uint64_t pa);

#endif
