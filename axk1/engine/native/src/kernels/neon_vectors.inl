// NEON: four floats a vector, thirty-two vectors. What plain_tiles.inl and integer_tiles.inl ask for.

using Floats = float32x4_t;
constexpr int64_t WIDTH = 4;
constexpr int columns(int m) { return m >= 4 ? 4 : 8; }
constexpr int integer_columns(int) { return 4; }

inline Floats zeros() { return vdupq_n_f32(0); }
inline Floats everywhere(float x) { return vdupq_n_f32(x); }
inline Floats load(const float *p) { return vld1q_f32(p); }
inline void store(float *p, Floats v) { vst1q_f32(p, v); }
inline Floats multiply_add(Floats sum, Floats a, Floats b) { return vfmaq_f32(sum, a, b); }
inline Floats times(Floats a, Floats b) { return vmulq_f32(a, b); }
inline Floats widened(const float *p) { return load(p); }
inline Floats widened(const bf16 *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
inline Floats bf16_everywhere(const bf16 *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_dup_u16(p), 16)); }
inline void totals(Floats a, Floats b, Floats c, Floats d, float *to) { store(to, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d))); }

struct Int4Codes { // 32 columns: the even ones, then the odd ones
    static constexpr int BITS = 4, UNITS = 1, PARTS = 4, CENTRE = 8;
    int8x16_t even, odd;
    Int4Codes(const uint8_t *codes, int part) {
        uint8x16_t both = vld1q_u8(codes + part * 16);
        even = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))), vdupq_n_s8(8));
        odd = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(both, 4)), vdupq_n_s8(8));
    }
    static Floats sums(const int32_t *sum, int part) { return vcvtq_f32_s32(vld1q_s32(sum + part * 4)); }
    static Floats step(const float *scale, int part) { return load(scale + part * 4); }
};

struct Int8Codes { // 32 columns: those of four lanes of the block, then those of the next four
    static constexpr int BITS = 8, UNITS = 1, PARTS = 2, CENTRE = 128;
    int8x16_t first, second;
    Int8Codes(const uint8_t *codes, int part) {
        first = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + part * 32), vdupq_n_u8(128)));
        second = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes + part * 32 + 16), vdupq_n_u8(128)));
    }
    static Floats sums(const int32_t *sum, int part) { return vcvtq_f32_s32(vaddq_s32(vld1q_s32(sum + part * 8), vld1q_s32(sum + part * 8 + 4))); }
    static Floats step(const float *scale, int part) { return load(scale + part * 8); } // one scale for all eight lanes
};
