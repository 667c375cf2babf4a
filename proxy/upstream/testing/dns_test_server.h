#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/net/address.h"

namespace weir::upstream {

// A DNS server (RFC 1035) for tests: UDP and TCP on one loopback port, in a thread of its own.
// Answers from a table that the test may change at any time.
class DnsTestServer {
 public:
  enum class Fault : uint8_t { kNone, kServerFailure, kSilence, kGarbage, kCutOff, kTruncated };
  struct Reply {
    std::vector<std::string> ips;  // of one family
    uint32_t ttl_s = 60;
    std::string alias;  // the records belong to this name, which a CNAME leads to
    Fault fault = Fault::kNone;
  };

  DnsTestServer() {
    // The port that UDP got may be taken for TCP: then another pair is tried.
    for (int i = 0; i < kMaxPortTries && !ok_; ++i) ok_ = open_pair();
    ok_ = ok_ && pipe(stop_) == 0;
    thread_ = std::thread([this] { serve(); });
  }
  ~DnsTestServer() {
    close(stop_[1]);
    thread_.join();
    close(stop_[0]);
    close(udp_);
    close(tcp_);
  }
  DnsTestServer(const DnsTestServer&) = delete;
  DnsTestServer& operator=(const DnsTestServer&) = delete;

  bool ok() const { return ok_; }
  net::Address address() const { return address_; }
  int asked() const { return asked_; }
  int asked_by_tcp() const { return asked_by_tcp_; }

  // A name of which one family was set exists, without addresses of the other. Names of which
  // neither was set do not exist.
  void set_v4(const std::string& name, Reply reply) { set(name, kA, std::move(reply)); }
  void set_v6(const std::string& name, Reply reply) { set(name, kAaaa, std::move(reply)); }
  void clear(const std::string& name) {
    std::lock_guard lock(mutex_);
    replies_.erase({name, kA});
    replies_.erase({name, kAaaa});
  }

 private:
  static constexpr uint16_t kA = 1;
  static constexpr uint16_t kCname = 5;
  static constexpr uint16_t kAaaa = 28;

  void set(const std::string& name, uint16_t type, Reply reply) {
    std::lock_guard lock(mutex_);
    replies_[{name, type}] = std::move(reply);
  }

  void serve() {
    pollfd entries[] = {{stop_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
    while (poll(entries, 3, -1) > 0 && entries[0].revents == 0) {
      if (entries[1].revents != 0) serve_udp();
      if (entries[2].revents != 0) serve_tcp();
    }
  }

  void serve_udp() {
    char query[512];
    sockaddr_storage from{};
    socklen_t length = sizeof(from);
    const ssize_t size =
        recvfrom(udp_, query, sizeof(query), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size <= 0) return;
    const std::string reply = answer({query, static_cast<size_t>(size)}, false);
    if (reply.empty()) return;
    if (sendto(udp_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length) < 0)
      return;
  }

  void serve_tcp() {
    const int fd = accept(tcp_, nullptr, nullptr);
    unsigned char size[2];
    char query[512];
    if (recv(fd, size, 2, MSG_WAITALL) == 2) {
      const size_t length = std::min<size_t>(size[0] * 256u + size[1], sizeof(query));
      if (recv(fd, query, length, MSG_WAITALL) == static_cast<ssize_t>(length)) {
        const std::string reply = answer({query, length}, true);
        const std::string framed = number(static_cast<uint16_t>(reply.size())) + reply;
        if (send(fd, framed.data(), framed.size(), MSG_NOSIGNAL) < 0) asked_by_tcp_ = -1;
      }
    }
    close(fd);
  }

  static std::string number(uint16_t value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
  }
  static std::string labels(const std::string& name) {
    std::string out;
    for (size_t at = 0; at < name.size();) {
      const size_t dot = std::min(name.find('.', at), name.size());
      out += static_cast<char>(dot - at) + name.substr(at, dot - at);
      at = dot + 1;
    }
    return out + '\0';
  }
  static std::string record(const std::string& owner, uint16_t type, uint32_t ttl_s,
                            const std::string& data) {
    return owner + number(type) + number(1) + number(static_cast<uint16_t>(ttl_s >> 16)) +
           number(static_cast<uint16_t>(ttl_s)) + number(static_cast<uint16_t>(data.size())) + data;
  }

  std::string answer(const std::string& query, bool tcp) {
    ++asked_;
    asked_by_tcp_ += tcp;
    std::string name;
    size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      name += (name.empty() ? "" : ".") + query.substr(at + 1, static_cast<size_t>(query[at]));
      at += static_cast<size_t>(query[at]) + 1;
    }
    if (at + 5 > query.size()) return {};
    const auto type = static_cast<uint16_t>(query[at + 1] * 256 + query[at + 2]);
    return build(query.substr(0, 2), name, type, query.substr(12, at + 5 - 12), tcp);
  }

  // `question` is the section as it was asked.
  std::string build(const std::string& id, const std::string& name, uint16_t type,
                    const std::string& question, bool tcp) {
    std::lock_guard lock(mutex_);
    const auto found = replies_.find({name, type});
    const bool exists = found != replies_.end() || replies_.contains({name, kA}) ||
                        replies_.contains({name, kAaaa});
    const Reply reply = found == replies_.end() ? Reply{} : found->second;
    if (reply.fault == Fault::kSilence) return {};
    if (reply.fault == Fault::kGarbage) return id + std::string(40, '\xff');
    uint16_t flags = 0x8180;  // a response; recursion wanted and available
    if (!exists) flags |= 3;
    if (reply.fault == Fault::kServerFailure) flags |= 2;
    const bool truncated = reply.fault == Fault::kTruncated && !tcp;
    if (truncated) flags |= 0x0200;
    std::string records;
    uint16_t count = 0;
    if (!truncated && reply.fault != Fault::kServerFailure)
      count = add_records(reply, type, records);
    std::string out =
        id + number(flags) + number(1) + number(count) + number(0) + number(0) + question + records;
    if (reply.fault == Fault::kCutOff) out.resize(out.size() - 3);
    return out;
  }

  static uint16_t add_records(const Reply& reply, uint16_t type, std::string& records) {
    uint16_t count = 0;
    std::string owner = number(0xc00c);  // a pointer to the question's name
    if (!reply.alias.empty()) {
      records += record(owner, kCname, reply.ttl_s, labels(reply.alias));
      owner = labels(reply.alias);
      ++count;
    }
    for (const std::string& ip : reply.ips) {
      char bytes[16];
      inet_pton(type == kA ? AF_INET : AF_INET6, ip.c_str(), bytes);
      records += record(owner, type, reply.ttl_s, std::string(bytes, type == kA ? 4 : 16));
      ++count;
    }
    return count;
  }

  static constexpr int kMaxPortTries = 64;

  bool open_pair() {
    if (udp_ >= 0) close(udp_);
    if (tcp_ >= 0) close(tcp_);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(at);
    tcp_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(tcp_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(udp_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0 ||
        getsockname(udp_, reinterpret_cast<sockaddr*>(&at), &length) != 0 ||
        bind(tcp_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0 || listen(tcp_, 8) != 0)
      return false;
    address_ = net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&at), sizeof(at));
    return true;
  }

  bool ok_ = false;
  int udp_ = -1;
  int tcp_ = -1;
  int stop_[2] = {-1, -1};
  net::Address address_;
  std::atomic<int> asked_{0};
  std::atomic<int> asked_by_tcp_{0};
  std::mutex mutex_;
  std::map<std::pair<std::string, uint16_t>, Reply> replies_;
  std::thread thread_;
};

}  // namespace weir::upstream
