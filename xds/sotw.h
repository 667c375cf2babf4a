#pragma once

#include <string>

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
  void on_subscribed(const std::string&) override { is_due_ = true; }
  void on_unsubscribed(const std::string&) override { is_due_ = true; }
  void acknowledge(const std::string& nonce, std::string error) override;
  bool has_acknowledgement() const override { return has_acknowledgement_; }
  bool has_request() const override { return is_due_ && (table_.is_subscribed() || has_named_); }
  size_t acknowledgements() const override { return has_acknowledgement_ ? 1 : 0; }
  std::string next(const envoy::config::core::v3::Node* node) override;

 private:
  const ResourceTable& table_;
  std::string nonce_;
  std::string error_;
  bool has_acknowledgement_ = false;
  bool is_due_ = false;
  bool has_named_ = false;  // an empty list stands for "*" only as long as none was sent with names
};

}  // namespace weir::xds
