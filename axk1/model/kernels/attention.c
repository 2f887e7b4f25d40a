#include "rows.h"

/* Interleaved RoPE: the pair (2i, 2i+1) turns by the angle of position t. sign -1 turns back (the backward pass). */
static inline void rotate(const float *restrict x, const float *restrict cosine, const float *restrict sine, float sign, float *restrict out, int64_t rope) {
    for (int64_t i = 0; i < rope; i += 2) {
        float c = cosine[i / 2], s = sign * sine[i / 2];
        out[i] = x[i] * c - x[i + 1] * s;
        out[i + 1] = x[i + 1] * c + x[i] * s;
    }
}

void axk1_split_heads(const axk1_heads *shape, const void *q, const void *kv, const void *k_rope, const float *cosine, const float *sine,
                      void *q_out, void *k_out, void *v_out, int kind) {
    const int64_t T = shape->t, H = shape->h, nope = shape->nope, rope = shape->rope, value = shape->value;
    const int64_t Q = nope + rope, C = nope + value, size = element_size(kind);
#pragma omp parallel for schedule(static)
    for (int64_t bt = 0; bt < shape->b * T; bt++) {
        int64_t b = bt / T, t = bt % T;
        float in[rope], turned[rope], shared[rope];
        const float *c = cosine + t * rope / 2, *s = sine + t * rope / 2;
        rotate(load_row(row_at(k_rope, kind, bt * rope), kind, in, rope), c, s, 1.0f, shared, rope);
        for (int64_t h = 0; h < H; h++) {
            const char *from_q = row_at(q, kind, (bt * H + h) * Q), *from_kv = row_at(kv, kind, (bt * H + h) * C);
            int64_t at = (b * H + h) * T + t;
            char *to_q = row_at_mut(q_out, kind, at * Q), *to_k = row_at_mut(k_out, kind, at * Q);
            memcpy(to_q, from_q, (size_t)(nope * size));
            memcpy(to_k, from_kv, (size_t)(nope * size));
            memcpy(row_at_mut(v_out, kind, at * value), from_kv + nope * size, (size_t)(value * size));
            rotate(load_row(from_q + nope * size, kind, in, rope), c, s, 1.0f, turned, rope);
            store_row(to_q + nope * size, kind, turned, rope);
            store_row(to_k + nope * size, kind, shared, rope);
        }
    }
}

void axk1_split_heads_backward(const axk1_heads *shape, const void *gq, const void *gk, const void *gv, const float *cosine,
                               const float *sine, void *gq_in, void *gkv_in, void *gk_rope, int kind) {
    const int64_t T = shape->t, H = shape->h, nope = shape->nope, rope = shape->rope, value = shape->value;
    const int64_t Q = nope + rope, C = nope + value, size = element_size(kind);
#pragma omp parallel for schedule(static)
    for (int64_t bt = 0; bt < shape->b * T; bt++) {
        int64_t b = bt / T, t = bt % T;
        float in[rope], turned[rope], sum[rope];
        const float *c = cosine + t * rope / 2, *s = sine + t * rope / 2;
        memset(sum, 0, sizeof sum);
        for (int64_t h = 0; h < H; h++) {
            int64_t at = (b * H + h) * T + t;
            const char *from_q = row_at(gq, kind, at * Q), *from_k = row_at(gk, kind, at * Q);
            char *to_q = row_at_mut(gq_in, kind, (bt * H + h) * Q), *to_kv = row_at_mut(gkv_in, kind, (bt * H + h) * C);
            memcpy(to_q, from_q, (size_t)(nope * size));
            memcpy(to_kv, from_k, (size_t)(nope * size));
            memcpy(to_kv + nope * size, row_at(gv, kind, at * value), (size_t)(value * size));
            rotate(load_row(from_q + nope * size, kind, in, rope), c, s, -1.0f, turned, rope);
            store_row(to_q + nope * size, kind, turned, rope);
            const float *restrict part = load_row(from_k + nope * size, kind, in, rope);
            for (int64_t i = 0; i < rope; i++) sum[i] += part[i];
        }
        rotate(sum, c, s, -1.0f, turned, rope);
        store_row(row_at_mut(gk_rope, kind, bt * rope), kind, turned, rope);
    }
}

void axk1_softmax(void *scores, int kind, const int32_t *first, float scale, int64_t b, int64_t h, int64_t q, int64_t w, int64_t i0, int64_t t) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b * h * q; r++) {
        int64_t i = i0 + r % q, from = first[(r / (h * q)) * t + i], d = i + 1 - from;
        float in[w], out[w];
        void *row = row_at_mut(scores, kind, r * w);
        const float *restrict s = load_row((char *)row + from * element_size(kind), kind, in, d);
        float top = s[0], sum = 0;
        for (int64_t j = 0; j < d; j++) top = s[j] > top ? s[j] : top;
        for (int64_t j = 0; j < d; j++) {
            float e = fast_exp(scale * (s[j] - top));
            out[j] = e;
            sum += e;
        }
        float inverse = 1.0f / sum;
        for (int64_t j = 0; j < d; j++) out[j] *= inverse;
        store_row((char *)row + from * element_size(kind), kind, out, d);
        memset(row, 0, (size_t)(from * element_size(kind)));
        memset((char *)row + (i + 1) * element_size(kind), 0, (size_t)((w - i - 1) * element_size(kind)));
    }
}

void axk1_softmax_backward(const void *p, void *gp, int kind, const int32_t *first, const float *delta, float scale,
                           int64_t b, int64_t h, int64_t q, int64_t w, int64_t i0, int64_t t) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < b * h * q; r++) {
        int64_t i = i0 + r % q, head = (r / q) % h, batch = r / (h * q), from = first[batch * t + i], d = i + 1 - from;
        int64_t size = element_size(kind);
        float ps[w], gs[w], out[w];
        char *row = row_at_mut(gp, kind, r * w);
        const float *restrict prob = load_row(row_at(p, kind, r * w + from), kind, ps, d);
        const float *restrict grad = load_row(row + from * size, kind, gs, d);
        float mean = delta[(batch * t + i) * h + head];
        for (int64_t j = 0; j < d; j++) out[j] = prob[j] * (grad[j] - mean) * scale;
        store_row(row + from * size, kind, out, d);
        memset(row, 0, (size_t)(from * size));
        memset(row + (i + 1) * size, 0, (size_t)((w - i - 1) * size));
    }
}

void axk1_delta(const void *g, const void *out, float *delta, int kind, int64_t rows, int64_t value) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float a[value], b[value], sum = 0;
        const float *restrict u = load_row(row_at(g, kind, r * value), kind, a, value);
        const float *restrict v = load_row(row_at(out, kind, r * value), kind, b, value);
        for (int64_t j = 0; j < value; j++) sum += u[j] * v[j];
        delta[r] = sum;
    }
}
