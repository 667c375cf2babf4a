#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/address.h"
#include "proxy/net/loop.h"
#include "proxy/upstream/dns_family.h"

namespace weir::upstream {

class DnsLookup;
class DnsQuery;

// How names are asked for.
struct DnsSettings {
  std::vector<net::Address> servers;  // empty: the system's
  bool over_tcp = false;              // otherwise only answers that are too long for UDP
  bool search_domains = true;         // complete short names with the system's domains
  int64_t try_timeout_ms = 2'000;     // of the first round of tries; doubles with each
  int tries = 3;                      // per server
  int64_t deadline_ms = 15'000;       // of everything together
};

struct DnsAnswer {
  enum class Status : uint8_t {
    kFound,
    kNone,    // the name does not exist, or has no address of the family
    kFailed,  // nobody could tell: no answer, a server's failure, an answer that makes no sense
  };
  Status status = Status::kFailed;
  std::vector<net::Address> addresses;  // port 0, in the server's order; those of the family wanted
  uint32_t ttl_s = 0;                   // the smallest of the records used
  std::string error;                    // of kFailed
};

// Lets a bounded number of queries run at a time, so that thousands of clusters do not open
// thousands of sockets. Main thread; outlives its queries.
class DnsResolver {
 public:
  explicit DnsResolver(net::Loop& loop, size_t max_running = 64);
  ~DnsResolver();
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  size_t running() const { return running_; }

 private:
  friend class DnsQuery;
  void run_waiting();

  net::Loop& loop_;
  const size_t max_running_;
  size_t running_ = 0;
  bool starting_ = false;  // in run_waiting()
  std::deque<DnsQuery*> waiting_;
};

// Asks for one name at a time, by c-ares: /etc/hosts first (or the file that the environment
// variable CARES_HOSTS names), then DNS, one query per address family. Main thread.
class DnsQuery : private net::Timer::Owner {
 public:
  // The callback may come before start() returns. It may start the query again, but not destroy it.
  using Callback = std::function<void(const DnsAnswer&)>;

  DnsQuery(DnsResolver& resolver, DnsSettings settings, Callback callback);
  ~DnsQuery() override;
  DnsQuery(const DnsQuery&) = delete;
  DnsQuery& operator=(const DnsQuery&) = delete;

  // Not while it is running().
  void start(std::string name, DnsFamily family);
  // Forgets the question; the callback does not come.
  void cancel();
  bool running() const { return state_ != State::kIdle; }

 private:
  friend class DnsLookup;
  friend class DnsResolver;
  enum class State : uint8_t { kIdle, kWaiting, kRunning };

  void run();
  void on_progress();
  void on_timer(net::Timer& timer) override;
  void finish(const DnsAnswer& answer);
  void stop_lookup();

  DnsResolver& resolver_;
  const DnsSettings settings_;
  const Callback callback_;
  net::Timer timer_;
  std::unique_ptr<DnsLookup> lookup_;
  std::string name_;
  DnsFamily family_ = DnsFamily::kAuto;
  State state_ = State::kIdle;
  int64_t deadline_ms_ = 0;
};

}  // namespace weir::upstream
