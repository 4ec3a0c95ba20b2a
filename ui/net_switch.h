/*
 * What the two halves of the switch share: forwarding (ui/net_switch.c) and the way to other
 * processes (ui/net_switch_link.c).
 *
 * A process has a switch of its own per name, with a link for each of its ports.  The switches of
 * one name and one user find each other by a unix socket: one process listens there and has a link
 * to each of the others, which have one link to it.  That is a star, so there are no loops; every
 * switch learns for itself.
 *
 * Everything is the net thread's, under nets.lock (see net_int.h).
 */
#ifndef CANDELA_UI_NET_SWITCH_H
#define CANDELA_UI_NET_SWITCH_H

#include "ui/net_fdb.h"
#include "ui/net_int.h"
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    SWITCH_LINKS = FDB_LINKS,
    SWITCH_FIRST_PEER = VM_MAX_NICS, /* links below are ports */
    SWITCH_FRAME_MAX = NET_FRAME_MAX + 4,
    SWITCH_READ = 32, /* frames read at once */
    /* Bytes that wait for a process: up to the first it has room for all that may come at once,
     * beyond the second they are lost. */
    SWITCH_QUEUE_LOW = 192 * 1024,
    SWITCH_QUEUE_MAX = 768 * 1024,
};
static_assert(SWITCH_QUEUE_MAX - SWITCH_QUEUE_LOW >= SWITCH_READ * (SWITCH_FRAME_MAX + 4),
              "what is read at once has room");
static_assert(SWITCH_QUEUE_MAX - SWITCH_QUEUE_LOW >=
                  VM_MAX_NICS * (NET_BATCH_BYTES + 8 * NET_BATCH_FRAMES),
              "a batch of each card has room");

struct net_switch;

/* To a port, or to another process. */
struct switch_link {
    struct net_switch *sw;
    unsigned index;
    struct net_port *port; /* or NULL */
    int fd;                /* -1: none */
    int pid;
    bool greeted; /* frames may go both ways */
    unsigned polled;
    int64_t since;
    struct net_queue out;
    /* Back-pressure, in µs; 0: there is room. */
    int64_t full_since;
    bool lossy; /* it was full for too long: nobody waits for it */
    int64_t lossy_at;
    uint64_t lost;
};

enum switch_role {
    SWITCH_SEEKS,   /* for the other processes */
    SWITCH_JOINS,   /* link SWITCH_FIRST_PEER leads to the process that listens */
    SWITCH_LISTENS, /* the others come to us */
};

/* One note of a kind a minute. */
enum switch_note { NOTE_TWICE, NOTE_STRANGER, NOTE_PLACE, NOTE_STUCK, NOTES };

struct net_switch {
    struct nets *nets;
    char *name;
    unsigned ports;
    int64_t now; /* of this round */
    struct net_fdb *fdb;
    uint64_t malformed;
    struct switch_link link[SWITCH_LINKS];
    int64_t noted[NOTES];
    /* The other processes'. */
    enum switch_role role;
    char *socket_path, *lock_path;
    int lock_fd, listen_fd;
    uint64_t socket_inode;
    unsigned listen_polled, tries;
    int64_t seek_at, accept_at, check_at;
    struct switch_read *read;
};

static inline bool switch_link_is_up(const struct switch_link *l)
{
    return l->port || (l->fd >= 0 && l->greeted);
}

/* Forward a frame (NET_HEADER to SWITCH_FRAME_MAX bytes) that came from a link.  False: it was
 * lost, as nobody it was for had room. */
bool switch_forward(struct net_switch *sw, unsigned from, const uint8_t *frame, size_t len);
/* Whether `from` has to wait with frames, as another link has no room for them. */
bool switch_must_hold(struct net_switch *sw, unsigned from);
/* A note of a kind, at most one a minute; whether it is time for one. */
bool switch_may_note(struct net_switch *sw, enum switch_note kind);

/* ui/net_switch_link.c */

/* The folder where the switches of this user meet; g_free. */
char *switch_folder(void);
/* Why it cannot be used, in words for people; NULL: it can, or is not there. */
const char *switch_folder_check(const char *path);
/* Find the place, and listen there or join who does.  FILE error. */
bool switch_peers_open(struct net_switch *sw, GError **err);
void switch_peers_prepare(struct net_switch *sw, struct net_poll *poll);
void switch_peers_dispatch(struct net_switch *sw, const struct net_poll *poll);
/* Send what waits for other processes, as far as they take it. */
void switch_peers_flush(struct net_switch *sw);
void switch_peers_info(struct net_switch *sw, GString *out);
void switch_peers_close(struct net_switch *sw);

#endif
