#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/upstream/probe_link.h"

namespace weir::upstream {

// A check that is one request and its response. Main thread.
class ExchangeProbe : public HealthProbe,
                      private ProbeLink::Owner,
                      private http::ClientStreamEvents {
 public:
  ExchangeProbe(const ProbeNeeds& needs, ProbeEvents& events)
      : needs_(needs), events_(events), link_(needs, *this) {}
  ~ExchangeProbe() override;

  void start(const ProbeTarget& target) override;
  void abandon() override;

 protected:
  struct Verdict {
    CheckResult result = CheckResult::kFailed;
    bool excludes = false;
  };
  const HealthCheckConfig& check() const { return *needs_.cluster->health_check; }
  const ProbeNeeds& needs() const { return needs_; }

  // `head` has its host, its scheme and what every check says of itself.
  virtual void write_head(http::RequestHead& head, Arena& arena) = 0;
  virtual std::string_view request_body() const = 0;
  // How much of the response's body is kept to be judged.
  virtual size_t body_limit() const = 0;
  // `trailers` is null when there were none.
  virtual Verdict judge(const http::ResponseHead& head, std::string_view body,
                        const http::HeaderMap* trailers) = 0;

 private:
  // ProbeLink::Owner
  void on_link(http::ClientStream& stream) override;
  void on_no_link() override;
  // ClientStreamEvents
  http::ResponseHead& fresh_response_head() override;
  Arena& trailer_arena() override { return exchange_->arena; }
  void on_informational() override {}
  void on_response_head(bool end) override;
  void on_response_body(std::string_view bytes, bool end) override;
  void on_response_trailers(http::HeaderMap& trailers) override;
  void on_stream_over() override { stream_ = nullptr; }
  void on_upstream_reset(http::ResetReason reason, std::string_view details) override;
  void on_upstream_full(bool /*full*/) override {}

  // Memory that is needed while a check is under way, and no longer.
  struct Exchange {
    Arena arena;
    http::RequestHead head{arena};
    http::ResponseHead response{arena};
    std::string body;
  };

  void complete(const http::HeaderMap* trailers);
  void finish(const Verdict& verdict);

  const ProbeNeeds needs_;
  ProbeEvents& events_;
  ProbeTarget target_;
  std::unique_ptr<Exchange> exchange_;  // null between checks
  http::ClientStream* stream_ = nullptr;
  ProbeLink link_;
};

// http_health_check.
class HttpProbe final : public ExchangeProbe {
 public:
  using ExchangeProbe::ExchangeProbe;

 private:
  void write_head(http::RequestHead& head, Arena& arena) override;
  std::string_view request_body() const override { return check().send; }
  size_t body_limit() const override;
  Verdict judge(const http::ResponseHead& head, std::string_view body,
                const http::HeaderMap* trailers) override;
};

// grpc_health_check: grpc.health.v1.Health/Check.
class GrpcProbe final : public ExchangeProbe {
 public:
  GrpcProbe(const ProbeNeeds& needs, ProbeEvents& events);

 private:
  void write_head(http::RequestHead& head, Arena& arena) override;
  std::string_view request_body() const override { return request_; }
  size_t body_limit() const override { return 4096; }
  Verdict judge(const http::ResponseHead& head, std::string_view body,
                const http::HeaderMap* trailers) override;

  std::string request_;  // framed
};

}  // namespace weir::upstream
