#include "pool.h"

#include <algorithm>
#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace axk1 {

static inline void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

static constexpr int SPINS = 4000; // some 50 microseconds: longer than what lies between two loops of a forward pass

static int allowed_cpus() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : int(std::thread::hardware_concurrency());
}

Pool::Pool(int threads) {
    int wanted = std::max(threads > 0 ? threads : allowed_cpus(), 1);
    tickets_.reset(new Ticket[size_t(wanted)]);
    total_ = wanted;
    for (int i = 1; i < wanted; i++) workers_.emplace_back([this, i] { work(i); });
}

Pool::~Pool() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        ends_ = true;
    }
    wake_.notify_all();
    for (auto &worker : workers_) worker.join();
}

void Pool::run(int64_t n, Call call, void *context) {
    if (n <= 0) return;
    if (n == 1 || workers_.empty()) {
        for (int64_t i = 0; i < n; i++) call(context, i);
        return;
    }
    uint64_t loop = (tickets_[0].value.load(std::memory_order_relaxed) >> 32) + 1;
    for (int t = 0; t < total_; t++) tickets_[t].value.store(loop << 32 | CLOSED);
    call_.store(call, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    pieces_.store(n, std::memory_order_release);
    done_.store(0, std::memory_order_relaxed);
    for (int t = 0; t < total_; t++) tickets_[t].value.store(loop << 32 | uint64_t(t * n / total_));
    if (asleep_.load() > 0) {
        { std::lock_guard<std::mutex> lock(mutex_); } // a worker between its last look and its sleep has the mutex
        wake_.notify_all();
    }
    while (take_one(0)) {}
    for (int spins = 0; done_.load(std::memory_order_acquire) < n; spins++) {
        if (spins < SPINS) relax();
        else sched_yield();
    }
}

// One piece of the running loop, of its own range if it can be; false when there is none left.
bool Pool::take_one(int self) {
    for (int i = 0; i < total_; i++)
        if (take_from((self + i) % total_)) return true;
    return false;
}

bool Pool::take_from(int whose) {
    std::atomic<uint64_t> &own = tickets_[whose].value;
    uint64_t ticket = own.load(std::memory_order_acquire);
    for (;;) {
        int64_t piece = int64_t(ticket & CLOSED);
        Call call = call_.load(std::memory_order_acquire);
        void *context = context_.load(std::memory_order_acquire);
        if (piece == int64_t(CLOSED) || piece >= (whose + 1) * pieces_.load(std::memory_order_acquire) / total_) return false;
        if (own.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
            call(context, piece);
            done_.fetch_add(1, std::memory_order_release);
            return true;
        }
    }
}

bool Pool::anything_left() {
    for (int t = 0; t < total_; t++) {
        int64_t piece = int64_t(tickets_[t].value.load() & CLOSED);
        if (piece != int64_t(CLOSED) && piece < (t + 1) * pieces_.load() / total_) return true;
    }
    return false;
}

void Pool::work(int self) {
    while (!ends_.load(std::memory_order_relaxed)) {
        for (int spins = 0; spins < SPINS; spins++) {
            if (take_one(self)) spins = 0;
            else relax();
        }
        std::unique_lock<std::mutex> lock(mutex_);
        asleep_.fetch_add(1);
        wake_.wait(lock, [&] { return ends_.load() || anything_left(); });
        asleep_.fetch_sub(1);
    }
}

} // namespace axk1
