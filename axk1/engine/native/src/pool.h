// A thread pool for loops of microseconds: workers spin for a while between loops, and a loop waits for its pieces, not
// for its threads, so that a thread which the system takes away delays the piece it holds and nothing else.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace axk1 {

class Pool {
  public:
    explicit Pool(int threads); // 0: one per CPU that the process may use
    ~Pool();
    Pool(const Pool &) = delete;
    // Threads that run a loop; neighbouring pieces mostly run on the same one.
    int threads() const { return int(workers_.size()) + 1; }

    // body(i) for 0 <= i < n, in any order, on any thread; returns when all are done.
    template <class Body> void each(int64_t n, Body &&body) {
        using Plain = std::remove_reference_t<Body>;
        run(n, [](void *context, int64_t i) { (*static_cast<Plain *>(context))(i); }, const_cast<void *>(static_cast<const void *>(&body)));
    }

  private:
    using Call = void (*)(void *, int64_t);
    void run(int64_t n, Call call, void *context);
    bool take_one(int self);
    bool take_from(int whose);
    bool anything_left();
    void work(int self);

    // Each thread has a range of the pieces, so that it walks through memory, and takes from others when it is done. Its
    // ticket: the loop's number in the upper half, the next piece in the lower. Tickets are closed (CLOSED) while the fields
    // of the next loop are written, so a worker that read fields of two loops fails to take a piece.
    static constexpr uint64_t CLOSED = 0xffffffffu;
    struct alignas(64) Ticket {
        std::atomic<uint64_t> value{CLOSED};
    };
    std::unique_ptr<Ticket[]> tickets_; // of every thread, the caller's first
    int total_ = 1;
    alignas(64) std::atomic<int64_t> done_{0};
    alignas(64) std::atomic<Call> call_{nullptr};
    std::atomic<void *> context_{nullptr};
    std::atomic<int64_t> pieces_{0};
    std::atomic<int> asleep_{0};
    std::atomic<bool> ends_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> workers_;
};

} // namespace axk1
