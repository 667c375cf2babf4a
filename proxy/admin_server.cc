#include "proxy/admin_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "proxy/admin/client_status.h"
#include "proxy/grpc_responder.h"

namespace weir {

// One admin request: its head is all that matters, and the answer is there at once. Or a gRPC call.
class AdminServer::Stream : public http::ServerStreamEvents {
 public:
  Stream(AdminServer& server, http::ServerStream& stream)
      : server_(server), stream_(stream), head_(arena_) {}

  http::RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override {
    if (head_.protocol == http::Protocol::kHttp2 && http::is_grpc(head_)) return begin_call(end);
    if (end) answer();
  }
  void on_bad_request(uint16_t status, std::string_view details) override {
    admin::AdminResponse response;
    response.status = status;
    response.body = std::string(details) + "\n";
    stream_.close_after_response();
    send(response);
  }
  void on_request_body(std::string_view bytes, bool end) override {
    if (!call_) return end ? answer() : void();
    call_->on_body(bytes, end);
    leave_if_over();
  }
  void on_request_trailers(http::HeaderMap& /*trailers*/) override {
    if (!call_) return answer();
    call_->on_end();
    leave_if_over();
  }
  void on_downstream_reset(http::ResetReason /*reason*/, std::string_view /*details*/) override {
    server_.finish(*this);
  }
  void on_downstream_full(bool full) override {
    if (call_) call_->on_full(full);
  }

 private:
  admin::AdminRequest request() const {
    return admin::make_admin_request(head_.method_text, head_.path, head_.authority,
                                     head_.headers.get("origin"));
  }

  void answer() { send(server_.admin_.handle(request())); }

  void begin_call(bool end) {
    const bool unary = head_.path == admin::kFetchClientStatus;
    call_.emplace(server_.loop_, stream_, arena_, unary, [this](std::string_view message) {
      return server_.admin_.client_status(request(), message);
    });
    if (!unary && head_.path != admin::kStreamClientStatus) {
      call_->finish(http::GrpcStatus::kUnimplemented,
                    "here is envoy.service.status.v3.ClientStatusDiscoveryService alone");
    } else if (end) {
      call_->on_end();
    }
    leave_if_over();
  }
  void leave_if_over() {
    if (call_->over()) server_.finish(*this);
  }

  void send(const admin::AdminResponse& response) {
    http::ResponseHead head(arena_);
    head.status = response.status;
    head.content_length = static_cast<int64_t>(response.body.size());
    // HTTP/2 reads the head when it is flushed.
    head.headers.add("content-type", arena_.copy(response.content_type));
    head.headers.add("content-length", "");
    head.headers.add("cache-control", "no-cache, max-age=0");
    head.headers.add("x-content-type-options", "nosniff");
    if (!response.allow.empty()) head.headers.add("allow", arena_.copy(response.allow));
    const bool empty = response.body.empty();
    stream_.send_head(head, empty);
    if (!empty) stream_.send_body(arena_.copy(response.body), true);
    server_.finish(*this);
  }

  AdminServer& server_;
  http::ServerStream& stream_;
  Arena arena_;
  http::RequestHead head_;
  std::optional<GrpcResponder> call_;
};

AdminServer::AdminServer(net::Loop& loop, int listening, admin::AdminHooks hooks)
    : loop_(loop), admin_(std::move(hooks)), listening_(listening) {
  options_.send_date = false;
  options_.idle_timeout_ms = 60'000;
  options_.request_headers_timeout_ms = 10'000;
  options_.detect_http2 = true;
  h2_options_.send_date = false;
  h2_options_.idle_timeout_ms = options_.idle_timeout_ms;
  h2_options_.request_headers_timeout_ms = options_.request_headers_timeout_ms;
  watch_.start_level(loop_, listening_, *this);
}

AdminServer::~AdminServer() {
  watch_.stop();
  close(listening_);
  connections_.close_all();
}

void AdminServer::on_ready(uint8_t /*ready*/) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  const int fd = accept4(listening_, reinterpret_cast<sockaddr*>(&address), &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (connections_.size() >= kMaxConnections) {
    close(fd);
    return;
  }
  http::Arrival arrival;
  arrival.socket = {fd};
  arrival.id = ++ids_;
  arrival.peer = net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
  connections_.add(std::make_unique<http::H1Server>(loop_, *this, options_))
      .start(std::move(arrival));
}

void AdminServer::on_http2_preface(http::ServerConnection& connection, std::string_view bytes) {
  http::Arrival arrival = connection.give_up_socket();
  connections_.retire(connection);
  arrival.received = bytes;
  connections_
      .add(std::make_unique<http::H2Server>(loop_, *this, h2_options_, h2_stats_.main_shard()))
      .start(std::move(arrival));
}

http::ServerStreamEvents& AdminServer::begin_stream(http::ServerConnection& /*connection*/,
                                                    http::ServerStream& stream) {
  return *new Stream(*this, stream);
}

void AdminServer::abandon_stream(http::ServerStreamEvents& events) {
  finish(static_cast<Stream&>(events));
}

// Its arena holds what is still to be written: it lives to the end of the turn.
void AdminServer::finish(Stream& stream) {
  loop_.retire(std::unique_ptr<Stream>(&stream));
}

void AdminServer::on_closed(http::ServerConnection& connection) {
  connections_.retire(connection);
}

}  // namespace weir
