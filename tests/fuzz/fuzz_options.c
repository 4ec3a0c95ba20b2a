/*
 * Fuzzer: the options of `candela run`.  Any words give options or one error of one line.
 *
 * Input: words, with a line feed between them.
 *
 * Not modelled: what the options do.
 */
#include "ui/net_forward.h"
#include "ui/options.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the network's parts rely on. */
static bool nic_is_sound(const struct nic_config *n)
{
    struct net_forward f;
    struct net_plan plan;

    if (!n->id || !*n->id || (n->has_mac && n->mac[0] & 1)) {
        return false;
    }
    if ((n->peer == NIC_PEER_SWITCH || n->peer == NIC_PEER_TAP) && (!n->name || !*n->name)) {
        return false;
    }
    if (n->vlan_mode == NIC_VLAN_ACCESS && (n->vlan < 1 || n->vlan > VLAN_MAX)) {
        return false;
    }
    for (unsigned i = 0; i < NIC_MAX_FORWARDS; i++) {
        if (n->user.forward[i] && !net_forward_parse(n->user.forward[i], &f, NULL)) {
            return false;
        }
    }
    return n->peer != NIC_PEER_USER || net_plan_make(&n->user, &plan, NULL);
}

static bool nics_are_sound(const struct options *o)
{
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        const struct nic_config *n = &o->vm.nics[i];

        if (n->used != (i < o->nics) || (n->used && !nic_is_sound(n))) {
            return false;
        }
        for (unsigned k = 0; n->used && k < i; k++) {
            if (!strcmp(n->id, o->vm.nics[k].id)) {
                return false;
            }
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = g_strndup((const char *)data, size);
    char **words = g_strsplit(text, "\n", 64);
    struct options o;
    GError *err = NULL;

    options_init(&o);
    bool good = options_parse(&o, (int)g_strv_length(words), words, &err);
    if (good != !err || (err && err->code != CANDELA_ERROR_CONFIG)) {
        abort();
    }
    if (good && !o.answer->len && (o.vm.memory < VM_MIN_MEMORY || o.vm.memory > VM_MAX_MEMORY)) {
        abort();
    }
    if (good && !o.answer->len && !nics_are_sound(&o)) {
        abort();
    }
    g_clear_error(&err);
    options_clear(&o);
    g_strfreev(words);
    g_free(text);
    return 0;
}
