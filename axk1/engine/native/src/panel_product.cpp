// Products of prompts: panels of a matrix are turned once and meet all rows of activations (kernels/panel.h).
#include <algorithm>
#include <type_traits>

#include "model.h"

namespace axk1 {
namespace {

constexpr int64_t COLUMNS = 1024; // at a time: so many of a panel stay in the second cache

int bits(const axk1_matrix &w) { return is_integer(w) ? bits_of(w) : 16; }

// Columns [first, first + count) of rows [row, row + n) of a matrix.
class Panel {
  public:
    void turn(const Kernels &k, const axk1_matrix &w, int64_t row, int64_t n, int64_t first, int64_t count) {
        int64_t step = bytes_of_row(w), at = first * bits(w) / 8;
        bits_ = bits(w);
        words_ = is_integer(w) ? (count + 63) / 64 * 16 : count / 2; // whole steps
        panel_.resize(size_t(words_ * PANEL));
        const uint8_t *from = static_cast<const uint8_t *>(w.data) + row * step + at;
        k.panel->turn(from, step, std::min(step - at, count * bits(w) / 8 + 1), n, bits(w), words_, panel_.data());
        if (is_integer(w)) fill_scales(w, row, n, first, count);
    }

    void multiply(const Kernels &k, const bf16 *const *x, int64_t m, int64_t first, int64_t n, float *out, int64_t out_step, Ahead &ahead) const {
        k.panel->dots_bf16(x, m, panel_.data(), first / 2, words_, n, first > 0, out, out_step, ahead);
    }
    void multiply(const Kernels &k, const PanelRow *x, int64_t m, int64_t first, int64_t n, float *out, int64_t out_step, Ahead &ahead) const {
        auto dots = bits_ == 4 ? k.panel->dots_int4 : k.panel->dots_int8;
        dots(x, m, panel_.data(), scales_, first / scales_.columns, steps_, n, first > 0, out, out_step, ahead);
    }

  private:
    void fill_scales(const axk1_matrix &w, int64_t row, int64_t n, int64_t first, int64_t count) {
        const IntMatrix m = integers(w);
        int64_t step = step_of(form(w)), all = m.groups == 1 ? 1 : (count + step - 1) / step;
        steps_ = (count + step - 1) / step;
        values_.assign(size_t(all * 2 * PANEL), 0.0f);
        for (int64_t j = 0; j < n; j++)
            for (int64_t s = 0; s < all; s++) {
                int64_t from = (row + j) * m.groups + (m.groups == 1 ? 0 : (first + s * step) / m.group);
                float scale = scale_at(m, from);
                values_[s * 2 * PANEL + j] = scale;
                values_[(s * 2 + 1) * PANEL + j] = scale * float(zero_at(m, from, bits(w)));
            }
        scales_ = {values_.data(), values_.data() + PANEL, m.groups == 1 ? 0 : 2 * PANEL, step};
    }

    std::vector<uint32_t> panel_;
    std::vector<float> values_;
    PanelScales scales_{};
    int64_t words_ = 0, steps_ = 0;
    int bits_ = 0;
};

} // namespace

template <> bool turns<bf16>(const Kernels &k, const axk1_matrix &w) { return k.panel && (is_integer(w) || (k.panel->dots_bf16 && w.format == AXK1_BF16 && w.in % 2 == 0)); }
template <> bool turns<float>(const Kernels &k, const axk1_matrix &w) { return k.panel && is_integer(w); }

// The panel of rows from `row` and columns from `column` on, for the kernels to fetch.
static Ahead panel_ahead(const axk1_matrix &w, int64_t row, int64_t column, int64_t last) {
    if (row >= w.out || !w.data) return {};
    int64_t count = std::min<int64_t>(COLUMNS, w.in - column);
    return {static_cast<const uint8_t *>(w.data) + row * bytes_of_row(w) + column * bits(w) / 8, std::min<int64_t>(PANEL, last - row), count * bits(w) / 8, bytes_of_row(w)};
}

template <class E>
void panel_product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step, const Next &next) {
    thread_local Panel panel;
    for (int64_t row = first; row < last; row += PANEL)
        for (int64_t column = 0; column < w.in; column += COLUMNS) {
            int64_t n = std::min<int64_t>(PANEL, last - row);
            panel.turn(k, w, row, n, column, std::min<int64_t>(COLUMNS, w.in - column));
            bool last_column = column + COLUMNS >= w.in, end = last_column && row + PANEL >= last;
            Ahead ahead = end && next.weight ? panel_ahead(*next.weight, next.row, 0, next.weight->out) : end ? Ahead() : panel_ahead(w, last_column ? row + PANEL : row, last_column ? 0 : column + COLUMNS, last);
            for (int64_t i = 0, count; i < m; i += count) {
                count = x.alike(start + i, start + m);
                if (!x.prompt[start + i]) continue;
                float *to = out + i * out_step + row;
                if (is_integer(w)) panel.multiply(k, x.steps[form(w)].data() + start + i, count, column, n, to, out_step, ahead);
                else if constexpr (std::is_same_v<E, bf16>) panel.multiply(k, x.at.data() + start + i, count, column, n, to, out_step, ahead);
            }
        }
}

template void panel_product<float>(const Kernels &, const axk1_matrix &, const Rows<float> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t, const Next &);
template void panel_product<bf16>(const Kernels &, const axk1_matrix &, const Rows<bf16> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t, const Next &);

} // namespace axk1
