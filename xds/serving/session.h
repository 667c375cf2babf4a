#pragma once

#include <google/protobuf/any.pb.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "xds/serving/catalogue.h"
#include "xds/types.h"

namespace google::rpc {
class Status;
}
namespace envoy::config::core::v3 {
class Node;
}

namespace weir::xds {

// Who is at the other end, as its first request says. Bounded in length.
struct NodeInfo {
  std::string id;
  std::string cluster;
  std::string user_agent;
};

// What a client said of a response.
struct Verdict {
  ResourceType type = ResourceType::kCluster;
  std::string version;
  bool accepted = true;
  std::string error;  // of a rejection, bounded
};

// A response to send.
struct Push {
  ResourceType type = ResourceType::kCluster;
  std::string version;
  size_t resources = 0;
  size_t removed = 0;
  std::string bytes;  // serialized
};

// Where a client stands with one type. Times are of the clock that is passed in; 0: never.
struct TypeReport {
  ResourceType type = ResourceType::kCluster;
  bool wildcard = false;
  size_t names = 0;  // that it asks for
  std::string sent_version;
  int64_t sent_ms = 0;
  bool waiting = false;  // for its answer
  std::string acked_version;
  int64_t acked_ms = 0;
  std::string nacked_version;  // empty when the last answer was an ACK
  std::string error;
  int64_t nacked_ms = 0;
  size_t held_removals = 0;  // not told yet, because something may refer to them still
};

// The server's side of one xDS stream: what its client asks for, has, and has said. Knows nothing
// of the wire: it takes requests, and is asked for the next response whenever one can be sent, so a
// slow client gets the newest state and not each change. A response of a type waits for the answer
// to the one before.
//
// Changes are made before they break something: new and changed clusters and endpoints go first,
// then listeners and routes, and what is gone (but listeners, whose addresses may be needed) is
// removed when all of that was answered and a moment has passed, and not while the client refuses
// listeners or routes. One thread.
class Session {
 public:
  static constexpr size_t kMaxNames = 20'000;  // per type
  static constexpr size_t kMaxNameBytes = 1024;
  static constexpr size_t kMaxErrorBytes = 4096;
  static constexpr int64_t kGraceMs = 1000;

  // `only`: the one type of a service that is not aggregated.
  Session(std::shared_ptr<const Catalogue> catalogue, std::optional<ResourceType> only);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Takes a serialized request. The verdict that it holds, if it holds one. After an error, whose
  // code is "invalid-argument" or "resource-exhausted", the stream is to be ended.
  virtual Result<std::optional<Verdict>> on_request(std::string_view bytes, int64_t now_ms) = 0;
  virtual std::string_view protocol() const = 0;  // "sotw" or "delta"

  // Nothing: there is nothing to say before the next request, the next catalogue or wake_at_ms().
  std::optional<Push> next(int64_t now_ms);
  int64_t wake_at_ms() const { return wake_at_ms_; }  // 0: no need

  void set_catalogue(std::shared_ptr<const Catalogue> catalogue, int64_t now_ms);

  const NodeInfo& node() const { return node_; }
  std::vector<TypeReport> report() const;  // of the types that were asked for
  // A type that is not served; empty: none was asked for. Such requests get no response.
  const std::string& unknown_type() const { return unknown_type_; }

 protected:
  struct Sent {
    std::string version;  // empty: it was told that there is none
    // Kept by those who may have to send it again; else null.
    std::shared_ptr<const google::protobuf::Any> content;
  };
  struct TypeState {
    bool requested = false;
    bool wildcard = false;
    bool ever_named = false;  // an empty list is no wildcard any more
    std::set<std::string, std::less<>> names;
    std::map<std::string, Sent, std::less<>> sent;
    std::set<std::string, std::less<>> owed;  // to be sent although the client has it
    bool must_answer = false;                 // even with nothing in it
    bool asked = false;                       // the client waits for it: no order to be kept
    bool dirty = false;                       // there may be something to send
    bool refused = false;                     // the last answer was a NACK
    std::string nonce;
    TypeReport report;

    bool wants(std::string_view name) const { return wildcard || names.contains(name); }
  };

  // The response that is due, if one is. `removing`: removals that are held otherwise are in it.
  // Counts those that are left out in report.held_removals.
  virtual std::optional<Push> build(ResourceType type, TypeState& state, bool removing) = 0;

  TypeState& state(ResourceType type) { return states_[static_cast<size_t>(type)]; }
  const Catalogue& catalogue() const { return *catalogue_; }

  // Null: not one that is served.
  Result<TypeState*> begin_request(const std::string& type_url,
                                   const envoy::config::core::v3::Node* node, ResourceType& type);
  std::optional<Verdict> take_verdict(ResourceType type, const std::string& nonce,
                                      const google::rpc::Status* error, int64_t now_ms);
  Result<void> check_name(const std::string& name) const;
  Result<void> check_count(const TypeState& of) const;
  std::string next_nonce() { return std::to_string(++nonces_); }

  // Calls visit(name, ServedResource) for what the client wants and there is.
  template <class Visit>
  void for_each_wanted(ResourceType type, const TypeState& of, Visit visit) const {
    if (of.wildcard) {
      for (const auto& [name, served] : catalogue_->of(type)) visit(name, served);
      return;
    }
    for (const std::string& name : of.names)
      if (const ServedResource* served = catalogue_->find(type, name)) visit(name, *served);
  }
  // To be told of each cluster that goes out, before `sent` has it.
  void note_cluster(const ServedResource& cluster);

 private:
  std::optional<Push> next_of(ResourceType type, bool removing, int64_t now_ms);
  bool kept_back(ResourceType type, int64_t now_ms) const;
  bool any_waiting() const;
  bool may_remove(int64_t now_ms) const;

  std::shared_ptr<const Catalogue> catalogue_;
  std::optional<ResourceType> only_;
  std::array<TypeState, kResourceTypes> states_;
  std::set<std::string, std::less<>> awaited_endpoints_;  // of clusters that went out
  NodeInfo node_;
  std::string unknown_type_;
  uint64_t nonces_ = 0;
  int64_t order_until_ms_ = 0;  // listeners and routes wait for clusters until then
  int64_t active_ms_ = 0;       // of the last change, response or answer
  int64_t wake_at_ms_ = 0;
};

}  // namespace weir::xds
