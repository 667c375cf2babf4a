#include "tests/harness/raw_h2_upstream.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace weir::test {
namespace {

constexpr size_t kPrefaceBytes = 24;
constexpr size_t kFrameHeadBytes = 9;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kRstStream = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kPing = 6;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr char kStatus200[] = "\x88";  // of HPACK's static table

std::string big_endian(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

uint32_t number_at(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = at; i < at + count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  return big_endian(static_cast<uint32_t>(payload.size()), 3) + static_cast<char>(type) +
         static_cast<char>(flags) + big_endian(stream, 4) + std::string(payload);
}

void send_all(const Fd& socket, std::string_view bytes) {
  if (!bytes.empty()) send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

}  // namespace

RawH2Upstream::RawH2Upstream(Answer answer)
    : answer_(std::move(answer)),
      listener_(listen_on_loopback()),
      port_(local_port(listener_)),
      thread_([this] { run(); }) {}

RawH2Upstream::~RawH2Upstream() {
  stopping_ = true;
  thread_.join();
}

std::string RawH2Upstream::ok(uint32_t stream) {
  return frame(kHeaders, kEndStream | kEndHeaders, stream, kStatus200);
}

std::string RawH2Upstream::reset(uint32_t stream, uint32_t code) {
  return frame(kRstStream, 0, stream, big_endian(code, 4));
}

std::string RawH2Upstream::protocol_options() {
  return "typed_extension_protocol_options:\n"
         "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
         "    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3."
         "HttpProtocolOptions\n"
         "    explicit_http_config: {http2_protocol_options: {}}";
}

void RawH2Upstream::run() {
  while (!stopping_) {
    std::vector<pollfd> polled = {{listener_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_)
      polled.push_back({connection.socket.get(), POLLIN, 0});
    poll(polled.data(), polled.size(), 20);
    for (size_t i = connections_.size(); i-- > 0;)
      if (polled[i + 1].revents != 0 && !serve(connections_[i]))
        connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(i));
    if (Fd accepted = accept_connection(listener_); accepted.open()) {
      send_all(accepted, frame(kSettings, 0, 0, {}));
      connections_.push_back({std::move(accepted), {}});
    }
  }
}

// False when the connection has ended.
bool RawH2Upstream::serve(Connection& connection) {
  std::array<char, 65536> bytes;
  const ssize_t got = recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  if (got > 0) connection.input.append(bytes.data(), static_cast<size_t>(got));
  take_frames(connection);
  return true;
}

void RawH2Upstream::take_frames(Connection& connection) {
  std::string& input = connection.input;
  if (!connection.past_preface && input.size() < kPrefaceBytes) return;
  if (!std::exchange(connection.past_preface, true)) input.erase(0, kPrefaceBytes);
  while (input.size() >= kFrameHeadBytes) {
    const size_t whole = kFrameHeadBytes + number_at(input, 0, 3);
    if (input.size() < whole) return;
    on_frame(connection, static_cast<uint8_t>(input[3]), static_cast<uint8_t>(input[4]),
             number_at(input, 5, 4));
    input.erase(0, whole);
  }
}

void RawH2Upstream::on_frame(Connection& connection, uint8_t type, uint8_t flags, uint32_t stream) {
  if (type == kHeaders) send_all(connection.socket, answer_(requests_++, stream));
  if ((flags & kAck) != 0) return;
  if (type == kSettings) send_all(connection.socket, frame(kSettings, kAck, 0, {}));
  if (type == kPing)
    send_all(connection.socket,
             frame(kPing, kAck, 0, std::string_view(connection.input).substr(kFrameHeadBytes, 8)));
}

}  // namespace weir::test
