#include "tests/bench/h2_origin.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace weir::bench {
namespace {

// What is gathered for one write, about.
constexpr size_t kWriteBytes = 65536;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

class H2OriginConnection final : public EventLoop::Handler {
 public:
  H2OriginConnection(EventLoop& loop, int fd, const H2Origin& origin)
      : loop_(loop), fd_(fd), origin_(origin) {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) die("set up HTTP/2");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_server_new(&session_, callbacks, this) != 0) die("set up HTTP/2");
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry streams = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &streams, 1);
    loop.add(fd, EPOLLIN, *this);
  }
  ~H2OriginConnection() override {
    nghttp2_session_del(session_);
    close(fd_);
  }
  H2OriginConnection(const H2OriginConnection&) = delete;
  H2OriginConnection& operator=(const H2OriginConnection&) = delete;

  void on_events(uint32_t events) override {
    const bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    if ((readable && !read_on()) || !write_on()) delete this;  // known to nobody else
  }

 private:
  struct Stream {
    bool grpc = false;
    size_t sent = 0;  // of its body
  };

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                       void* self) {
    const std::string_view key(reinterpret_cast<const char*>(name), name_bytes);
    const std::string_view text(reinterpret_cast<const char*>(value), value_bytes);
    if (key == "content-type" && text.starts_with("application/grpc"))
      static_cast<H2OriginConnection*>(self)->streams_[frame->hd.stream_id].grpc = true;
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const bool message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      static_cast<H2OriginConnection*>(self)->respond(frame->hd.stream_id);
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t stream, uint32_t, void* self) {
    static_cast<H2OriginConnection*>(self)->streams_.erase(stream);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, int32_t id, uint8_t* into, size_t room,
                           uint32_t* flags, nghttp2_data_source*, void* self) {
    auto& connection = *static_cast<H2OriginConnection*>(self);
    Stream& stream = connection.streams_[id];
    const std::string& body = connection.origin_.body(stream.grpc);
    const size_t count = std::min(room, body.size() - stream.sent);
    std::memcpy(into, body.data() + stream.sent, count);
    stream.sent += count;
    if (stream.sent < body.size()) return static_cast<ssize_t>(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.grpc) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const nghttp2_nv status = field("grpc-status", "0");
      nghttp2_submit_trailer(session, id, &status, 1);
    }
    return static_cast<ssize_t>(count);
  }

  void respond(int32_t id) {
    const bool grpc = streams_[id].grpc;
    const std::array fields = {
        field(":status", "200"), field("date", "Mon, 05 Jan 2026 10:00:00 GMT"),
        field("content-type", grpc ? "application/grpc" : "application/octet-stream"),
        field("etag", "\"1f2e3d\"")};
    nghttp2_data_provider body = {};
    body.read_callback = read_body;
    nghttp2_submit_response(session_, id, fields.data(), fields.size(), &body);
  }

  bool read_on() {
    static std::array<uint8_t, kWriteBytes> buffer;
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return true;
    return got > 0 &&
           nghttp2_session_mem_recv(session_, buffer.data(), static_cast<size_t>(got)) == got;
  }

  bool write_on() {
    do {
      for (const uint8_t* bytes; out_.size() < kWriteBytes;) {
        const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
        if (count < 0) return false;
        if (count == 0) break;
        out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
      }
      if (out_.empty()) break;
      const ssize_t sent = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      out_.erase(0, static_cast<size_t>(std::max<ssize_t>(sent, 0)));
    } while (out_.empty());
    if (out_.empty() != waits_to_write_) return true;
    waits_to_write_ = !out_.empty();
    loop_.change(fd_, waits_to_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
    return true;
  }

  EventLoop& loop_;
  int fd_;
  const H2Origin& origin_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, Stream> streams_;
  std::string out_;
  bool waits_to_write_ = false;
};

std::string as_grpc_message(const std::string& body) {
  std::string message(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8)
    message += static_cast<char>(body.size() >> shift & 0xff);
  return message + body;
}

}  // namespace

H2Origin::H2Origin(EventLoop& loop, uint16_t port, size_t body_bytes)
    : loop_(loop),
      listener_(listen_on(port)),
      body_(body_bytes, 'o'),
      message_(as_grpc_message(body_)) {
  loop.add(listener_, EPOLLIN, *this);
}

void H2Origin::on_events(uint32_t) {
  for (int fd; (fd = accept_from(listener_)) >= 0;)
    new H2OriginConnection(loop_, fd, *this);  // deletes itself when it ends
}

}  // namespace weir::bench
