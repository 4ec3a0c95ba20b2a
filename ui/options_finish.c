/*
 * The options of `candela run`: what can be judged only when all are known, and their storage.
 */
#include "ui/drive.h"
#include "ui/nic.h"
#include "ui/options.h"
#include "ui/parse.h"
#include "ui/window_keys.h"

static bool is_stdio(const char *dev)
{
    size_t len = dev ? strcspn(dev, ",") : 0;

    return dev && ((len == 5 && !strncmp(dev, "stdio", len)) ||
                   (len == 9 && !strncmp(dev, "mon:stdio", len)));
}

/* How many endpoints are the terminal. */
static unsigned options_stdios(const struct options *o)
{
    return (unsigned)is_stdio(o->vm.serial[0]) + is_stdio(o->vm.serial[1]) +
           is_stdio(o->vm.debugcon) + is_stdio(o->monitor);
}

/* -nographic: what of COM1 and the monitor has no place of its own goes on the terminal. */
static void options_use_terminal(struct options *o)
{
    if (!o->serials && !o->monitor) {
        parse_put(&o->vm.serial[0], "mon:stdio");
    } else if (!o->serials) {
        parse_put(&o->vm.serial[0], is_stdio(o->monitor) ? "none" : "stdio");
    } else if (!o->monitor && !options_stdios(o)) {
        parse_put(&o->monitor, "stdio");
    }
}

/* A monitor at a socket is there for whoever comes, and keeps nobody waiting. */
static void options_monitor_listens(struct options *o)
{
    if (o->monitor && g_str_has_prefix(o->monitor, "unix:") && !strchr(o->monitor, ',')) {
        g_autofree char *text = g_strconcat(o->monitor, ",server,nowait", NULL);

        parse_put(&o->monitor, text);
    }
}

/* What can be judged only when all options are known. */
bool options_finish(struct options *o, GError **err)
{
    if (o->nographic) {
        options_use_terminal(o);
    }
    if (options_stdios(o) > 1) {
        return parse_fail(err, "the terminal (stdio) can be used once; -serial mon:stdio shares it "
                               "between COM1 and the monitor");
    }
    options_monitor_listens(o);
    if (o->monitor && g_str_has_prefix(o->monitor, "mon:")) {
        return parse_fail(err, "-monitor %s: mon: is for -serial; write -monitor stdio",
                          o->monitor);
    }
    if (!o->vm.kernel && (o->vm.initrd || o->vm.append)) {
        return parse_fail(err, "%s needs -kernel FILE", o->vm.initrd ? "-initrd" : "-append");
    }
    return nic_finish(o, err) && drive_place_all(o, err);
}

bool options_has_image(const struct options *o)
{
    return o->drives->len || o->vm.kernel || o->vm.bios ||
           (o->vm.boot_order && strchr(o->vm.boot_order, 'n'));
}

static void step_clear(gpointer data)
{
    g_free(((struct script_step *)data)->text);
}

void options_init(struct options *o)
{
    memset(o, 0, sizeof *o);
    vm_config_init(&o->vm);
    o->drives = g_ptr_array_new_with_free_func((GDestroyNotify)drive_request_free);
    o->steps = g_array_new(FALSE, FALSE, sizeof(struct script_step));
    g_array_set_clear_func(o->steps, step_clear);
    o->answer = g_string_new(NULL);
    o->host_key = host_key_at(0);
}

void options_clear(struct options *o)
{
    vm_config_clear(&o->vm);
    g_ptr_array_unref(o->drives);
    g_array_unref(o->steps);
    g_free(o->screen);
    g_free(o->audio);
    g_free(o->stats);
    g_free(o->monitor);
    g_free(o->machine);
    g_string_free(o->answer, TRUE);
    memset(o, 0, sizeof *o);
}
