#include "proxy/net/address.h"

#include <arpa/inet.h>
#include <linux/netfilter_ipv4.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <functional>

namespace weir::net {

Result<Address> Address::ip(std::string_view ip, uint16_t port) {
  char text[INET6_ADDRSTRLEN] = {};
  Address out;
  out.port_ = port;
  // What follows a NUL, inet_pton would not see.
  if (ip.size() < sizeof(text) && ip.find('\0') == std::string_view::npos) {
    ip.copy(text, ip.size());
    if (inet_pton(AF_INET, text, out.bytes_) == 1) out.family_ = Family::kIpv4;
    if (out.family_ == Family::kNone && inet_pton(AF_INET6, text, out.bytes_) == 1)
      out.family_ = Family::kIpv6;
  }
  if (out.is_ip()) return out;
  return Error{"bad-address", "'" + std::string(ip) + "' is not an IPv4 or IPv6 address"};
}

Result<Address> Address::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  const Error bad{"bad-address", "'" + std::string(text) + "' is not an address and a port"};
  if (colon == std::string_view::npos) return bad;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return ip(host, port);
}

Result<Address> Address::unix_path(std::string_view path) {
  if (path.empty()) return Error{"bad-address", "a Unix socket needs a path"};
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return Error{"bad-address", "the Unix socket path is longer than 107 bytes"};
  Address out;
  out.family_ = Family::kUnix;
  out.path_ = std::make_shared<const std::string>(path);
  return out;
}

Address Address::from_sockaddr(const sockaddr* from, socklen_t length) {
  Address out;
  if (from->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(from);
    out.family_ = Family::kIpv4;
    out.port_ = ntohs(in->sin_port);
    std::memcpy(out.bytes_, &in->sin_addr, 4);
  } else if (from->sa_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(from);
    out.port_ = ntohs(in6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
      out.family_ = Family::kIpv4;
      std::memcpy(out.bytes_, in6->sin6_addr.s6_addr + 12, 4);
    } else {
      out.family_ = Family::kIpv6;
      std::memcpy(out.bytes_, &in6->sin6_addr, 16);
    }
  } else if (from->sa_family == AF_UNIX) {
    const auto* un = reinterpret_cast<const sockaddr_un*>(from);
    const size_t head = offsetof(sockaddr_un, sun_path);
    std::string path(un->sun_path, length > head ? length - head : 0);
    if (!path.empty() && path[0] == '\0') path[0] = '@';
    if (const size_t nul = path.find('\0'); nul != std::string::npos) path.resize(nul);
    out.family_ = Family::kUnix;
    out.path_ = std::make_shared<const std::string>(std::move(path));
  }
  return out;
}

Address Address::with_port(uint16_t port) const {
  Address out = *this;
  out.port_ = port;
  return out;
}

bool Address::is_any() const {
  static constexpr uint8_t kZero[16] = {};
  return is_ip() && std::memcmp(bytes_, kZero, 16) == 0;
}

bool Address::is_loopback() const {
  if (family_ == Family::kUnix) return true;
  if (family_ == Family::kIpv4) return bytes_[0] == 127;
  static constexpr uint8_t kLoopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return family_ == Family::kIpv6 && std::memcmp(bytes_, kLoopback, 16) == 0;
}

socklen_t Address::to_sockaddr(sockaddr_storage& out) const {
  std::memset(&out, 0, sizeof(out));
  if (family_ == Family::kIpv4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out);
    in->sin_family = AF_INET;
    in->sin_port = htons(port_);
    std::memcpy(&in->sin_addr, bytes_, 4);
    return sizeof(sockaddr_in);
  }
  if (family_ == Family::kIpv6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&out);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port_);
    std::memcpy(&in6->sin6_addr, bytes_, 16);
    return sizeof(sockaddr_in6);
  }
  if (family_ != Family::kUnix) return 0;
  auto* un = reinterpret_cast<sockaddr_un*>(&out);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path_->data(), path_->size());
  const size_t head = offsetof(sockaddr_un, sun_path);
  if ((*path_)[0] != '@') return static_cast<socklen_t>(head + path_->size() + 1);
  un->sun_path[0] = '\0';
  return static_cast<socklen_t>(head + path_->size());
}

size_t Address::write_ip_text(char* to) const {
  if (family_ == Family::kUnix) {
    std::memcpy(to, path_->data(), path_->size());
    return path_->size();
  }
  if (family_ == Family::kNone) return 0;
  inet_ntop(family_ == Family::kIpv4 ? AF_INET : AF_INET6, bytes_, to, kMaxTextBytes);
  return std::strlen(to);
}

size_t Address::write_text(char* to) const {
  if (!is_ip()) return write_ip_text(to);
  char* at = to;
  if (family_ == Family::kIpv6) *at++ = '[';
  at += write_ip_text(at);
  if (family_ == Family::kIpv6) *at++ = ']';
  *at++ = ':';
  return static_cast<size_t>(std::to_chars(at, to + kMaxTextBytes, port_).ptr - to);
}

std::string Address::ip_text() const {
  char text[kMaxTextBytes];
  return std::string(text, write_ip_text(text));
}

std::string Address::text() const {
  char text[kMaxTextBytes];
  return std::string(text, write_text(text));
}

Address original_destination(int fd, const Address& local) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  const bool v6 = local.family() == Address::Family::kIpv6;
  if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, SO_ORIGINAL_DST, &address, &length) != 0)
    return local;
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

Address destination_beyond(int fd, const Address& local) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  const Address own = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
  const Address to = original_destination(fd, local);
  if (!(to == own)) return to;
  // With TPROXY the socket itself has the client's destination.
  int transparent = 0;
  length = sizeof(transparent);
  const bool v6 = own.family() == Address::Family::kIpv6;
  const int error = v6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &transparent, &length)
                       : getsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &transparent, &length);
  return error == 0 && transparent != 0 ? to : Address();
}

bool operator==(const Address& a, const Address& b) {
  if (a.family_ != b.family_ || a.port_ != b.port_) return false;
  if (a.family_ == Address::Family::kUnix) return *a.path_ == *b.path_;
  return std::memcmp(a.bytes_, b.bytes_, sizeof(a.bytes_)) == 0;
}

size_t Address::hash() const {
  if (family_ == Family::kUnix) return std::hash<std::string>()(*path_);
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes_), sizeof(bytes_)}) +
         port_ * 0x9e3779b97f4a7c15u;
}

}  // namespace weir::net
