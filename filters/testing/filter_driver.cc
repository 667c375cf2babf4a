#include "filters/testing/filter_driver.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "config/proto_loader.h"
#include "config/read_yaml.h"
#include "config/validation.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"

namespace weir::filters {
namespace {

constexpr std::string_view kFilterName = "under_test";

void add_lines(const HeaderLines& lines, http::HeaderMap& to) {
  for (const auto& [name, value] : lines) to.add(to.arena().copy(name), to.arena().copy(value));
}

HeaderLines lines_of(const http::HeaderMap& headers) {
  HeaderLines lines;
  headers.for_each([&](const http::Header& line) { lines.emplace_back(line.name, line.value); });
  return lines;
}

std::unique_ptr<google::protobuf::Message> new_message(std::string_view name) {
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(name));
  if (descriptor == nullptr) return nullptr;
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  return std::unique_ptr<google::protobuf::Message>(factory->GetPrototype(descriptor)->New());
}

}  // namespace

// One request's state. The chain is destroyed before the arena that its filters live in.
struct FilterDriver::Exchange {
  Exchange(FilterDriver& driver, net::Loop& loop)
      : request(arena), response(arena), trailers(arena), chain(driver, loop.blocks()) {}
  Arena arena;
  http::RequestHead request;
  http::ResponseHead response;
  http::HeaderMap trailers;  // of the response
  http::StreamInfo info;
  Outcome outcome;
  http::FilterChain chain;
};

std::optional<std::string> value_of(const HeaderLines& lines, std::string_view name) {
  for (const auto& [key, value] : lines)
    if (key == name) return value;
  return std::nullopt;
}

std::unique_ptr<http::FilterConfig> FilterDriver::compile(std::string_view yaml,
                                                          std::string_view message_name,
                                                          http::FilterType::Compile compile_it) {
  const auto message = new_message(message_name);
  const config::Source& source = diagnostics_.add_source("filter.yaml", std::string(yaml));
  const auto tree = config::read_yaml(source, {}, diagnostics_);
  if (message == nullptr || tree == nullptr) return nullptr;
  const auto path = config::FieldPath::root();
  config::ProtoLoader(source, {}, diagnostics_).load(tree->root(), path, *message);
  config::Validator().check(*message, path, diagnostics_);
  if (diagnostics_.has_errors()) return nullptr;
  const http::FilterBuild build{.diagnostics = diagnostics_,
                                .path = path,
                                .stats = registry_,
                                .stat_prefix = "http.test.",
                                .health_check_failing = &failing_,
                                .kept = &kept_,
                                .runtime = runtime_,
                                .service_cluster = "here",
                                .use_secret = [this](const auto& wanted, const auto&, auto take) {
                                  secret_users_.emplace(wanted.name(), std::move(take));
                                  return std::make_shared<const int>();
                                }};
  return compile_it(*message, build);
}

Result<void> FilterDriver::tell_secret(const std::string& name, std::string_view text) {
  const auto [first, last] = secret_users_.equal_range(name);
  for (auto user = first; user != last; ++user)
    if (Result<void> taken = user->second(text); !taken) return taken;
  return {};
}

bool FilterDriver::configure(std::string_view yaml) {
  std::shared_ptr<const http::FilterConfig> config = compile(yaml, type_.message, type_.compile);
  if (config == nullptr) return false;
  filters_ = {{.name = std::string(kFilterName), .config = std::move(config)}};
  return true;
}

bool FilterDriver::configure_route(std::string_view yaml) {
  std::shared_ptr<const http::FilterConfig> config =
      compile(yaml, type_.route_message, type_.compile_route);
  if (config == nullptr) return false;
  http::RouteFilters& level = route_filters_[route_.filters.size()];
  level.push_back({.name = std::string(kFilterName), .config = std::move(config)});
  route_.filters.push_back(&level);
  return true;
}

std::string FilterDriver::errors() const {
  std::string text;
  for (const config::Diagnostic& item : diagnostics_.items())
    text += item.field_path + ": " + item.message + "\n";
  return text;
}

Outcome FilterDriver::run(const FakeRequest& request, const FakeResponse& response) {
  Exchange exchange(*this, loop_);
  now_ = &exchange;
  exchange.info.downstream_remote = &remote_;
  exchange.info.connection_id = connection_id_;
  exchange.info.cluster = request.cluster;
  exchange.info.cluster_alias = request.cluster_alias;
  feed_request(request);
  if (!exchange.outcome.answered()) feed_response(response);
  exchange.info.status = exchange.response.status;
  exchange.chain.finish();
  exchange.outcome.health_check = exchange.info.health_check;
  now_ = nullptr;
  return std::move(exchange.outcome);
}

void FilterDriver::feed_request(const FakeRequest& request) {
  http::RequestHead& head = now_->request;
  head.method_text = now_->arena.copy(request.method);
  head.method = http::method_of(head.method_text);
  head.path = now_->arena.copy(request.path);
  head.authority = now_->arena.copy(request.authority);
  head.scheme = "http";
  head.protocol = request.protocol;
  add_lines(request.headers, head.headers);
  now_->chain.start({.filters = filters_,
                     .route = &route_,
                     .request = head,
                     .info = now_->info,
                     .loop = loop_,
                     .stats = shard_,
                     .worker = 0,
                     .buffer_limit = 1024 * 1024});
  const bool has_trailers = request.trailers.has_value();
  now_->chain.request_head(request.body.empty() && !has_trailers);
  for (size_t i = 0; i < request.body.size() && !now_->outcome.answered(); ++i)
    now_->chain.request_body(request.body[i], i + 1 == request.body.size() && !has_trailers);
  if (!has_trailers || now_->outcome.answered()) return;
  http::HeaderMap trailers(now_->arena);
  add_lines(*request.trailers, trailers);
  now_->chain.request_trailers(trailers);
}

void FilterDriver::feed_response(const FakeResponse& response) {
  http::ResponseHead& head = now_->response;
  head.clear();
  head.status = response.status;
  add_lines(response.headers, head.headers);
  const bool has_trailers = response.trailers.has_value();
  now_->chain.response_head(head, response.body.empty() && !has_trailers && !response.breaks_off);
  feed_response_body(response);
  if (response.breaks_off && !now_->outcome.response_ended && !now_->outcome.broken_off)
    return respond({.status = 502, .body = "broken off", .details = "upstream_broke_off"});
  if (!has_trailers || now_->outcome.response_ended) return;
  http::HeaderMap& trailers = now_->trailers;
  add_lines(*response.trailers, trailers);
  now_->chain.response_trailers(trailers);
}

// Who runs a chain stops when the client has got the end, or nothing more will come of it.
void FilterDriver::feed_response_body(const FakeResponse& response) {
  const auto feed = [&](const std::string& piece, bool last) {
    if (now_->outcome.response_ended || now_->outcome.broken_off) return;
    const bool end = last && !response.trailers.has_value() && !response.breaks_off;
    now_->chain.response_body(piece, end);
  };
  if (!response.body.empty()) feed(response.body, response.more_body.empty());
  for (const std::string& piece : response.more_body)
    feed(piece, &piece == &response.more_body.back());
}

void FilterDriver::request_head_passed(bool end) {
  Outcome& out = now_->outcome;
  out.head_passed = true;
  out.route_stale = now_->chain.route_stale();
  out.request_ended = end;
  out.method = now_->request.method_text;
  out.path = now_->request.path;
  out.authority = now_->request.authority;
  out.request_headers = lines_of(now_->request.headers);
}

void FilterDriver::request_body_passed(std::string_view bytes, bool end) {
  now_->outcome.request_body += bytes;
  now_->outcome.request_ended = end;
}

void FilterDriver::request_trailers_passed(http::HeaderMap& trailers) {
  now_->outcome.request_trailers = lines_of(trailers);
  now_->outcome.request_ended = true;
}

void FilterDriver::response_head_passed(bool end) {
  now_->outcome.response_ended = end;
  now_->outcome.status = now_->response.status;
  now_->outcome.response_headers = lines_of(now_->response.headers);
}

void FilterDriver::response_body_passed(std::string_view bytes, bool end) {
  now_->outcome.response_body += bytes;
  now_->outcome.response_ended = end;
}

void FilterDriver::response_trailers_passed(http::HeaderMap& trailers) {
  now_->outcome.response_trailers = lines_of(trailers);
  now_->outcome.response_ended = true;
}

void FilterDriver::respond(const http::LocalReply& reply) {
  now_->outcome.details = reply.details;
  now_->outcome.content_type = reply.content_type;
  now_->outcome.flags = reply.flags;
  now_->info.flags |= reply.flags;
  now_->chain.stop_request();
  if (now_->outcome.status != 0) {
    now_->outcome.broken_off = true;
    return now_->chain.stop();
  }
  FakeResponse answer{.status = reply.status, .body = std::string(reply.body)};
  for (const auto& [name, value] : reply.headers) answer.headers.emplace_back(name, value);
  feed_response(answer);
}

}  // namespace weir::filters
