#pragma once

#include <memory>
#include <string>
#include <typeinfo>
#include <unordered_map>
#include <utility>

namespace weir::http {

// State that must outlive a change of configuration, such as the events that a webhook check
// remembers or how full a bucket is: who compiles the same thing again finds the same object. It
// lives as long as a configuration that uses it. Main thread.
class KeptState {
 public:
  // The object that was made under this key, if it is still in use, else what `make` returns as a
  // std::shared_ptr<T>. The key says everything that the object depends on.
  template <class T, class Make>
  std::shared_ptr<T> find_or_make(const std::string& key, Make make) {
    std::weak_ptr<void>& kept = kept_[std::string(typeid(T).name()) + '/' + key];
    if (std::shared_ptr<void> alive = kept.lock()) return std::static_pointer_cast<T>(alive);
    std::shared_ptr<T> made = make();
    kept = made;
    return made;
  }

  // Drops the keys that nobody uses any more.
  void sweep() {
    std::erase_if(kept_, [](const auto& entry) { return entry.second.expired(); });
  }

 private:
  std::unordered_map<std::string, std::weak_ptr<void>> kept_;
};

}  // namespace weir::http
