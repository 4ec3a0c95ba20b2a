/*
 * State tables: one static const table per device (and one for the CPU) lists every member of its
 * guest-visible state struct.  Reset, snapshot, `info`, tests and fuzzing read the table; see
 * docs/architecture.md section 6.
 *
 * Not modelled: configuration (properties, device.h) and derived data (recomputed by the `loaded`
 * hook).
 */
#ifndef HW_CORE_STATE_H
#define HW_CORE_STATE_H

#include "hw/core/base.h"
#include "hw/core/clock.h"
#include "hw/core/line.h"

enum state_kind {
    STATE_KIND_END = 0,
    STATE_KIND_BOOL,
    STATE_KIND_UINT,    /* 1, 2, 4 or 8 bytes, by .size */
    STATE_KIND_TIMER,   /* struct timer: the deadline and whether it is armed */
    STATE_KIND_LINE,    /* struct line: the level */
    STATE_KIND_STRUCTS, /* .count structs of .size bytes, described by .sub */
    STATE_KIND_HOLE,    /* named padding: always zero, not saved */
    STATE_KIND_GONE,    /* a field older snapshots have: read and dropped */
};

struct state_field {
    const char *name; /* as in the data sheet; a leading "s." is not printed */
    const char *was;  /* a former name in older snapshots, or NULL */
    enum state_kind kind;
    uint32_t offset;          /* in the struct the table describes */
    uint32_t size;            /* of one element, bytes */
    uint32_t count;           /* elements: 1, or an array's length */
    uint64_t reset;           /* value after reset (each element); lines and timers: must be 0 */
    uint64_t max;             /* largest valid value when loading; 0: whatever fits */
    const char *const *words; /* names of the values 0 to max, for state_print; NULL: none */
    bool keep;                /* not touched by reset (battery-backed, or contents of a buffer) */
    const struct state_field *sub;
};

#define STATE_KIND_OF(x)                                                                           \
    _Generic((x), bool                                                                             \
             : STATE_KIND_BOOL, uint8_t                                                            \
             : STATE_KIND_UINT, uint16_t                                                           \
             : STATE_KIND_UINT, uint32_t                                                           \
             : STATE_KIND_UINT, uint64_t                                                           \
             : STATE_KIND_UINT, struct timer                                                       \
             : STATE_KIND_TIMER, struct line                                                       \
             : STATE_KIND_LINE)

/* A scalar member m of struct type T: STATE(struct foo, s.count, .reset = 3). */
#define STATE(T, m, ...)                                                                           \
    {                                                                                              \
        .name = #m, .kind = STATE_KIND_OF(((T *)0)->m), .offset = offsetof(T, m),                  \
        .size = sizeof(((T *)0)->m), .count = 1, __VA_ARGS__                                       \
    }
/* A one-dimensional array of scalars. */
#define STATE_ARRAY(T, m, ...)                                                                     \
    {                                                                                              \
        .name = #m, .kind = STATE_KIND_OF(((T *)0)->m[0]), .offset = offsetof(T, m),               \
        .size = sizeof(((T *)0)->m[0]), .count = ARRAY_LEN(((T *)0)->m), __VA_ARGS__               \
    }
/* An array of structs, described by the table SUB whose offsets are relative to one element. */
#define STATE_STRUCTS(T, m, SUB, ...)                                                              \
    {                                                                                              \
        .name = #m, .kind = STATE_KIND_STRUCTS, .offset = offsetof(T, m),                          \
        .size = sizeof(((T *)0)->m[0]), .count = ARRAY_LEN(((T *)0)->m), .sub = (SUB), __VA_ARGS__ \
    }
/* One embedded struct, described by SUB. */
#define STATE_STRUCT(T, m, SUB, ...)                                                               \
    {                                                                                              \
        .name = #m, .kind = STATE_KIND_STRUCTS, .offset = offsetof(T, m),                          \
        .size = sizeof(((T *)0)->m), .count = 1, .sub = (SUB), __VA_ARGS__                         \
    }
#define STATE_HOLE(T, m)                                                                           \
    {                                                                                              \
        .name = #m, .kind = STATE_KIND_HOLE, .offset = offsetof(T, m),                             \
        .size = sizeof(((T *)0)->m), .count = 1                                                    \
    }
#define STATE_GONE(old)                                                                            \
    {                                                                                              \
        .name = old, .kind = STATE_KIND_GONE                                                       \
    }
#define STATE_END                                                                                  \
    {                                                                                              \
        .kind = STATE_KIND_END                                                                     \
    }

/* Set every field of `base` to its reset value (timers stop; a line goes low, its sink being told).
 */
void state_reset(const struct state_field *table, void *base);

/* Append "name=value" lines, one per field, each indented by `indent` spaces, to `out`.  Values in
 * hex, as wide as the field, with their words; structs that are all zero share a line. */
void state_print(const struct state_field *table, const void *base, int indent, GString *out);

/*
 * Mark in `covered` (one byte per byte of the struct, `len` bytes) what the table lists.  Returns
 * false when a field lies outside `len` or overlaps another.  For tests.
 */
bool state_cover(const struct state_field *table, size_t at, uint8_t *covered, size_t len);

#endif
