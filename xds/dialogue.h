#pragma once

#include <string>

namespace envoy::config::core::v3 {
class Node;
}

namespace weir::xds {

// What is to be said of one type over the present stream: what is subscribed to, and answers to
// what came. Main thread.
class Dialogue {
 public:
  virtual ~Dialogue() = default;

  // A new stream: what was said over the last one counts no longer.
  virtual void reset() = 0;
  virtual void on_subscribed(const std::string& name) = 0;
  virtual void on_unsubscribed(const std::string& name) = 0;
  // It is subscribed to, and wanted once more.
  virtual void on_refreshed(const std::string& name) = 0;
  // An answer came. `error`: why it, or a part of it, was refused; empty: it was taken over.
  virtual void acknowledge(const std::string& nonce, std::string error) = 0;

  // Whether there is an ACK or a NACK to be sent, or a change of subscriptions.
  virtual bool has_acknowledgement() const = 0;
  virtual bool has_request() const = 0;
  // How many ACKs and NACKs wait.
  virtual size_t acknowledgements() const = 0;
  // The bytes of the next message, with `node` if that is not null. One of the two above is true.
  virtual std::string next(const envoy::config::core::v3::Node* node) = 0;
};

}  // namespace weir::xds
