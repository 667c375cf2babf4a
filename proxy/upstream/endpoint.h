#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/address.h"

namespace weir::upstream {

struct AddressHash {
  size_t operator()(const net::Address& address) const { return address.hash(); }
};

enum class Health : uint8_t { kHealthy, kDegraded, kUnhealthy };

struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;
  friend bool operator==(const Locality&, const Locality&) = default;
};

// One place to send requests to. Immutable.
struct Endpoint {
  net::Address address;
  std::string address_text;  // for logs and admin
  std::string hostname;      // of the endpoint, or the DNS name it was resolved from
  std::string hash_key;      // metadata envoy.lb/hash_key: what ring and Maglev hash, if not empty
  uint32_t weight = 1;       // >= 1
  uint32_t priority = 0;
  uint32_t locality = 0;             // index into HostSet::localities
  Health health = Health::kHealthy;  // as the config says (health_status)
  int64_t added_ms = 0;              // monotonic; slow start counts from here
  // Of LOGICAL_DNS: stands for its hostname. Another address is not another host: only connections
  // opened from then on go there.
  bool logical = false;
  int32_t transport = -1;  // index into ClusterConfig::transport_matches; -1: the cluster's own
};

struct LocalityInfo {
  Locality locality;
  uint32_t priority = 0;
  uint32_t weight = 0;  // load_balancing_weight; 0: not given
};

// All endpoints of a cluster at one moment. Immutable: published to every worker as a whole.
struct HostSet {
  std::vector<Endpoint> endpoints;
  std::vector<LocalityInfo> localities;
  uint32_t overprovisioning_factor = 140;  // percent
  bool weighted_priority_health = false;
  uint64_t version = 0;
};

}  // namespace weir::upstream
