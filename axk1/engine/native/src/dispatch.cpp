#include <atomic>
#include <cstring>

#include "kernels/kernels.h"
#if defined(__aarch64__)
#include <sys/auxv.h>

#include <asm/hwcap.h>
#endif

namespace axk1 {

static bool runs(const Kernels &one) {
#if defined(__x86_64__)
    if (&one == &avx512_kernels)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    if (&one == &avx2_kernels) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#elif defined(__aarch64__)
    bool dot = getauxval(AT_HWCAP) & HWCAP_ASIMDDP, bfloat16 = getauxval(AT_HWCAP2) & HWCAP2_BF16;
    if (&one == &neon_bf16_kernels) return dot && bfloat16;
    if (&one == &neon_dot_kernels) return dot;
    if (&one == &neon_kernels) return true;
#endif
    return &one == &scalar_kernels;
}

// The fastest first.
static const Kernels *const ALL[] = {
#if defined(__x86_64__)
    &avx512_kernels,
    &avx2_kernels,
#elif defined(__aarch64__)
    &neon_bf16_kernels,
    &neon_dot_kernels,
    &neon_kernels,
#endif
    &scalar_kernels,
};

static const Kernels *fastest() {
    for (const Kernels *one : ALL)
        if (runs(*one)) return one;
    return &scalar_kernels;
}

static std::atomic<const Kernels *> chosen{fastest()};

const Kernels &kernels() { return *chosen.load(std::memory_order_relaxed); }

bool force_kernels(const char *name) {
    for (const Kernels *one : ALL)
        if (std::strcmp(one->name, name) == 0 && runs(*one)) {
            chosen = one;
            return true;
        }
    return false;
}

} // namespace axk1
