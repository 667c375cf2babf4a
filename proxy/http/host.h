#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::http {

// Whether `authority` is a host with an optional port as Host and :authority carry it (RFC 9110
// 7.2): a registered name, an IPv4 address or a bracketed IPv6 address, then perhaps ":port".
//
// Stricter than the grammar of RFC 3986 3.2.2 where two readers could disagree: no percent-escapes,
// no comma, no empty name, no empty port, a port without leading zeros in 1-65535, at most 255
// bytes of name. Userinfo, spaces, control bytes and bytes above 0x7f are never valid.
bool valid_host(std::string_view authority);

// The host of a valid authority, brackets kept: "[::1]:80" gives "[::1]".
std::string_view host_without_port(std::string_view authority);

// The port of a valid authority, if it has one.
std::optional<uint16_t> port_of_host(std::string_view authority);

}  // namespace weir::http
