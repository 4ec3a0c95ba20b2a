/*
 * JSON as text: see json.h.
 *
 * Not modelled: reading it (json-glib does, in ui/).
 */
#include "hw/core/json.h"

void json_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const char *p = text ? text : ""; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c == '"' || c == '\\') {
            g_string_append_printf(out, "\\%c", c);
        } else if (c < 0x20) {
            g_string_append_printf(out, "\\u%04x", c);
        } else {
            g_string_append_c(out, (char)c);
        }
    }
    g_string_append_c(out, '"');
}

void json_count(GString *out, const char *name, uint64_t value)
{
    const char *comma = out->len && !strchr("{[", out->str[out->len - 1]) ? ", " : "";

    g_string_append_printf(out, "%s\"%s\": %" G_GUINT64_FORMAT, comma, name, value);
}

void json_name(GString *out, const char *name, const char *value)
{
    g_string_append_printf(out, "%s\"%s\": ", strchr("{[", out->str[out->len - 1]) ? "" : ", ",
                           name);
    json_string(out, value);
}

void json_open(GString *out, const char *name)
{
    g_string_append_printf(out, ",\n  \"%s\": [", name);
}

void json_row(GString *out, bool *first)
{
    g_string_append(out, *first ? "\n    {" : ",\n    {");
    *first = false;
}
