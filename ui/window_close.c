/*
 * How a machine's window is closed, as Virtual PC asked it: shut the guest down, turn it off, or
 * not at all.  (Saving the state will be the first choice once there is one.)
 */
#include "ui/window_int.h"

enum { CLOSE_SHUT_DOWN, CLOSE_TURN_OFF };
enum { BUTTON_OK, BUTTON_CANCEL };

static void window_turn_off(struct window *w)
{
    machine_end(w->m, END_QUIT, 0);
}

static bool close_answered(struct gui_widget *dialog, int id, void *of)
{
    struct window *w = of;
    int how = gui_value(w->close_choice);

    (void)dialog;
    w->closing = false;
    if (id != BUTTON_OK) {
        return true;
    }
    if (how == CLOSE_TURN_OFF) {
        window_turn_off(w);
        return true;
    }
    if (w->status.paused) {
        window_command(w, NULL, NULL, "cont");
    }
    window_command(w, NULL, NULL, "system_powerdown");
    window_tell(w, "The power button is pressed; the window closes when the guest has shut down",
                false);
    return true;
}

void window_ask_close(struct window *w)
{
    static const char *const ways[] = {"Shut down: press the power button", "Turn off", NULL};
    struct gui *g = sdl_gui(w->sdl);
    struct gui_widget *box;

    if (w->closing) {
        return;
    }
    w->closing = true;
    window_catch(w, false);
    box = gui_dialog(g, GUI_ICON_POWER, w->name ? w->name : "Close", close_answered, w);
    gui_label(box, "What shall the machine do?", GUI_PLAIN);
    w->close_choice = gui_choice(box, ways, CLOSE_SHUT_DOWN, NULL, NULL);
    gui_label(box, "Turned off, it loses what the guest has not written to its disks.", GUI_DIM);
    gui_dialog_button(box, "_Cancel", BUTTON_CANCEL, GUI_CANCEL);
    gui_dialog_button(box, "_Close", BUTTON_OK, GUI_DEFAULT);
    gui_focus(w->close_choice);
}

static bool turn_off_answered(struct gui_widget *dialog, int id, void *of)
{
    (void)dialog;
    if (id == 0) {
        window_turn_off(of);
    }
    return true;
}

void window_ask_turn_off(struct window *w)
{
    window_catch(w, false);
    gui_ask(sdl_gui(w->sdl), GUI_ICON_POWER, "Turn the machine off?",
            "What the guest has not written to its disks is lost.", "_Turn off|_Cancel",
            turn_off_answered, w);
}

static bool reset_answered(struct gui_widget *dialog, int id, void *of)
{
    struct window *w = of;

    (void)dialog;
    if (id == 0) {
        window_command(w, NULL, NULL, "system_reset");
    }
    return true;
}

void window_ask_reset(struct window *w)
{
    window_catch(w, false);
    gui_ask(sdl_gui(w->sdl), GUI_ICON_RESET, "Reset the machine?",
            "What the guest has not written to its disks is lost.", "_Reset|_Cancel",
            reset_answered, w);
}
