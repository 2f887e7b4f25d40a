/* A step of Muon over many matrices in bfloat16 (see train/muon.py): Nesterov momentum, orthogonalisation, update.
 *
 * One thread takes one matrix through the whole step: it stays in that thread's cache between the products, its momentum
 * and master are read and written once, and threads never wait for each other within a matrix. */
#include "rows.h"

#ifndef __AVX512BF16__
int axk1_has_muon(void) { return 0; }
int axk1_muon(const axk1_muon_stack *stacks, int64_t count, const axk1_muon_step *step) {
    (void)stacks, (void)count, (void)step;
    return -1;
}
#else
#include <math.h>
#include <stdlib.h>

#include "tile.h"

int axk1_has_muon(void) { return 1; }

/* x = the look-ahead direction of the moved momentum; returns its Frobenius norm. */
static float direct(const uint16_t *grad, float *restrict momentum, uint16_t *restrict x, int64_t count, float beta, float scale) {
    double total = 0;
    for (int64_t start = 0; start < count; start += 1024) {
        float sum = 0;
        for (int64_t j = start; j < least(start + 1024, count); j++) {
            float g = from_bf16(grad[j]) * scale;
            float m = momentum[j] + (1.0f - beta) * (g - momentum[j]);
            float d = g + beta * (m - g);
            momentum[j] = m;
            x[j] = to_bf16(d);
            sum += d * d;
        }
        total += sum;
    }
    return (float)sqrt(total);
}

/* gram_[m,m]: x x^T of a wide x_[rows,cols] (m = rows), x^T x of a tall one (m = cols). */
static void gram_of(const uint16_t *x, int64_t rows, int64_t cols, uint16_t *gram, uint32_t *packed) {
    if (rows <= cols) {
        for (int64_t c = 0; c < rows; c += STRIP) {
            int64_t wide = least(STRIP, rows - c);
            pack_columns(x + c * cols, cols, wide, packed);
            strip((const uint32_t *)x, cols / 2, 1, packed, cols / 2, gram + c, rows, rows, wide);
        }
        return;
    }
    int64_t panel = rows / 2 * STRIP;
    for (int64_t c = 0; c < cols; c += STRIP) pack_rows(x + c, cols, rows, least(STRIP, cols - c), packed + c / STRIP * panel);
    for (int64_t c = 0; c < cols; c += STRIP)
        for (int64_t r = 0; r < cols; r += STRIP)
            strip(packed + r / STRIP * panel, 1, STRIP, packed + c / STRIP * panel, rows / 2, gram + r * cols + c, cols, least(STRIP, cols - r), least(STRIP, cols - c));
}

/* out_[m,n] = a_[m,m] b, or out_[n,m] = b a where b is tall: a is symmetric. */
static void times(const uint16_t *a, const uint16_t *b, int64_t rows, int64_t cols, uint16_t *out, uint32_t *packed) {
    int64_t m = least(rows, cols);
    if (rows <= cols) {
        for (int64_t c = 0; c < cols; c += STRIP) {
            int64_t wide = least(STRIP, cols - c);
            pack_rows(b + c, cols, rows, wide, packed);
            strip((const uint32_t *)a, m / 2, 1, packed, m / 2, out + c, cols, rows, wide);
        }
        return;
    }
    for (int64_t c = 0; c < m; c += STRIP) {
        int64_t wide = least(STRIP, m - c);
        pack_columns(a + c * m, m, wide, packed); /* rows of a symmetric matrix are its columns */
        strip((const uint32_t *)b, m / 2, 1, packed, m / 2, out + c, cols, rows, wide);
    }
}

/* square = a I + b gram + c square. */
static void polynomial(const uint16_t *gram, uint16_t *square, int64_t m, const float *coefficients) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            float value = coefficients[1] * from_bf16(gram[i * m + j]) + coefficients[2] * from_bf16(square[i * m + j]);
            square[i * m + j] = to_bf16(i == j ? value + coefficients[0] : value);
        }
}

/* Elements (or bytes) of a buffer, up to a multiple of 64. */
static int64_t padded(int64_t n) { return (n + 63) / 64 * 64; }

/* Bytes of scratch for the largest matrix: x twice, two squares, a packed operand; each with a strip to spare. */
static int64_t scratch_of(const axk1_muon_stack *s) {
    int64_t m = least(s->rows, s->cols), n = s->rows * s->cols / m;
    return 2 * 2 * padded(m * n) + 2 * 2 * padded(m * m) + 4 * (padded(n / 2 * padded(m)) + padded(m / 2 * STRIP) + 2 * STRIP * STRIP);
}

static void one(const axk1_muon_stack *s, int64_t index, const axk1_muon_step *step, char *scratch) {
    int64_t rows = s->rows, cols = s->cols, count = rows * cols, m = least(rows, cols), offset = index * count;
    uint16_t *x = (uint16_t *)scratch, *next = x + padded(count), *gram = next + padded(count), *square = gram + padded(m * m);
    uint32_t *packed = (uint32_t *)(square + padded(m * m));
    float norm = direct((const uint16_t *)s->grad + offset, s->momentum + offset, x, count, step->beta, step->grad_scale);
    float inverse = 1.0f / (norm > 1e-30f ? norm : 1e-30f);
    for (int64_t j = 0; j < count; j++) x[j] = to_bf16(from_bf16(x[j]) * inverse);
    for (int64_t i = 0; i < step->iterations; i++) {
        gram_of(x, rows, cols, gram, packed);
        times(gram, gram, m, m, square, packed);
        polynomial(gram, square, m, step->coefficients + 3 * i);
        times(square, x, rows, cols, next, packed);
        uint16_t *swap = x;
        x = next, next = swap;
    }
    float *restrict master = s->master + offset;
    uint16_t *restrict parameter = (uint16_t *)s->parameter + offset;
    for (int64_t j = 0; j < count; j++) {
        master[j] = master[j] * step->decay - s->rate * from_bf16(x[j]);
        parameter[j] = to_bf16(master[j]);
    }
}

int axk1_muon(const axk1_muon_stack *stacks, int64_t count, const axk1_muon_step *step) {
    int64_t tasks = 0, scratch = 0;
    int failed = 0;
    for (int64_t i = 0; i < count; i++) {
        tasks += stacks[i].matrices;
        scratch = scratch_of(stacks + i) > scratch ? scratch_of(stacks + i) : scratch;
    }
#pragma omp parallel
    {
        char *own = aligned_alloc(64, (size_t)padded(scratch));
        if (!own) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
        if (!failed) {
#pragma omp for schedule(dynamic, 1)
            for (int64_t task = 0; task < tasks; task++) {
                int64_t stack = 0, index = task;
                while (index >= stacks[stack].matrices) index -= stacks[stack++].matrices;
                one(stacks + stack, index, step, own);
            }
        }
        free(own);
    }
    return failed ? -1 : 0;
}
#endif
