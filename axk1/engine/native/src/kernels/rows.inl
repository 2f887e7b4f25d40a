// Passes over a row, in plain loops that the compiler turns into the vectors of the file that includes this. expf is a
// polynomial of its own, so that the loops have no call in them.

static inline float exp_fast(float x) {
    // exp(x) = 2^n * 2^f with |f| <= 1/2; the polynomial is 2^f to 2e-8 (minimax, degree 6), as exact as a float holds.
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float t = x * 1.44269504088896341f;
    float n = __builtin_nearbyintf(t);
    float f = __builtin_fmaf(x, 1.44269504088896341f, -n);
    float p = 1.535336188319500e-4f;
    p = p * f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    p = p * f + 1.0f;
    union { float value; uint32_t bits; } whole{t + 12582912.0f}; // 1.5 * 2^23: n in the lowest bits; of a NaN, any
    union { uint32_t bits; float value; } power{(whole.bits + 127u) << 23};
    return p * power.value;
}

static void rms_norm(const float *x, const float *weight, int64_t n, float eps, float *out) {
    float sum[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) sum[j] += x[i + j] * x[i + j];
    for (; i < n; i++) sum[0] += x[i] * x[i];
    float total = 0;
    for (int j = 0; j < 16; j++) total += sum[j];
    float factor = 1.0f / __builtin_sqrtf(total / float(n) + eps);
    for (i = 0; i < n; i++) out[i] = x[i] * factor * weight[i];
}

static void swiglu(const float *gate, const float *up, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = gate[i] / (1.0f + exp_fast(-gate[i])) * up[i];
}

static float largest(const float *x, int64_t n) {
    float best[16];
    for (int j = 0; j < 16; j++) best[j] = x[0];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
    for (; i < n; i++) best[0] = x[i] > best[0] ? x[i] : best[0];
    for (int j = 1; j < 16; j++) best[0] = best[j] > best[0] ? best[j] : best[0];
    return best[0];
}

static float exp_sum(float *x, int64_t n, float top) {
    float sum[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            float value = exp_fast(x[i + j] - top);
            x[i + j] = value;
            sum[j] += value;
        }
    for (; i < n; i++) sum[0] += x[i] = exp_fast(x[i] - top);
    float total = 0;
    for (int j = 0; j < 16; j++) total += sum[j];
    return total;
}

static void scale(float *x, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

static void add(float *x, const float *y, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i++) x[i] += factor * y[i];
}

#ifndef ROW_TO_BF16
static void row_to_bf16(const float *x, int64_t n, bf16 *out) {
    for (int64_t i = 0; i < n; i++) out[i] = to_bf16(x[i]);
}
#endif
