/*
 * guestbench's kernels of integer work: arithmetic, branches, indirect jumps, calls, hashing.
 *
 * SHA-256 follows FIPS 180-4.  Not modelled: padding and lengths, as only the compression of one
 * block is timed.
 */
#include "tests/bench/guest/guestbench.h"

/* ---- int: a sieve; loops with stores and few surprises */

enum { SIEVE = 65536 };

static uint64_t run_sieve(struct bench *b)
{
    uint8_t *composite = b->mem;
    uint32_t count = 0, sum = 0;

    for (uint32_t i = 0; i < SIEVE; i++)
        composite[i] = 0;
    for (uint32_t i = 2; i < SIEVE; i++) {
        if (composite[i])
            continue;
        count++;
        sum += i;
        for (uint32_t j = i < 256 ? i * i : SIEVE; j < SIEVE; j += i)
            composite[j] = 1;
    }
    return (uint64_t)count << 32 | sum;
}

/* ---- alu: arithmetic in registers, one multiplication and one division in it */

enum { ALU_ROUNDS = 2000 };

static uint64_t run_alu(struct bench *b)
{
    uint32_t x = 2463534242u, y = 12345, z = 0, divisor = 1000003;

    (void)b;
    OPAQUE(divisor);
    for (uint32_t i = 1; i <= ALU_ROUNDS; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        y = y * 69069 + x;
        z += (y >> 7 | y << 25) ^ (x & ~i);
        z -= y / divisor;
        z = (z >> 3 | z << 29) + (x < y);
    }
    return (uint64_t)z << 32 | (x ^ y);
}

/* ---- branch: the steps of Collatz's numbers; a branch that nothing predicts well */

static uint64_t run_branch(struct bench *b)
{
    uint32_t steps = 0, seed = 0;

    (void)b;
    for (uint32_t i = 1; i <= 500; i++) {
        uint32_t n = i;

        while (n != 1) {
            if (n & 1) {
                n = 3 * n + 1;
                seed += n; /* so that it stays a branch */
                BARRIER();
            } else {
                n >>= 1;
            }
            steps++;
        }
    }
    return (uint64_t)steps << 32 | seed;
}

/* ---- sha256 */

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t ror(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static void sha_block(uint32_t h[8], const uint8_t *data)
{
    uint32_t w[64], s[8];

    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
               (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
    for (unsigned i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
    for (unsigned i = 0; i < 8; i++)
        s[i] = h[i];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
                      ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
        uint32_t t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
        s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += s[i];
}

enum { SHA_BLOCKS = 64 };

static void setup_bytes(struct bench *b)
{
    uint64_t state = 1;

    for (unsigned i = 0; i < SHA_BLOCKS * 64; i++)
        b->mem[i] = (uint8_t)next_random(&state);
}

static uint64_t run_sha256(struct bench *b)
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    for (unsigned i = 0; i < SHA_BLOCKS; i++)
        sha_block(h, b->mem + 64 * i);
    return (uint64_t)h[0] << 32 | h[7];
}

/* ---- interp: an interpreter of byte code; an indirect jump for every instruction of it */

struct byte_op {
    uint8_t op, a, b, c;
};

enum { B_ADD, B_SUB, B_XOR, B_SHL, B_SHR, B_ADDI, B_LOAD, B_STORE, B_JNZ, B_END };
enum { INTERP_ROUNDS = 1000 };

static const struct byte_op byte_code[] = {
    {B_ADD, 1, 1, 2}, {B_SHL, 3, 1, 5},    {B_XOR, 1, 1, 3}, {B_LOAD, 4, 1, 0},  {B_ADD, 2, 2, 4},
    {B_SHR, 5, 2, 7}, {B_XOR, 2, 2, 5},    {B_SUB, 6, 2, 1}, {B_STORE, 6, 1, 0}, {B_ADDI, 7, 7, 3},
    {B_ADD, 1, 1, 7}, {B_ADDI, 0, 0, 255}, {B_JNZ, 0, 0, 0}, {B_END, 0, 0, 0},
};

static uint64_t run_interp(struct bench *b)
{
    static const void *const labels[] = {&&add,  &&sub,  &&xor_,  &&shl, &&shr,
                                         &&addi, &&load, &&store, &&jnz, &&end};
    uint32_t *r = (uint32_t *)b->mem, *data = r + 16;
    const struct byte_op *p = byte_code;

    OPAQUE(p);
    for (unsigned i = 0; i < 16 + 64; i++)
        r[i] = i;
    r[0] = INTERP_ROUNDS;
#define NEXT_BYTE_OP goto *labels[p->op]
    NEXT_BYTE_OP;
add:
    r[p->a] = r[p->b] + r[p->c], p++;
    NEXT_BYTE_OP;
sub:
    r[p->a] = r[p->b] - r[p->c], p++;
    NEXT_BYTE_OP;
xor_:
    r[p->a] = r[p->b] ^ r[p->c], p++;
    NEXT_BYTE_OP;
shl:
    r[p->a] = r[p->b] << (p->c & 31), p++;
    NEXT_BYTE_OP;
shr:
    r[p->a] = r[p->b] >> (p->c & 31), p++;
    NEXT_BYTE_OP;
addi:
    r[p->a] = r[p->b] + (uint32_t)(int8_t)p->c, p++;
    NEXT_BYTE_OP;
load:
    r[p->a] = data[r[p->b] & 63], p++;
    NEXT_BYTE_OP;
store:
    data[r[p->b] & 63] = r[p->a], p++;
    NEXT_BYTE_OP;
jnz:
    p = r[p->a] ? byte_code : p + 1;
    OPAQUE(p);
    NEXT_BYTE_OP;
#undef NEXT_BYTE_OP
end:
    return (uint64_t)r[1] << 32 | r[2];
}

/* ---- fib: calls and returns */

__attribute__((noinline, noclone)) static uint32_t fib(uint32_t n)
{
    OPAQUE(n); /* no loop may be made of the second call */
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t run_fib(struct bench *b)
{
    (void)b;
    return fib(18);
}

/* ---- qsort: data that branches depend on, and an indirect call for each comparison */

enum { SORTED = 2000 };

__attribute__((noinline)) static int compare(const uint32_t *a, const uint32_t *b)
{
    return *a < *b ? -1 : *a > *b;
}

static void sort(uint32_t *v, int low, int high, int (*cmp)(const uint32_t *, const uint32_t *))
{
    while (low < high) {
        uint32_t pivot = v[low + (high - low) / 2], t;
        int i = low, j = high;

        while (i <= j) {
            while (cmp(&v[i], &pivot) < 0)
                i++;
            while (cmp(&v[j], &pivot) > 0)
                j--;
            if (i <= j)
                t = v[i], v[i++] = v[j], v[j--] = t;
        }
        sort(v, low, j, cmp);
        low = i;
    }
}

static uint64_t run_qsort(struct bench *b)
{
    uint32_t *v = (uint32_t *)b->mem;
    uint64_t state = 7, sum = 0;
    int (*cmp)(const uint32_t *, const uint32_t *) = compare;

    OPAQUE(cmp);
    for (int i = 0; i < SORTED; i++)
        v[i] = next_random(&state);
    sort(v, 0, SORTED - 1, cmp);
    for (int i = 0; i < SORTED; i += 100)
        sum = mix(sum, v[i]);
    return sum;
}

const struct kernel kernels_int[] = {
    {"int", "a sieve of 64 Ki numbers", 1, SIEVE, NULL, NULL, run_sieve, NULL, NULL},
    {"alu", "arithmetic in registers, a division in it", ALU_ROUNDS, 0, NULL, NULL, run_alu, NULL,
     NULL},
    {"branch", "Collatz's numbers to 500", 1, 0, NULL, NULL, run_branch, NULL, NULL},
    {"sha256", "a block of SHA-256, in plain C", SHA_BLOCKS, SHA_BLOCKS * 64, NULL, setup_bytes,
     run_sha256, NULL, NULL},
    {"interp", "thirteen byte codes of an interpreter", INTERP_ROUNDS, 4096, NULL, NULL, run_interp,
     NULL, NULL},
    {"fib", "fib(18), 8361 calls", 1, 0, NULL, NULL, run_fib, NULL, NULL},
    {"qsort", "2000 numbers, compared by a function", 1, 8192, NULL, NULL, run_qsort, NULL, NULL},
    {0},
};
