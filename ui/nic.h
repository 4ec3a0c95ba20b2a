/*
 * Network cards on the command line (-nic, -net none), and the addresses of those that have none.
 */
#ifndef CANDELA_UI_NIC_H
#define CANDELA_UI_NIC_H

#include "ui/options.h"

enum { NIC_NAME_MAX = 32 };

/* Whether a card or switch can be called so: 1 to NIC_NAME_MAX letters, digits and '._-', the first
 * a letter or digit; and an interface of the host. */
bool nic_name_is_valid(const char *text);
bool nic_ifname_is_valid(const char *text);

/* Take one -nic into o->vm.nics; false with a CONFIG error. */
bool nic_parse(struct options *o, const char *option, const char *text, GError **err);
/* What only all options together tell: the card of a machine that was given none, names, and what
 * two cards cannot share.  CONFIG error. */
bool nic_finish(struct options *o, GError **err);
/* The peers and keys of -nic, for `-nic help`. */
void nic_help(GString *out);

/*
 * Give every card without a MAC address one: locally administered, of no other card of the machine,
 * and the same at every start.  It follows from the card's place and from what the machine is known
 * by: its UUID, if it was given one, its name, or else this host and the path of the first disk
 * that keeps what the guest writes. A machine that has neither gets other addresses at every start,
 * as several may run at a time.
 */
void nic_give_macs(struct vm_config *c);
/* The address of card `index` of a machine that is known by `identity`; `tries` counts those that
 * were in use. */
void nic_make_mac(const uint8_t identity[32], unsigned index, unsigned tries, uint8_t mac[6]);
/* What a machine is known by (see above), as a SHA-256 sum. */
void nic_identity(const struct vm_config *c, uint8_t identity[32]);

#endif
