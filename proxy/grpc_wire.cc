#include "proxy/grpc_wire.h"

#include <optional>
#include <utility>

#include "proxy/upstream/grpc_client.h"

namespace weir {
namespace {

// As people read it: "UNAVAILABLE: no healthy upstream".
std::string reason_of(const upstream::GrpcOutcome& outcome) {
  if (outcome.ok()) return "the server ended the stream";
  std::string out = "gRPC status " + std::to_string(outcome.code);
  if (!outcome.message.empty()) out += ": " + outcome.message;
  return out;
}

}  // namespace

class GrpcWire::OpenStream : public xds::Stream,
                             private upstream::GrpcStreamEvents,
                             private net::Timer::Owner {
 public:
  OpenStream(GrpcWire& wire, xds::StreamEvents& events)
      : wire_(wire), events_(events), timer_(*this) {}

  void start(upstream::WorkerCluster* cluster, std::string_view service, std::string_view method) {
    if (cluster == nullptr) {
      timer_.set(wire_.loop_.timers(), wire_.loop_.now_ms());
      return;
    }
    upstream::GrpcStreamEvents& told = *this;
    stream_.emplace(*cluster, wire_.loop_, told);
    upstream::GrpcMethod call = wire_.service_.method(service, method);
    call.timeout_ms = 0;  // a stream has no end
    stream_->start(call);
  }

  void send(std::string_view message) override {
    if (stream_) stream_->send(message, false);
  }
  bool full() const override { return stream_ && stream_->full(); }

 private:
  void on_message(std::string_view message) override { events_.on_message(message); }
  void on_closed(const upstream::GrpcOutcome& outcome, const http::HeaderMap*) override {
    events_.on_closed(reason_of(outcome));
  }
  void on_timer(net::Timer& /*timer*/) override {
    events_.on_closed("there is no cluster '" + wire_.service_.cluster + "' at present");
  }

  GrpcWire& wire_;
  xds::StreamEvents& events_;
  net::Timer timer_;
  std::optional<upstream::GrpcStream> stream_;  // empty: there is no cluster
};

std::unique_ptr<xds::Stream> GrpcWire::open(std::string_view service, std::string_view method,
                                            xds::StreamEvents& events) {
  auto stream = std::make_unique<OpenStream>(*this, events);
  stream->start(find_(service_.cluster), service, method);
  return stream;
}

}  // namespace weir
