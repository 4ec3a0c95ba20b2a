/* See jit_finds.h.  Not modelled: see there. */
#include "tests/accel/jit_finds.h"
#include "accel/jit/jit_int.h"

static unsigned finds;
static const void *(*engine_find)(struct cpu *c, uint64_t *key);

static const void *count_find(struct cpu *c, uint64_t *key)
{
    finds++;
    return engine_find(c, key);
}

void jit_finds_begin(const struct cpu *c)
{
    struct jit *j = jit_of(c);

    engine_find = j->hooks.find;
    finds = 0;
    struct jit_hooks hooks = j->hooks;

    hooks.find = count_find;
    jit_set_hooks(j, &hooks, false, false);
}

unsigned jit_finds(void)
{
    return finds;
}
