#include "proxy/upstream/exchange_probe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proxy/http/formatter.h"
#include "proxy/http/grpc.h"
#include "proxy/http/stream_info.h"

namespace weir::upstream {

using http::Known;

namespace {

// What Envoy's checks say of themselves: servers leave them out of their logs by it.
constexpr std::string_view kUserAgent = "Envoy/HC";

}  // namespace

ExchangeProbe::~ExchangeProbe() {
  abandon();
}

void ExchangeProbe::start(const ProbeTarget& target) {
  target_ = target;
  exchange_ = std::make_unique<Exchange>();
  link_.ask(target, *this);
}

void ExchangeProbe::abandon() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->reset(http::ResetReason::kLocal);
  link_.drop();
  // Whoever calls may be within the exchange.
  if (exchange_ != nullptr) needs_.loop.retire(std::move(exchange_));
}

void ExchangeProbe::on_link(http::ClientStream& stream) {
  stream_ = &stream;
  http::RequestHead& head = exchange_->head;
  head.protocol = check().http2 ? http::Protocol::kHttp2 : http::Protocol::kHttp11;
  head.scheme = probe_has_tls(*needs_.cluster, target_) ? "https" : "http";
  head.authority = target_.host;
  head.headers.add(Known::kUserAgent, kUserAgent);
  write_head(head, exchange_->arena);
  http::StreamInfo info;
  info.start_ns = needs_.loop.now_ns();
  info.start_wall_us = needs_.loop.wall_us();
  info.upstream_remote = &target_.address;
  info.cluster = needs_.cluster->name;
  check().headers.apply(head, {.request = &head, .info = &info});
  const std::string_view body = request_body();
  head.content_length = static_cast<int64_t>(body.size());
  stream.send_head(head, body.empty());
  if (!body.empty() && stream_ != nullptr) stream_->send_body(body, true);
  needs_.loop.flush();
}

void ExchangeProbe::on_no_link() {
  finish({CheckResult::kNetwork});
}

http::ResponseHead& ExchangeProbe::fresh_response_head() {
  exchange_->response.clear();
  return exchange_->response;
}

void ExchangeProbe::on_response_head(bool end) {
  if (end) complete(nullptr);
}

void ExchangeProbe::on_response_body(std::string_view bytes, bool end) {
  std::string& body = exchange_->body;
  body.append(bytes.substr(0, body_limit() - std::min(body_limit(), body.size())));
  if (end) complete(nullptr);
}

void ExchangeProbe::on_response_trailers(http::HeaderMap& trailers) {
  complete(&trailers);
}

void ExchangeProbe::complete(const http::HeaderMap* trailers) {
  stream_ = nullptr;
  const Verdict verdict = judge(exchange_->response, exchange_->body, trailers);
  if (!check().reuse_connection) link_.drop();
  finish(verdict);
}

void ExchangeProbe::on_upstream_reset(http::ResetReason /*reason*/, std::string_view /*details*/) {
  stream_ = nullptr;
  finish({CheckResult::kNetwork});
}

void ExchangeProbe::finish(const Verdict& verdict) {
  needs_.loop.retire(std::move(exchange_));
  events_.on_probed(verdict.result, verdict.excludes);
}

// ---- HTTP ----

void HttpProbe::write_head(http::RequestHead& head, Arena& /*arena*/) {
  head.method_text = check().method;
  head.method = http::method_of(check().method);
  head.path = check().path;
}

size_t HttpProbe::body_limit() const {
  if (check().receive.empty()) return 0;
  const size_t most = check().response_buffer_bytes;
  return most == 0 ? std::numeric_limits<size_t>::max() : most;
}

ExchangeProbe::Verdict HttpProbe::judge(const http::ResponseHead& head, std::string_view body,
                                        const http::HeaderMap* /*trailers*/) {
  const bool excludes = head.headers.has(Known::kEnvoyImmediateHealthCheckFail);
  if (!check().expects(head.status))
    return {check().may_retry(head.status) ? CheckResult::kRetriable : CheckResult::kFailed,
            excludes};
  if (!payload_found(check().receive, body)) return {};
  if (check().service_name) {
    needs().shard.inc(needs().verified);
    if (!check().service_name->matches(head.headers.get("x-envoy-upstream-healthchecked-cluster")))
      return {};
  }
  return {head.headers.has(Known::kEnvoyDegraded) ? CheckResult::kDegraded : CheckResult::kHealthy};
}

}  // namespace weir::upstream
