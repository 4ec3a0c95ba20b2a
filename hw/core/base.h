/*
 * Integer helpers used everywhere: bit fields and little-/big-endian access to byte arrays.
 *
 * Wire structures (disk headers, descriptors, tables) are byte arrays read through these calls,
 * never casts, so that alignment, endianness and bounds are always visible at the place of use.
 *
 * Not modelled: bit fields wider than 64 bits.
 */
#ifndef HW_CORE_BASE_H
#define HW_CORE_BASE_H

#include <assert.h> /* static_assert only */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BIT(n)                          (1u << (n))
#define BIT64(n)                        (1ull << (n))
#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)

#define KiB 1024ull
#define MiB (1024ull * KiB)
#define GiB (1024ull * MiB)

#define NS_PER_SEC 1000000000ll
#define NS_PER_MS  1000000ll
#define NS_PER_US  1000ll

/* The bits hi..lo of v, moved down to bit 0. */
static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
    return (v >> lo) & ((hi - lo == 63) ? ~0ull : (BIT64(hi - lo + 1) - 1));
}

static inline uint64_t align_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) / to * to;
}

static inline uint16_t ld_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return GUINT16_FROM_LE(v);
}

static inline uint32_t ld_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return GUINT32_FROM_LE(v);
}

static inline uint64_t ld_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return GUINT64_FROM_LE(v);
}

static inline uint16_t ld_be16(const void *p)
{
    return GUINT16_SWAP_LE_BE(ld_le16(p));
}

static inline uint32_t ld_be32(const void *p)
{
    return GUINT32_SWAP_LE_BE(ld_le32(p));
}

static inline uint64_t ld_be64(const void *p)
{
    return GUINT64_SWAP_LE_BE(ld_le64(p));
}

static inline void st_le16(void *p, uint16_t v)
{
    v = GUINT16_TO_LE(v);
    memcpy(p, &v, sizeof v);
}

static inline void st_le32(void *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, sizeof v);
}

static inline void st_le64(void *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, sizeof v);
}

static inline void st_be16(void *p, uint16_t v)
{
    st_le16(p, GUINT16_SWAP_LE_BE(v));
}

static inline void st_be32(void *p, uint32_t v)
{
    st_le32(p, GUINT32_SWAP_LE_BE(v));
}

static inline void st_be64(void *p, uint64_t v)
{
    st_le64(p, GUINT64_SWAP_LE_BE(v));
}

/* One error domain for everything that fails for host reasons; the codes map to exit codes in
 * ui/main.c. */
enum candela_error {
    CANDELA_ERROR_CONFIG, /* an option or a configuration value: exit 2 from the command line, else
                             3 */
    CANDELA_ERROR_FILE,   /* a file is missing, unreadable, locked: exit 3 */
    CANDELA_ERROR_FORMAT, /* a file's contents are not what they must be: exit 3 */
    CANDELA_ERROR_HOST,   /* the host refused memory, a thread, a device: exit 1 */
    CANDELA_ERROR_SNAPSHOT,  /* a snapshot cannot be used: exit 3 */
    CANDELA_ERROR_ACCEL,     /* the demanded accelerator is not available: exit 4 */
    CANDELA_ERROR_CANCELLED, /* the user ended it: exit 1 */
};
#define CANDELA_ERROR (candela_error_quark())
GQuark candela_error_quark(void);

#endif
