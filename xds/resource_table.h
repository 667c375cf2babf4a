#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "xds/answer.h"
#include "xds/deadlines.h"
#include "xds/status.h"
#include "xds/types.h"

namespace weir::xds {

inline constexpr std::string_view kWildcard = "*";

struct Now {
  int64_t mono_ms = 0;
  int64_t wall_ms = 0;
};

// What an answer changes: first `begin` of the table, then the handler, then `finish`.
struct Change {
  Update update;
  std::vector<std::string> absent;     // waited for; there are none, or they were rejected
  std::vector<std::string> unchanged;  // came with the bytes that are in force
  std::vector<Rejection> errors;

 private:
  friend class ResourceTable;
  struct Pending {
    std::string name;
    std::string origin;  // what the control plane calls it, if that is not `name`
    std::string version;
    uint64_t hash = 0;
    std::optional<int64_t> ttl_ms;
  };
  std::vector<Pending> pending;  // in the order of update.added
  std::unordered_set<std::string> seen;
  bool only_heartbeats = false;
};

// The resources of one type: who subscribed to them, what came, and until when it may take or
// last. Of each it keeps the name, the version and a hash. Main thread.
class ResourceTable {
 public:
  explicit ResourceTable(ResourceType type) : type_(type) {}

  // "*" for all. True for the first subscriber of the name.
  bool subscribe(const std::string& name, int64_t initial_fetch_timeout_ms, Now now);
  // True for the last one. While "*" is held too, the resource stays until the control plane says
  // what is with it.
  bool unsubscribe(const std::string& name);
  // Waits for the resource once more, while what is in force stays so. 0: it may take for ever.
  // False: nobody has subscribed to it by that name.
  bool refresh(const std::string& name, int64_t timeout_ms, Now now);
  // The names that are waited for once more, which then are no longer: nothing has changed.
  std::vector<std::string> take_refreshing();

  ResourceType type() const { return type_; }
  bool wildcard() const { return wildcard_subscribers_ > 0; }
  bool is_subscribed() const { return wildcard() || named_ > 0; }
  // Those subscribed to by name, sorted.
  std::vector<std::string> names() const;
  // Name and version of what is in force and not waited for once more.
  std::vector<std::pair<std::string, std::string>> versions() const;
  // Of the last answer that was taken over as a whole.
  const std::string& version() const { return version_; }
  void set_version(std::string version) { version_ = std::move(version); }

  // Of an answer without errors. Removals and heartbeats count from here on.
  Change begin(const Answer& answer, Now now);
  // What the handler made of it. Returns all errors; none: all is applied.
  std::vector<Rejection> finish(Change& change, const std::vector<Rejection>& rejections, Now now);
  // An answer with errors, of which nothing is applied. Returns the names whose subscribers need
  // not wait for it any longer.
  std::vector<std::string> refuse(const Answer& answer, const std::string& error, Now now);

  // The names that nothing came for, whose subscribers are not to wait any longer: there are no
  // such resources, or `error` says why they did not come. "*" is among them if nothing came at
  // all.
  std::vector<std::string> take_waiting(const std::string& error, Now now);
  // The names that did not come in time.
  std::vector<std::string> take_timeouts(Now now);
  // What goes because its time to live is over.
  Update take_expired(Now now);
  std::optional<int64_t> next_deadline() const;

  void append_status(std::vector<ResourceStatus>& out) const;

 private:
  struct Entry {
    uint32_t subscribers = 0;  // by name; 0: it came through "*"
    bool in_force = false;
    bool refreshing = false;       // waited for once more
    std::optional<uint64_t> hash;  // of what is in force; none: the handler gets it again
    std::string origin;
    ResourceStatus status;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Entry& entry_of(const std::string& name);
  void arm_fetch(const std::string& name, int64_t timeout_ms, Now now);
  std::vector<std::string> recipients(const Item& item) const;
  void receive(const std::string& name, const Item& item, Change& change, Now now);
  void receive_heartbeat(const std::string& name, const Item& item, Change& change, Now now);
  void remove(const std::string& name, Change& change, Now now);
  // False: nothing of it was in force.
  bool withdraw(Entries::iterator entry, Now now);
  void accept(Entry& entry, const Change::Pending& pending, Now now);
  void reject(Entry& entry, const std::string& version, const std::string& error, Now now);
  void end_refresh(Entry& entry);
  void set_ttl(const std::string& name, std::optional<int64_t> ttl_ms, Now now);
  bool is_waited_for(const std::string& name, const Entry& entry) const;

  ResourceType type_;
  Entries entries_;
  uint32_t named_ = 0;
  uint32_t wildcard_subscribers_ = 0;
  bool wildcard_waits_ = false;
  bool has_origins_ = false;
  std::string version_;
  Deadlines fetches_;
  Deadlines lives_;
};

}  // namespace weir::xds
