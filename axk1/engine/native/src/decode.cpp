// The up-projection of keys and values is read along its rows and along its columns. Where it lies in integers, it becomes
// bfloat16 when its layer is first used, so that opening a model reads and writes none of it.
#include <sys/mman.h>

#include <algorithm>

#include "model.h"

namespace axk1 {

// Columns [first, last) of a row, which share a scale. Codes of four bits have sixteen values: those are rounded once.
static void decode_group(const axk1_matrix &w, const uint8_t *row, int64_t first, int64_t last, float scale, int zero, bf16 *out) {
    auto value = [&](int code) { return to_bf16(float(code - zero) * scale); };
    if (w.format == AXK1_INT8) {
        for (int64_t c = first; c < last; c++) out[c] = value(row[c]);
        return;
    }
    bf16 values[16];
    for (int code = 0; code < 16; code++) values[code] = value(code);
    for (int64_t c = first; c < last; c++) out[c] = values[row[c / 2] >> c % 2 * 4 & 15];
}

static void decode_row(const axk1_matrix &w, int64_t i, bf16 *out) {
    IntMatrix integer = integers(w);
    int64_t group = std::min<int64_t>(integer.group, w.in);
    for (int64_t g = 0, at = i * integer.groups; g < integer.groups; g++, at++) {
        decode_group(w, integer.codes + i * integer.row_bytes, g * group, (g + 1) * group, scale_at(integer, at), zero_at(integer, at, bits_of(w)), out);
    }
}

// Memory that is read whole for every token: in huge pages where it has any.
static bf16 *in_huge_pages(bf16 *memory, int64_t n) {
    constexpr uintptr_t HUGE_PAGE = 2 << 20;
    uintptr_t first = (uintptr_t(memory) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE, last = uintptr_t(memory + n) / HUGE_PAGE * HUGE_PAGE;
    if (first < last) madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE);
    return memory;
}

const axk1_layer &Model::ready(int index) {
    axk1_matrix &w = layers[size_t(index)].kv_b;
    if (is_integer(w)) {
        int64_t n = int64_t(w.out) * w.in;
        bf16 *out = in_huge_pages(decoded_[size_t(index)].reserve(n), n);
        pool.each(w.out, [&](int64_t i) { decode_row(w, i, out + i * w.in); });
        w = {out, AXK1_BF16, w.out, w.in, 0, nullptr, nullptr, 0, 0};
    }
    return layers[size_t(index)];
}

int64_t Model::decoded_bytes() const {
    int64_t sum = 0;
    for (auto &one : decoded_) sum += one.bytes();
    return sum;
}

} // namespace axk1
