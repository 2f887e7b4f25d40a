// Many rows of activations times PANEL rows of a matrix, for prompts. The matrix is first turned, so that 32-bit words of the
// same columns lie side by side: a row of activations is then broadcast word by word, and no sum crosses a vector.
//
// A word is 2 columns of bf16, 4 of int8, or 4 of int4 as bytes: the even ones of 8, then the odd ones. Integers are summed
// over a step of 64 columns, or of 32 where scales cover no more, and then scaled.
#pragma once
#include <cstdint>

namespace axk1 {

enum { PANEL = 64 };

// What will be read next: it is fetched into the cache line by line while there is something to compute.
struct Ahead {
    const uint8_t *at = nullptr;
    int64_t lines = 0;            // of 64 bytes, still to be fetched
    int64_t in_row = 1, left = 1; // lines of a row; of the row that `at` is in
    int64_t gap = 0;              // bytes between two rows

    Ahead() = default;
    Ahead(const uint8_t *rows, int64_t n, int64_t row_bytes, int64_t row_step) : at(rows), in_row((row_bytes + 63) / 64), left(in_row), gap(row_step - in_row * 64) { lines = n * in_row; }
    void fetch() {
        if (lines == 0) return;
        __builtin_prefetch(at, 0, 2);
        at += 64, lines--;
        if (--left == 0) at += gap, left = in_row;
    }
};

// A row of activations in int8 in the order of the words, padded with zeros to whole steps.
struct PanelRow {
    const int8_t *value;
    const float *scale;  // [steps]
    const float *offset; // [steps]: scale times the sum of the values, for zero points
};

// The scales of a panel's rows, and these times their zero points: those of a step `next` behind those of the one before.
struct PanelScales {
    const float *scale, *zero; // PANEL values each
    int64_t next;              // 0: all steps have the same
    int64_t columns;           // of a step
};

// out[i * out_step + j] = sum over steps of scale[j] * x.scale * (sum of products) - zero[j] * x.offset, from step `first` of x
// on; or += with `add`.
using IntPanelDots = void (*)(const PanelRow *x, int64_t m, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead);

struct PanelKernels {
    // out[word * PANEL + j] = word `word` of row j; rows are `row_bytes` long and `row_step` apart. Words up to `words` and
    // rows up to PANEL are zeros. `bits`: 4 splits a word of the matrix into two.
    void (*turn)(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int bits, int64_t words, uint32_t *out);
    // out[i * out_step + j] = sum over words of x[i], from word `first` on, and of panel, j < n; or += with `add`.
    // nullptr: bfloat16 is multiplied row by row
    void (*dots_bf16)(const uint16_t *const *x, int64_t m, const uint32_t *panel, int64_t first, int64_t words, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead);
    IntPanelDots dots_int4, dots_int8; // by the bits of the matrix
    // Fills whole steps, of `step` columns; `bits` of the matrix that the row meets.
    void (*quantise)(const float *x, int64_t columns, int bits, int64_t step, int8_t *value, float *scale, float *offset);
};

} // namespace axk1
