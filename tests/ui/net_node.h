/*
 * Machines at a switch, for its tests: a rig each, with cards without a chip (net_card.h), in a
 * runtime folder of the test's own.
 *
 * Not modelled: see net_card.h.
 */
#ifndef TESTS_UI_NET_NODE_H
#define TESTS_UI_NET_NODE_H

#include "tests/rig.h"
#include "tests/ui/net_card.h"
#include "ui/net_int.h"

enum {
    ECHO_TYPE = 0x88b5, /* for local experiments */
    EVERYBODY = 0xffffffff,
};

/* A machine with cards of one switch. */
struct node {
    struct rig *r;
    struct nets *s;
    struct net_card card[VM_MAX_NICS];
    unsigned cards;
};

/* Make XDG_RUNTIME_DIR a new folder, and take it away again. */
void place_begin(void);
void place_end(void);
/* A name in its folder "candela". */
char *place_path(const char *name);
/* Its own. */
const char *place_folder(void);
/* Whether a note to people had a text; all of them. */
bool was_noted(const char *text);
const char *all_notes(void);

/* A machine with so many cards at switch `name`; `edit` may change what each is configured to. */
void node_init(struct node *n, const char *name, unsigned cards,
               void (*edit)(struct nic_config *c, unsigned i));
/* The same, and its net thread runs. */
void node_begin(struct node *n, const char *name, unsigned cards);
void node_end(struct node *n);
/* What `info network` says. */
char *node_info(struct node *n);
/* Wait until it has a text, or not any more; false: it never does. */
bool node_says(struct node *n, const char *text, bool says);
/* Wait until frames can go between one that has the socket and another. */
bool nodes_meet(struct node *listens, struct node *joins);

/* A frame of 60 bytes with a letter and a number; machines have numbers, or EVERYBODY. */
size_t make_frame(uint8_t *f, uint32_t to, uint32_t from, char what, uint32_t number);
void send_frame(struct net_card *c, uint32_t to, uint32_t from, char what, uint32_t number);
/* How many frames a card got; how many with a letter from a sender, or EVERYBODY. */
uint64_t card_count(struct net_card *c);
unsigned card_has(struct net_card *c, char what, uint32_t from);

#endif
