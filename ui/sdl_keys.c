/*
 * Keys of SDL to the codes of hw/core/input.h.  SDL's scan codes are HID usages of the keyboard's
 * page, whatever the host's layout is; only the keys of other pages need a table.
 */
#include "ui/sdl_int.h"
#include "hw/core/input.h"

static const struct {
    SDL_Scancode from;
    unsigned to;
} others[] = {
    {SDL_SCANCODE_AUDIOPLAY, INPUT_KEY_PLAY},
    {SDL_SCANCODE_AUDIOSTOP, INPUT_KEY_STOP},
    {SDL_SCANCODE_AUDIOPREV, INPUT_KEY_PREVIOUS},
    {SDL_SCANCODE_AUDIONEXT, INPUT_KEY_NEXT},
    {SDL_SCANCODE_AUDIOMUTE, SDL_SCANCODE_MUTE},
    {SDL_SCANCODE_WWW, INPUT_KEY_WWW},
    {SDL_SCANCODE_AC_HOME, INPUT_KEY_WWW},
    {SDL_SCANCODE_AC_BACK, INPUT_KEY_BACK},
    {SDL_SCANCODE_AC_FORWARD, INPUT_KEY_FORWARD},
    {SDL_SCANCODE_AC_STOP, INPUT_KEY_BROWSER_STOP},
    {SDL_SCANCODE_AC_SEARCH, INPUT_KEY_SEARCH},
    {SDL_SCANCODE_AC_REFRESH, INPUT_KEY_REFRESH},
    {SDL_SCANCODE_AC_BOOKMARKS, INPUT_KEY_FAVORITES},
    {SDL_SCANCODE_SLEEP, INPUT_KEY_SLEEP},
    {SDL_SCANCODE_CALCULATOR, INPUT_KEY_CALCULATOR},
    {SDL_SCANCODE_MAIL, INPUT_KEY_MAIL},
    {SDL_SCANCODE_MEDIASELECT, INPUT_KEY_MEDIA},
    {SDL_SCANCODE_COMPUTER, INPUT_KEY_COMPUTER},
};

unsigned sdl_key_code(SDL_Scancode code)
{
    if ((unsigned)code <= SDL_SCANCODE_RGUI) {
        return (unsigned)code;
    }
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        if (others[i].from == code) {
            return others[i].to;
        }
    }
    return 0;
}
