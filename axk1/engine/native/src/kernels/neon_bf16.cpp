// Products of bfloat16 by its dot product instruction (ARMv8.6, or ARMv8.2 with FEAT_BF16): eight products each.
#if defined(__aarch64__)
#include "kernels.h" // before the pragma: its inline functions may be the whole library's
#pragma GCC target("arch=armv8.2-a+bf16")
#include <arm_neon.h>

namespace axk1 {
namespace {

#include "neon_vectors.inl"

struct Bf16 {
    using X = bf16;
    using W = bf16;
    using Vector = bfloat16x8_t;
    static constexpr int STEP = 32, PARTS = 4;
    static Vector load_x(const bf16 *p, int part) { return vreinterpretq_bf16_u16(vld1q_u16(p + part * 8)); }
    static Vector load_w(const bf16 *p, int part) { return load_x(p, part); }
    static Floats add(Floats sum, Vector x, Vector w) { return vbfdotq_f32(sum, x, w); }
};

#include "plain_tiles.inl"

} // namespace

void neon_bf16_dots(const bf16 *const *x, int64_t m, const bf16 *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    dots<Bf16>(x, m, w, w_step, n, k, out, out_step);
}

} // namespace axk1
#endif
