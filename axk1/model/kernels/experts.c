#include "rows.h"

/* Counting sort, stable in the token: expert e owns the slots from the sum of the counts before it. */
void axk1_sort_by_expert(const int64_t *chosen, int64_t *counts, int64_t *slot, int64_t n, int64_t k, int64_t experts) {
    int64_t next[experts];
    memset(counts, 0, (size_t)experts * 8);
    for (int64_t i = 0; i < n * k; i++) counts[chosen[i]]++;
    for (int64_t e = 0, start = 0; e < experts; start += counts[e++]) next[e] = start;
    for (int64_t i = 0; i < n * k; i++) slot[i] = next[chosen[i]]++;
}

void axk1_scatter_rows(const void *x, const int64_t *slot, void *out, int kind, int64_t n, int64_t k, int64_t d) {
    size_t bytes = (size_t)(d * element_size(kind));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) memcpy(row_at_mut(out, kind, slot[i * k + j] * d), row_at(x, kind, i * d), bytes);
}

/* weight may be NULL: a plain sum (the backward pass of scatter_rows). */
void axk1_combine(const void *y, const int64_t *slot, const float *weight, void *out, int kind, int64_t n, int64_t k, int64_t d) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float in[d], sum[d];
        memset(sum, 0, (size_t)d * 4);
        for (int64_t j = 0; j < k; j++) {
            const float *restrict row = load_row(row_at(y, kind, slot[i * k + j] * d), kind, in, d);
            float w = weight ? weight[i * k + j] : 1.0f;
            for (int64_t c = 0; c < d; c++) sum[c] += w * row[c];
        }
        store_row(row_at_mut(out, kind, i * d), kind, sum, d);
    }
}

void axk1_combine_backward(const void *g, const void *y, const int64_t *slot, const float *weight, void *gy, float *gweight,
                           int kind, int64_t n, int64_t k, int64_t d) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float gs[d], ys[d], out[d];
        const float *restrict grad = load_row(row_at(g, kind, i * d), kind, gs, d);
        for (int64_t j = 0; j < k; j++) {
            int64_t at = slot[i * k + j] * d;
            const float *restrict row = load_row(row_at(y, kind, at), kind, ys, d);
            float w = weight[i * k + j], dot = 0;
            for (int64_t c = 0; c < d; c++) {
                dot += grad[c] * row[c];
                out[c] = w * grad[c];
            }
            gweight[i * k + j] = dot;
            store_row(row_at_mut(gy, kind, at), kind, out, d);
        }
    }
}
