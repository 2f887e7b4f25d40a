#include "rows.h"

static inline float sigmoid(float x) { return 1.0f / (1.0f + fast_exp(-x)); }

void axk1_swiglu(const void *x, void *y, int kind, int64_t n, int64_t d) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float in[2 * d], out[d];
        const float *restrict gate = load_row(row_at(x, kind, i * 2 * d), kind, in, 2 * d), *restrict up = gate + d;
        for (int64_t j = 0; j < d; j++) out[j] = gate[j] * sigmoid(gate[j]) * up[j];
        store_row(row_at_mut(y, kind, i * d), kind, out, d);
    }
}

void axk1_swiglu_backward(const void *g, const void *x, void *gx, int kind, int64_t n, int64_t d) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float in[2 * d], gs[d], out[2 * d];
        const float *restrict gate = load_row(row_at(x, kind, i * 2 * d), kind, in, 2 * d), *restrict up = gate + d;
        const float *restrict grad = load_row(row_at(g, kind, i * d), kind, gs, d);
        for (int64_t j = 0; j < d; j++) {
            float s = sigmoid(gate[j]);
            out[j] = grad[j] * up[j] * s * (1.0f + gate[j] * (1.0f - s));
            out[d + j] = grad[j] * gate[j] * s;
        }
        store_row(row_at_mut(gx, kind, i * 2 * d), kind, out, 2 * d);
    }
}
