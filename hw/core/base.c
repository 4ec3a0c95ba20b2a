/*
 * The error domain of hw/core/base.h.
 *
 * Not modelled: anything of the guest.
 */
#include "hw/core/base.h"

GQuark candela_error_quark(void)
{
    return g_quark_from_static_string("candela-error");
}
