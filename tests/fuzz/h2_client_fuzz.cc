// Anything a server may answer over HTTP/2: what gets through is a message that HTTP/1 can carry,
// its body is as long as it says, and each exchange ends once. The first byte chooses the requests.
#include <array>
#include <memory>

#include "proxy/http/h2_client.h"
#include "tests/fuzz/h2_fuzz.h"

namespace {

using namespace weir;
using fuzz::require;

constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

enum Mode : uint8_t { kSendsSettings = 1, kSendsBody = 2, kPauses = 4, kGivesUp = 8, kIsHead = 16 };

class Exchange : public http::ClientStreamEvents {
 public:
  explicit Exchange(uint8_t mode) : mode_(mode) {}

  void start(http::H2Client& client) {
    stream_ = client.open_stream(*this);
    require(stream_ != nullptr);
    const bool body = (mode_ & kSendsBody) != 0;
    request_.method_text = body ? "POST" : (mode_ & kIsHead) != 0 ? "HEAD" : "GET";
    request_.method = http::method_of(request_.method_text);
    request_.authority = "a";
    request_.path = "/";
    stream_->send_head(request_, !body);
    if (body) stream_->send_body("half of the body", false);
    if ((mode_ & kPauses) != 0) stream_->pause_reading(true);
  }
  void go_on() {
    if (stream_ == nullptr) return;
    if ((mode_ & kPauses) != 0) stream_->pause_reading(false);
    if ((mode_ & kGivesUp) != 0) std::exchange(stream_, nullptr)->reset(http::ResetReason::kLocal);
  }

  http::ResponseHead& fresh_response_head() override {
    require(!over_);
    response_.clear();
    return response_;
  }
  Arena& trailer_arena() override { return arena_; }
  void on_informational() override { require(!over_ && response_.status < 200); }
  void on_response_head(bool end) override {
    require(!over_ && !head_seen_);
    head_seen_ = true;
    require(response_.status >= 200 && response_.status <= 999);
    fuzz::require_lines(response_.headers, 100);
    if (end) finish(0);
  }
  void on_response_body(std::string_view bytes, bool end) override {
    require(head_seen_ && !over_);
    received_ += static_cast<int64_t>(bytes.size());
    if (end) finish(received_);
  }
  void on_response_trailers(http::HeaderMap& trailers) override {
    require(head_seen_ && !over_);
    fuzz::require_lines(trailers, 100);
    finish(received_);
  }
  void on_stream_over() override {
    require(!told_over_);
    told_over_ = true;
    stream_ = nullptr;
  }
  void on_upstream_reset(http::ResetReason, std::string_view details) override {
    require(!over_ && !details.empty());
    over_ = true;
    stream_ = nullptr;
  }
  void on_upstream_full(bool) override {}

 private:
  void finish(int64_t bytes) {
    require(told_over_);
    over_ = true;
    const bool none = (mode_ & kIsHead) != 0 || response_.status == 204 || response_.status == 304;
    if (!none || (mode_ & kSendsBody) != 0)
      require(response_.content_length < 0 || none || bytes == response_.content_length);
  }

  uint8_t mode_;
  http::ClientStream* stream_ = nullptr;
  Arena arena_;
  http::RequestHead request_{arena_};
  http::ResponseHead response_{arena_};
  int64_t received_ = 0;
  bool head_seen_ = false;
  bool told_over_ = false;
  bool over_ = false;
};

struct Owner : http::H2ClientOwner {
  void on_connected(http::H2Client&, int) override {}
  void on_stream_capacity(http::H2Client&) override { require(!closed); }
  void on_closed(http::H2Client&) override {
    require(!closed);
    closed = true;
  }
  bool closed = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 100'000) return 0;
  static stats::Registry registry;
  static stats::Shard& shard = registry.new_shard();
  // Read by the client after they answer: they go last.
  std::array<std::unique_ptr<Exchange>, 3> exchanges;
  net::Loop loop;
  fuzz::Wire wire;
  const http::H2Options options;
  Owner owner;
  http::H2Client client(loop, owner, options, shard);
  net::Socket socket;
  socket.fd = wire.far_end();
  client.adopt(std::move(socket), 1 << 20);
  for (auto& exchange : exchanges) {
    exchange = std::make_unique<Exchange>(data[0]);
    exchange->start(client);
  }
  if ((data[0] & kSendsSettings) != 0) wire.write(kSettings);
  wire.write({reinterpret_cast<const char*>(data + 1), size - 1});
  fuzz::Wire::turn(loop);
  for (auto& exchange : exchanges) exchange->go_on();
  fuzz::Wire::turn(loop);
  if (!owner.closed) client.close();
  require(owner.closed);
  return 0;
}
