#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace weir::net {

// The address of one end of a connection: IPv4, IPv6 or a Unix socket. A value of 40 bytes; a Unix
// path is shared, because few connections have one.
class Address {
 public:
  enum class Family : uint8_t { kNone, kIpv4, kIpv6, kUnix };

  Address() = default;

  // `ip` is a literal ("127.0.0.1", "::1"), never a name.
  static Result<Address> ip(std::string_view ip, uint16_t port);
  // A path, or an abstract name that starts with '@'. At most 107 bytes.
  static Result<Address> unix_path(std::string_view path);
  // "127.0.0.1:80" or "[::1]:80".
  static Result<Address> parse(std::string_view text);
  static Address from_sockaddr(const sockaddr* from, socklen_t length);

  Family family() const { return family_; }
  bool is_ip() const { return family_ == Family::kIpv4 || family_ == Family::kIpv6; }
  uint16_t port() const { return port_; }  // host order, 0 for a Unix socket
  Address with_port(uint16_t port) const;
  bool is_any() const;       // 0.0.0.0 or ::
  bool is_loopback() const;  // 127.0.0.0/8, ::1 or a Unix socket

  // Fills `out` and says how many bytes of it count.
  socklen_t to_sockaddr(sockaddr_storage& out) const;

  std::string ip_text() const;  // "127.0.0.1", "::1", or the Unix path
  std::string text() const;     // "127.0.0.1:80", "[::1]:80", or the Unix path

  // Writes text() (or ip_text()) into `to`, at most kMaxTextBytes; says how many bytes.
  static constexpr size_t kMaxTextBytes = 128;
  size_t write_text(char* to) const;
  size_t write_ip_text(char* to) const;

  const uint8_t* ip_bytes() const { return bytes_; }  // 4 or 16, network order

  friend bool operator==(const Address& a, const Address& b);
  size_t hash() const;

 private:
  uint8_t bytes_[16] = {};
  uint16_t port_ = 0;
  Family family_ = Family::kNone;
  std::shared_ptr<const std::string> path_;
};

// Where a connection was headed before the kernel redirected it (SO_ORIGINAL_DST); `local` when it
// was not.
Address original_destination(int fd, const Address& local);
// Where a connection was headed if that was not here: a relay in front or a listener filter named
// another `local` than the socket has, or the kernel redirected it (REDIRECT, TPROXY). Of kind
// kNone otherwise: to connect there would be to connect to ourselves.
Address destination_beyond(int fd, const Address& local);

}  // namespace weir::net
