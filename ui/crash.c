/*
 * What is put right when the program is about to die: the terminal's settings.
 *
 * Orderly ends go through chr_host_restore; this is for those without warning.  A handler has no
 * argument, hence the one writable global of the program.
 *
 * Not covered: SIGKILL, and a stack that has overflowed (there is no other one for the handler).
 */
#include "ui/crash.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static struct crash_terminal {
    struct termios saved;
    volatile sig_atomic_t armed;
    bool installed;
} crash_terminal;

/* The default action is back in force (SA_RESETHAND) and follows when this returns. */
static void crash_handle(int number)
{
    if (crash_terminal.armed) {
        tcsetattr(STDIN_FILENO, TCSANOW, &crash_terminal.saved);
    }
    raise(number);
}

/* Where somebody handles the signal already (a sanitizer), it stays theirs. */
static void crash_install(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGQUIT};
    struct sigaction action = {.sa_handler = crash_handle, .sa_flags = SA_RESETHAND}, old;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler == SIG_DFL) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

void crash_guard_terminal(const struct termios *saved)
{
    crash_terminal.armed = false;
    if (!saved) {
        return;
    }
    crash_terminal.saved = *saved;
    crash_terminal.armed = true;
    if (!crash_terminal.installed) {
        crash_terminal.installed = true;
        crash_install();
    }
}
