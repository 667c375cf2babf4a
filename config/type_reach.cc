#include "config/type_reach.h"

#include <google/protobuf/descriptor.h>

#include <unordered_set>
#include <vector>

namespace weir::config {

using google::protobuf::Descriptor;

// Types contain each other in circles, so this is a search rather than a recursion.
bool TypeReach::reaches(const Descriptor& type) {
  const auto known = known_.find(&type);
  if (known != known_.end()) return known->second;
  std::vector<const Descriptor*> open = {&type};
  std::unordered_set<const Descriptor*> seen = {&type};
  bool found = false;
  while (!open.empty() && !found) {
    const Descriptor& next = *open.back();
    open.pop_back();
    found = is_goal_(next);
    for (int i = 0; i < next.field_count(); ++i) {
      const Descriptor* const child = next.field(i)->message_type();
      if (child != nullptr && seen.insert(child).second) open.push_back(child);
    }
  }
  known_[&type] = found;
  return found;
}

}  // namespace weir::config
