#include "store.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <sys/mman.h>

namespace axk1 {

static constexpr int64_t READ_BYTES = 1 << 20;     // of one read: several are under way even for a single expert
static constexpr int64_t NEAR_BYTES = 32 << 10;    // ranges that are no farther apart are read as one
static constexpr int64_t HUGE_PAGE = 2 << 20;
static constexpr int32_t LATER_SHARE = 2;          // reads ahead take at most one reader of so many
static constexpr double WORTHLESS = 0.3, RECENT = 0.02;
static constexpr int64_t RETRY = 16;               // layers until a guess is tried again after many wrong ones

static int64_t code_bytes(const axk1_matrix &w) {
    static const int64_t bits[] = {32, 16, 16, 4, 8};
    int64_t row = int64_t(w.in) * bits[w.format];
    return int64_t(w.out) * (w.format == AXK1_INT4 || w.format == AXK1_INT8 ? (row + 31) / 32 * 4 : row / 8);
}

static int64_t scale_bytes(const axk1_matrix &w) {
    int64_t groups = w.group >= w.in ? 1 : w.in / w.group;
    return int64_t(w.out) * groups * (w.scale_format == AXK1_F32 ? 4 : 2);
}

Store::Store(const axk1_model_spec &spec, const std::vector<std::vector<axk1_matrix>> &experts)
    : layers_(spec.layers), experts_(spec.experts), read_ahead_(spec.store->read_ahead != 0), most_later_(std::max(1, spec.store->readers / LATER_SHARE)), disk_(*spec.store),
      heat_(int64_t(spec.layers) * spec.experts, HALF_LIFE, NEAR), source_(experts) {
    first_range_.push_back(0);
    int64_t there = 0;
    for (auto &layer : source_)
        for (int32_t e = 0; e < experts_; e++) {
            if (!layer.empty()) locate(&layer[size_t(3 * e)]), there++;
            first_range_.push_back(int64_t(ranges_.size()));
        }
    place_.assign(size_t(key(layers_, 0)), -1);
    if (there == 0) throw std::invalid_argument("there are no experts to keep on disk");
    allocate(std::min(spec.store->bytes, there * slot_bytes_), std::min<int64_t>(there, 2 * spec.experts_per_token));
    disk_.forget();
    for (int32_t i = 0; i < spec.store->readers; i++) readers_.emplace_back([this] { work(); });
}

Store::~Store() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        ends_ = true;
    }
    work_.notify_all();
    for (auto &reader : readers_) reader.join();
    munmap(memory_, size_t(page_up(bytes())));
}

// The ranges of one expert: its tensors, those that are neighbours in the file joined, in whole pages.
void Store::locate(const axk1_matrix *three) {
    std::vector<Range> found;
    for (int i = 0; i < 3; i++) {
        Range one{};
        if (!disk_.find(three[i].data, one.file, one.offset)) throw std::invalid_argument("an expert lies in no file");
        one.needed = code_bytes(three[i]);
        found.push_back(one);
        if (three[i].scale && disk_.find(three[i].scale, one.file, one.offset)) one.needed = scale_bytes(three[i]), found.push_back(one);
    }
    std::sort(found.begin(), found.end(), [](auto &a, auto &b) { return a.file != b.file ? a.file < b.file : a.offset < b.offset; });
    size_t first = ranges_.size();
    for (auto &one : found) {
        int64_t end = one.offset + one.needed;
        Range *last = ranges_.size() > first ? &ranges_.back() : nullptr;
        if (!last || last->file != one.file || one.offset > last->offset + last->needed + NEAR_BYTES)
            ranges_.push_back({one.file, page_down(one.offset), 0, 0, 0}), last = &ranges_.back();
        last->needed = std::max(last->needed, end - last->offset);
        last->bytes = page_up(last->needed);
    }
    int64_t at = 0;
    for (size_t i = first; i < ranges_.size(); i++) ranges_[i].at = at, at += ranges_[i].bytes;
    slot_bytes_ = std::max(slot_bytes_, at);
}

// Where in a slot something of an expert lies; what is not in a file stays where it is.
const void *Store::moved(const void *mapped, int64_t expert, int32_t slot) const {
    int32_t file = 0;
    int64_t offset = 0;
    if (!mapped || !disk_.find(mapped, file, offset)) return mapped;
    for (int64_t i = first_range_[size_t(expert)]; i < first_range_[size_t(expert) + 1]; i++) {
        const Range &range = ranges_[size_t(i)];
        if (range.file == file && offset >= range.offset && offset < range.offset + range.needed) return memory(slot) + range.at + (offset - range.offset);
    }
    return mapped;
}

void Store::allocate(int64_t bytes, int64_t least) {
    count_ = bytes / slot_bytes_;
    if (count_ < least)
        throw std::invalid_argument("memory for " + std::to_string(count_) + " experts, at least " + std::to_string(least) + " are needed at a time: " +
                                    std::to_string(least * slot_bytes_) + " bytes");
    void *found = mmap(nullptr, size_t(page_up(this->bytes())), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<uint8_t *>(found);
    if (this->bytes() >= 64 * HUGE_PAGE) madvise(memory_, size_t(page_up(this->bytes())), MADV_HUGEPAGE);
    slots_.resize(size_t(count_));
}

void Store::pass(int64_t tokens) {
    std::lock_guard<std::mutex> lock(mutex_);
    error_.clear();
    heat_.pass(tokens);
    counts_.tokens += tokens;
}

void Store::begin(int32_t layer, const std::vector<int32_t> &needed) {
    std::lock_guard<std::mutex> lock(mutex_);
    release();
    layer_ = layer;
    judge(needed);
    for (int32_t expert : needed) need(expert);
    fill();
}

void Store::need(int32_t expert) {
    int32_t slot = place_[size_t(key(layer_, expert))];
    if (slot < 0) {
        counts_.misses++;
        missing_.push_back(expert);
        return;
    }
    slots_[size_t(slot)].pinned = true;
    waiting_.push_back(slot);
    if (slots_[size_t(slot)].state == full) {
        counts_.hits++;
    } else {
        counts_.late++;
        hurry(slot);
    }
}

// Which guesses for this layer came true; reads ahead that nobody needs any more are given up.
void Store::judge(const std::vector<int32_t> &needed) {
    auto is_needed = [&](int32_t expert) { return std::binary_search(needed.begin(), needed.end(), expert); };
    if (guess_layer_ == layer_)
        for (int32_t expert : guess_) counts_.guessed++, counts_.guessed_right += is_needed(expert);
    for (int32_t slot : ahead_) {
        Slot &one = slots_[size_t(slot)];
        bool right = one.layer == layer_ && is_needed(one.expert);
        one.ahead = false;
        worth_ += RECENT * (double(right) - worth_);
        counts_.ahead_used += right;
        if (!right && one.state == loading) abandon(slot);
    }
    guess_layer_ = -1;
    ahead_.clear();
}

void Store::abandon(int32_t slot) {
    Slot &one = slots_[size_t(slot)];
    if (one.layer >= 0) place_[size_t(key(one.layer, one.expert))] = -1;
    one.layer = one.expert = -1;
    auto last = std::remove_if(later_.begin(), later_.end(), [&](auto &read) { return read.slot == slot; });
    one.reads_left -= int32_t(later_.end() - last);
    later_.erase(last, later_.end());
    if (one.reads_left == 0) one.state = empty;
}

void Store::hurry(int32_t slot) {
    auto last = std::stable_partition(later_.begin(), later_.end(), [&](auto &read) { return read.slot != slot; });
    urgent_.insert(urgent_.end(), last, later_.end());
    later_.erase(last, later_.end());
    work_.notify_all();
}

// Gives missing experts a slot, as far as there are any.
void Store::fill() {
    size_t done = 0;
    for (; done < missing_.size(); done++) {
        int32_t slot = take(0, true);
        if (slot < 0) break;
        load(slot, layer_, missing_[done], true);
        slots_[size_t(slot)].pinned = true;
        waiting_.push_back(slot);
    }
    missing_.erase(missing_.begin(), missing_.begin() + int64_t(done));
}

// An empty slot, or the one whose expert is worth least: for a read ahead, less than `worth`. -1: none.
int32_t Store::take(double worth, bool urgent) {
    int32_t best = -1;
    bool best_ahead = true;
    double least = 0;
    for (int32_t i = 0; i < count_; i++) {
        const Slot &one = slots_[size_t(i)];
        if (one.state == empty && !one.pinned) return i;
        if (one.state != full || one.pinned || (one.ahead && !urgent)) continue;
        double value = heat_.of(key(one.layer, one.expert));
        if (best < 0 || (best_ahead && !one.ahead) || (best_ahead == one.ahead && value < least)) best = i, best_ahead = one.ahead, least = value;
    }
    if (best < 0 || (!urgent && least >= worth)) return -1;
    Slot &one = slots_[size_t(best)];
    place_[size_t(key(one.layer, one.expert))] = -1;
    one.state = empty;
    return best;
}

void Store::load(int32_t slot, int32_t layer, int32_t expert, bool urgent) {
    Slot &one = slots_[size_t(slot)];
    int64_t number = key(layer, expert);
    place_[size_t(number)] = slot;
    one.layer = layer, one.expert = expert, one.state = loading, one.reads_left = 0, one.ahead = !urgent;
    for (int64_t i = first_range_[size_t(number)]; i < first_range_[size_t(number) + 1]; i++) {
        const Range &all = ranges_[size_t(i)];
        for (int64_t from = 0; from < all.bytes; from += READ_BYTES, one.reads_left++) {
            int64_t bytes = std::min(READ_BYTES, all.bytes - from);
            (urgent ? urgent_ : later_).push_back({slot, {all.file, all.offset + from, bytes, std::min(bytes, all.needed - from), all.at + from}});
        }
    }
    for (int i = 0; i < 3; i++) {
        one.three[i] = source_[size_t(layer)][size_t(3 * expert + i)];
        one.three[i].data = moved(one.three[i].data, number, slot);
        one.three[i].scale = moved(one.three[i].scale, number, slot);
    }
    work_.notify_all();
}

// held_: the pinned slots that are full, which are handed out by this.
void Store::collect() {
    held_.clear();
    auto last = std::stable_partition(waiting_.begin(), waiting_.end(), [&](int32_t slot) { return slots_[size_t(slot)].state != full; });
    for (auto slot = last; slot != waiting_.end(); slot++) {
        held_.push_back({slots_[size_t(*slot)].expert, slots_[size_t(*slot)].three});
        handed_.push_back(*slot);
    }
    waiting_.erase(last, waiting_.end());
}

const std::vector<Held> &Store::ready() {
    std::lock_guard<std::mutex> lock(mutex_);
    collect();
    return held_;
}

const std::vector<Held> &Store::next() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (int32_t slot : handed_) slots_[size_t(slot)].pinned = false;
    handed_.clear();
    fill();
    for (collect(); held_.empty() && !(waiting_.empty() && missing_.empty()); fill(), collect()) {
        if (!error_.empty()) throw std::runtime_error(error_);
        auto began = std::chrono::steady_clock::now();
        done_.wait(lock);
        counts_.waited_ns += std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
    }
    return held_;
}

void Store::end() {
    std::lock_guard<std::mutex> lock(mutex_);
    release();
}

void Store::release() {
    for (auto *list : {&handed_, &waiting_}) {
        for (int32_t slot : *list) slots_[size_t(slot)].pinned = false;
        list->clear();
    }
    missing_.clear();
}

bool Store::guesses() {
    if (!read_ahead_) return false;
    std::lock_guard<std::mutex> lock(mutex_);
    return missing_.empty() && (worth_ >= WORTHLESS || ++skipped_ % RETRY == 0); // who has no slot yet goes first
}

void Store::ahead(int32_t layer, const std::vector<int32_t> &guess, bool sure) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!sure) guess_layer_ = layer, guess_ = guess;
    for (int32_t expert : guess) {
        int64_t number = key(layer, expert);
        if (place_[size_t(number)] >= 0) continue;
        int32_t slot = take(heat_.with(number, sure ? 1 : worth_), false);
        if (slot < 0) break;
        load(slot, layer, expert, false);
        ahead_.push_back(slot);
        counts_.ahead_read++;
    }
}

void Store::work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        work_.wait(lock, [&] { return ends_ || !urgent_.empty() || (!later_.empty() && later_running_ < most_later_); });
        if (ends_) return;
        bool later = urgent_.empty();
        std::deque<Read> &queue = later ? later_ : urgent_;
        Read read = queue.front();
        queue.pop_front();
        later_running_ += later;
        lock.unlock();
        std::string error = disk_.read(read.range.file, read.range.offset, read.range.bytes, read.range.needed, memory(read.slot) + read.range.at);
        lock.lock();
        later_running_ -= later;
        finish(read, later, error);
    }
}

void Store::finish(const Read &read, bool later, const std::string &error) {
    Slot &one = slots_[size_t(read.slot)];
    counts_.bytes_read += read.range.bytes;
    counts_.ahead_bytes += later ? read.range.bytes : 0;
    if (!error.empty()) {
        if (one.pinned) error_ = error; // a read ahead may fail: who needs the expert reads it again
        if (one.layer >= 0) place_[size_t(key(one.layer, one.expert))] = -1;
        one.layer = one.expert = -1;
    }
    if (--one.reads_left == 0) one.state = one.layer < 0 ? empty : full;
    if (one.reads_left == 0 || !error.empty()) done_.notify_all();
    if (later && !later_.empty()) work_.notify_one();
}

void Store::statistics(axk1_statistics &out) const {
    std::lock_guard<std::mutex> lock(mutex_);
    out = counts_;
    out.slots = count_, out.slot_bytes = slot_bytes_;
}

} // namespace axk1
