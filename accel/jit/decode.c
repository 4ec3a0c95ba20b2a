/*
 * A block's instructions for its translation, and where it ends: at its last one, or where what
 * follows is another block's.
 *
 * Not modelled: tails of which code is made later; they stay where they are as well.
 */
#include "accel/jit/jit_int.h"

const struct code_block *tr_block_at(const struct tr *t, uint64_t ip)
{
    return t->j->hooks.peek(t->c, t->k->host + (ip - t->ip));
}

const uint8_t *tr_code_at(const struct tr *t, uint64_t ip)
{
    const struct code_block *k = tr_block_at(t, ip);
    const uint8_t *code = k ? jit_find(t->j, k, ip) : NULL;

    return code ? t->j->rw + (code - t->j->rx) : NULL;
}

/*
 * Whether to end before the next instruction, at `at`, as there is code from there on already, or
 * likely to be soon: what is reached in several ways is there once, if it is more than the jump to
 * it takes.
 */
enum { TAIL_MIN = 4, TAIL_HEAT = 2 };
static bool has_tail(const struct tr *t, unsigned at)
{
    const struct code_block *k =
        t->n && t->k->n - t->n >= TAIL_MIN ? t->j->hooks.peek(t->c, t->k->host + at) : NULL;

    return k && (k->jit || k->heat >= TAIL_HEAT);
}

static bool decode_all(struct tr *t, bool tails)
{
    const struct code_block *k = t->k;
    uint8_t crossing[16];
    unsigned avail = PAGE_BYTES - ((uintptr_t)k->host & PAGE_OFFSET_MASK), at = 0;
    bool end = false;

    if (k->host2) {
        memcpy(crossing, k->host, avail);
        memcpy(crossing + avail, k->host2, 15 - avail);
    }
    for (t->n = 0; t->n < k->n; t->n++) {
        struct tr_insn *in = &t->insn[t->n];

        if (tails && has_tail(t, at)) {
            return true;
        }
        in->host = NULL;
        in->i.ofs = (uint16_t)at;
        in->i.n = (uint8_t)(t->n + 1);
        in->result = cpu_decode(t->c, k->host2 ? crossing : k->host + at,
                                k->host2 ? 15 : avail - at, &in->i, &end, &in->d);
        __builtin_prefetch(&t->j->lower[in->i.row]);
        if (in->result == DECODE_TRUNCATED) {
            return false;
        }
        at += block_bytes_seen(in->result, &in->i, k->host2 ? 15 : avail - at);
    }
    return at == k->bytes;
}

/* The block's bytes again; false: not what was decoded then (or cannot have been).  `tails`: up to
 * a tail that there is. */
bool tr_decode_block(struct tr *t, bool tails)
{
    if (!decode_all(t, tails)) {
        return false;
    }
    tr_make_notes(t);
    return true;
}
