#include "rows.h"
#include <math.h>
#include <omp.h>

int axk1_threads(void) { return omp_get_max_threads(); }

void axk1_rms_norm(const void *x, int x_kind, const float *weight, void *y, int y_kind, float *inverse, int64_t n, int64_t d, float eps) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float in[d], out[d];
        const float *row = load_row(row_at(x, x_kind, i * d), x_kind, in, d);
        float sum = 0;
        for (int64_t j = 0; j < d; j++) sum += row[j] * row[j];
        float r = 1.0f / sqrtf(sum / (float)d + eps);
        for (int64_t j = 0; j < d; j++) out[j] = row[j] * r * weight[j];
        store_row(row_at_mut(y, y_kind, i * d), y_kind, out, d);
        inverse[i] = r;
    }
}

/* scratch: one row of d floats per thread. gx has the kind of x. */
void axk1_rms_norm_backward(const void *g, int g_kind, const void *x, int x_kind, const float *weight, const float *inverse,
                            void *gx, float *gw, float *scratch, int64_t n, int64_t d) {
    int threads = omp_get_max_threads();
    memset(scratch, 0, (size_t)(threads * d) * 4);
#pragma omp parallel num_threads(threads)
    {
        float *restrict partial = scratch + omp_get_thread_num() * d;
        float xs[d], gs[d], out[d];
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            const float *restrict row = load_row(row_at(x, x_kind, i * d), x_kind, xs, d);
            const float *restrict grad = load_row(row_at(g, g_kind, i * d), g_kind, gs, d);
            float r = inverse[i], dot = 0;
            for (int64_t j = 0; j < d; j++) dot += grad[j] * weight[j] * row[j];
            float c = dot * r * r / (float)d;
            for (int64_t j = 0; j < d; j++) {
                partial[j] += grad[j] * row[j] * r;
                out[j] = r * (grad[j] * weight[j] - row[j] * c);
            }
            store_row(row_at_mut(gx, x_kind, i * d), x_kind, out, d);
        }
    }
    memcpy(gw, scratch, (size_t)d * 4);
    for (int t = 1; t < threads; t++)
        for (int64_t j = 0; j < d; j++) gw[j] += scratch[t * d + j];
}
