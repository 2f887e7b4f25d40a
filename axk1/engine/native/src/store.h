// Experts that do not fit into memory: a bounded cache of slots, filled from the files by threads of its own.
//
// A slot holds one expert: the pages of its file that hold gate, up and down, as they lie there. The thread that computes
// visits one layer after the other; demand reads go before reads ahead. One mutex guards everything but a slot's bytes,
// which belong to the readers while it is `loading` and to the visit while it is pinned.
#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "axk1.h"
#include "disk.h"
#include "heat.h"

namespace axk1 {

// An expert of the visited layer that can be computed now.
struct Held {
    int32_t expert;
    const axk1_matrix *three; // gate, up, down
};

class Store {
  public:
    // `experts`, those of every layer where they are mapped, must outlive the store. Throws std::invalid_argument for
    // experts that lie in no file, and for too few bytes.
    Store(const axk1_model_spec &spec, const std::vector<std::vector<axk1_matrix>> &experts);
    ~Store();
    Store(const Store &) = delete;

    void pass(int64_t tokens); // begins a forward pass
    void use(int32_t layer, int32_t expert, float weight, bool needed) { heat_.use(key(layer, expert), weight, needed); }
    // Asks for the experts that a layer needs. Until `end` none of them leaves its slot before it was handed out.
    void begin(int32_t layer, const std::vector<int32_t> &needed);
    // Those that are in memory and were not handed out yet, perhaps none.
    const std::vector<Held> &ready();
    // The same, at least one, waiting if need be; none when all were. Those of the call before may go. Throws
    // std::runtime_error for a read that failed.
    const std::vector<Held> &next();
    void end();
    // What a layer will probably need: read when nothing else is, into slots that are worth less. `sure`: it will.
    void ahead(int32_t layer, const std::vector<int32_t> &guess, bool sure);
    bool guesses(); // whether `ahead` is worth calling: not always while guesses are mostly wrong
    Disk &disk() { return disk_; }
    void statistics(axk1_statistics &out) const;
    int64_t bytes() const { return count_ * slot_bytes_; }

  private:
    enum State { empty, loading, full };
    struct Slot {
        int32_t layer = -1, expert = -1; // -1: an abandoned load
        State state = empty;
        int32_t reads_left = 0;
        bool pinned = false, ahead = false;
        axk1_matrix three[3];
    };
    struct Range { // of a file, and where in the slot it goes
        int32_t file;
        int64_t offset, bytes, needed, at;
    };
    struct Read {
        int32_t slot;
        Range range;
    };
    int64_t key(int32_t layer, int32_t expert) const { return int64_t(layer) * experts_ + expert; }
    void locate(const axk1_matrix *three);
    const void *moved(const void *mapped, int64_t expert, int32_t slot) const;
    void allocate(int64_t bytes, int64_t least);
    void release();
    void fill();
    int32_t take(double worth, bool urgent);
    void load(int32_t slot, int32_t layer, int32_t expert, bool urgent);
    void hurry(int32_t slot);
    void judge(const std::vector<int32_t> &needed);
    void need(int32_t expert);
    void abandon(int32_t slot);
    void collect();
    void work();
    void finish(const Read &read, bool later, const std::string &error);
    uint8_t *memory(int32_t slot) const { return memory_ + slot * slot_bytes_; }

    int32_t layers_, experts_;
    bool read_ahead_;
    int32_t most_later_; // readers that may be busy with reads ahead
    Disk disk_;
    Heat heat_;
    const std::vector<std::vector<axk1_matrix>> &source_;
    std::vector<Range> ranges_;
    std::vector<int64_t> first_range_; // of every expert of every layer
    std::vector<int32_t> place_;       // the slot of every expert, -1: none
    int64_t slot_bytes_ = 0, count_ = 0;
    uint8_t *memory_ = nullptr;
    std::vector<Slot> slots_;

    int32_t layer_ = -1; // of the visit
    std::vector<int32_t> missing_, waiting_, handed_; // experts without a slot; slots not handed out yet; slots that were
    int32_t guess_layer_ = -1;                        // what was guessed last, and the slots that were filled for it
    std::vector<int32_t> guess_, ahead_;
    std::vector<Held> held_;
    double worth_ = 1; // part of recent reads ahead that were of use
    int64_t skipped_ = 0;
    axk1_statistics counts_{};

    mutable std::mutex mutex_;
    std::condition_variable work_, done_;
    std::deque<Read> urgent_, later_;
    int32_t later_running_ = 0;
    std::string error_;
    bool ends_ = false;
    std::vector<std::thread> readers_;
};

} // namespace axk1
