/*
 * Text and number helpers that a C library would give. A freestanding program has none, and the
 * compiler itself may call memcpy, memmove, memset and memcmp. Follows: C11 7.21.6.1 for the format
 * letters it knows (d u x c s %). Not modelled: floating point, precision, %n.
 */
#include "lab.h"

void *memcpy(void *to, const void *from, size_t n)
{
    void *d = to;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if (d <= s || d >= s + n)
        return memcpy(to, from, n);
    for (volatile size_t i = n; i; i--)
        d[i - 1] = s[i - 1];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    void *d = to;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t text_len(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

uint64_t div64(uint64_t n, uint64_t d, uint64_t *rem)
{
    uint64_t q = 0, r = 0;

    /* Schoolbook division, bit by bit: a 32-bit CPU has no 64 by 64 bit divide, and nothing here is
     * in a hurry. */
    if (d) {
        for (int i = 63; i >= 0; i--) {
            r = r << 1 | (n >> i & 1);
            q <<= 1;
            if (r >= d) {
                r -= d;
                q |= 1;
            }
        }
    }
    if (rem)
        *rem = r;
    return q;
}

struct out {
    char *buf;
    size_t size, len;
};

static void out_char(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len++] = c;
}

static void out_padded(struct out *o, const char *s, size_t n, int width, bool left, char pad)
{
    int fill = width > (int)n ? width - (int)n : 0;

    while (!left && fill) {
        out_char(o, pad);
        fill--;
    }
    for (size_t i = 0; i < n; i++)
        out_char(o, s[i]);
    while (fill-- > 0)
        out_char(o, ' ');
}

static void out_number(struct out *o, uint64_t v, unsigned int base, bool minus, int width,
                       bool left, char pad)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        uint64_t digit;

        v = base == 16 ? (digit = v & 15, v >> 4) : div64(v, base, &digit);
        digits[--at] = "0123456789abcdef"[digit];
    } while (v);
    if (minus)
        digits[--at] = '-';
    out_padded(o, digits + at, sizeof(digits) - at, width, left, pad);
}

static void out_arg(struct out *o, char letter, bool wide, int width, bool left, char pad,
                    va_list *ap)
{
    const char *s;
    char c;

    switch (letter) {
    case 'd': {
        int64_t v = wide ? va_arg(*ap, long long) : va_arg(*ap, int);

        out_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, width, left, pad);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t v = wide ? va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned int);

        out_number(o, v, letter == 'x' ? 16 : 10, false, width, left, pad);
        break;
    }
    case 'c':
        c = (char)va_arg(*ap, int);
        out_padded(o, &c, 1, width, left, ' ');
        break;
    case 's':
        s = va_arg(*ap, const char *);
        out_padded(o, s, text_len(s), width, left, ' ');
        break;
    default:
        out_char(o, letter);
        break;
    }
}

size_t text_vformat(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, size, 0};
    va_list args;

    va_copy(args, ap);
    for (; *fmt; fmt++) {
        bool left = false, wide = false;
        char pad = ' ';
        int width = 0;

        if (*fmt != '%') {
            out_char(&o, *fmt);
            continue;
        }
        for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
            left |= *fmt == '-';
            if (*fmt == '0')
                pad = '0';
        }
        if (*fmt == '*') {
            width = va_arg(args, int);
            fmt++;
        }
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            width = width * 10 + (*fmt - '0');
        for (; *fmt == 'l'; fmt++)
            wide = true;
        if (!*fmt)
            break;
        out_arg(&o, *fmt, wide, width, left, pad, &args);
    }
    va_end(args);
    if (size)
        buf[o.len] = 0;
    return o.len;
}

size_t text_format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = text_vformat(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

const char *text_hz(char buf[24], uint64_t hz)
{
    uint64_t rest, whole;

    if (hz < 100000) {
        text_format(buf, 24, "%llu Hz", (unsigned long long)hz);
    } else {
        whole = div64(hz, 1000000, &rest);
        text_format(buf, 24, "%llu.%06u MHz", (unsigned long long)whole, (unsigned int)rest);
    }
    return buf;
}

const char *text_bytes(char buf[24], uint64_t n)
{
    static const char unit[][4] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned int u = 0;

    while (n >= 10240 && u + 1 < ARRAY_LEN(unit)) {
        n >>= 10;
        u++;
    }
    text_format(buf, 24, "%llu %s", (unsigned long long)n, unit[u]);
    return buf;
}
