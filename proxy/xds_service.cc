#include "proxy/xds_service.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"
#include "proxy/xds_client_status.h"
#include "xds/serving/delta_session.h"
#include "xds/serving/sotw_session.h"

namespace weir {
namespace {

using http::GrpcStatus;
using http::Known;

struct Service {
  std::string_view name;  // below "envoy.service."
  std::string_view methods;
  std::optional<xds::ResourceType> only;
};

// Each has Stream<methods> and Delta<methods>.
constexpr std::array<Service, 9> kServices = {{
    {"discovery.v3.AggregatedDiscoveryService", "AggregatedResources", std::nullopt},
    {"cluster.v3.ClusterDiscoveryService", "Clusters", xds::ResourceType::kCluster},
    {"endpoint.v3.EndpointDiscoveryService", "Endpoints", xds::ResourceType::kEndpoint},
    {"listener.v3.ListenerDiscoveryService", "Listeners", xds::ResourceType::kListener},
    {"route.v3.RouteDiscoveryService", "Routes", xds::ResourceType::kRoute},
    {"route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes", xds::ResourceType::kScopedRoute},
    {"secret.v3.SecretDiscoveryService", "Secrets", xds::ResourceType::kSecret},
    {"runtime.v3.RuntimeDiscoveryService", "Runtime", xds::ResourceType::kRuntime},
    {"extension.v3.ExtensionConfigDiscoveryService", "ExtensionConfigs",
     xds::ResourceType::kExtension},
}};

GrpcStatus status_of(const Error& error) {
  return error.code == "resource-exhausted" ? GrpcStatus::kResourceExhausted
                                            : GrpcStatus::kInvalidArgument;
}

}  // namespace

// ---- one stream ----

class XdsService::Stream : public http::ServerStreamEvents, private net::Timer::Owner {
 public:
  Stream(XdsService& service, http::ServerStream& stream, net::Address peer)
      : service_(service),
        stream_(stream),
        head_(arena_),
        reader_(kMaxRequestBytes),
        wake_(*this),
        resume_(*this),
        peer_(std::move(peer)),
        since_ms_(service.loop_.now_ms()) {}

  // ServerStreamEvents
  http::RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override;
  void on_bad_request(uint16_t status, std::string_view details) override;
  void on_request_body(std::string_view bytes, bool end) override;
  void on_request_trailers(http::HeaderMap& /*trailers*/) override {
    if (!status_call_) return finish(GrpcStatus::kOk, {});
    status_call_->on_end();
    leave_if_answered();
  }
  void on_downstream_reset(http::ResetReason /*reason*/, std::string_view /*details*/) override {
    leave();
  }
  void on_downstream_full(bool full) override;

  void set_catalogue(std::shared_ptr<const xds::Catalogue> catalogue);
  void finish(GrpcStatus status, std::string_view message);
  bool over() const { return over_; }
  XdsStreamReport report() const;

 private:
  void on_timer(net::Timer& timer) override;
  void take_message(std::string_view message, uint8_t flags);
  void note_verdict(const xds::Verdict& verdict);
  void pump();
  void send(const xds::Push& push);
  void limit_rate();
  void pause();
  void answer_http(uint16_t status);
  bool begin_status_call(bool end);
  void leave_if_answered();
  void leave();
  std::string who() const;

  XdsService& service_;
  http::ServerStream& stream_;
  Arena arena_;
  http::RequestHead head_;
  http::GrpcFrameReader reader_;
  std::unique_ptr<xds::Session> session_;     // null: before the head, or there is no such method
  std::optional<GrpcResponder> status_call_;  // of CSDS, in place of a session
  net::Timer wake_;                           // the session's
  net::Timer resume_;                         // reading, after too many requests
  net::Address peer_;
  int64_t since_ms_;
  int64_t second_ms_ = 0;  // in which requests are counted
  uint32_t requests_ = 0;
  bool head_sent_ = false;
  bool limited_ = false;
  bool full_ = false;
  bool over_ = false;
  bool warned_ = false;  // of an unknown type
};

void XdsService::Stream::on_request_head(bool end) {
  if (head_.method != http::Method::kPost || !http::is_grpc(head_)) return answer_http(415);
  if (begin_status_call(end)) return;
  session_ = service_.make_session(head_.path);
  if (session_ == nullptr)
    return finish(GrpcStatus::kUnimplemented, "there is no such method; this is an xDS server");
  if (service_.streams_.size() > kMaxStreams)
    return finish(GrpcStatus::kResourceExhausted, "too many streams are open");
  http::ResponseHead head(arena_);
  head.status = 200;
  head.headers.add(Known::kContentType, http::kGrpcContentType);
  head_sent_ = true;
  stream_.send_head(head, false);
  if (end) finish(GrpcStatus::kOk, {});
}

// False: the method is none of ClientStatusDiscoveryService.
bool XdsService::Stream::begin_status_call(bool end) {
  constexpr std::string_view kService = "/envoy.service.status.v3.ClientStatusDiscoveryService/";
  if (!head_.path.starts_with(kService)) return false;
  const std::string_view method = head_.path.substr(kService.size());
  const bool unary = method == "FetchClientStatus";
  if (!unary && method != "StreamClientStatus") return false;
  status_call_.emplace(service_.loop_, stream_, arena_, unary, [this](std::string_view message) {
    return answer_xds_client_status({*service_.catalogue_, service_.report(),
                                     service_.loop_.now_ms(), service_.loop_.wall_us() / 1000},
                                    message);
  });
  if (end) status_call_->on_end();
  leave_if_answered();
  return true;
}

void XdsService::Stream::leave_if_answered() {
  if (status_call_->over()) leave();
}

void XdsService::Stream::on_bad_request(uint16_t status, std::string_view /*details*/) {
  answer_http(status);
}

void XdsService::Stream::answer_http(uint16_t status) {
  http::ResponseHead head(arena_);
  head.status = status;
  head.content_length = 0;
  head.headers.add(Known::kContentLength, "");
  stream_.send_head(head, true);
  leave();
}

void XdsService::Stream::on_request_body(std::string_view bytes, bool end) {
  if (status_call_) {
    status_call_->on_body(bytes, end);
    return leave_if_answered();
  }
  reader_.feed(bytes);
  std::string_view message;
  uint8_t flags = 0;
  while (!over_) {
    const auto step = reader_.next(message, flags);
    if (step == http::GrpcFrameReader::Step::kNeedMore) break;
    if (step == http::GrpcFrameReader::Step::kTooLarge)
      return finish(GrpcStatus::kResourceExhausted,
                    "a request is larger than " + std::to_string(kMaxRequestBytes) + " bytes");
    take_message(message, flags);
  }
  if (over_) return;
  limit_rate();
  pump();
  if (end && !over_) finish(GrpcStatus::kOk, {});
}

void XdsService::Stream::take_message(std::string_view message, uint8_t flags) {
  ++requests_;
  if (flags != 0)
    return finish(GrpcStatus::kUnimplemented, "compressed messages are not supported");
  const auto answer = session_->on_request(message, service_.loop_.now_ms());
  if (!answer) {
    service_.log_.warning(Component::kConfig, who(), ": ", answer.error().message);
    return finish(status_of(answer.error()), answer.error().message);
  }
  if (*answer) note_verdict(**answer);
  if (session_->unknown_type().empty() || warned_) return;
  warned_ = true;
  service_.log_.warning(Component::kConfig, who(), " asks for '", session_->unknown_type(),
                        "', which is not served");
}

void XdsService::Stream::note_verdict(const xds::Verdict& verdict) {
  const LogLevel level = verdict.accepted ? LogLevel::kDebug : LogLevel::kError;
  service_.log_.log(level, Component::kConfig, who(), verdict.accepted ? " ACK " : " NACK ",
                    xds::short_name(verdict.type), " ", verdict.version,
                    verdict.accepted ? "" : ": ", verdict.error);
}

// A client in a loop costs no more than this.
void XdsService::Stream::limit_rate() {
  const int64_t now_ms = service_.loop_.now_ms();
  if (now_ms >= second_ms_ + 1000) {
    second_ms_ = now_ms;
    requests_ = 0;
  }
  if (requests_ <= kRequestsPerSecond || limited_) return;
  limited_ = true;
  resume_.set(service_.loop_.timers(), second_ms_ + 1000);
  pause();
}

void XdsService::Stream::pause() {
  stream_.pause_reading(limited_ || full_);
}

void XdsService::Stream::on_timer(net::Timer& timer) {
  if (&timer == &wake_) return pump();
  limited_ = false;
  requests_ = 0;
  pause();
}

void XdsService::Stream::on_downstream_full(bool full) {
  full_ = full;
  if (over_) return;
  if (status_call_) return status_call_->on_full(full);
  pause();
  if (!full) pump();
}

void XdsService::Stream::set_catalogue(std::shared_ptr<const xds::Catalogue> catalogue) {
  if (session_ == nullptr) return;
  session_->set_catalogue(std::move(catalogue), service_.loop_.now_ms());
  pump();
}

void XdsService::Stream::pump() {
  while (!over_ && !full_) {
    const std::optional<xds::Push> push = session_->next(service_.loop_.now_ms());
    if (!push) break;
    send(*push);
  }
  if (over_) return;
  wake_.cancel();
  if (session_->wake_at_ms() != 0) wake_.set(service_.loop_.timers(), session_->wake_at_ms());
}

void XdsService::Stream::send(const xds::Push& push) {
  ++service_.pushes_;
  service_.log_.info(Component::kConfig, "push ", xds::short_name(push.type), " ", push.version,
                     " to ", who(), ": ", push.resources, " resources, ", push.removed, " removed");
  auto frame = std::make_unique<std::string>();
  http::append_grpc_frame(push.bytes, *frame);
  const std::string_view bytes = *frame;
  service_.loop_.retire(std::move(frame));  // after the bytes have left, or were copied
  stream_.send_body(bytes, false);
}

void XdsService::Stream::finish(GrpcStatus status, std::string_view message) {
  if (over_) return;
  if (status_call_) {
    status_call_->finish(status, message);
    return leave();
  }
  message = arena_.copy(message);
  if (!head_sent_) {
    http::ResponseHead head(arena_);
    head.status = 200;
    http::make_grpc_reply(static_cast<int>(status), message, {}, head);
    stream_.send_head(head, true);
    return leave();
  }
  http::HeaderMap trailers(arena_);
  trailers.add(Known::kGrpcStatus, http::grpc_status_text(status));
  if (!message.empty())
    trailers.add(Known::kGrpcMessage, http::encode_grpc_message(message, arena_));
  stream_.send_trailers(trailers);
  leave();
}

void XdsService::Stream::leave() {
  if (over_) return;
  over_ = true;
  wake_.cancel();
  resume_.cancel();
  service_.remove(*this);
}

std::string XdsService::Stream::who() const {
  const std::string& id = session_->node().id;
  return (id.empty() ? "a client" : "'" + id + "'") + " at " + peer_.text();
}

XdsStreamReport XdsService::Stream::report() const {
  XdsStreamReport out{.peer = peer_.text(), .since_ms = since_ms_};
  if (session_ == nullptr) return out;
  out.node = session_->node();
  out.protocol = session_->protocol();
  out.unknown_type = session_->unknown_type();
  out.types = session_->report();
  return out;
}

// ---- the service ----

XdsService::XdsService(net::Loop& loop, Logger& log,
                       std::shared_ptr<const xds::Catalogue> catalogue)
    : loop_(loop), log_(log), catalogue_(std::move(catalogue)) {
  options_.send_date = false;
  options_.request_headers_timeout_ms = 10'000;
  options_.idle_timeout_ms = 300'000;
  options_.keep_alive.interval_ms = 30'000;
  options_.keep_alive.timeout_ms = 20'000;
}

XdsService::~XdsService() {
  connections_.close_all();
}

void XdsService::accept(int fd, const net::Address& peer) {
  http::Arrival arrival;
  arrival.socket = {fd};
  arrival.id = ++ids_;
  arrival.peer = peer;
  if (connections_.size() >= kMaxConnections) {
    log_.warning(Component::kConfig, "a connection is refused: ", kMaxConnections, " are open");
    close(fd);
    return;
  }
  connections_.add(std::make_unique<http::H2Server>(loop_, *this, options_, stats_.main_shard()))
      .start(std::move(arrival));
}

void XdsService::set_catalogue(std::shared_ptr<const xds::Catalogue> catalogue) {
  catalogue_ = std::move(catalogue);
  // Sending may end streams; what has ended is there until the end of the turn.
  const std::vector<Stream*> streams = streams_;
  for (Stream* stream : streams)
    if (!stream->over()) stream->set_catalogue(catalogue_);
}

void XdsService::shut_down() {
  draining_ = true;
  const std::vector<Stream*> streams = streams_;
  for (Stream* stream : streams)
    if (!stream->over()) stream->finish(GrpcStatus::kUnavailable, "the server is shutting down");
  connections_.drain(0);
}

std::vector<XdsStreamReport> XdsService::report() const {
  std::vector<XdsStreamReport> out;
  for (const Stream* stream : streams_) out.push_back(stream->report());
  return out;
}

std::unique_ptr<xds::Session> XdsService::make_session(std::string_view path) const {
  constexpr std::string_view kPrefix = "/envoy.service.";
  if (!path.starts_with(kPrefix)) return nullptr;
  path.remove_prefix(kPrefix.size());
  const size_t slash = path.find('/');
  if (slash == path.npos) return nullptr;
  const std::string_view method = path.substr(slash + 1);
  for (const Service& service : kServices) {
    if (path.substr(0, slash) != service.name || !method.ends_with(service.methods)) continue;
    const std::string_view kind = method.substr(0, method.size() - service.methods.size());
    if (kind == "Stream") return std::make_unique<xds::SotwSession>(catalogue_, service.only);
    if (kind == "Delta") return std::make_unique<xds::DeltaSession>(catalogue_, service.only);
  }
  return nullptr;
}

http::ServerStreamEvents& XdsService::begin_stream(http::ServerConnection& connection,
                                                   http::ServerStream& stream) {
  streams_.push_back(new Stream(*this, stream, connection.peer()));
  return *streams_.back();
}

void XdsService::abandon_stream(http::ServerStreamEvents& events) {
  remove(static_cast<Stream&>(events));
}

// Its arena holds what is still to be written: it lives to the end of the turn.
void XdsService::remove(Stream& stream) {
  std::erase(streams_, &stream);
  loop_.retire(std::unique_ptr<Stream>(&stream));
}

}  // namespace weir
