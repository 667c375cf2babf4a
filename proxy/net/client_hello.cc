#include "proxy/net/client_hello.h"

#include "proxy/net/byte_reader.h"

namespace weir::net {
namespace {

using State = ClientHello::State;

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kMajorVersion = 3;
constexpr uint8_t kClientHelloMessage = 1;
constexpr uint8_t kHostName = 0;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kAlpnExtension = 16;
constexpr size_t kRecordHead = 5;
constexpr size_t kMessageHead = 4;
constexpr size_t kMaxRecordBytes = 16 * 1024;
constexpr size_t kMaxNameBytes = 255;

// What the records carry, as far as it came; `whole` is kept when one record has all of it.
struct Message {
  State state = State::kNeedsMore;
  std::string_view body;  // of the ClientHello, when complete
  std::string joined;
};

// The message's length is in its head. kComplete: not known to be wrong, and there is a head.
State check_head(std::string_view message, size_t& length) {
  if (message.empty()) return State::kNeedsMore;
  ByteReader reader(message);
  if (reader.u8() != kClientHelloMessage) return State::kNotTls;
  if (message.size() < kMessageHead) return State::kNeedsMore;
  length = reader.number(3);
  return length > kMaxClientHelloBytes ? State::kTooLarge : State::kComplete;
}

// The payload of the next record, or as much of it as came.
State take_record(std::string_view& bytes, std::string_view& payload) {
  if (bytes.empty()) return State::kNeedsMore;
  if (static_cast<uint8_t>(bytes[0]) != kHandshakeRecord) return State::kNotTls;
  if (bytes.size() > 1 && static_cast<uint8_t>(bytes[1]) != kMajorVersion) return State::kNotTls;
  if (bytes.size() < kRecordHead) return State::kNeedsMore;
  ByteReader reader(bytes.substr(3));
  const size_t length = reader.u16();
  if (length == 0 || length > kMaxRecordBytes) return State::kMalformed;
  payload = bytes.substr(kRecordHead, length);
  bytes.remove_prefix(kRecordHead + payload.size());
  return payload.size() < length ? State::kNeedsMore : State::kComplete;
}

void collect(std::string_view bytes, Message& out) {
  for (bool first = true;; first = false) {
    std::string_view payload;
    const State record = take_record(bytes, payload);
    if (record != State::kComplete && record != State::kNeedsMore) {
      // Another kind of record in the midst of the message (RFC 8446 5.1).
      out.state = first ? record : State::kMalformed;
      return;
    }
    std::string_view message = payload;
    if (!first) message = out.joined.append(payload);
    size_t length = 0;
    out.state = check_head(message, length);
    if (out.state != State::kComplete && out.state != State::kNeedsMore) return;
    if (out.state == State::kComplete && message.size() >= kMessageHead + length) {
      out.body = message.substr(kMessageHead, length);
      return;
    }
    out.state = State::kNeedsMore;
    if (record == State::kNeedsMore) return;
    if (first) out.joined = payload;
  }
}

// Whatever is printable: a control or a space in a log or a match would be somebody's trick.
bool read_host_name(std::string_view name, std::string& out) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  out.resize(name.size());
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c <= 0x20 || c >= 0x7f) return false;
    out[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return true;
}

bool read_server_name(std::string_view extension, ClientHello& out) {
  ByteReader reader(extension);
  ByteReader list(reader.vector(2));
  if (!reader.ok() || !reader.empty() || list.empty()) return false;
  bool seen = false;
  while (!list.empty()) {
    const uint8_t type = list.u8();
    const std::string_view name = list.vector(2);
    if (!list.ok()) return false;
    if (type != kHostName) continue;
    if (seen || !read_host_name(name, out.server_name)) return false;
    seen = true;
  }
  return true;
}

bool read_alpn(std::string_view extension, ClientHello& out) {
  ByteReader reader(extension);
  ByteReader list(reader.vector(2));
  if (!reader.ok() || !reader.empty() || list.empty()) return false;
  while (!list.empty()) {
    const std::string_view name = list.vector(1);
    if (!list.ok() || name.empty()) return false;
    out.application.emplace_back(name);
  }
  return true;
}

bool read_extensions(std::string_view bytes, ClientHello& out) {
  ByteReader reader(bytes);
  bool seen_name = false;
  bool seen_alpn = false;
  while (!reader.empty()) {
    const uint16_t type = reader.u16();
    const std::string_view extension = reader.vector(2);
    if (!reader.ok()) return false;
    if (type == kServerNameExtension) {
      if (seen_name || !read_server_name(extension, out)) return false;
      seen_name = true;
    } else if (type == kAlpnExtension) {
      if (seen_alpn || !read_alpn(extension, out)) return false;
      seen_alpn = true;
    }
  }
  return true;
}

bool read_body(std::string_view body, ClientHello& out) {
  ByteReader reader(body);
  reader.take(2 + 32);  // legacy_version, random
  const std::string_view session_id = reader.vector(1);
  const std::string_view ciphers = reader.vector(2);
  const std::string_view compressions = reader.vector(1);
  if (!reader.ok() || session_id.size() > 32 || ciphers.empty() || ciphers.size() % 2 != 0 ||
      compressions.empty())
    return false;
  if (reader.empty()) return true;  // before extensions there were none (RFC 5246 7.4.1.2)
  const std::string_view extensions = reader.vector(2);
  return reader.ok() && reader.empty() && read_extensions(extensions, out);
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  ClientHello out;
  Message message;
  collect(bytes, message);
  out.state = message.state;
  if (out.state != State::kComplete) return out;
  if (read_body(message.body, out)) return out;
  out = {};
  out.state = State::kMalformed;
  return out;
}

}  // namespace weir::net
