#include "proxy/tls/secrets.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "config/nearest.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/net/file_watch.h"
#include "proxy/tls/secret_file.h"

namespace weir::tls {

using config::Code;
using config::Diagnostics;
using config::FieldPath;

struct Secrets::State : net::Timer::Owner {
  struct User {
    std::weak_ptr<SecretUser> user;
    std::vector<std::string> files;
  };
  struct Watched {
    SecretFile file;
    std::string fingerprint;
    std::set<std::string> wanted;  // names that were looked for in it, for the statistics
  };

  // A secret of a control plane.
  struct Remote {
    std::shared_ptr<const RemoteSecrets::ConfigSource> source;
    std::string name;
    std::optional<Secret> secret;
    bool absent = false;
  };

  static constexpr int64_t kSoonMs = 1000;
  static constexpr int64_t kRecordMs = 3'600'000;

  State(stats::Registry& registry, Logger& logger)
      : stats(registry),
        log(logger),
        first_expiry(registry.gauge("server.days_until_first_cert_expiring")) {}

  stats::Registry& stats;
  Logger& log;
  config::MessageCheck check{config::default_support()};
  using ByName = std::map<std::string, Secret, std::less<>>;
  ByName fixed;
  std::optional<ByName> staged;
  std::map<std::string, Watched, std::less<>> files;
  // By what stands for them among the files of users.
  std::map<std::string, Remote, std::less<>> remotes;
  RemoteSecrets remote;
  std::function<void()> told_settled;
  std::vector<User> users;
  std::unique_ptr<net::FileWatch> watch;
  stats::GaugeId first_expiry;
  net::Loop* loop = nullptr;  // while watching
  net::Timer record_timer{*this};

  void on_timer(net::Timer& timer) override;
  void record_in(int64_t wait_ms);
  void record(int64_t now_s);
  std::vector<CertificateEntry> certificates() const;
  SecretFile* open(const std::string& path, Diagnostics& diagnostics);
  void watch_directories(const SecretFile& file);
  void forget_unused();
  void update_all(bool unwatched);
  bool update(const std::string& key, Watched& watched);
  bool rebuild_users(const std::string& key, std::string_view what);
  bool rebuild_waiting(const std::string& key, Diagnostics& diagnostics);
  bool settled(const User& user) const;
  void settle();
  void log_errors(const Diagnostics& diagnostics, std::string_view what);
  void count(const Watched& watched, bool good);
};

// ---- finding ----

SecretFile* Secrets::State::open(const std::string& path, Diagnostics& diagnostics) {
  if (const auto found = files.find(path); found != files.end()) {
    Watched& known = found->second;
    // Its fingerprint stays the old one, so that those who have the old secrets are told later.
    if (known.file.fingerprint() != known.fingerprint && !known.file.read(check, diagnostics))
      return nullptr;
    return &known.file;
  }
  SecretFile file(path);
  if (!file.read(check, diagnostics)) return nullptr;
  std::string fingerprint = file.fingerprint();
  // What is used is never older than its fingerprint: a change in between shows at the next look.
  if (!file.read(check, diagnostics)) return nullptr;
  Watched& added =
      files.emplace(path, Watched{std::move(file), std::move(fingerprint), {}}).first->second;
  watch_directories(added.file);
  return &added.file;
}

namespace {

// What stands for secrets that are no file's: no path looks like that.
std::string remote_key(const RemoteSecrets::ConfigSource& source, const std::string& name) {
  return std::string("\0r", 2) + source.SerializeAsString() + '/' + name;
}

std::string static_key(const std::string& name) {
  return std::string("\0s", 2) + name;
}

std::string in_place_key(const std::string& files) {
  return std::string("\0f", 2) + files;
}

}  // namespace

Secrets::Secrets(stats::Registry& stats, Logger& log)
    : state_(std::make_unique<State>(stats, log)) {}
Secrets::~Secrets() = default;

void Secrets::stage_static(std::vector<Secret> secrets) {
  state_->staged.emplace();
  for (Secret& secret : secrets) (*state_->staged)[secret.name()] = std::move(secret);
}

void Secrets::commit_static() {
  if (!state_->staged) return;
  const State::ByName old = std::exchange(state_->fixed, std::move(*state_->staged));
  state_->staged.reset();
  for (const auto& [name, secret] : state_->fixed) {
    const auto before = old.find(name);
    if (before != old.end() && before->second.SerializeAsString() != secret.SerializeAsString())
      state_->rebuild_users(static_key(name), name);
  }
}

void Secrets::drop_static() {
  state_->staged.reset();
}

const Secrets::Secret* Secrets::find(const SdsSecretConfig& wanted, const FieldPath& path,
                                     Diagnostics& diagnostics, std::vector<std::string>& files) {
  const FieldPath name = path.field("name");
  const auto missing = [&](const std::string& where, const std::vector<std::string>& known) {
    diagnostics.error(Code::kReference, name, where + " no secret '" + wanted.name() + "'",
                      config::did_you_mean(wanted.name(), {known.begin(), known.end()}));
    return nullptr;
  };
  if (!wanted.has_sds_config()) {
    files.push_back(static_key(wanted.name()));
    const State::ByName& secrets = state_->staged ? *state_->staged : state_->fixed;
    if (const auto found = secrets.find(wanted.name()); found != secrets.end())
      return &found->second;
    std::vector<std::string> known;
    for (const auto& [one, secret] : secrets) known.push_back(one);
    return missing("static_resources.secrets has", known);
  }
  const auto& source = wanted.sds_config();
  const std::string& file_path =
      source.has_path_config_source() ? source.path_config_source().path() : source.path();
  if (file_path.empty()) {
    const std::string key = remote_key(source, wanted.name());
    files.push_back(key);
    const auto found = state_->remotes.find(key);
    return found == state_->remotes.end() || !found->second.secret ? nullptr
                                                                   : &*found->second.secret;
  }
  // A file is there at once or not at all, but what makes no sense is told.
  if (!http::compile_duration_ms(source.initial_fetch_timeout(),
                                 path.field("sds_config.initial_fetch_timeout"), diagnostics))
    return nullptr;
  SecretFile* file = state_->open(file_path, diagnostics);
  if (file == nullptr) return nullptr;
  files.push_back(file_path);
  state_->files.find(file_path)->second.wanted.insert(wanted.name());
  if (source.path_config_source().has_watched_directory()) {
    file->watch_too(source.path_config_source().watched_directory().path());
    state_->watch_directories(*file);
  }
  if (const Secret* found = file->find(wanted.name())) return found;
  return missing("'" + file_path + "' has", file->names());
}

void Secrets::watch_in_place(const Secret& secret, std::vector<std::string>& files) {
  SecretFile file(secret);
  if (file.path().empty()) return;
  // Equal ones are one: the same files, watched in the same place.
  const std::string key = in_place_key(file.path());
  files.push_back(key);
  if (state_->files.find(key) != state_->files.end()) return;
  std::string fingerprint = file.fingerprint();
  State::Watched& added =
      state_->files.emplace(key, State::Watched{std::move(file), std::move(fingerprint), {}})
          .first->second;
  state_->watch_directories(added.file);
}

// ---- changes ----

void Secrets::add_user(const std::shared_ptr<SecretUser>& user, std::vector<std::string> files) {
  std::erase_if(state_->users, [](const State::User& one) { return one.user.expired(); });
  state_->users.push_back({user, std::move(files)});
  user->settled_ = state_->settled(state_->users.back());
  state_->record_in(State::kSoonMs);
}

void Secrets::watch(net::Loop& loop) {
  state_->loop = &loop;
  state_->watch = std::make_unique<net::FileWatch>(loop, [this] { reread(); });
  state_->record_in(State::kSoonMs);
  for (const auto& [path, watched] : state_->files) state_->watch_directories(watched.file);
}

void Secrets::State::watch_directories(const SecretFile& file) {
  if (watch == nullptr) return;
  for (const std::string& directory : file.directories())
    if (!watch->add(directory))
      log.warning(Component::kConfig, "cannot watch '", directory, "' for new secrets");
}

void Secrets::reread() {
  state_->update_all(false);
}

void Secrets::reload() {
  state_->update_all(true);
}

void Secrets::State::update_all(bool unwatched) {
  constexpr int kMostRounds = 3;
  forget_unused();
  for (auto& [key, watched] : files) {
    if (!unwatched && watched.file.directories().empty()) continue;
    // Again when something changed meanwhile.
    for (int round = 0; round < kMostRounds && update(key, watched); ++round) continue;
  }
  record_in(kSoonMs);
}

void Secrets::State::forget_unused() {
  std::erase_if(users, [](const User& one) { return one.user.expired(); });
  std::erase_if(files, [&](const auto& entry) {
    return std::none_of(users.begin(), users.end(), [&](const User& one) {
      return std::find(one.files.begin(), one.files.end(), entry.first) != one.files.end();
    });
  });
}

// True when there was something new.
bool Secrets::State::update(const std::string& key, Watched& watched) {
  watch_directories(watched.file);  // a link may lead elsewhere now
  if (watched.file.fingerprint() == watched.fingerprint) return false;
  Diagnostics diagnostics;
  bool read = watched.file.read(check, diagnostics);
  watched.fingerprint = watched.file.fingerprint();
  read = read && watched.file.read(check, diagnostics);
  if (!read) log_errors(diagnostics, watched.file.path());
  watch_directories(watched.file);
  count(watched, read && rebuild_users(key, watched.file.path()));
  return true;
}

bool Secrets::State::rebuild_users(const std::string& key, std::string_view what) {
  bool good = true;
  for (const User& one : users) {
    const auto user = one.user.lock();
    if (user == nullptr || std::find(one.files.begin(), one.files.end(), key) == one.files.end())
      continue;
    Diagnostics diagnostics;
    if (user->rebuild(diagnostics)) continue;
    good = false;
    log_errors(diagnostics, what);
  }
  if (good) log.info(Component::kConfig, "took over new secrets of '", what, "'");
  return good;
}

void Secrets::State::log_errors(const Diagnostics& diagnostics, std::string_view what) {
  for (const config::Diagnostic& one : diagnostics.items())
    if (one.severity == config::Severity::kError)
      log.error(Component::kConfig, "the secrets of '", what,
                "' stay as they were: ", one.field_path, one.field_path.empty() ? "" : ": ",
                one.message, one.file.empty() ? "" : " in ", one.file);
}

void Secrets::State::count(const Watched& watched, bool good) {
  for (const std::string& name : watched.wanted) {
    const std::string prefix = "sds." + name + ".";
    stats.main_shard().inc(stats.counter(prefix + "update_attempt"));
    stats.main_shard().inc(stats.counter(prefix + (good ? "update_success" : "update_rejected")));
  }
}

// ---- secrets of control planes ----

void Secrets::set_remote(RemoteSecrets remote) {
  state_->remote = std::move(remote);
}

void Secrets::on_settled(std::function<void()> told) {
  state_->told_settled = std::move(told);
}

bool Secrets::waits_for(const SdsSecretConfig& wanted, const FieldPath& path,
                        Diagnostics& diagnostics, std::vector<std::string>& files) {
  const auto& source = wanted.sds_config();
  if (!wanted.has_sds_config() || source.has_path_config_source() || !source.path().empty())
    return false;
  const FieldPath field = path.field("sds_config");
  if (!state_->remote.check) {
    diagnostics.error(Code::kNotSupported, field, "there is no control plane here");
    return false;
  }
  if (!state_->remote.check(source, field, diagnostics)) return false;
  const std::string key = remote_key(source, wanted.name());
  files.push_back(key);
  State::Remote& remote = state_->remotes[key];
  if (remote.source == nullptr) {
    remote.source = std::make_shared<const RemoteSecrets::ConfigSource>(source);
    remote.name = wanted.name();
    state_->remote.subscribe(source, remote.name);
  }
  return !remote.secret.has_value();
}

bool Secrets::put(const RemoteSecrets::ConfigSource& source, const Secret& secret,
                  Diagnostics& diagnostics) {
  const std::string key = remote_key(source, secret.name());
  const auto found = state_->remotes.find(key);
  if (found == state_->remotes.end()) return true;
  State::Remote& remote = found->second;
  std::optional<Secret> old = std::exchange(remote.secret, secret);
  if (!state_->rebuild_waiting(key, diagnostics)) {
    // Some may have taken the new one over.
    remote.secret = std::move(old);
    Diagnostics ignored;
    state_->rebuild_waiting(key, ignored);
    return false;
  }
  remote.absent = false;
  state_->settle();
  state_->record_in(State::kSoonMs);
  return true;
}

void Secrets::set_absent(const RemoteSecrets::ConfigSource& source, const std::string& name) {
  const auto found = state_->remotes.find(remote_key(source, name));
  if (found == state_->remotes.end()) return;
  found->second.absent = true;
  state_->settle();
}

bool Secrets::State::rebuild_waiting(const std::string& key, Diagnostics& diagnostics) {
  bool good = true;
  for (const User& one : users) {
    if (std::find(one.files.begin(), one.files.end(), key) == one.files.end()) continue;
    if (const auto user = one.user.lock()) good &= user->rebuild(diagnostics);
  }
  return good;
}

bool Secrets::State::settled(const User& user) const {
  return std::none_of(user.files.begin(), user.files.end(), [&](const std::string& key) {
    const auto found = remotes.find(key);
    return found != remotes.end() && !found->second.secret && !found->second.absent;
  });
}

void Secrets::State::settle() {
  for (const User& one : users)
    if (const auto user = one.user.lock()) user->settled_ = settled(one);
  if (told_settled) told_settled();
}

void Secrets::sweep() {
  std::erase_if(state_->users, [](const State::User& one) { return one.user.expired(); });
  std::set<std::string_view> used;
  for (const State::User& one : state_->users) used.insert(one.files.begin(), one.files.end());
  for (auto at = state_->remotes.begin(); at != state_->remotes.end();) {
    if (used.contains(at->first)) {
      ++at;
      continue;
    }
    state_->remote.unsubscribe(*at->second.source, at->second.name);
    at = state_->remotes.erase(at);
  }
}

// ---- what is in use ----

std::vector<CertificateEntry> Secrets::State::certificates() const {
  std::vector<CertificateEntry> out;
  for (const User& one : users) {
    const auto user = one.user.lock();
    if (user == nullptr) continue;
    for (CertificateEntry& entry : user->certificates()) out.push_back(std::move(entry));
  }
  return out;
}

void Secrets::State::record_in(int64_t wait_ms) {
  if (loop != nullptr) record_timer.set(loop->timers(), loop->now_ms() + wait_ms);
}

void Secrets::State::on_timer(net::Timer& /*timer*/) {
  record(std::time(nullptr));
  record_in(kRecordMs);
}

void Secrets::State::record(int64_t now_s) {
  constexpr int64_t kNone = UINT32_MAX;  // Envoy's value where there is no certificate
  int64_t days = kNone;
  for (const CertificateEntry& entry : certificates())
    days = std::min(days, entry.days_left(now_s));
  stats.set(first_expiry, days);
}

std::vector<CertificateEntry> Secrets::certificates() const {
  return state_->certificates();
}
void Secrets::record_expiry(int64_t now_s) {
  state_->record(now_s);
}

}  // namespace weir::tls
