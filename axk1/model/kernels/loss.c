#include "rows.h"
#include <math.h>

enum { BLOCK = 2048 }; /* a piece of the vocabulary that stays in the first-level cache */

void axk1_cross_entropy(void *logits, int kind, const int64_t *targets, float *loss, int64_t n, int64_t v) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        char *row = row_at_mut(logits, kind, i * v);
        int64_t size = element_size(kind), target = targets[i];
        if (target < 0) {
            memset(row, 0, (size_t)(v * size));
            loss[i] = 0;
            continue;
        }
        float in[BLOCK], out[BLOCK], wanted, top = -INFINITY, sum = 0;
        wanted = *load_row(row + target * size, kind, in, 1);
        for (int64_t start = 0; start < v; start += BLOCK) {
            int64_t d = v - start < BLOCK ? v - start : BLOCK;
            const float *restrict x = load_row(row + start * size, kind, in, d);
            for (int64_t j = 0; j < d; j++) top = x[j] > top ? x[j] : top;
        }
        for (int64_t start = 0; start < v; start += BLOCK) {
            int64_t d = v - start < BLOCK ? v - start : BLOCK;
            const float *restrict x = load_row(row + start * size, kind, in, d);
            for (int64_t j = 0; j < d; j++) sum += fast_exp(x[j] - top);
        }
        float lse = top + logf(sum);
        loss[i] = lse - wanted;
        for (int64_t start = 0; start < v; start += BLOCK) {
            int64_t d = v - start < BLOCK ? v - start : BLOCK;
            const float *restrict x = load_row(row + start * size, kind, in, d);
            for (int64_t j = 0; j < d; j++) out[j] = fast_exp(x[j] - lse);
            if (target >= start && target < start + d) out[target - start] -= 1.0f;
            store_row(row + start * size, kind, out, d);
        }
    }
}
