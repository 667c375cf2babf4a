#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/net/address.h"

namespace weir::upstream {

struct AddressHash {
  size_t operator()(const net::Address& address) const { return address.hash(); }
};

// kExcluded: unfit, and not counted among the hosts when their health is weighed.
enum class Health : uint8_t { kHealthy, kDegraded, kUnhealthy, kExcluded };

class DropPolicy;
class HostFeedback;

// An endpoint's health_check_config.
struct EndpointCheck {
  bool disabled = false;
  std::string hostname;                 // Host or :authority of the check; empty: the cluster's
  std::optional<net::Address> address;  // nothing: the endpoint's
  uint16_t port = 0;                    // 0: the address's
  friend bool operator==(const EndpointCheck&, const EndpointCheck&) = default;
};

struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;
  friend bool operator==(const Locality&, const Locality&) = default;
};

// One place to send requests to. Immutable; shared by the host sets in which it is the same.
struct Endpoint {
  net::Address address;
  std::string address_text;  // for logs and admin
  std::string hostname;      // of the endpoint, or the DNS name it was resolved from
  std::string hash_key;      // metadata envoy.lb/hash_key: what ring and Maglev hash, if not empty
  uint32_t weight = 1;       // >= 1
  uint32_t priority = 0;
  uint32_t locality = 0;  // index into HostSet::localities
  // As the config says (health_status); of those that workers have, with what checks and outlier
  // detection found (ClusterHealth).
  Health health = Health::kHealthy;
  int64_t added_ms = 0;  // monotonic; slow start counts from here
  // Of LOGICAL_DNS: stands for its hostname. Another address is not another host: only connections
  // opened from then on go there.
  bool logical = false;
  int32_t transport = -1;  // index into ClusterConfig::transport_matches; -1: the cluster's own
  std::shared_ptr<const EndpointCheck> check;  // null: nothing of its own
  // Where workers tell how requests went; null: nobody asks.
  std::shared_ptr<HostFeedback> feedback;
};

// What tells an endpoint from the others of its cluster, whatever else about it changes.
inline const std::string& endpoint_key(const Endpoint& endpoint) {
  return endpoint.logical ? endpoint.hostname : endpoint.address_text;
}

struct LocalityInfo {
  Locality locality;
  uint32_t priority = 0;
  uint32_t weight = 0;  // load_balancing_weight; 0: not given
};

// Endpoints in their order. Those that are the same in the next set are shared with it: a copy
// costs a pointer for each, and what changes is replaced by itself.
class Endpoints {
 public:
  using Shared = std::shared_ptr<const Endpoint>;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = const Endpoint;
    using difference_type = std::ptrdiff_t;
    using pointer = const Endpoint*;
    using reference = const Endpoint&;

    Iterator() = default;
    explicit Iterator(const Shared* at) : at_(at) {}
    const Endpoint& operator*() const { return **at_; }
    const Endpoint* operator->() const { return at_->get(); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const Shared* at_ = nullptr;
  };

  size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }
  const Endpoint& operator[](size_t i) const { return *all_[i]; }
  const Endpoint& at(size_t i) const { return *all_.at(i); }
  const Shared& shared(size_t i) const { return all_[i]; }
  Iterator begin() const { return Iterator(all_.data()); }
  Iterator end() const { return Iterator(all_.data() + all_.size()); }

  void reserve(size_t size) { all_.reserve(size); }
  void push_back(Endpoint endpoint) {
    all_.push_back(std::make_shared<const Endpoint>(std::move(endpoint)));
  }
  void push_back(Shared endpoint) { all_.push_back(std::move(endpoint)); }
  void replace(size_t i, Endpoint endpoint) {
    all_[i] = std::make_shared<const Endpoint>(std::move(endpoint));
  }
  void replace(size_t i, Shared endpoint) { all_[i] = std::move(endpoint); }

 private:
  std::vector<Shared> all_;
};

// All endpoints of a cluster at one moment. Immutable: published to every worker as a whole.
struct HostSet {
  Endpoints endpoints;
  std::vector<LocalityInfo> localities;
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;
  std::shared_ptr<const DropPolicy> drops;  // drop_overloads; null: no request is dropped
  uint64_t version = 0;
};

// The next version of a set, of which the policy alone is left.
inline HostSet without_endpoints(const HostSet& set) {
  HostSet out;
  out.overprovisioning_factor = set.overprovisioning_factor;
  out.weighted_priority_health = set.weighted_priority_health;
  out.drops = set.drops;
  out.version = set.version + 1;
  return out;
}

}  // namespace weir::upstream
