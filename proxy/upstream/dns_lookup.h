#pragma once

#include <ares.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/loop.h"
#include "proxy/upstream/dns_resolver.h"

namespace weir::upstream {

// What DNS said about one address family of a name.
struct FamilyAnswer {
  bool asked = false;
  bool done = false;
  int status = ARES_SUCCESS;
  std::vector<net::Address> addresses;
  uint32_t ttl_s = UINT32_MAX;
};

// One name's queries on a c-ares channel of their own: its sockets have fresh ports, it sees the
// system's present configuration, and to cancel it is to destroy it. Main thread; destroyed by
// Loop::retire, because c-ares may be on the stack.
class DnsLookup {
 public:
  DnsLookup(net::Loop& loop, const DnsSettings& settings, DnsQuery& query);
  ~DnsLookup();
  DnsLookup(const DnsLookup&) = delete;
  DnsLookup& operator=(const DnsLookup&) = delete;

  // Asks for the families wanted. The answers may be there before it returns; the query is told of
  // later ones by on_progress().
  void ask(const std::string& name, DnsFamily family);
  // Lets c-ares try again what was not answered in time.
  void run_timeouts();
  // How long until run_timeouts() is due; `most_ms` when nothing is.
  int64_t next_timeout_ms(int64_t most_ms) const;
  void detach() { query_ = nullptr; }

  bool done() const { return v4_.done && v6_.done; }
  // One family has addresses while the other is still asked for.
  bool half_found() const;
  // What is known, in the family's terms. `error` is the reason while something is not done.
  DnsAnswer answer(DnsFamily family, const std::string& error) const;

 private:
  // A socket of c-ares.
  struct Socket : net::Watch::Owner {
    Socket(DnsLookup& lookup_of, int descriptor) : lookup(lookup_of), fd(descriptor) {}
    void on_ready(uint8_t ready) override { lookup.process(fd, ready); }
    DnsLookup& lookup;
    const int fd;
    net::Watch watch;
  };

  void ask_family(const std::string& name, int family, FamilyAnswer& answer);
  void process(int fd, uint8_t ready);
  void on_socket(int fd, bool wanted);
  bool is_open(int fd) const;
  static void on_result(void* answer, int status, int timeouts, ares_addrinfo* result);

  net::Loop& loop_;
  DnsQuery* query_;
  ares_channel channel_ = nullptr;
  int setup_status_ = ARES_SUCCESS;
  std::vector<std::unique_ptr<Socket>> sockets_;
  FamilyAnswer v4_;
  FamilyAnswer v6_;
};

}  // namespace weir::upstream
