#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xds/source.h"

namespace weir {

// Tells one store which of several sources an update comes from. Main thread.
class SourceHandlers {
 public:
  using Apply = std::function<std::vector<xds::Rejection>(xds::Source&, const xds::Update&)>;
  using Absent = std::function<void(xds::Source&, xds::ResourceType, const std::string&)>;

  // What came again as it was; may be empty.
  using Unchanged =
      std::function<void(xds::Source&, xds::ResourceType, const std::vector<std::string>&)>;

  SourceHandlers(Apply apply, Absent absent, Unchanged unchanged = {})
      : apply_(std::move(apply)), absent_(std::move(absent)), unchanged_(std::move(unchanged)) {}

  // Before the first subscription; once is enough.
  void attach(xds::Source& source, xds::ResourceType type) {
    auto& handler = handlers_[{&source, type}];
    if (handler != nullptr) return;
    handler = std::make_unique<Handler>(*this, source);
    source.set_handler(type, *handler);
  }

 private:
  class Handler : public xds::ResourceHandler {
   public:
    Handler(SourceHandlers& all, xds::Source& source) : all_(all), source_(source) {}
    std::vector<xds::Rejection> apply(const xds::Update& update) override {
      return all_.apply_(source_, update);
    }
    void on_absent(xds::ResourceType type, const std::string& name) override {
      all_.absent_(source_, type, name);
    }
    void on_unchanged(xds::ResourceType type, const std::vector<std::string>& names) override {
      if (all_.unchanged_) all_.unchanged_(source_, type, names);
    }

   private:
    SourceHandlers& all_;
    xds::Source& source_;
  };

  Apply apply_;
  Absent absent_;
  Unchanged unchanged_;
  std::map<std::pair<xds::Source*, xds::ResourceType>, std::unique_ptr<Handler>> handlers_;
};

// What a store does with an update when it keeps an entry for each source and name: those that have
// none are passed over. `absent(name)` for what is gone; `one(entry, resource)` returns why a
// resource is refused, empty when it is not.
template <class Entries, class Absent, class One>
std::vector<xds::Rejection> apply_each(Entries& entries, xds::Source& source,
                                       const xds::Update& update, Absent absent, One one) {
  std::vector<xds::Rejection> rejections;
  for (const std::string& name : update.removed) absent(name);
  for (const xds::Resource& resource : update.added) {
    const auto found = entries.find({&source, resource.name});
    if (found == entries.end()) continue;
    std::string errors = one(found->second, resource);
    if (!errors.empty()) rejections.push_back({resource.name, std::move(errors)});
  }
  return rejections;
}

}  // namespace weir
