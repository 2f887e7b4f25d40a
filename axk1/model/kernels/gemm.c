/* Grouped matrix products for the experts in bfloat16: rows of expert e times its own matrix, all experts in one call.
 *
 * One product per expert and call leaves two threads waiting for each other at every small product. Here the work is cut
 * into tasks of one expert and a strip of its output, which a thread packs and computes by itself; a thread that the
 * system takes away delays its own task only. Tasks write disjoint outputs, so who computes what does not change results. */
#include "rows.h"

#ifndef __AVX512BF16__
int axk1_has_grouped_gemm(void) { return 0; }
void axk1_grouped_gemm(const void *a, const void *b, void *out, const int64_t *counts, int64_t experts, int64_t depth, int64_t width, int transposed) {
    (void)a, (void)b, (void)out, (void)counts, (void)experts, (void)depth, (void)width, (void)transposed;
}
void axk1_grouped_weight_gradient(const void *g, const void *x, void *out, const int64_t *counts, int64_t experts, int64_t height, int64_t width) {
    (void)g, (void)x, (void)out, (void)counts, (void)experts, (void)height, (void)width;
}
#else
#include <stdlib.h>

#include "tile.h"

enum { BAND = 256 }; /* rows of a weight gradient that share the packed x */

int axk1_has_grouped_gemm(void) { return 1; }

typedef struct { int64_t expert, first_row, rows, column; } task;

/* One task per expert and `step` columns. Returns how many. */
static int64_t plan(const int64_t *counts, int64_t experts, int64_t width, int64_t step, task *tasks) {
    int64_t n = 0, row = 0;
    for (int64_t e = 0; e < experts; row += counts[e++])
        for (int64_t c = 0; c < width; c += step) tasks[n++] = (task){e, row, counts[e], c};
    return n;
}

/* out_[M,width] = rows of a_[M,depth] times b[e]; b_[E,depth,width], or b_[E,width,depth] when `transposed`. depth is even. */
void axk1_grouped_gemm(const void *a, const void *b, void *out, const int64_t *counts, int64_t experts, int64_t depth, int64_t width, int transposed) {
    int64_t pairs = depth / 2;
    task tasks[experts * ((width + STRIP - 1) / STRIP)];
    int64_t n = plan(counts, experts, width, STRIP, tasks);
#pragma omp parallel
    {
        uint32_t packed[pairs * STRIP] __attribute__((aligned(64)));
#pragma omp for schedule(dynamic, 2)
        for (int64_t i = 0; i < n; i++) {
            task t = tasks[i];
            int64_t columns = least(STRIP, width - t.column);
            const uint16_t *matrix = (const uint16_t *)b + t.expert * depth * width;
            if (transposed) pack_columns(matrix + t.column * depth, depth, columns, packed);
            else pack_rows(matrix + t.column, width, depth, columns, packed);
            const uint32_t *rows = (const uint32_t *)((const uint16_t *)a + t.first_row * depth);
            strip(rows, pairs, 1, packed, pairs, (uint16_t *)out + t.first_row * width + t.column, width, t.rows, columns);
        }
    }
}

/* out_[E,height,width]: for each expert the sum over its rows of g_[row,height] x_[row,width]; zero without rows. */
void axk1_grouped_weight_gradient(const void *g, const void *x, void *out, const int64_t *counts, int64_t experts, int64_t height, int64_t width) {
    int64_t deepest = 0;
    for (int64_t e = 0; e < experts; e++) deepest = counts[e] > deepest ? counts[e] : deepest;
    int64_t panel = (deepest + 1) / 2 * STRIP; /* a packed strip */
    task tasks[experts * ((height + BAND - 1) / BAND)];
    int64_t n = plan(counts, experts, height, BAND, tasks);
#pragma omp parallel
    {
        /* g is the A side here: its packed strips are read column by column, where x is packed as B, strip by strip. */
        uint32_t *left = aligned_alloc(64, (size_t)(panel + STRIP) * (BAND / STRIP + 1) * 4), *right = left + panel * (BAND / STRIP);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < n; i++) {
            task t = tasks[i];
            int64_t high = least(BAND, height - t.column), pairs = (t.rows + 1) / 2;
            const uint16_t *rows_g = (const uint16_t *)g + t.first_row * height + t.column, *rows_x = (const uint16_t *)x + t.first_row * width;
            uint16_t *to = (uint16_t *)out + (t.expert * height + t.column) * width;
            for (int64_t r = 0; r < high; r += STRIP) pack_rows(rows_g + r, height, t.rows, least(STRIP, high - r), left + r / STRIP * panel);
            for (int64_t c = 0; c < width; c += STRIP) {
                int64_t columns = least(STRIP, width - c);
                pack_rows(rows_x + c, width, t.rows, columns, right);
                for (int64_t r = 0; r < high; r += STRIP)
                    strip(left + r / STRIP * panel, 1, STRIP, right, pairs, to + r * width + c, width, least(STRIP, high - r), columns);
            }
        }
        free(left);
    }
}
#endif
