#include "proxy/net/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "proxy/net/byte_reader.h"

namespace weir::net {
namespace {

using State = ProxyHeader::State;

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Start("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2Head = 16;
constexpr uint8_t kVersion2 = 0x20;
constexpr uint8_t kLocalCommand = 0;
constexpr uint8_t kProxyCommand = 1;
constexpr uint8_t kUnspecified = 0x00;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr size_t kTlvHead = 3;
constexpr size_t kMaxV2Payload = 65535;

ProxyHeader& refuse(ProxyHeader& header, std::string_view problem) {
  header.state = State::kMalformed;
  header.problem = problem;
  return header;
}

// Whether `bytes` begins with `start`, or may once more of it has come.
bool may_begin(std::string_view bytes, std::string_view start) {
  const size_t n = std::min(bytes.size(), start.size());
  return bytes.substr(0, n) == start.substr(0, n);
}

// ---- version 1 ----

std::string_view take_word(std::string_view& line) {
  const size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

bool read_port(std::string_view word, uint16_t& port) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  const bool padded = word.size() > 1 && word[0] == '0';
  return error == std::errc() && end == word.data() + word.size() && !padded;
}

bool read_v1_addresses(std::string_view line, Address::Family family, ProxyHeader& out) {
  if (std::count(line.begin(), line.end(), ' ') != 3) return false;
  const std::string_view source = take_word(line);
  const std::string_view destination = take_word(line);
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  if (!read_port(take_word(line), source_port)) return false;
  if (!read_port(take_word(line), destination_port)) return false;
  Result<Address> from = Address::ip(source, source_port);
  Result<Address> to = Address::ip(destination, destination_port);
  if (!from || !to || from->family() != family || to->family() != family) return false;
  out.source = from.take();
  out.destination = to.take();
  return true;
}

ProxyHeader read_v1(std::string_view bytes) {
  ProxyHeader out;
  out.version = 1;
  const size_t end = bytes.substr(0, kMaxProxyV1Bytes).find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxProxyV1Bytes) refuse(out, "the line is longer than 107 bytes");
    return out;
  }
  if (bytes[end - 1] != '\r') return refuse(out, "the line does not end with CR LF");
  std::string_view line = bytes.substr(kV1Start.size(), end - 1 - kV1Start.size());
  if (line.find('\r') != std::string_view::npos) return refuse(out, "a CR within the line");
  out.bytes = end + 1;
  const std::string_view protocol = take_word(line);
  if (protocol == "UNKNOWN") {
    // What follows is to be ignored.
    out.local = true;
  } else if (protocol != "TCP4" && protocol != "TCP6") {
    return refuse(out, "the protocol is none of TCP4, TCP6 and UNKNOWN");
  } else if (!read_v1_addresses(
                 line, protocol == "TCP4" ? Address::Family::kIpv4 : Address::Family::kIpv6, out)) {
    return refuse(out, "not two addresses of the protocol's family and two ports");
  }
  out.state = State::kComplete;
  return out;
}

// ---- version 2 ----

Address read_address(ByteReader& address, ByteReader& port, uint8_t family) {
  sockaddr_storage storage{};
  if (family == kTcp4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    std::memcpy(&in->sin_addr, address.take(4).data(), 4);
    in->sin_port = htons(port.u16());
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    std::memcpy(&in6->sin6_addr, address.take(16).data(), 16);
    in6->sin6_port = htons(port.u16());
  }
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), sizeof(storage));
}

// Source, destination, and their ports after them.
void read_v2_addresses(ByteReader& payload, uint8_t family, ProxyHeader& out) {
  const size_t bytes = family == kTcp4 ? 4 : 16;
  ByteReader addresses(payload.take(2 * bytes));
  ByteReader ports(payload.take(4));
  if (!payload.ok()) return;
  out.source = read_address(addresses, ports, family);
  out.destination = read_address(addresses, ports, family);
}

// The sum is over the whole header with zeros in the place of the sum itself.
bool checksum_holds(std::string_view header, std::string_view sum) {
  const auto at = static_cast<size_t>(sum.data() - header.data());
  uint32_t crc = crc32c(header.substr(0, at));
  crc = crc32c(std::string_view("\0\0\0\0", 4), crc);
  crc = crc32c(header.substr(at + 4), crc);
  return ByteReader(sum).number(4) == crc;
}

bool read_tlvs(std::string_view header, ByteReader& payload, ProxyHeader& out) {
  while (!payload.empty()) {
    const uint8_t type = payload.u8();
    const std::string_view value = payload.vector(2);
    if (!payload.ok()) return refuse(out, "a TLV reaches past the header"), false;
    if (type == kProxyTlvChecksum && (value.size() != 4 || !checksum_holds(header, value)))
      return refuse(out, "the CRC-32C checksum does not hold"), false;
    out.tlvs.push_back({type, std::string(value)});
  }
  return true;
}

ProxyHeader& read_v2_payload(std::string_view header, uint8_t family, ProxyHeader& out) {
  if (family != kTcp4 && family != kTcp6)
    return refuse(out, "an address family or transport other than TCP over IPv4 or IPv6");
  ByteReader payload(header.substr(kV2Head));
  read_v2_addresses(payload, family, out);
  if (!payload.ok()) return refuse(out, "too short for its addresses");
  if (read_tlvs(header, payload, out)) out.state = State::kComplete;
  return out;
}

ProxyHeader read_v2(std::string_view bytes) {
  ProxyHeader out;
  out.version = 2;
  if (bytes.size() < kV2Head) return out;
  ByteReader head(bytes.substr(kV2Start.size()));
  const uint8_t command = head.u8();
  const uint8_t family = head.u8();
  out.bytes = kV2Head + head.u16();
  if ((command & 0xf0) != kVersion2) return refuse(out, "the version is not 2");
  out.local = (command & 0x0f) == kLocalCommand;
  if (!out.local && (command & 0x0f) != kProxyCommand) return refuse(out, "an unknown command");
  if (out.bytes > kMaxProxyV2Bytes) return refuse(out, "longer than 16 KiB");
  if (bytes.size() < out.bytes) return out;
  out.local = out.local || family == kUnspecified;
  // The block of one that speaks for itself is discarded, whatever it holds.
  if (!out.local) return read_v2_payload(bytes.substr(0, out.bytes), family, out);
  out.state = State::kComplete;
  return out;
}

// ---- writing ----

void write_u16(size_t value, std::string& out) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

void write_address(const Address& address, std::string& out) {
  const size_t bytes = address.family() == Address::Family::kIpv4 ? 4 : 16;
  out.append(reinterpret_cast<const char*>(address.ip_bytes()), bytes);
}

bool same_ip_family(const Address& a, const Address& b) {
  return a.is_ip() && a.family() == b.family();
}

constexpr std::array<uint32_t, 256> crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrc32c = crc32c_table();

}  // namespace

ProxyHeader read_proxy_protocol(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (may_begin(bytes, kV2Start))
    return bytes.size() < kV2Start.size() ? ProxyHeader() : read_v2(bytes);
  if (may_begin(bytes, kV1Start))
    return bytes.size() < kV1Start.size() ? ProxyHeader() : read_v1(bytes);
  ProxyHeader out;
  out.state = State::kAbsent;
  return out;
}

void write_proxy_v1(const Address& source, const Address& destination, std::string& out) {
  if (!same_ip_family(source, destination)) {
    out += "PROXY UNKNOWN\r\n";
    return;
  }
  out += source.family() == Address::Family::kIpv4 ? "PROXY TCP4 " : "PROXY TCP6 ";
  out += source.ip_text() + ' ' + destination.ip_text() + ' ' + std::to_string(source.port()) +
         ' ' + std::to_string(destination.port()) + "\r\n";
}

namespace {

void write_v2(const Address& source, const Address& destination, std::span<const ProxyTlv> tlvs,
              const TlvFilter& wanted, std::string& out) {
  const bool known = same_ip_family(source, destination);
  std::string payload;
  if (known) {
    write_address(source, payload);
    write_address(destination, payload);
    write_u16(source.port(), payload);
    write_u16(destination.port(), payload);
    for (const ProxyTlv& tlv : tlvs) {
      // A sum of another header would not hold here.
      if (tlv.type == kProxyTlvChecksum || !wanted.passes(tlv.type)) continue;
      if (payload.size() + kTlvHead + tlv.value.size() > kMaxV2Payload) break;
      payload += static_cast<char>(tlv.type);
      write_u16(tlv.value.size(), payload);
      payload += tlv.value;
    }
  }
  const uint8_t family = !known                                      ? kUnspecified
                         : source.family() == Address::Family::kIpv4 ? kTcp4
                                                                     : kTcp6;
  out += kV2Start;
  out += static_cast<char>(kVersion2 | (known ? kProxyCommand : kLocalCommand));
  out += static_cast<char>(family);
  write_u16(payload.size(), out);
  out += payload;
}

}  // namespace

void write_proxy_v2(const Address& source, const Address& destination,
                    std::span<const ProxyTlv> tlvs, std::string& out) {
  write_v2(source, destination, tlvs, {.all = true, .types = {}}, out);
}

void ProxyIntroduction::write(const Address& source, const Address& destination,
                              std::span<const ProxyTlv> known, std::string& out) const {
  if (version == 1) return write_proxy_v1(source, destination, out);
  write_v2(source, destination, known, tlvs, out);
}

uint32_t crc32c(std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  for (const char c : bytes) crc = crc >> 8 ^ kCrc32c[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

}  // namespace weir::net
