// The kernels as they would be written on paper: the reference for every other file, and the fallback.
#include "kernels.h"

namespace axk1 {
namespace {

#include "panel.inl"
#include "quantise_row.inl"
#include "rows.inl"

inline float value(float x) { return x; }

template <class X, class W, float (*of_x)(X), float (*of_w)(W)>
void dots(const X *const *x, int64_t m, const W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t t = 0; t < k; t++) sum += of_x(x[i][t]) * of_w(w[j * w_step + t]);
            out[i * out_step + j] = sum;
        }
}

template <class C, float (*of_c)(C)>
void mix(const float *p, int64_t p_step, int64_t m, const C *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t t = 0; t < s; t++)
            for (int64_t j = 0; j < l; j++) out[i * out_step + j] += p[i * p_step + t] * of_c(c[t * c_step + j]);
}

template <int BITS> void int_dots(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    const int64_t wide = block_columns(BITS), lane = wide / 16;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float total = 0;
            const uint8_t *codes = w.codes + (row + j) * w.row_bytes;
            for (int64_t column = 0; column < w.columns; column++) {
                int64_t at = (row + j) * w.groups + column / w.group, within = column % wide;
                int32_t code = BITS == 8 ? codes[column] : codes[column / 2] >> (column % 2 * 4) & 15;
                int32_t zero = zero_at(w, at, BITS);
                int32_t value = x[i].value[column - within + (BITS == 4 ? within / 2 + within % 2 * 64 : within)];
                total += float((code - zero) * value) * scale_at(w, at) * x[i].scale[column / wide * 16 + within / lane];
            }
            out[i * out_step + j] = total;
        }
}

template <int BITS> void int_mix(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t t = 0; t < s; t++)
            for (int64_t column = 0; column < w.columns; column++) {
                int64_t at = (row + t) * w.groups + column / w.group;
                const uint8_t *codes = w.codes + (row + t) * w.row_bytes;
                int32_t code = BITS == 8 ? codes[column] : codes[column / 2] >> (column % 2 * 4) & 15;
                out[i * out_step + column] += p[i * p_step + t] * scale_at(w, at) * float(code - zero_at(w, at, BITS));
            }
}

const PanelKernels panel = {turn, panel_dots_bf16, panel_dots_int, panel_dots_int, quantise_panel};

} // namespace

const Kernels scalar_kernels = {
    "scalar", dots<float, float, value, value>, dots<float, f16, value, from_f16>,
    dots<float, bf16, value, from_bf16>, dots<bf16, bf16, from_bf16, from_bf16>,
    mix<float, value>, mix<bf16, from_bf16>, row_to_bf16, rms_norm, swiglu, exp_sum, largest, scale, add,
    {int_dots<4>, int_dots<8>, int_mix<4>, int_mix<8>, quantise_row}, &panel,
};

} // namespace axk1
