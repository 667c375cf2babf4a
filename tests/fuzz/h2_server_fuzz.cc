// Anything a client may send over HTTP/2: what gets through is a message that HTTP/1 can carry, its
// body is as long as it says, and each request hears of its end at most once. The first byte
// chooses how requests are answered.
#include <memory>
#include <vector>

#include "proxy/http/h2_server.h"
#include "tests/fuzz/h2_fuzz.h"

namespace {

using namespace weir;
using fuzz::require;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

enum Mode : uint8_t {
  kSendsPreface = 1,
  kAnswersEarly = 2,
  kSendsTrailers = 4,
  kPauses = 8,
  kResets = 16,
  kFlushes = 32,
  kAllowsConnect = 64,
};

class Request : public http::ServerStreamEvents {
 public:
  Request(net::Loop& loop, http::ServerStream& stream, uint8_t mode)
      : loop_(loop), stream_(stream), mode_(mode) {}

  http::RequestHead& request_head() override { return head_; }

  void on_request_head(bool end) override {
    require(!over_);
    check_head();
    if ((mode_ & kPauses) != 0) stream_.pause_reading(true);
    if ((mode_ & kResets) != 0) return reset();
    if (end || (mode_ & kAnswersEarly) != 0) answer();
    if ((mode_ & kPauses) != 0) stream_.pause_reading(false);
    ended_ = end;
  }
  void on_bad_request(uint16_t, std::string_view) override {}
  void on_request_body(std::string_view bytes, bool end) override {
    require(!over_ && !ended_);
    received_ += static_cast<int64_t>(bytes.size());
    const int64_t length = head_.content_length;
    require(length < 0 || received_ <= length);
    if (!end) return;
    require(length < 0 || received_ == length);
    ended_ = true;
    answer();
  }
  void on_request_trailers(http::HeaderMap& trailers) override {
    require(!over_ && !ended_);
    fuzz::require_lines(trailers, 100);
    ended_ = true;
    answer();
  }
  void on_downstream_reset(http::ResetReason, std::string_view details) override {
    require(!over_ && !details.empty());
    over_ = true;
  }
  void on_downstream_full(bool) override { require(!over_); }

 private:
  void check_head() {
    require(!head_.method_text.empty());
    for (const char c : head_.method_text) require(http::token_char(c) != 0);
    for (const char c : head_.path) require(c > 0x20 && c < 0x7f);
    for (const char c : head_.authority) require(!http::is_control(c));
    if (head_.method != http::Method::kConnect)
      require(head_.path == "*" || head_.path.starts_with('/'));
    fuzz::require_lines(head_.headers, 100);
  }
  void answer() {
    if (over_) return;
    http::ResponseHead head(arena_);
    head.status = 200;
    stream_.send_head(head, false);
    stream_.send_body("some of it", false);
    if ((mode_ & kFlushes) != 0) loop_.flush();
    if (over_) return;
    over_ = true;
    if ((mode_ & kSendsTrailers) == 0) return stream_.send_body(head_.path, true);
    http::HeaderMap trailers(arena_);
    trailers.add("x-sum", "1");
    stream_.send_trailers(trailers);
  }
  void reset() {
    over_ = true;
    stream_.reset(http::ResetReason::kLocal);
  }

  net::Loop& loop_;
  http::ServerStream& stream_;
  uint8_t mode_;
  Arena arena_;
  http::RequestHead head_{arena_};
  int64_t received_ = 0;
  bool ended_ = false;
  bool over_ = false;
};

class Owner : public http::ServerConnectionOwner {
 public:
  Owner(net::Loop& loop, uint8_t mode) : loop_(loop), mode_(mode) {}

  http::ServerStreamEvents& begin_stream(http::ServerConnection&,
                                         http::ServerStream& stream) override {
    return *requests_.emplace_back(std::make_unique<Request>(loop_, stream, mode_));
  }
  void abandon_stream(http::ServerStreamEvents& events) override {
    require(requests_.back().get() == &events);
    requests_.pop_back();
  }
  http::Draining draining() const override { return http::Draining::kNo; }
  void on_closed(http::ServerConnection&) override {
    require(!closed);
    closed = true;
  }
  std::string_view date() override { return "now"; }

  bool closed = false;

 private:
  net::Loop& loop_;
  uint8_t mode_;
  std::vector<std::unique_ptr<Request>> requests_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 100'000) return 0;
  static stats::Registry registry;
  static stats::Shard& shard = registry.new_shard();
  net::Loop loop;
  fuzz::Wire wire;
  http::H2Options options;
  options.allow_connect = (data[0] & kAllowsConnect) != 0;
  Owner owner(loop, data[0]);
  http::H2Server server(loop, owner, options, shard);
  const net::Address address = net::Address::ip("127.0.0.1", 80).take();
  http::Arrival arrival;
  arrival.socket.fd = wire.far_end();
  arrival.peer = address;
  arrival.local = &address;
  server.start(std::move(arrival));
  if ((data[0] & kSendsPreface) != 0) {
    wire.write(kPreface);
    wire.write(kSettings);
  }
  wire.write({reinterpret_cast<const char*>(data + 1), size - 1});
  fuzz::Wire::turn(loop);
  if (!owner.closed) server.close();
  require(owner.closed);
  return 0;
}
