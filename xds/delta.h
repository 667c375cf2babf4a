#pragma once

#include <deque>
#include <set>
#include <string>

#include "xds/dialogue.h"
#include "xds/resource_table.h"

namespace weir::xds {

// Incremental: the first request of a stream says all that is subscribed to and what is here
// already, the others what changed. Every answer is acknowledged by itself, since each says
// something of other resources. Main thread.
class DeltaDialogue : public Dialogue {
 public:
  explicit DeltaDialogue(const ResourceTable& table) : table_(table) {}

  void reset() override;
  void on_subscribed(const std::string& name) override;
  void on_unsubscribed(const std::string& name) override;
  void on_refreshed(const std::string& name) override;
  void acknowledge(const std::string& nonce, std::string error) override;
  bool has_acknowledgement() const override { return !acknowledgements_.empty(); }
  bool has_request() const override;
  size_t acknowledgements() const override { return acknowledgements_.size(); }
  std::string next(const envoy::config::core::v3::Node* node) override;

 private:
  struct Acknowledgement {
    std::string nonce;
    std::string error;
  };
  void collect_all();
  void collect_change();

  const ResourceTable& table_;
  bool is_first_ = true;
  // "*" was said by an empty list; the first explicit name ends that.
  bool is_legacy_wildcard_ = false;
  std::set<std::string> added_;
  std::set<std::string> removed_;
  std::set<std::string> again_;  // of the removed ones: the next request adds them
  std::deque<Acknowledgement> acknowledgements_;
};

}  // namespace weir::xds
