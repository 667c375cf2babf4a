#include "proxy/upstream/grpc_client.h"

#include <optional>

namespace weir::upstream {
namespace {

using http::GrpcStatus;
using http::Known;
using http::ResetReason;

uint32_t number_of(GrpcStatus status) {
  return static_cast<uint32_t>(status);
}

// What breaks off may work a moment later; who does not speak HTTP/2 will not.
GrpcStatus status_of(ResetReason reason) {
  switch (reason) {
    case ResetReason::kProtocolError:
      return GrpcStatus::kInternal;
    case ResetReason::kTimeout:
      return GrpcStatus::kDeadlineExceeded;
    default:
      return GrpcStatus::kUnavailable;
  }
}

bool speaks_http2(const ClusterConfig& config) {
  return config.versions != ClusterConfig::Versions::kHttp1;
}

}  // namespace

GrpcStream::GrpcStream(WorkerCluster& cluster, net::Loop& loop, GrpcStreamEvents& events)
    : call_(cluster, *this),
      loop_(loop),
      events_(events),
      head_(arena_),
      response_(arena_),
      waiting_(loop.blocks()),
      timer_(*this) {}

GrpcStream::~GrpcStream() {
  if (gone_ != nullptr) *gone_ = true;
  cancel();
}

// ---- the beginning ----

void GrpcStream::start(const GrpcMethod& method) {
  started_ = true;
  max_message_bytes_ = method.max_message_bytes;
  reader_ = http::GrpcFrameReader(method.max_message_bytes);
  write_head(method);
  if (method.timeout_ms > 0) timer_.set(loop_.timers(), loop_.now_ms() + method.timeout_ms);
  connect();
}

void GrpcStream::write_head(const GrpcMethod& method) {
  const std::string& name = call_.cluster().config().name;
  head_.method = http::Method::kPost;
  head_.method_text = "POST";
  head_.protocol = http::Protocol::kHttp2;
  head_.scheme = call_.cluster().config().tls != nullptr ? "https" : "http";
  head_.path = arena_.concat({"/", method.service, "/", method.method});
  head_.authority = arena_.copy(method.authority.empty() ? name : method.authority);
  http::HeaderMap& headers = head_.headers;
  headers.add(Known::kTe, "trailers");
  if (method.timeout_ms > 0)
    headers.add(Known::kGrpcTimeout, http::format_grpc_timeout(method.timeout_ms, arena_));
  headers.add(Known::kContentType, http::kGrpcContentType);
  headers.add(Known::kUserAgent, "weir");
  if (method.metadata == nullptr) return;
  for (const auto& [key, value] : *method.metadata)
    headers.add(arena_.copy(key), arena_.copy(value));
}

void GrpcStream::connect() {
  if (!speaks_http2(call_.cluster().config()))
    return fail_soon(GrpcStatus::kUnavailable, "cluster '" + call_.cluster().config().name +
                                                   "' is not configured for HTTP/2");
  Lent lent;
  Wish wish{.downstream = http::Protocol::kHttp2};
  wish.set_host(head_.authority, call_.cluster().config());
  const ClusterCall::Start outcome = call_.start(wish, lent);
  if (outcome == ClusterCall::Start::kLent) return on_connection(lent);
  if (outcome != ClusterCall::Start::kWaiting)
    fail_soon(GrpcStatus::kUnavailable, std::string(ClusterCall::why_not(outcome)));
}

void GrpcStream::on_connection(const Lent& lent) {
  call_.on_connection(lent);
  const bool end = end_wanted_ && waiting_.empty();
  call_.stream()->send_head(head_, end);
  if (paused_ && call_.stream() != nullptr) call_.stream()->pause_reading(true);
  if (end || waiting_.empty()) return;
  std::string bytes(waiting_.size(), '\0');
  waiting_.take(bytes.data(), bytes.size());
  write(std::move(bytes), end_wanted_);
}

void GrpcStream::on_no_connection(ResetReason reason, std::string_view details) {
  call_.on_no_connection(reason);
  fail(status_of(reason), "no connection: " + std::string(details));
}

// ---- messages out ----

void GrpcStream::send(std::string_view message, bool end) {
  if (over_ || end_wanted_) return;
  end_wanted_ = end;
  if (call_.stream() == nullptr) {
    const auto prefix = http::grpc_prefix(static_cast<uint32_t>(message.size()));
    waiting_.append({prefix.data(), prefix.size()});
    waiting_.append(message);
    return;
  }
  std::string frame;
  http::append_grpc_frame(message, frame);
  write(std::move(frame), end);
}

void GrpcStream::finish_sending() {
  if (over_ || end_wanted_) return;
  end_wanted_ = true;
  if (call_.stream() != nullptr) call_.stream()->send_body({}, true);
}

// The bytes have to be there until the loop's next flush.
void GrpcStream::write(std::string frame, bool end) {
  auto kept = std::make_unique<std::string>(std::move(frame));
  const std::string_view bytes = *kept;
  loop_.retire(std::move(kept));
  call_.stream()->send_body(bytes, end);
}

bool GrpcStream::full() const {
  return full_ || waiting_.size() > call_.cluster().config().buffer_limit_bytes;
}

void GrpcStream::on_upstream_full(bool full) {
  full_ = full;
  if (!full) events_.on_writable();
}

void GrpcStream::pause_reading(bool pause) {
  paused_ = pause;
  if (call_.stream() != nullptr) call_.stream()->pause_reading(pause);
}

// ---- the response ----

http::ResponseHead& GrpcStream::fresh_response_head() {
  response_.clear();
  return response_;
}

void GrpcStream::on_response_head(bool end) {
  const uint16_t status = response_.status;
  const auto code = http::grpc_status_of(nullptr, &response_.headers);
  call_.on_response_head(status, code ? http::http_status_of_grpc(*code) : status);
  if (end) return end_of_response(nullptr);
  if (status != 200)
    return fail(http::grpc_status_of_http(status),
                "the server answers with HTTP status " + std::to_string(status));
  const std::string_view type = response_.headers.get(Known::kContentType);
  if (!http::is_grpc_content_type(type))
    return fail(GrpcStatus::kUnknown,
                "the server answers with content-type '" + std::string(type) + "'");
  events_.on_headers(response_.headers);
}

void GrpcStream::on_response_body(std::string_view bytes, bool end) {
  if (!deliver(bytes)) return;
  if (end) end_of_response(nullptr);
}

bool GrpcStream::deliver(std::string_view bytes) {
  using Step = http::GrpcFrameReader::Step;
  bool gone = false;
  reader_.feed(bytes);
  while (true) {
    std::string_view message;
    uint8_t flags = 0;
    const Step step = reader_.next(message, flags);
    if (step == Step::kNeedMore) return true;
    if (step == Step::kTooLarge) {
      fail(GrpcStatus::kResourceExhausted,
           "a message is longer than " + std::to_string(max_message_bytes_) + " bytes");
      return false;
    }
    if (flags != 0) {
      fail(GrpcStatus::kInternal, "a message is compressed, which was not offered");
      return false;
    }
    gone_ = &gone;
    events_.on_message(message);
    if (gone) return false;
    gone_ = nullptr;
    if (over_) return false;
  }
}

void GrpcStream::on_response_trailers(http::HeaderMap& trailers) {
  end_of_response(&trailers);
}

void GrpcStream::end_of_response(const http::HeaderMap* trailers) {
  if (!reader_.at_boundary())
    return fail(GrpcStatus::kInternal, "the response ends within a message");
  const auto code = http::grpc_status_of(trailers, &response_.headers);
  if (!code)
    return fail(
        http::grpc_status_of_http(response_.status),
        "the response has no grpc-status; its HTTP status is " + std::to_string(response_.status));
  const http::HeaderMap& from =
      trailers != nullptr && trailers->has(Known::kGrpcStatus) ? *trailers : response_.headers;
  close({*code, http::decode_grpc_message(from.get(Known::kGrpcMessage))}, trailers);
}

void GrpcStream::on_upstream_reset(ResetReason reason, std::string_view details) {
  call_.on_reset();
  fail(status_of(reason), "the call broke off: " + std::string(details));
}

// ---- the end ----

void GrpcStream::on_timer(net::Timer& /*timer*/) {
  if (fails_soon_) return close(std::move(soon_), nullptr);
  call_.cluster().shard().inc(call_.cluster().stats().rq_timeout);
  fail(GrpcStatus::kDeadlineExceeded, "the deadline has passed");
}

void GrpcStream::fail(GrpcStatus status, std::string message) {
  close({number_of(status), std::move(message)}, nullptr);
}

void GrpcStream::fail_soon(GrpcStatus status, std::string message) {
  soon_ = {number_of(status), std::move(message)};
  fails_soon_ = true;
  let_go();
  timer_.set(loop_.timers(), loop_.now_ms());
}

void GrpcStream::close(GrpcOutcome outcome, const http::HeaderMap* trailers) {
  if (over_) return;
  over_ = true;
  call_.note_outcome(http::http_status_of_grpc(outcome.code) < 500);
  let_go();
  timer_.cancel();
  events_.on_closed(outcome, trailers);
}

void GrpcStream::cancel() {
  if (!started_ || over_) return;
  over_ = true;
  timer_.cancel();
  if (call_.stream() != nullptr) call_.cluster().shard().inc(call_.cluster().stats().rq_tx_reset);
  let_go();
}

void GrpcStream::let_go() {
  call_.let_go();
  waiting_.clear();
}

// ---- one message each way ----

void GrpcUnaryCall::start(const GrpcMethod& method, std::string_view message) {
  stream_.start(method);
  stream_.send(message, true);
}

void GrpcUnaryCall::on_message(std::string_view message) {
  reply_ = message;
  ++replies_;
}

void GrpcUnaryCall::on_closed(const GrpcOutcome& outcome, const http::HeaderMap* /*trailers*/) {
  // What is left of this object's life is the caller's: it may end in the call.
  const Done done = std::move(done_);
  const std::string reply = std::move(reply_);
  if (!outcome.ok()) return done(outcome, {});
  if (replies_ != 1)
    return done({number_of(GrpcStatus::kUnimplemented),
                 "the server sent " + std::to_string(replies_) + " messages instead of one"},
                {});
  done(outcome, reply);
}

}  // namespace weir::upstream
