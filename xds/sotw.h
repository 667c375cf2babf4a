#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "xds/dialogue.h"
#include "xds/resource_table.h"

namespace weir::xds {

// State of the world: each request names all that is subscribed to and, with version and nonce,
// what was taken over last. An answer that a newer one has overtaken is not acknowledged: its nonce
// is stale. Main thread.
class SotwDialogue : public Dialogue {
 public:
  explicit SotwDialogue(const ResourceTable& table) : table_(table) {}

  void reset() override;
  void on_subscribed(const std::string& name) override;
  void on_unsubscribed(const std::string& name) override;
  void on_refreshed(const std::string& name) override;
  void acknowledge(const std::string& nonce, std::string error) override;
  bool has_acknowledgement() const override { return has_acknowledgement_; }
  bool has_request() const override {
    return is_due_ && (table_.is_subscribed() || told_ != Told::kNothing);
  }
  size_t acknowledgements() const override { return has_acknowledgement_ ? 1 : 0; }
  std::string next(const envoy::config::core::v3::Node* node) override;

 private:
  // Over the present stream. An empty list stands for "*" only until one with names was sent.
  enum class Told : uint8_t { kNothing, kAllByEmptyList, kNames };

  std::vector<std::string> wanted() const;
  std::vector<std::string> next_names();

  const ResourceTable& table_;
  std::string nonce_;
  std::string error_;
  bool has_acknowledgement_ = false;
  bool is_due_ = false;
  Told told_ = Told::kNothing;
  std::set<std::string> dropped_;  // unsubscribed from since the last request
  std::set<std::string> again_;    // of those, what is subscribed to again
};

}  // namespace weir::xds
