// How much an expert is worth keeping: how often routers chose it or nearly did, older uses counting less.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace axk1 {

// Chosen on traces of skewed routing (docs/decisions/0010-expert-store.md).
constexpr double HALF_LIFE = 256; // tokens after which a use counts half
constexpr double NEAR = 0.5;      // what a near miss counts beside a use

// Values fall by the same factor for all, so only their logarithms at a common time are kept: a use changes one number,
// and the order of the others stays as it was.
class Heat {
  public:
    Heat(int64_t experts, double half_life, double near) : half_life_(half_life), near_(near), value_(size_t(experts), -std::numeric_limits<double>::infinity()) {}
    void pass(int64_t tokens) { now_ += double(tokens); }
    void use(int64_t expert, double tokens, bool needed) {
        double weight = needed ? tokens : tokens * near_;
        if (weight <= 0) return;
        value_[size_t(expert)] = half_life_ > 0 ? with(expert, weight) : needed ? ++uses_ : value_[size_t(expert)];
    }
    double of(int64_t expert) const { return value_[size_t(expert)]; }
    // What it would be after another use of so much weight.
    double with(int64_t expert, double weight) const {
        double since = half_life_ > 0 ? now_ / half_life_ : 0;
        return std::log2(std::exp2(value_[size_t(expert)] - since) + weight) + since;
    }

  private:
    double half_life_, near_, now_ = 0, uses_ = 0; // half_life_ 0: the number of the last use
    std::vector<double> value_;
};

} // namespace axk1
