/*
 * The order of work: every stop of every table, one after the other (README.md).
 */
#include "pc-bios/modes/modes.h"

void modes_main(void);

static void walk(const struct stop *stops)
{
    for (; stops->name; stops++) {
        stops->draw(pattern_seed(stops->name));
        say("MODE ");
        say(stops->name);
        say(" READY");
        say_end();
        wait_byte();
    }
}

void modes_main(void)
{
    serial_start();
    walk(text_stops);
    walk(graphics_stops);
    walk(packed_stops);
    walk(ops_stops);
    walk(vbe_stops);
    bios_video(3, 0, 0, 0);
    say("MODES DONE");
    say_end();
}
