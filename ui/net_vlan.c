/*
 * 802.1Q tags on behalf of a card, as the port of a managed switch handles them (IEEE 802.1Q-2018,
 * 9.6 and 8.6).
 *
 * Access: what the card sends untagged, or with a priority tag (VLAN 0, whose priority is kept),
 * gets the port's VLAN.  What it tags itself with the very VLAN of the port passes as it is: the
 * result is the same.  Any other tag is refused, so that a guest cannot reach VLANs it was not
 * given.  The card is given frames of the port's VLAN only, without their tag.
 *
 * Trunk: tagged frames of the listed VLANs pass as they are, both ways.  Untagged and priority
 * tagged ones do not ("admit only tagged frames"); there is no native VLAN.
 *
 * All: everything passes as it is.
 *
 * Only the outermost tag counts, and only with type 0x8100: service tags (802.1ad, type 0x88a8) are
 * payload of an untagged frame.  A tag that is cut off, or of the reserved VLAN 4095, is of no
 * VLAN.
 *
 * Not modelled: protocol and MAC based VLANs, translation of VLANs, priorities of untagged frames.
 */
#include "ui/net_int.h"

enum {
    TAG_TYPE = 0x8100,
    TAG_AT = 12, /* behind both addresses */
    TAG_BYTES = 4,
    TAG_VID = 0xfff,
};

static bool vlan_has_tag(const uint8_t *frame)
{
    return ld_be16(frame + TAG_AT) == TAG_TYPE;
}

/* Whether there is a type behind the tag. */
static bool vlan_is_whole(size_t len)
{
    return len >= NET_HEADER + TAG_BYTES;
}

static unsigned vlan_tag(const uint8_t *frame)
{
    return ld_be16(frame + TAG_AT + 2);
}

unsigned net_vlan_of(const uint8_t *frame, size_t len)
{
    return vlan_has_tag(frame) && vlan_is_whole(len) ? vlan_tag(frame) & TAG_VID : 0;
}

bool net_vlan_is_listed(const struct nic_config *c, unsigned vid)
{
    return vid && vid <= VLAN_MAX && (c->trunk[vid / 8] & BIT(vid % 8));
}

bool net_vlan_is_member(const struct nic_config *c, unsigned vid)
{
    switch (c->vlan_mode) {
    case NIC_VLAN_ACCESS:
        return vid && vid == c->vlan;
    case NIC_VLAN_TRUNK:
        return net_vlan_is_listed(c, vid);
    default:
        return true;
    }
}

/* The frame with a tag before its type. */
static size_t vlan_insert(const uint8_t *frame, size_t len, unsigned tag, uint8_t *to)
{
    memcpy(to, frame, TAG_AT);
    st_be16(to + TAG_AT, TAG_TYPE);
    st_be16(to + TAG_AT + 2, (uint16_t)tag);
    memcpy(to + TAG_AT + TAG_BYTES, frame + TAG_AT, len - TAG_AT);
    return len + TAG_BYTES;
}

/* The frame without its tag, as long again as a frame has to be. */
static size_t vlan_strip(const uint8_t *frame, size_t len, uint8_t *to)
{
    memcpy(to, frame, TAG_AT);
    memcpy(to + TAG_AT, frame + TAG_AT + TAG_BYTES, len - TAG_AT - TAG_BYTES);
    len -= TAG_BYTES;
    if (len < NET_FRAME_MIN) {
        memset(to + len, 0, NET_FRAME_MIN - len);
        len = NET_FRAME_MIN;
    }
    return len;
}

/* Access, from the card. */
static size_t vlan_access(const struct nic_config *c, const uint8_t *frame, size_t len, uint8_t *to,
                          const uint8_t **out)
{
    unsigned vid;

    if (!vlan_has_tag(frame)) {
        *out = to;
        return vlan_insert(frame, len, c->vlan, to);
    }
    if (!vlan_is_whole(len)) {
        return 0;
    }
    vid = vlan_tag(frame) & TAG_VID;
    if (!vid) {
        memcpy(to, frame, len);
        st_be16(to + TAG_AT + 2, (uint16_t)(vlan_tag(frame) | c->vlan));
        *out = to;
        return len;
    }
    return vid == c->vlan ? len : 0;
}

size_t net_vlan_to_wire(const struct nic_config *c, const uint8_t *frame, size_t len, uint8_t *to,
                        const uint8_t **out)
{
    *out = frame;
    if (len < NET_HEADER || len > NET_FRAME_MAX) {
        return 0;
    }
    if (c->vlan_mode == NIC_VLAN_ACCESS) {
        return vlan_access(c, frame, len, to, out);
    }
    return net_vlan_is_member(c, net_vlan_of(frame, len)) ? len : 0;
}

size_t net_vlan_to_card(const struct nic_config *c, const uint8_t *frame, size_t len, uint8_t *to,
                        const uint8_t **out)
{
    unsigned vid;

    *out = frame;
    if (len < NET_HEADER || len > NET_FRAME_MAX + TAG_BYTES) {
        return 0;
    }
    vid = net_vlan_of(frame, len);
    if (!net_vlan_is_member(c, vid)) {
        return 0;
    }
    if (c->vlan_mode != NIC_VLAN_ACCESS) {
        return len;
    }
    *out = to;
    return vlan_strip(frame, len, to);
}
