/*
 * The order of work: every stop of every table, one after the other (README.md).
 */
#include "pc-bios/modes/modes.h"

void modes_main(void);

static void walk(const struct stop *stops)
{
    for (; stops->name; stops++) {
        stops->draw(pattern_seed(stops->name));
        serial_print("MODE %s READY\n", stops->name);
        wait_byte();
    }
}

void modes_main(void)
{
    console_init();
    walk(text_stops);
    walk(graphics_stops);
    walk(packed_stops);
    walk(ops_stops);
    walk(vbe_stops);
    bios_video(3, 0, 0, 0);
    serial_print("MODES DONE\n");
}
