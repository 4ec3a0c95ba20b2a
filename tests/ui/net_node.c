/*
 * The machines of tests/ui/net_node.h.
 *
 * Not modelled: see there.
 */
#include "tests/ui/net_node.h"
#include <criterion/criterion.h>

static char *place; /* XDG_RUNTIME_DIR of the test */
static GMutex note_lock;
static GString *notes;

static void take_note(const char *text)
{
    g_mutex_lock(&note_lock);
    g_string_append_printf(notes, "%s\n", text);
    g_mutex_unlock(&note_lock);
}

bool was_noted(const char *text)
{
    bool was;

    g_mutex_lock(&note_lock);
    was = strstr(notes->str, text) != NULL;
    g_mutex_unlock(&note_lock);
    return was;
}

const char *all_notes(void)
{
    return notes->str;
}

const char *place_folder(void)
{
    return place;
}

void place_begin(void)
{
    place = g_dir_make_tmp("candela-switch-XXXXXX", NULL);
    g_setenv("XDG_RUNTIME_DIR", place, TRUE);
    notes = g_string_new(NULL);
}

char *place_path(const char *name)
{
    return g_build_filename(place, "candela", name, NULL);
}

void place_end(void)
{
    const char *argv[] = {"rm", "-rf", place, NULL};

    cr_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                           NULL, NULL));
    g_free(place);
    g_string_free(notes, TRUE);
}

void node_init(struct node *n, const char *name, unsigned cards,
               void (*edit)(struct nic_config *c, unsigned i))
{
    struct vm_config config;

    *n = (struct node){.cards = cards};
    vm_config_init(&config);
    for (unsigned i = 0; i < cards; i++) {
        config.nics[i] = (struct nic_config){.used = true,
                                             .peer = NIC_PEER_SWITCH,
                                             .id = g_strdup_printf("nic%u", i),
                                             .name = g_strdup(name)};
        if (edit) {
            edit(&config.nics[i], i);
        }
    }
    n->r = rig_begin(&config);
    vm_config_clear(&config);
    n->s = nets_new(n->r->m, take_note);
    rig_ready(n->r);
    machine_unlock(n->r->m);
    for (unsigned i = 0; i < cards; i++) {
        net_card_init(&n->card[i], n->r->m->nics[i]);
    }
}

void node_begin(struct node *n, const char *name, unsigned cards)
{
    GError *err = NULL;

    node_init(n, name, cards, NULL);
    cr_assert(nets_start(n->s, &err), "%s", err ? err->message : "");
}

void node_end(struct node *n)
{
    nets_stop(n->s);
    machine_lock(n->r->m);
    rig_free(n->r);
    nets_free(n->s);
    for (unsigned i = 0; i < n->cards; i++) {
        net_card_fini(&n->card[i]);
    }
}

char *node_info(struct node *n)
{
    GString *out = g_string_new(NULL);

    machine_lock(n->r->m);
    nets_info(n->r->m, out);
    machine_unlock(n->r->m);
    return g_string_free(out, FALSE);
}

bool node_says(struct node *n, const char *text, bool says)
{
    for (unsigned ms = 0; ms < 60000; ms += 5) {
        g_autofree char *info = node_info(n);

        if ((strstr(info, text) != NULL) == says) {
            return true;
        }
        g_usleep(5000);
    }
    return false;
}

bool nodes_meet(struct node *listens, struct node *joins)
{
    return node_says(listens, "  process", true) && node_says(listens, "answer yet", false) &&
           node_says(joins, "joined to", true) && node_says(joins, "answer yet", false);
}

static void put_mac(uint8_t *at, uint32_t n)
{
    if (n == EVERYBODY) {
        memset(at, 0xff, 6);
    } else {
        at[0] = 2;
        at[1] = 0;
        st_be32(at + 2, n);
    }
}

size_t make_frame(uint8_t *f, uint32_t to, uint32_t from, char what, uint32_t number)
{
    memset(f, 0, 60);
    put_mac(f, to);
    put_mac(f + 6, from);
    st_be16(f + 12, ECHO_TYPE);
    f[14] = (uint8_t)what;
    st_be32(f + 16, number);
    return 60;
}

void send_frame(struct net_card *c, uint32_t to, uint32_t from, char what, uint32_t number)
{
    uint8_t f[60];

    net_card_send(c, f, make_frame(f, to, from, what, number));
}

uint64_t card_count(struct net_card *c)
{
    uint64_t count;

    machine_lock(c->n->m);
    count = c->count;
    machine_unlock(c->n->m);
    return count;
}

unsigned card_has(struct net_card *c, char what, uint32_t from)
{
    unsigned has = 0;
    const uint8_t *f;
    uint8_t mac[6];
    size_t len;

    put_mac(mac, from);
    for (unsigned i = 0; (f = net_card_frame(c, i, &len)) != NULL; i++) {
        has += len >= 60 && f[14] == (uint8_t)what && (from == EVERYBODY || !memcmp(f + 6, mac, 6));
    }
    return has;
}
