#include <atomic>
#include <cstring>

#include "kernels/kernels.h"

namespace axk1 {

static bool runs(const Kernels &one) {
#if defined(__x86_64__)
    if (&one == &avx512_kernels)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    if (&one == &avx2_kernels) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#endif
    return &one == &scalar_kernels;
}

static const Kernels *const ALL[] = {
#if defined(__x86_64__)
    &avx512_kernels,
    &avx2_kernels,
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
