/*
 * What ui parses from the wire, from guests and from other processes, under fire: VLAN tags
 * (ui/net_vlan.c), the guard in front of libslirp (net_guard.c, net_flow.c, net_frag.c), the switch
 * and its links (net_switch.c, net_switch_link.c, net_fdb.c).  Used by the fuzzer
 * (tests/fuzz/fuzz_wire.c) and by the tests, so there is no Criterion here.
 *
 * Every record of the input is a frame or a message, some of them completed so that they get past
 * the first check; after each the promises of the functions are checked.  wire_fuzz_run ends the
 * process where one is broken.
 *
 * Not modelled: libslirp behind the guard, the net thread, TAP interfaces.
 */
#ifndef TESTS_UI_WIRE_FUZZ_H
#define TESTS_UI_WIRE_FUZZ_H

#include "hw/core/base.h"

/* The first byte of the input. */
enum {
    WIRE_MODE = 3,      /* of the ports' VLANs: enum nic_vlan, of the first; the second's is next */
    WIRE_MAY_OPEN = 4,  /* the guard lets sockets be opened */
    WIRE_GREETED = 8,   /* the other process has said hello */
    WIRE_TWO_PEERS = 16 /* there are two of them */
};

/* The kinds of record: a byte, modulo WIRE_RECORDS; then a length byte or two and bytes. */
enum wire_record {
    WIRE_VLAN,     /* a frame, both ways */
    WIRE_GUARD,    /* a frame from the guest */
    WIRE_IP,       /* likewise, with sound headers */
    WIRE_FRAGMENT, /* a fragment: place, flags, bytes */
    WIRE_LEARN,    /* a frame of libslirp's */
    WIRE_MESSAGE,  /* from another process */
    WIRE_HELLO,    /* its hello, with a byte changed */
    WIRE_SEND,     /* a frame from a card to the switch */
    WIRE_FLOOD,    /* many, from many addresses */
    WIRE_ROUND,    /* the net thread's turn */
    WIRE_TAKE,     /* the cards take what waits for them */
    WIRE_HANG_UP,
    WIRE_RECORDS,
};

struct wire_fuzz;

/* `folder`: of our own, for the switch's socket.  NULL and the error when that cannot be made. */
struct wire_fuzz *wire_fuzz_new(const char *folder, GError **err);
void wire_fuzz_free(struct wire_fuzz *w);
void wire_fuzz_run(struct wire_fuzz *w, const uint8_t *data, size_t size);

#endif
