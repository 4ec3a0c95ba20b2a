/*
 * Devices: creation, properties, attach.
 *
 * Not modelled: hot plug; devices live as long as their machine.
 */
#include "hw/core/machine.h"
#include <errno.h>

static void *prop_at(struct device *dev, const struct prop *p)
{
    return (char *)dev + p->offset;
}

struct device *device_new(struct machine *m, const struct device_ops *ops, const char *name)
{
    struct device *dev = g_malloc0(ops->size);

    dev->ops = ops;
    dev->m = m;
    dev->name = g_strdup(name);
    dev->trace_mask = m->trace_mask;
    for (const struct prop *p = ops->props; p && p->kind != PROP_END; p++) {
        if (p->kind == PROP_BOOL) {
            *(bool *)prop_at(dev, p) = p->def != 0;
        } else if (p->kind == PROP_UINT) {
            *(uint64_t *)prop_at(dev, p) = p->def;
        }
    }
    g_ptr_array_add(m->devices, dev);
    return dev;
}

void device_free(struct device *dev)
{
    if (dev->attached && dev->ops->detach) {
        dev->ops->detach(dev);
    }
    for (const struct prop *p = dev->ops->props; p && p->kind != PROP_END; p++) {
        if (p->kind == PROP_STRING) {
            g_free(*(char **)prop_at(dev, p));
        }
    }
    g_free(dev->exits[0]);
    g_free(dev->exits[1]);
    g_free(dev->name);
    g_free(dev);
}

static bool prop_parse_bool(const char *text, bool *val)
{
    static const char *const yes[] = {"on", "yes", "true", "1"};
    static const char *const no[] = {"off", "no", "false", "0"};

    for (unsigned i = 0; i < ARRAY_LEN(yes); i++) {
        if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
            *val = !strcmp(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* Decimal, 0x hexadecimal; no sign, no blanks, nothing behind. */
static bool prop_parse_uint(const char *text, uint64_t *val)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end;

    if (!(hex ? g_ascii_isxdigit(*digits) : g_ascii_isdigit(*digits))) {
        return false;
    }
    errno = 0;
    *val = g_ascii_strtoull(digits, &end, hex ? 16 : 10);
    return !errno && !*end;
}

static bool prop_set(struct device *dev, const struct prop *p, const char *value, GError **err)
{
    uint64_t max = p->max ? p->max : UINT64_MAX;
    uint64_t u;
    bool b;

    switch (p->kind) {
    case PROP_BOOL:
        if (!prop_parse_bool(value, &b)) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                        "%s: property %s: '%s' is not 'on' or 'off'", dev->name, p->name, value);
            return false;
        }
        *(bool *)prop_at(dev, p) = b;
        return true;
    case PROP_UINT:
        if (!prop_parse_uint(value, &u) || u > max) {
            g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                        "%s: property %s: '%s' is not a number from 0 to %" G_GUINT64_FORMAT,
                        dev->name, p->name, value, max);
            return false;
        }
        *(uint64_t *)prop_at(dev, p) = u;
        return true;
    case PROP_STRING:
        g_free(*(char **)prop_at(dev, p));
        *(char **)prop_at(dev, p) = g_strdup(value);
        return true;
    case PROP_END:
        break;
    }
    return false;
}

bool device_set(struct device *dev, const char *prop, const char *value, GError **err)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const struct prop *p = dev->ops->props; p && p->kind != PROP_END; p++) {
        if (!strcmp(p->name, prop)) {
            return prop_set(dev, p, value, err);
        }
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", p->name);
    }
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, "%s: no property '%s' (it has: %s)",
                dev->name, prop, known->len ? known->str : "none");
    return false;
}

bool device_attach(struct device *dev, GError **err)
{
    for (const struct port_range *r = dev->ops->ports; r && r->count; r++) {
        ports_claim(dev, r, r->first);
    }
    if (dev->ops->attach && !dev->ops->attach(dev, err)) {
        return false;
    }
    dev->attached = true;
    return true;
}

struct device *device_find(struct machine *m, const char *name)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        struct device *dev = g_ptr_array_index(m->devices, i);

        if (!strcmp(dev->name, name)) {
            return dev;
        }
    }
    return NULL;
}
