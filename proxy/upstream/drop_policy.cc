#include "proxy/upstream/drop_policy.h"

#include <utility>

namespace weir::upstream {

void DropPolicy::add(std::string category, double share) {
  left_ *= 1 - share;
  const auto up_to = static_cast<uint64_t>((1 - left_) * static_cast<double>(kAll) + 0.5);
  // "All" is said by a category that drops all, and not by rounding.
  categories_.push_back({std::move(category), share, left_ > 0 ? std::min(up_to, kAll - 1) : kAll});
}

std::optional<size_t> DropPolicy::choose(uint64_t random, uint64_t most) const {
  const uint64_t at = random >> 32;
  if (at >= share(most)) return std::nullopt;
  size_t index = 0;
  while (at >= categories_[index].up_to) ++index;
  return index;
}

void DropCounts::follow(const DropPolicy* policy) {
  forget_oldest(policy);
  places_.clear();
  if (policy == nullptr) return;
  for (const DropPolicy::Category& category : policy->categories()) {
    const auto known = std::find_if(counts_.begin(), counts_.end(), [&](const Count& count) {
      return count.category == category.name;
    });
    places_.push_back(static_cast<size_t>(known - counts_.begin()));
    if (known == counts_.end()) counts_.push_back({category.name, 0});
  }
}

void DropCounts::forget_oldest(const DropPolicy* policy) {
  const auto is_gone = [&](const Count& count) {
    return policy == nullptr ||
           std::none_of(policy->categories().begin(), policy->categories().end(),
                        [&](const auto& category) { return category.name == count.category; });
  };
  auto gone = static_cast<size_t>(std::count_if(counts_.begin(), counts_.end(), is_gone));
  std::erase_if(counts_, [&](const Count& count) {
    if (gone <= kMaxGone || !is_gone(count)) return false;
    --gone;
    return true;
  });
}

}  // namespace weir::upstream
