/*
 * Text for standard output and messages.
 */
#include "ui/text.h"

char *text_clean(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        g_string_append_unichar(out, g_unichar_isprint(c) ? c : 0xfffd);
    }
    return g_string_free(out, FALSE);
}

char *text_time(int64_t time)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(time);

    return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("?");
}

/* JSON ----------------------------------------------------------------------------------------- */

JsonBuilder *json_start(void)
{
    return json_builder_begin_object(json_builder_new());
}

char *json_finish(JsonBuilder *b)
{
    g_autoptr(JsonGenerator) gen = json_generator_new();
    JsonNode *root;

    json_builder_end_object(b);
    root = json_builder_get_root(b);
    json_generator_set_root(gen, root);
    json_generator_set_pretty(gen, TRUE);
    g_autofree char *text = json_generator_to_data(gen, NULL);
    json_node_unref(root);
    g_object_unref(b);
    return g_strconcat(text, "\n", NULL);
}

void json_add_text(JsonBuilder *b, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    json_builder_add_string_value(b, valid);
}

void json_put_text(JsonBuilder *b, const char *name, const char *text)
{
    json_builder_set_member_name(b, name);
    if (text) {
        json_add_text(b, text);
    } else {
        json_builder_add_null_value(b);
    }
}

void json_put_number(JsonBuilder *b, const char *name, uint64_t n)
{
    json_builder_set_member_name(b, name);
    json_builder_add_int_value(b, (gint64)n);
}

void json_put_bool(JsonBuilder *b, const char *name, bool yes)
{
    json_builder_set_member_name(b, name);
    json_builder_add_boolean_value(b, yes);
}

void json_put_time(JsonBuilder *b, const char *name, int64_t time)
{
    g_autofree char *text = time ? text_time(time) : NULL;

    json_put_text(b, name, text);
}
