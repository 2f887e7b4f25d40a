// Integer weights and the rows of activations that multiply them.
//
// A block is what one 64-byte vector of weights holds: 128 columns of int4 or 64 of int8. Each 32-bit lane of a block sums
// a few neighbouring columns (8 or 4), so a scale that covers 32 columns or more covers whole lanes.
#pragma once
#include <cstdint>

namespace axk1 {

struct IntMatrix {
    const uint8_t *codes; // unsigned: code + 8 (two columns a byte, the even one in the low half) or code + 128
    const void *scale;    // [rows, groups] in bf16, or float when wide_scale
    const uint8_t *zero;  // [rows, groups] unsigned like the codes; nullptr: 8 or 128 everywhere
    int64_t row_bytes, columns, group, groups;
    bool wide_scale;
};

enum { ACTIVATION_GROUP = 32 }; // columns that share a scale in a row of activations

// A row of activations in int8, in the order that a block of weights has: of int4, the even columns, then the odd ones.
// `scale` and `sum` have a value a lane: the scale of its columns, and the sum of its values.
struct IntRow {
    const int8_t *value;
    const float *scale;
    const int32_t *sum;
};

inline int64_t block_columns(int bits) { return bits == 4 ? 128 : 64; }
inline int64_t blocks(int64_t columns, int bits) { return (columns + block_columns(bits) - 1) / block_columns(bits); }

} // namespace axk1
