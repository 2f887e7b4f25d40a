// The hit curve of a trace: the store's rule of eviction without its bytes.
#include <algorithm>
#include <vector>

#include "axk1.h"
#include "heat.h"

namespace axk1 {

// Slots by what their experts are worth: as Store::begin and Store::take, without reads ahead.
class Simulation {
  public:
    Simulation(int64_t experts, int64_t slots, double half_life, double near) : heat_(experts, half_life, near), place_(size_t(experts), -1), slots_(size_t(slots)) {}
    // One layer's uses of one step.
    void visit(const axk1_routing *uses, int64_t n, int64_t experts, uint8_t *hit) {
        heat_.pass(uses[0].step - step_);
        step_ = uses[0].step;
        auto key = [&](const axk1_routing &use) { return int64_t(use.layer) * experts + use.expert; };
        for (int64_t i = 0; i < n; i++) heat_.use(key(uses[i]), uses[i].weight, uses[i].needed);
        for (int64_t i = 0; i < n; i++) {
            hit[i] = uses[i].needed && place_[size_t(key(uses[i]))] >= 0;
            if (hit[i]) slots_[size_t(place_[size_t(key(uses[i]))])].pinned = true;
        }
        for (int64_t i = 0; i < n; i++)
            if (uses[i].needed && !hit[i]) put(key(uses[i]));
        for (auto &slot : slots_) slot.pinned = false;
    }

  private:
    struct Slot {
        int64_t expert = -1;
        bool pinned = false;
    };
    void put(int64_t expert) {
        Slot *best = nullptr;
        for (auto &slot : slots_) {
            if (slot.expert < 0) {
                best = &slot;
                break;
            }
            if (!slot.pinned && (!best || heat_.of(slot.expert) < heat_.of(best->expert))) best = &slot;
        }
        if (!best) best = &slots_[0]; // more experts than slots: in waves
        if (best->expert >= 0) place_[size_t(best->expert)] = -1;
        best->expert = expert, best->pinned = true;
        place_[size_t(expert)] = best - slots_.data();
    }
    Heat heat_;
    int32_t step_ = 0;
    std::vector<int64_t> place_;
    std::vector<Slot> slots_;
};

} // namespace axk1

extern "C" void axk1_simulate(const axk1_routing *uses, int64_t n, int64_t slots, double half_life, double near, uint8_t *hit) {
    int64_t experts = 0, layers = 0;
    for (int64_t i = 0; i < n; i++) experts = std::max<int64_t>(experts, uses[i].expert + 1), layers = std::max<int64_t>(layers, uses[i].layer + 1);
    bool own = half_life < 0;
    axk1::Simulation simulation(layers * experts, std::max<int64_t>(slots, 1), own ? axk1::HALF_LIFE : half_life, own ? axk1::NEAR : near);
    for (int64_t first = 0, last = 0; first < n; first = last) {
        while (last < n && uses[last].step == uses[first].step && uses[last].layer == uses[first].layer) last++;
        simulation.visit(uses + first, last - first, experts, hit + first);
    }
}
