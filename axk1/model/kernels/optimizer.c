#include "rows.h"
#include <math.h>
#include <omp.h>

enum { BLOCK = 1024 };

/* AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2). correction1 = 1 - beta1^t, correction2 = 1 - beta2^t. */
void axk1_adamw(const axk1_adamw_step *step, float *master, float *m, float *v, const void *grad, int grad_kind, void *param, int param_kind, int64_t count) {
    const float b1 = step->beta1, b2 = step->beta2, decay = 1.0f - step->lr * step->weight_decay;
    const float size = step->lr / step->correction1, root = 1.0f / sqrtf(step->correction2), eps = step->eps, scale = step->grad_scale;
#pragma omp parallel for schedule(static)
    for (int64_t start = 0; start < count; start += BLOCK) {
        float buffer[BLOCK];
        int64_t d = count - start < BLOCK ? count - start : BLOCK;
        const float *restrict g = load_row(row_at(grad, grad_kind, start), grad_kind, buffer, d);
        float *restrict w = master + start, *restrict m1 = m + start, *restrict m2 = v + start;
        for (int64_t j = 0; j < d; j++) {
            float gj = g[j] * scale;
            m1[j] = b1 * m1[j] + (1.0f - b1) * gj;
            m2[j] = b2 * m2[j] + (1.0f - b2) * gj * gj;
            w[j] = w[j] * decay - size * m1[j] / (sqrtf(m2[j]) * root + eps);
        }
        if (param != (void *)master) store_row(row_at_mut(param, param_kind, start), param_kind, w, d);
    }
}

/* scratch: one double per thread. */
double axk1_sum_of_squares(const void *x, int kind, int64_t count, double *scratch) {
    int threads = omp_get_max_threads();
#pragma omp parallel num_threads(threads)
    {
        double total = 0;
#pragma omp for schedule(static)
        for (int64_t start = 0; start < count; start += BLOCK) {
            float buffer[BLOCK], sum = 0;
            int64_t d = count - start < BLOCK ? count - start : BLOCK;
            const float *restrict row = load_row(row_at(x, kind, start), kind, buffer, d);
            for (int64_t j = 0; j < d; j++) sum += row[j] * row[j];
            total += sum;
        }
        scratch[omp_get_thread_num()] = total;
    }
    double total = 0;
    for (int t = 0; t < threads; t++) total += scratch[t];
    return total;
}
