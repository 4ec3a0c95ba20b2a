/*
 * guestbench's kernels of floating point and vectors: scalar double, SSE, AVX2, FMA, x87.
 *
 * Only operations whose results are exact to the bit on every processor (no RCPPS, no FSIN), with
 * exceptions masked and results in the range of normal numbers.  Not modelled: denormals and
 * unmasked exceptions.
 */
#include "tests/bench/guest/guestbench.h"
#include <immintrin.h>

enum { N = 64, FLOATS = 1024 };

/* The result stands behind two operands. */
static uint64_t sum_floats(struct bench *b)
{
    return sum_memory(b->mem + 2 * FLOATS * 4, FLOATS * 4);
}

static uint64_t sum_matrix(struct bench *b)
{
    return sum_memory(b->mem + 2 * N * N * 8, N * N * 8);
}

/* ---- fp64mm: the product of two matrices */

static void setup_matrix(struct bench *b)
{
    double *v = (double *)b->mem;
    uint64_t state = 11;

    for (unsigned i = 0; i < 2 * N * N; i++)
        v[i] = (double)(int32_t)next_random(&state) / 65536.0;
}

static uint64_t run_matrix(struct bench *b)
{
    const double *x = (const double *)b->mem, *y = x + N * N;
    double *z = (double *)b->mem + 2 * N * N;

    for (unsigned i = 0; i < N; i++)
        for (unsigned j = 0; j < N; j++) {
            double sum = 0;

            for (unsigned k = 0; k < N; k++)
                sum += x[i * N + k] * y[k * N + j];
            z[i * N + j] = sum;
        }
    return 0;
}

/* ---- sse2f */

static void setup_floats(struct bench *b)
{
    float *v = (float *)b->mem;
    uint64_t state = 13;

    for (unsigned i = 0; i < 2 * FLOATS; i++)
        v[i] = (float)((int32_t)next_random(&state) >> 8) / 4096.0f;
}

static uint64_t run_sse_float(struct bench *b)
{
    const float *x = (const float *)b->mem, *y = x + FLOATS;
    float *z = (float *)b->mem + 2 * FLOATS;
    __m128 low = _mm_set1_ps(-3e6f), high = _mm_set1_ps(3e6f), k = _mm_set1_ps(0.75f);

    for (unsigned i = 0; i < FLOATS; i += 4) {
        __m128 p = _mm_loadu_ps(x + i), q = _mm_loadu_ps(y + i);
        __m128 r = _mm_add_ps(_mm_mul_ps(p, q), _mm_shuffle_ps(p, q, 0x1b));
        __m128 less = _mm_cmplt_ps(p, q);

        r = _mm_max_ps(_mm_min_ps(r, high), low);
        r = _mm_add_ps(_mm_and_ps(less, r), _mm_andnot_ps(less, _mm_mul_ps(r, k)));
        r = _mm_sub_ps(r, _mm_cvtepi32_ps(_mm_cvttps_epi32(_mm_mul_ps(p, k))));
        _mm_storeu_ps(z + i, r);
    }
    return 0;
}

/* ---- sse2i */

static void setup_ints(struct bench *b)
{
    uint64_t state = 17;

    for (unsigned i = 0; i < 2 * FLOATS * 4; i += 4)
        *(uint32_t *)(b->mem + i) = next_random(&state);
}

static uint64_t run_sse_int(struct bench *b)
{
    const __m128i *x = (const __m128i *)b->mem, *y = x + FLOATS / 4;
    __m128i *z = (__m128i *)b->mem + FLOATS / 2;

    for (unsigned i = 0; i < FLOATS / 4; i++) {
        __m128i p = _mm_loadu_si128(x + i), q = _mm_loadu_si128(y + i);
        __m128i r = _mm_add_epi32(p, _mm_madd_epi16(p, q));

        r = _mm_xor_si128(r, _mm_or_si128(_mm_slli_epi32(q, 7), _mm_srli_epi32(q, 25)));
        r = _mm_sub_epi8(r, _mm_and_si128(_mm_cmpgt_epi32(p, q), _mm_shuffle_epi32(q, 0x4e)));
        r = _mm_adds_epu8(r, _mm_unpacklo_epi8(p, q));
        r = _mm_add_epi64(r, _mm_sad_epu8(p, q));
        _mm_storeu_si128(z + i, _mm_packs_epi32(r, p));
    }
    return 0;
}

/* ---- avx2f: a polynomial by fused multiplications and additions */

__attribute__((target("avx2,fma"))) static uint64_t run_avx_float(struct bench *b)
{
    const float *x = (const float *)b->mem;
    float *z = (float *)b->mem + 2 * FLOATS;
    __m256 scale = _mm256_set1_ps(1.0f / 2048), c0 = _mm256_set1_ps(1.25f);
    __m256 c1 = _mm256_set1_ps(-0.5f), c2 = _mm256_set1_ps(0.3125f), c3 = _mm256_set1_ps(-0.7f);

    for (unsigned i = 0; i < FLOATS; i += 8) {
        __m256 p = _mm256_mul_ps(_mm256_loadu_ps(x + i), scale);
        __m256 r = _mm256_fmadd_ps(p, c0, c1);

        r = _mm256_fmadd_ps(r, p, c2);
        r = _mm256_fnmadd_ps(r, p, c3);
        r = _mm256_fmsub_ps(r, p, c0);
        r = _mm256_fmadd_ps(r, p, c1);
        r = _mm256_fmadd_ps(r, p, c2);
        _mm256_storeu_ps(z + i, _mm256_max_ps(r, c3));
    }
    return 0;
}

/* ---- avx2i */

__attribute__((target("avx2"))) static uint64_t run_avx_int(struct bench *b)
{
    const __m256i *x = (const __m256i *)b->mem, *y = x + FLOATS / 8;
    __m256i *z = (__m256i *)b->mem + FLOATS / 4, order = _mm256_set_epi32(3, 7, 1, 5, 0, 2, 6, 4);

    for (unsigned i = 0; i < FLOATS / 8; i++) {
        __m256i p = _mm256_loadu_si256(x + i), q = _mm256_loadu_si256(y + i);
        __m256i r = _mm256_add_epi32(p, _mm256_mullo_epi32(p, q));

        r = _mm256_xor_si256(r, _mm256_permutevar8x32_epi32(q, order));
        r = _mm256_shuffle_epi8(r, _mm256_and_si256(q, _mm256_set1_epi8(15)));
        r = _mm256_sub_epi32(r, _mm256_srlv_epi32(p, _mm256_srli_epi32(q, 27)));
        r = _mm256_blendv_epi8(r, p, _mm256_cmpgt_epi32(p, q));
        r = _mm256_add_epi16(r, _mm256_maddubs_epi16(p, q));
        _mm256_storeu_si256(z + i, r);
    }
    return 0;
}

/* ---- x87 */

enum { X87_STEPS = 4096 };

static uint64_t run_x87(struct bench *b)
{
    const double *v = (const double *)b->mem;
    double *out = (double *)b->mem + 2 * N * N;
    long double sum = 1, factor = 0.875L;
    double scale = 1 / 3.0;

    for (unsigned i = 0; i < X87_STEPS; i++) {
        /* As compilers make it when they do not spill to the stack. */
        __asm__ volatile("fmul %%st(1), %%st\n\t"
                         "fsubl %2\n\t"
                         "fld %%st\n\t"
                         "fmull %3\n\t"
                         "fstpl %1"
                         : "+t"(sum), "=m"(out[i & 63])
                         : "m"(v[i & 63]), "m"(scale), "u"(factor)
                         : "st(7)");
    }
    *(volatile long double *)(out + 64) = sum; /* all of its bits are in the checksum */
    return 0;
}

const struct kernel kernels_fp[] = {
    {"fp64mm", "64 x 64 matrices of double multiplied", 1, 3 * N *N * 8, NULL, setup_matrix,
     run_matrix, sum_matrix, NULL},
    {"sse2f", "1024 floats in SSE", 1, 3 * FLOATS * 4, NULL, setup_floats, run_sse_float,
     sum_floats, NULL},
    {"sse2i", "1024 integers in SSE2", 1, 3 * FLOATS * 4, NULL, setup_ints, run_sse_int, sum_floats,
     NULL},
    {"avx2f", "1024 floats in AVX and FMA", 1, 3 * FLOATS * 4, "fma", setup_floats, run_avx_float,
     sum_floats, NULL},
    {"avx2i", "1024 integers in AVX2", 1, 3 * FLOATS * 4, "avx2", setup_ints, run_avx_int,
     sum_floats, NULL},
    {"x87", "a step of a recurrence in x87", X87_STEPS, 3 * N *N * 8, NULL, setup_matrix, run_x87,
     sum_matrix, NULL},
    {0},
};
