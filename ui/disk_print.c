/*
 * What candela disk prints: for people, and as JSON.
 *
 * Names come from files anybody may have made: what could move a terminal's cursor is replaced
 * before it is printed.
 */
#include "ui/disk.h"
#include "ui/disk_progress.h"
#include "ui/text.h"

static bool is_vhd(enum disk_kind kind)
{
    return kind != DISK_RAW;
}

static const char *const use_names[] = {"free", "read", "written"};
static const char *const use_texts[] = {
    "free",
    "in use: open for reading elsewhere",
    "in use: open for writing elsewhere",
};

/* For people ----------------------------------------------------------------------------------- */

static void line(GString *out, const char *what, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void line(GString *out, const char *what, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_autofree char *shown = text_clean(text);
    g_string_append_printf(out, "%-14s %s\n", what, shown);
}

static void size_line(GString *out, const char *what, uint64_t bytes)
{
    g_autofree char *text = size_text(bytes);

    if (bytes < KiB) {
        line(out, what, "%s", text);
    } else {
        line(out, what, "%s (%" G_GUINT64_FORMAT " bytes)", text, bytes);
    }
}

static void parent_lines(GString *out, const struct disk_info *info)
{
    const struct disk_parent *p = &info->parent;
    line(out, "parent", "%s", p->path ? p->path : p->name ? p->name : "(no name)");
    if (p->problem) {
        line(out, "", "%s", p->problem);
    }
    line(out, "parent's uuid", "%s", p->uuid);
    if (p->time) {
        g_autofree char *time = text_time(p->time);
        line(out, "parent's time", "%s", time);
    }
    for (unsigned i = 1; info->chain && i < info->chain->len; i++) {
        line(out, i == 1 ? "over" : "", "%s", (char *)g_ptr_array_index(info->chain, i));
    }
}

char *disk_info_text(const struct disk_info *info)
{
    GString *out = g_string_new(NULL);

    line(out, "file", "%s", info->path);
    line(out, "type", is_vhd(info->kind) ? "VHD, %s" : "%s", disk_kind_name(info->kind));
    size_line(out, "size", info->size);
    size_line(out, "on the host", info->host_bytes);
    line(out, "use", "%s", use_texts[info->use]);
    if (is_vhd(info->kind)) {
        g_autofree char *time = text_time(info->time);

        line(out, "geometry", "%u cylinders, %u heads, %u sectors", info->cylinders, info->heads,
             info->sectors);
        line(out, "creator", "'%s' %u.%u on '%s'", info->creator, info->creator_major,
             info->creator_minor, info->creator_os);
        line(out, "uuid", "%s", info->uuid);
        line(out, "created", "%s", time);
        if (info->saved_state) {
            line(out, "saved state", "a saved machine state belongs to it");
        }
    }
    if (info->kind >= DISK_DYNAMIC) {
        g_autofree char *block = size_text(info->block_bytes);

        line(out, "blocks", "%u of %u allocated, %s each", info->blocks_used, info->blocks, block);
    }
    if (info->kind == DISK_DIFFERENCING) {
        parent_lines(out, info);
    }
    if (info->note) {
        line(out, "note", "%s", info->note);
    }
    return g_string_free(out, FALSE);
}

char *disk_report_text(const struct disk_report *r)
{
    GString *out = g_string_new(NULL);
    g_autofree char *path = text_clean(r->path);

    for (unsigned i = 0; i < r->findings->len; i++) {
        const struct disk_finding *f = &g_array_index(r->findings, struct disk_finding, i);
        g_autofree char *text = text_clean(f->text);

        g_string_append_printf(out, "%s: %s: %s%s\n", path,
                               f->severity == DISK_NOTE ? "note" : "damage", text,
                               f->repaired     ? " (repaired)"
                               : f->repairable ? " (--repair mends it)"
                                               : "");
    }
    if (r->damages) {
        g_string_append_printf(out, "%s: damaged\n", path);
    } else if (r->kind == DISK_RAW) {
        g_string_append_printf(out, "%s: a raw image; there is no structure to check\n", path);
    } else {
        g_string_append_printf(out, "%s: sound (VHD, %s)\n", path, disk_kind_name(r->kind));
    }
    return g_string_free(out, FALSE);
}

/* The chain is drawn to the right, children one below the other. */
static void tree_draw(GString *out, const struct disk_node *n, const char *before, const char *more)
{
    g_autofree char *path = text_clean(n->path), *size = size_text(n->size);

    g_string_append_printf(out, "%s%s (%s, %s)%s\n", before, path, disk_kind_name(n->kind), size,
                           n->here ? "  <--" : "");
    if (n->problem) {
        g_autofree char *problem = text_clean(n->problem);
        g_string_append_printf(out, "%s    %s\n", more, problem);
    }
    for (unsigned i = 0; i < n->children->len; i++) {
        bool last = i + 1 == n->children->len;
        g_autofree char *first = g_strconcat(more, last ? "`-- " : "|-- ", NULL);
        g_autofree char *next = g_strconcat(more, last ? "    " : "|   ", NULL);

        tree_draw(out, g_ptr_array_index(n->children, i), first, next);
    }
}

char *disk_tree_text(const struct disk_node *root)
{
    GString *out = g_string_new(NULL);

    if (root->missing) {
        g_autofree char *name = text_clean(root->missing);

        g_string_append_printf(out, "%s (not found)\n", name);
        tree_draw(out, root, "`-- ", "    ");
    } else {
        tree_draw(out, root, "", "");
    }
    return g_string_free(out, FALSE);
}

/* JSON ----------------------------------------------------------------------------------------- */

static void put_kind(JsonBuilder *b, enum disk_kind kind)
{
    json_put_text(b, "format", is_vhd(kind) ? "vhd" : "raw");
    json_put_text(b, "type", is_vhd(kind) ? disk_kind_name(kind) : NULL);
}

static void put_vhd(JsonBuilder *b, const struct disk_info *info)
{
    g_autofree char *version = g_strdup_printf("%u.%u", info->creator_major, info->creator_minor);

    json_builder_set_member_name(b, "geometry");
    json_builder_begin_object(b);
    json_put_number(b, "cylinders", info->cylinders);
    json_put_number(b, "heads", info->heads);
    json_put_number(b, "sectors_per_track", info->sectors);
    json_builder_end_object(b);
    json_put_text(b, "creator", info->creator);
    json_put_text(b, "creator_version", version);
    json_put_text(b, "creator_os", info->creator_os);
    json_put_text(b, "uuid", info->uuid);
    json_put_time(b, "created", info->time);
    json_put_bool(b, "saved_state", info->saved_state);
}

static void put_parent(JsonBuilder *b, const struct disk_info *info)
{
    json_builder_set_member_name(b, "parent");
    json_builder_begin_object(b);
    json_put_text(b, "name", info->parent.name);
    json_put_text(b, "path", info->parent.path);
    json_put_text(b, "uuid", info->parent.uuid);
    json_put_time(b, "changed", info->parent.time);
    json_put_text(b, "problem", info->parent.problem);
    json_builder_end_object(b);
    json_builder_set_member_name(b, "chain");
    json_builder_begin_array(b);
    for (unsigned i = 0; info->chain && i < info->chain->len; i++) {
        g_autofree char *valid = g_utf8_make_valid(g_ptr_array_index(info->chain, i), -1);
        json_builder_add_string_value(b, valid);
    }
    json_builder_end_array(b);
}

char *disk_info_json(const struct disk_info *info)
{
    JsonBuilder *b = json_start();

    json_put_text(b, "path", info->path);
    put_kind(b, info->kind);
    json_put_number(b, "virtual_size", info->size);
    json_put_number(b, "file_size", info->file_bytes);
    json_put_number(b, "host_size", info->host_bytes);
    json_put_text(b, "use", use_names[info->use]);
    if (is_vhd(info->kind)) {
        put_vhd(b, info);
    }
    if (info->kind >= DISK_DYNAMIC) {
        json_put_number(b, "block_size", info->block_bytes);
        json_put_number(b, "blocks", info->blocks);
        json_put_number(b, "blocks_allocated", info->blocks_used);
    }
    if (info->kind == DISK_DIFFERENCING) {
        put_parent(b, info);
    }
    json_put_text(b, "note", info->note);
    return json_finish(b);
}

char *disk_report_json(const struct disk_report *r)
{
    JsonBuilder *b = json_start();

    json_put_text(b, "path", r->path);
    json_put_text(b, "format", r->vhd ? "vhd" : "raw");
    json_put_text(b, "type", is_vhd(r->kind) ? disk_kind_name(r->kind) : NULL);
    json_put_bool(b, "sound", !r->damages);
    if (r->kind >= DISK_DYNAMIC) {
        json_put_number(b, "blocks", r->blocks);
        json_put_number(b, "blocks_allocated", r->blocks_used);
        json_put_number(b, "orphaned_bytes", r->orphaned_bytes);
    }
    json_builder_set_member_name(b, "findings");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < r->findings->len; i++) {
        const struct disk_finding *f = &g_array_index(r->findings, struct disk_finding, i);

        json_builder_begin_object(b);
        json_put_text(b, "code", f->code);
        json_put_text(b, "severity", f->severity == DISK_NOTE ? "note" : "damage");
        json_put_text(b, "text", f->text);
        json_put_bool(b, "repairable", f->repairable);
        json_put_bool(b, "repaired", f->repaired);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    return json_finish(b);
}

static void put_node(JsonBuilder *b, const struct disk_node *n)
{
    json_put_text(b, "path", n->path);
    put_kind(b, n->kind);
    json_put_number(b, "virtual_size", n->size);
    json_put_bool(b, "asked_for", n->here);
    json_put_text(b, "problem", n->problem);
    json_put_text(b, "missing_parent", n->missing);
    json_builder_set_member_name(b, "children");
    json_builder_begin_array(b);
    for (unsigned i = 0; i < n->children->len; i++) {
        json_builder_begin_object(b);
        put_node(b, g_ptr_array_index(n->children, i));
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
}

char *disk_tree_json(const struct disk_node *root)
{
    JsonBuilder *b = json_start();

    put_node(b, root);
    return json_finish(b);
}
