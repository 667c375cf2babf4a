#include "proxy/upstream/dns_lookup.h"

#include <poll.h>

#include <algorithm>

namespace weir::upstream {
namespace {

// "10.0.0.1:53,[::1]:5353", as c-ares wants its servers.
std::string server_list(const std::vector<net::Address>& servers) {
  std::string out;
  for (const net::Address& server : servers) out += (out.empty() ? "" : ",") + server.text();
  return out;
}

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
}

bool is_absence(int status) {
  return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

void read_result(const ares_addrinfo& result, FamilyAnswer& answer) {
  for (const ares_addrinfo_cname* c = result.cnames; c != nullptr; c = c->next)
    answer.ttl_s = std::min(answer.ttl_s, static_cast<uint32_t>(std::max(c->ttl, 0)));
  for (const ares_addrinfo_node* n = result.nodes; n != nullptr; n = n->ai_next) {
    answer.addresses.push_back(net::Address::from_sockaddr(n->ai_addr, n->ai_addrlen));
    answer.ttl_s = std::min(answer.ttl_s, static_cast<uint32_t>(std::max(n->ai_ttl, 0)));
  }
}

}  // namespace

DnsLookup::DnsLookup(net::Loop& loop, const DnsSettings& settings, DnsQuery& query)
    : loop_(loop), query_(&query) {
  ares_options options{};
  options.flags = (settings.over_tcp ? ARES_FLAG_USEVC : 0) |
                  (settings.search_domains ? 0 : ARES_FLAG_NOSEARCH);
  options.timeout = static_cast<int>(settings.try_timeout_ms);
  options.tries = settings.tries;
  options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<DnsLookup*>(self)->on_socket(fd, readable != 0 || writable != 0);
  };
  options.sock_state_cb_data = this;
  setup_status_ = ares_init_options(
      &channel_, &options,
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (setup_status_ != ARES_SUCCESS) {
    channel_ = nullptr;
    return;
  }
  if (!settings.servers.empty())
    setup_status_ = ares_set_servers_ports_csv(channel_, server_list(settings.servers).c_str());
}

DnsLookup::~DnsLookup() {
  query_ = nullptr;
  if (channel_ != nullptr) ares_destroy(channel_);
}

void DnsLookup::ask(const std::string& name, DnsFamily family) {
  const bool v4 = family != DnsFamily::kV6Only;
  const bool v6 = family != DnsFamily::kV4Only;
  // Marked first: answers from the hosts file come while the question is asked.
  v4_.asked = v4;
  v6_.asked = v6;
  v4_.done = !v4;
  v6_.done = !v6;
  if (v6) ask_family(name, AF_INET6, v6_);
  if (v4) ask_family(name, AF_INET, v4_);
}

void DnsLookup::ask_family(const std::string& name, int family, FamilyAnswer& answer) {
  if (setup_status_ != ARES_SUCCESS) {
    answer.status = setup_status_;
    answer.done = true;
    return;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS;  // sorting would open sockets
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &DnsLookup::on_result, &answer);
}

void DnsLookup::on_result(void* to, int status, int /*timeouts*/, ares_addrinfo* result) {
  FamilyAnswer& answer = *static_cast<FamilyAnswer*>(to);
  answer.done = true;
  answer.status = status;
  if (result == nullptr) return;
  if (status == ARES_SUCCESS) read_result(*result, answer);
  ares_freeaddrinfo(result);
}

void DnsLookup::on_socket(int fd, bool wanted) {
  const auto at = std::find_if(sockets_.begin(), sockets_.end(),
                               [fd](const auto& socket) { return socket->fd == fd; });
  if (!wanted) {
    if (at == sockets_.end()) return;
    // It is about to be closed; its event may be the one that is being handled.
    (*at)->watch.stop();
    loop_.retire(std::move(*at));
    sockets_.erase(at);
    return;
  }
  Socket* socket = nullptr;
  if (at == sockets_.end()) {
    sockets_.push_back(std::make_unique<Socket>(*this, fd));
    socket = sockets_.back().get();
  } else {
    // c-ares wants to write again: watching anew tells whether it can.
    socket = at->get();
    socket->watch.stop();
  }
  socket->watch.start(loop_, fd, *socket);
}

bool DnsLookup::is_open(int fd) const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [fd](const auto& socket) { return socket->fd == fd; });
}

void DnsLookup::process(int fd, uint8_t ready) {
  bool readable = (ready & (net::kReadable | net::kPeerClosed)) != 0;
  const bool writable = (ready & net::kWritable) != 0;
  ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  // Readiness is told once, while c-ares reads a little at a time.
  constexpr int kMostReads = 256;
  for (int i = 0; i < kMostReads && is_open(fd) && is_readable(fd); ++i)
    ares_process_fd(channel_, fd, ARES_SOCKET_BAD);
  if (query_ != nullptr) query_->on_progress();
}

void DnsLookup::run_timeouts() {
  if (channel_ != nullptr) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

int64_t DnsLookup::next_timeout_ms(int64_t most_ms) const {
  if (channel_ == nullptr) return most_ms;
  timeval most{};
  most.tv_sec = most_ms / 1000;
  most.tv_usec = (most_ms % 1000) * 1000;
  timeval space{};
  const timeval* next = ares_timeout(channel_, &most, &space);
  return next == nullptr ? most_ms : next->tv_sec * 1000 + (next->tv_usec + 999) / 1000;
}

bool DnsLookup::half_found() const {
  return !done() && (!v4_.addresses.empty() || !v6_.addresses.empty());
}

DnsAnswer DnsLookup::answer(DnsFamily family, const std::string& error) const {
  DnsAnswer out;
  const auto take = [&out](const FamilyAnswer& from) {
    if (from.addresses.empty()) return;
    const bool first = out.addresses.empty();
    out.ttl_s = first ? from.ttl_s : std::min(out.ttl_s, from.ttl_s);
    out.addresses.insert(out.addresses.end(), from.addresses.begin(), from.addresses.end());
  };
  take(family == DnsFamily::kV4Preferred ? v4_ : v6_);
  if (out.addresses.empty() || family == DnsFamily::kAll)
    take(family == DnsFamily::kV4Preferred ? v6_ : v4_);
  if (!out.addresses.empty()) {
    out.status = DnsAnswer::Status::kFound;
    return out;
  }
  const auto absent = [](const FamilyAnswer& from) {
    return !from.asked || (from.done && is_absence(from.status));
  };
  if (absent(v4_) && absent(v6_)) {
    out.status = DnsAnswer::Status::kNone;
    return out;
  }
  out.error = error;
  for (const FamilyAnswer* from : {&v4_, &v6_}) {
    if (from->done && from->asked && !is_absence(from->status))
      out.error = ares_strerror(from->status);
  }
  return out;
}

}  // namespace weir::upstream
