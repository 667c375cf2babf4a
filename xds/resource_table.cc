#include "xds/resource_table.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "proxy/base/hash.h"

namespace weir::xds {
namespace {

using State = ResourceStatus::State;

void set_state(ResourceStatus& status, State state, Now now) {
  if (status.state != state) status.since_ms = now.wall_ms;
  status.state = state;
}

void set_version(ResourceStatus& status, const std::string& version, Now now) {
  if (status.version != version || status.updated_ms == 0) status.updated_ms = now.wall_ms;
  status.version = version;
  status.rejected_version.clear();
  status.rejected_ms = 0;
  status.error.clear();
  set_state(status, State::kAccepted, now);
}

// A time so far away that it cannot be told stands for never.
int64_t after(Now now, int64_t wait_ms) {
  constexpr int64_t kFarMs = int64_t{1} << 60;
  return now.mono_ms + std::min(wait_ms, kFarMs);
}

}  // namespace

ResourceTable::Entry& ResourceTable::entry_of(const std::string& name) {
  const auto [entry, is_new] = entries_.try_emplace(name);
  if (is_new) {
    entry->second.status.type = type_;
    entry->second.status.name = name;
  }
  return entry->second;
}

bool ResourceTable::subscribe(const std::string& name, int64_t initial_fetch_timeout_ms, Now now) {
  if (name == kWildcard) {
    if (wildcard_subscribers_ == 0) wildcard_waits_ = true;
    if (wildcard_waits_) arm_fetch(name, initial_fetch_timeout_ms, now);
    return ++wildcard_subscribers_ == 1;
  }
  Entry& entry = entry_of(name);
  if (entry.status.since_ms == 0) entry.status.since_ms = now.wall_ms;
  if (!entry.in_force) arm_fetch(name, initial_fetch_timeout_ms, now);
  if (++entry.subscribers > 1) return false;
  ++named_;
  return true;
}

void ResourceTable::arm_fetch(const std::string& name, int64_t timeout_ms, Now now) {
  if (timeout_ms <= 0) return;
  const int64_t when_ms = after(now, timeout_ms);
  const std::optional<int64_t> armed = fetches_.of(name);
  if (!armed || *armed > when_ms) fetches_.arm(name, when_ms);
}

bool ResourceTable::unsubscribe(const std::string& name) {
  if (name == kWildcard) {
    if (wildcard_subscribers_ == 0 || --wildcard_subscribers_ > 0) return false;
    wildcard_waits_ = false;
    fetches_.disarm(name);
    std::erase_if(entries_, [this](const auto& entry) {
      if (entry.second.subscribers > 0) return false;
      lives_.disarm(entry.first);
      return true;
    });
    return true;
  }
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.subscribers == 0) return false;
  if (--found->second.subscribers > 0) return false;
  --named_;
  end_refresh(found->second);
  fetches_.disarm(name);
  if (wildcard() && found->second.in_force) return true;
  lives_.disarm(name);
  entries_.erase(found);
  return true;
}

bool ResourceTable::refresh(const std::string& name, int64_t timeout_ms, Now now) {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.subscribers == 0) return false;
  found->second.refreshing = true;
  fetches_.disarm(name);
  arm_fetch(name, timeout_ms, now);
  return true;
}

void ResourceTable::end_refresh(Entry& entry) {
  if (std::exchange(entry.refreshing, false)) fetches_.disarm(entry.status.name);
}

std::vector<std::string> ResourceTable::take_refreshing() {
  std::vector<std::string> names;
  for (auto& [name, entry] : entries_) {
    if (!entry.refreshing) continue;
    names.push_back(name);
    end_refresh(entry);
  }
  return names;
}

std::vector<std::string> ResourceTable::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribers > 0) names.push_back(name);
  }
  return names;
}

std::vector<std::pair<std::string, std::string>> ResourceTable::versions() const {
  std::vector<std::pair<std::string, std::string>> versions;
  for (const auto& [name, entry] : entries_) {
    // Who is told that it is here does not send it.
    if (!entry.in_force || entry.refreshing) continue;
    versions.emplace_back(entry.origin.empty() ? name : entry.origin, entry.status.version);
  }
  return versions;
}

std::vector<std::string> ResourceTable::recipients(const Item& item) const {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.subscribers == 0) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  add(item.name);
  for (const std::string& alias : item.aliases) add(alias);
  if (names.empty() && wildcard() && !item.name.empty()) names.push_back(item.name);
  return names;
}

Change ResourceTable::begin(const Answer& answer, Now now) {
  Change change;
  change.update.type = type_;
  change.update.version = answer.version;
  change.only_heartbeats = !answer.items.empty();
  for (const Item& item : answer.items) {
    if (item.content != nullptr) change.only_heartbeats = false;
    for (const std::string& name : recipients(item)) {
      if (change.seen.insert(name).second) receive(name, item, change, now);
    }
  }
  if (answer.is_delta) {
    for (const std::string& name : answer.removed) remove(name, change, now);
  } else if (absence_removes(type_) && !change.only_heartbeats) {
    std::vector<std::string> gone;
    for (const auto& [name, entry] : entries_) {
      if (!change.seen.contains(name)) gone.push_back(name);
    }
    for (const std::string& name : gone) remove(name, change, now);
  }
  // Who waits for all there are need not wait longer to learn that there are none.
  const bool is_empty = change.update.added.empty() && change.update.removed.empty();
  if (wildcard_waits_ && is_empty) change.absent.emplace_back(kWildcard);
  wildcard_waits_ = false;
  fetches_.disarm(std::string(kWildcard));
  return change;
}

void ResourceTable::receive(const std::string& name, const Item& item, Change& change, Now now) {
  if (item.content == nullptr) return receive_heartbeat(name, item, change, now);
  fetches_.disarm(name);
  Change::Pending pending;
  pending.name = name;
  if (name != item.name) pending.origin = item.name;
  pending.version = item.version.empty() ? change.update.version : item.version;
  pending.hash = xxhash64(item.content->value());
  pending.ttl_ms = item.ttl_ms;
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second.in_force && found->second.hash == pending.hash) {
    change.unchanged.push_back(name);
    return accept(found->second, pending, now);
  }
  change.update.added.push_back({name, pending.version, item.content});
  change.pending.push_back(std::move(pending));
}

void ResourceTable::receive_heartbeat(const std::string& name, const Item& item, Change& change,
                                      Now now) {
  const auto found = entries_.find(name);
  const bool is_held = found != entries_.end() && found->second.in_force;
  if (is_held && found->second.status.version == item.version) {
    return set_ttl(name, item.ttl_ms, now);
  }
  change.errors.push_back(
      {name, "has no resource, and version '" + item.version + "' is not what is here"});
}

void ResourceTable::remove(const std::string& name, Change& change, Now now) {
  std::vector<Entries::iterator> gone;
  if (const auto found = entries_.find(name); found != entries_.end()) gone.push_back(found);
  // What came by an alias is removed by its own name.
  for (auto at = entries_.begin(); has_origins_ && at != entries_.end(); ++at) {
    if (at->second.origin == name && at->first != name) gone.push_back(at);
  }
  for (const Entries::iterator entry : gone) {
    const std::string subscribed = entry->first;
    // By another of its names it is in the same answer.
    if (change.seen.contains(subscribed)) continue;
    const bool was_waited_for = is_waited_for(subscribed, entry->second);
    if (withdraw(entry, now)) {
      change.update.removed.push_back(subscribed);
    } else if (was_waited_for) {
      change.absent.push_back(subscribed);
    }
  }
}

bool ResourceTable::is_waited_for(const std::string& name, const Entry& entry) const {
  if (entry.subscribers == 0) return false;
  if (entry.refreshing) return true;
  if (entry.in_force) return false;
  return entry.status.state == State::kRequested || fetches_.of(name).has_value();
}

bool ResourceTable::withdraw(Entries::iterator entry, Now now) {
  const bool was_in_force = entry->second.in_force;
  end_refresh(entry->second);
  fetches_.disarm(entry->first);
  lives_.disarm(entry->first);
  if (entry->second.subscribers == 0) {
    entries_.erase(entry);
    return was_in_force;
  }
  entry->second.in_force = false;
  entry->second.hash.reset();
  entry->second.origin.clear();
  entry->second.status.version.clear();
  entry->second.status.updated_ms = 0;
  set_state(entry->second.status, State::kDoesNotExist, now);
  return was_in_force;
}

std::vector<Rejection> ResourceTable::finish(Change& change,
                                             const std::vector<Rejection>& rejections, Now now) {
  std::vector<Rejection> errors = std::move(change.errors);
  std::unordered_map<std::string_view, const Rejection*> rejected;
  for (const Rejection& rejection : rejections) {
    rejected.emplace(rejection.name, &rejection);
    errors.push_back(rejection);
  }
  for (const Change::Pending& pending : change.pending) {
    // The handler may have given the subscription up meanwhile.
    if (!wildcard() && !entries_.contains(pending.name)) continue;
    Entry& entry = entry_of(pending.name);
    const auto found = rejected.find(pending.name);
    if (found == rejected.end()) {
      accept(entry, pending, now);
    } else {
      if (is_waited_for(pending.name, entry)) change.absent.push_back(pending.name);
      reject(entry, pending.version, found->second->details, now);
    }
  }
  if (errors.empty()) version_ = change.update.version;
  return errors;
}

void ResourceTable::accept(Entry& entry, const Change::Pending& pending, Now now) {
  end_refresh(entry);
  entry.in_force = true;
  entry.hash = pending.hash;
  entry.origin = pending.origin;
  if (!pending.origin.empty()) has_origins_ = true;
  xds::set_version(entry.status, pending.version, now);
  set_ttl(pending.name, pending.ttl_ms, now);
}

void ResourceTable::reject(Entry& entry, const std::string& version, const std::string& error,
                           Now now) {
  end_refresh(entry);
  fetches_.disarm(entry.status.name);
  entry.hash.reset();
  entry.status.rejected_version = version;
  entry.status.rejected_ms = now.wall_ms;
  entry.status.error = error;
  set_state(entry.status, State::kRejected, now);
}

void ResourceTable::set_ttl(const std::string& name, std::optional<int64_t> ttl_ms, Now now) {
  if (ttl_ms) {
    lives_.arm(name, after(now, *ttl_ms));
  } else {
    lives_.disarm(name);
  }
}

std::vector<std::string> ResourceTable::refuse(const Answer& answer, const std::string& error,
                                               Now now) {
  std::vector<std::string> released;
  bool names_all = true;
  const auto refuse_one = [&](const std::string& name, const Item& item) {
    Entry& entry = entry_of(name);
    const bool is_known = entry.in_force && entry.hash && item.content != nullptr &&
                          *entry.hash == xxhash64(item.content->value());
    if (is_waited_for(name, entry)) released.push_back(name);
    if (is_known) return end_refresh(entry);
    const std::string& version = item.version.empty() ? answer.version : item.version;
    reject(entry, version, item.error.empty() ? error : item.error, now);
  };
  for (const Item& item : answer.items) {
    if (item.name.empty()) names_all = false;
    for (const std::string& name : recipients(item)) refuse_one(name, item);
  }
  if (!names_all) {
    for (std::string& name : take_waiting(error, now)) released.push_back(std::move(name));
  }
  if (std::exchange(wildcard_waits_, false)) released.emplace_back(kWildcard);
  fetches_.disarm(std::string(kWildcard));
  return released;
}

std::vector<std::string> ResourceTable::take_waiting(const std::string& error, Now now) {
  std::vector<std::string> names;
  for (auto& [name, entry] : entries_) {
    if (!is_waited_for(name, entry)) continue;
    names.push_back(name);
    end_refresh(entry);
    fetches_.disarm(name);
    if (entry.in_force) continue;
    if (error.empty()) {
      set_state(entry.status, State::kDoesNotExist, now);
    } else {
      reject(entry, {}, error, now);
    }
  }
  if (std::exchange(wildcard_waits_, false)) names.emplace_back(kWildcard);
  fetches_.disarm(std::string(kWildcard));
  return names;
}

std::vector<std::string> ResourceTable::take_timeouts(Now now) {
  std::vector<std::string> names = fetches_.take_due(now.mono_ms);
  for (const std::string& name : names) {
    if (name == kWildcard) {
      wildcard_waits_ = false;
      continue;
    }
    Entry& entry = entry_of(name);
    end_refresh(entry);
    ResourceStatus& status = entry.status;
    if (status.state == State::kRequested) set_state(status, State::kTimeout, now);
  }
  return names;
}

Update ResourceTable::take_expired(Now now) {
  Update update;
  update.type = type_;
  update.version = version_;
  for (const std::string& name : lives_.take_due(now.mono_ms)) {
    const auto found = entries_.find(name);
    if (found != entries_.end() && withdraw(found, now)) update.removed.push_back(name);
  }
  return update;
}

std::optional<int64_t> ResourceTable::next_deadline() const {
  const std::optional<int64_t> fetch = fetches_.next();
  const std::optional<int64_t> life = lives_.next();
  if (!fetch || !life) return fetch ? fetch : life;
  return std::min(*fetch, *life);
}

void ResourceTable::append_status(std::vector<ResourceStatus>& out) const {
  for (const auto& [name, entry] : entries_) out.push_back(entry.status);
}

}  // namespace weir::xds
