#include "proxy/request_headers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "proxy/base/uuid.h"
#include "proxy/client_cert.h"
#include "proxy/http/grpc.h"
#include "proxy/http/host.h"
#include "proxy/http/path.h"
#include "proxy/request.h"
#include "proxy/upstream_policy.h"
#include "proxy/worker.h"

namespace weir {
namespace {

using http::HeaderMap;
using http::Known;
using http::LocalReply;
using http::RequestHead;

bool refuse(LocalReply& refusal, uint16_t status, std::string_view details) {
  refusal.status = status;
  refusal.body = http::reason_phrase(status);
  refusal.details = details;
  return false;
}

std::string_view number(Arena& arena, int64_t value) {
  static constexpr char kDigits[] = "0123456789";
  if (value >= 0 && value < 10) return {kDigits + value, 1};  // most times that are told
  char* text = arena.text(24);
  return {text, static_cast<size_t>(std::to_chars(text, text + 24, value).ptr - text)};
}

// Names that an option of Connection must not take away: the proxy's own, and those that decide
// where and as whom a request goes.
bool is_protected(std::string_view name) {
  return name.starts_with("x-forwarded-") || name.starts_with("x-envoy-") || name == "host" ||
         name == "x-request-id" || name == "content-length" || name == "authorization" ||
         name == "cookie" || name == "content-type" || name == "via" || name == "forwarded";
}

constexpr std::array kHopByHop = {
    Known::kKeepAlive, Known::kProxyConnection, Known::kTransferEncoding,  Known::kTe,
    Known::kUpgrade,   Known::kHttp2Settings,   Known::kProxyAuthorization};
constexpr uint64_t kHopByHopBits = std::apply(
    [](auto... names) { return http::known_bits(Known::kConnection, names...); }, kHopByHop);

// Takes away what one Connection line names.
void drop_options(HeaderMap& headers, std::string_view list) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    char few[64];
    const std::string_view token = http::trim(list.substr(0, comma));
    char* const name = token.size() <= sizeof(few) ? few : headers.arena().text(token.size());
    for (size_t i = 0; i < token.size(); ++i)
      name[i] = token[i] >= 'A' && token[i] <= 'Z' ? static_cast<char>(token[i] + 32) : token[i];
    const std::string_view lower(name, token.size());
    if (!is_protected(lower)) headers.remove(lower);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// Removes what belongs to the client's connection alone (RFC 9110 7.6.1). Several lines are one
// list (5.3).
void drop_hop_by_hop(HeaderMap& headers) {
  if (!headers.may_have(kHopByHopBits)) return;
  if (headers.has(Known::kConnection))
    headers.for_each([&](http::Header& line) {
      if (line.known != Known::kConnection) return;
      const std::string_view list = line.value;
      headers.remove(line);
      drop_options(headers, list);
    });
  for (Known known : kHopByHop)
    if (headers.has(known)) headers.remove(known);
}

// That trailers are welcome is true of the next hop as well: HTTP/2 says so (and gRPC's servers
// insist on it), HTTP/1's writer leaves the line out.
void drop_hop_by_hop_of_request(HeaderMap& headers) {
  if (!headers.may_have(kHopByHopBits)) return;
  const bool trailers = http::list_has_token(headers.get(Known::kTe), "trailers");
  drop_hop_by_hop(headers);
  if (trailers) headers.add(Known::kTe, "trailers");
}

// x_forwarded_for and its like: some servers read them as the header with dashes.
bool is_trusted_alias(std::string_view name) {
  char dashed[16];
  const size_t n = name.size() < sizeof(dashed) ? name.size() : sizeof(dashed);
  for (size_t i = 0; i < n; ++i) dashed[i] = name[i] == '_' ? '-' : name[i];
  const std::string_view text(dashed, n);
  return text.starts_with("x-forwarded-") || text.starts_with("x-envoy-") ||
         text.starts_with("x-real-ip") || text == "forwarded" || text.starts_with("x-request-id");
}

bool check_underscores(const HcmConfig& hcm, RequestHead& head, LocalReply& refusal) {
  bool rejected = false;
  head.headers.for_each([&](http::Header& line) {
    if (line.known != Known::kNone || line.name.find('_') == std::string_view::npos) return;
    if (hcm.underscores == HcmConfig::Underscores::kReject) rejected = true;
    if (hcm.underscores == HcmConfig::Underscores::kDrop || is_trusted_alias(line.name))
      head.headers.remove(line);
  });
  return !rejected || refuse(refusal, 400, "http1.unexpected_underscore");
}

// "a.example." and "a.example.:80" without the dot.
void strip_host_dot(RequestHead& head) {
  const std::string_view name = http::host_without_port(head.authority);
  if (name.size() < 2 || !name.ends_with('.')) return;
  const std::string_view port = head.authority.substr(name.size());
  head.authority = port.empty()
                       ? name.substr(0, name.size() - 1)
                       : head.headers.arena().concat({name.substr(0, name.size() - 1), port});
}

bool check_host(const HcmConfig& hcm, RequestHead& head, LocalReply& refusal) {
  if (head.authority.empty()) return refuse(refusal, 400, "http1.missing_host");
  if (!http::valid_host(head.authority)) return refuse(refusal, 400, "http1.invalid_host");
  if (hcm.strip_any_host_port && head.method != http::Method::kConnect) {
    head.authority = http::host_without_port(head.authority);
  } else if (hcm.strip_matching_host_port &&
             http::port_of_host(head.authority) == hcm.strip_matching_host_port) {
    head.authority = http::host_without_port(head.authority);
  }
  if (hcm.strip_trailing_host_dot) strip_host_dot(head);
  return true;
}

bool check_path(Request& request, RequestHead& head, LocalReply& refusal) {
  if (head.method == http::Method::kConnect && head.path.empty()) return true;
  std::string_view path;
  switch (http::canonicalize(head.path, request.hcm().path, request.arena(), path)) {
    case http::PathVerdict::kUnchanged:
      return true;
    case http::PathVerdict::kChanged:
      head.path = path;
      return true;
    case http::PathVerdict::kReject:
      return refuse(refusal, 400, "path_normalization_failed");
    case http::PathVerdict::kRedirect:
      request.worker().stats().inc(request.hcm().stats.rq_redirected_with_normalized_path);
      refuse(refusal, 307, "path_normalization_failed");
      refusal.body = {};
      // Two slashes would lead to another host (RFC 3986 4.2).
      if (path.starts_with("//")) path = request.arena().concat({"/.", path});
      refusal.headers = {{"location", path}};
      return false;
  }
  return true;
}

bool in_cidr(const net::Address& address, const HcmConfig::Cidr& cidr) {
  if (address.family() != cidr.address.family()) return false;
  const uint32_t bytes = cidr.bits / 8;
  if (std::memcmp(address.ip_bytes(), cidr.address.ip_bytes(), bytes) != 0) return false;
  const uint32_t rest = cidr.bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((address.ip_bytes()[bytes] ^ cidr.address.ip_bytes()[bytes]) & mask) == 0;
}

// Only what the config calls internal is: a private address is not trust.
bool is_internal(const HcmConfig& hcm, const net::Address& address) {
  if (address.family() == net::Address::Family::kUnix) return hcm.internal_unix_sockets;
  for (const HcmConfig::Cidr& cidr : hcm.internal_cidrs)
    if (in_cidr(address, cidr)) return true;
  return false;
}

// The `hops`-th address from the right of x-forwarded-for, 0 being the last.
bool address_in_xff(std::string_view list, uint32_t hops, net::Address& out) {
  for (;;) {
    const size_t comma = list.rfind(',');
    const std::string_view entry =
        http::trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
    if (hops == 0) {
      Result<net::Address> parsed = net::Address::ip(entry, 0);
      if (!parsed) return false;
      out = parsed.take();
      return true;
    }
    if (comma == std::string_view::npos) return false;
    list = list.substr(0, comma);
    --hops;
  }
}

void append_forwarded_for(Request& request, HeaderMap& headers, const net::Address& peer) {
  if (!peer.is_ip()) return;
  char text[net::Address::kMaxTextBytes];
  const std::string_view ip(text, peer.write_ip_text(text));
  bool present = false;
  const std::string_view old = headers.joined("x-forwarded-for", present);
  headers.set(Known::kForwardedFor,
              old.empty() ? request.arena().copy(ip) : request.arena().concat({old, ",", ip}));
}

// Who the client is, and what the headers say of it. True: it is internal, which nobody is who came
// through other proxies.
bool note_client(Request& request, RequestHead& head, net::Address& client) {
  const HcmConfig& hcm = request.hcm();
  http::StreamInfo& info = request.info();
  HeaderMap& headers = head.headers;
  const net::Address& peer = *info.downstream_remote;
  // The client's own word for it does not count.
  const std::string_view scheme = info.tls != nullptr ? "https" : "http";
  const uint32_t hops = hcm.xff_num_trusted_hops;
  bool present = headers.has(Known::kForwardedFor);
  if (!hcm.use_remote_address) {
    if (!headers.has(Known::kForwardedProto)) headers.add(Known::kForwardedProto, scheme);
    if (!present) return false;
    const std::string_view way = headers.joined("x-forwarded-for", present);
    if (!address_in_xff(way, hops, client)) return false;
    info.downstream_remote = &client;
    return way.find(',') == std::string_view::npos && is_internal(hcm, client);
  }
  if (hops > 0 && present &&
      address_in_xff(headers.joined("x-forwarded-for", present), hops - 1, client))
    info.downstream_remote = &client;
  if (!hcm.skip_xff_append) append_forwarded_for(request, headers, peer);
  if (hcm.append_forwarded_port && (hops == 0 || !headers.has(Known::kForwardedPort)))
    headers.set(Known::kForwardedPort, number(request.arena(), info.downstream_local->port()));
  if (hops == 0 || !headers.has(Known::kForwardedProto))
    headers.set(Known::kForwardedProto, scheme);
  return !present && is_internal(hcm, peer);
}

// As x-forwarded-proto has it by now: what this connection is, or what a proxy in front is trusted
// to say.
std::string_view scheme_of(const HeaderMap& headers) {
  return headers.get(Known::kForwardedProto) == "https" ? "https" : "http";
}

// Wishes of how a request is to be treated.
constexpr std::string_view kWishes[] = {"x-envoy-expected-rq-timeout-ms",
                                        "x-envoy-force-trace",
                                        "x-envoy-hedge-on-per-try-timeout",
                                        "x-envoy-internal",
                                        "x-envoy-ip-tags",
                                        "x-envoy-max-retries",
                                        "x-envoy-original-url",
                                        "x-envoy-retriable-header-names",
                                        "x-envoy-retriable-status-codes",
                                        "x-envoy-retry-grpc-on",
                                        "x-envoy-retry-on",
                                        "x-envoy-upstream-alt-stat-name",
                                        "x-envoy-upstream-rq-per-try-timeout-ms",
                                        "x-envoy-upstream-rq-timeout-alt-response",
                                        "x-envoy-upstream-rq-timeout-ms",
                                        upstream::kOriginalDstHeader};

// Headers by which one proxy speaks to another: from outside they are somebody's wishes. Behind the
// edge, what they say of the request's way so far is passed on. A wish for a destination is kept
// for the clusters that are told to grant it.
void drop_untrusted(Request& request, HeaderMap& headers, bool edge) {
  headers.for_each([&](http::Header& line) {
    if (!line.name.starts_with("x-envoy-")) return;
    if (!edge && std::find(std::begin(kWishes), std::end(kWishes), line.name) == std::end(kWishes))
      return;
    if (line.name == upstream::kOriginalDstHeader) request.wish_for_destination(line.value);
    headers.remove(line);
  });
}

void add_request_id(Request& request, HeaderMap& headers, bool edge) {
  const HcmConfig& hcm = request.hcm();
  if (hcm.generate_request_id &&
      (!headers.has(Known::kRequestId) || (edge && !hcm.preserve_external_request_id))) {
    char* text = request.arena().text(36);
    write_uuid4(request.worker().loop().random(), request.worker().loop().random(), text);
    headers.set(Known::kRequestId, {text, 36});
  }
  request.info().request_id = headers.get(Known::kRequestId);
}

void append_via(Request& request, HeaderMap& headers) {
  const std::string_view via = request.hcm().via;
  bool present = false;
  const std::string_view old = headers.joined("via", present);
  headers.set(Known::kVia, old.empty() ? via : request.arena().concat({old, ", ", via}));
}

http::FormatInput format_input(Request& request, const http::ResponseHead* response) {
  http::FormatInput input;
  input.request = &request.head();
  input.response = response;
  input.info = &request.info();
  return input;
}

}  // namespace

bool make_canonical(Request& request, net::Address& client, LocalReply& refusal) {
  const HcmConfig& hcm = request.hcm();
  RequestHead& head = request.head();
  if (!hcm.scheme_to_overwrite.empty()) head.scheme = hcm.scheme_to_overwrite;
  if (!check_host(hcm, head, refusal) || !check_path(request, head, refusal)) return false;
  drop_hop_by_hop_of_request(head.headers);
  if (!check_underscores(hcm, head, refusal)) return false;
  note_client_cert(request);
  const bool internal = note_client(request, head, client);
  if (head.scheme.empty()) head.scheme = scheme_of(head.headers);
  const bool edge = hcm.use_remote_address && !internal;
  if (!internal) drop_untrusted(request, head.headers, edge);
  if (edge && request.info().downstream_remote->is_ip()) {
    char text[net::Address::kMaxTextBytes];
    const size_t n = request.info().downstream_remote->write_ip_text(text);
    head.headers.set(Known::kEnvoyExternalAddress, request.arena().copy({text, n}));
  }
  if (internal) head.headers.set(Known::kEnvoyInternal, "true");
  add_request_id(request, head.headers, edge);
  if (!hcm.via.empty()) append_via(request, head.headers);
  return true;
}

void tell_timeout(Request& request, const http::ForwardAction& action, const UpstreamPolicy& policy,
                  int64_t elapsed_ms) {
  int64_t expected_ms = policy.per_try_timeout_ms;
  if (expected_ms == 0) expected_ms = policy.timeout_ms;
  if (expected_ms == 0) return;
  // Nothing left would read as no limit.
  if (policy.timeout_ms > 0)
    expected_ms = std::max<int64_t>(1, std::min(expected_ms, policy.timeout_ms - elapsed_ms));
  HeaderMap& headers = request.head().headers;
  if (!request.hcm().suppress_envoy_headers && !policy.expected_timeout_stays)
    headers.set(Known::kEnvoyExpectedRqTimeoutMs, request.timeout_text(expected_ms));
  const http::GrpcTimeout* config = action.grpc_timeout.get();
  if (config != nullptr && !config->of_stream && request.is_grpc())
    headers.set(Known::kGrpcTimeout, http::format_grpc_timeout(expected_ms, request.arena()));
}

void finish_request_headers(Request& request, const http::WeightedCluster* weighted) {
  http::change_request_headers(*request.route(), weighted, request.head(),
                               format_input(request, nullptr));
}

void note_attempt(Request& request) {
  if (!request.route()->host->include_attempt_count_in_request) return;
  request.head().headers.set(Known::kEnvoyAttemptCount,
                             number(request.arena(), request.info().attempts));
}

void finish_upstream_response(Request& request, const http::WeightedCluster* weighted,
                              int64_t sent_ms) {
  http::ResponseHead& response = request.response();
  const http::Route& route = *request.route();
  drop_hop_by_hop_of_response(response);
  if (!request.hcm().suppress_envoy_headers) {
    const int64_t took = request.worker().loop().now_ms() - sent_ms;
    response.headers.set(Known::kEnvoyUpstreamServiceTime, number(request.arena(), took));
  }
  if (route.host->include_attempt_count_in_response)
    response.headers.set(Known::kEnvoyAttemptCount,
                         number(request.arena(), request.info().attempts));
  http::change_response_headers(route, weighted, response.headers,
                                format_input(request, &response));
}

void drop_hop_by_hop_of_response(http::ResponseHead& response) {
  HeaderMap& headers = response.headers;
  // 101 carries Upgrade as part of its meaning; the codec writes it.
  const http::Header* upgrade = response.status == 101 ? headers.find(Known::kUpgrade) : nullptr;
  const std::string_view to = upgrade != nullptr ? upgrade->value : std::string_view();
  drop_hop_by_hop(headers);
  if (!to.empty()) headers.add(Known::kUpgrade, to);
}

void finish_response_headers(Request& request, http::ResponseHead& response, bool local) {
  const HcmConfig& hcm = request.hcm();
  HeaderMap& headers = response.headers;
  switch (hcm.server_header) {
    case HcmConfig::ServerHeader::kOverwrite:
      headers.set(Known::kServer, hcm.server_name);
      break;
    case HcmConfig::ServerHeader::kAppendIfAbsent:
      if (!headers.has(Known::kServer)) headers.add(Known::kServer, hcm.server_name);
      break;
    case HcmConfig::ServerHeader::kPassThrough:
      break;
  }
  if (!hcm.via.empty()) append_via(request, headers);
  if (hcm.always_set_request_id_in_response && !request.info().request_id.empty())
    headers.set(Known::kRequestId, request.info().request_id);
  const http::Route* route = request.route();
  if (local && route != nullptr && request.info().attempts > 0 &&
      route->host->include_attempt_count_in_response)
    headers.set(Known::kEnvoyAttemptCount, number(request.arena(), request.info().attempts));
  const bool by_route =
      local && route != nullptr && !std::holds_alternative<http::ForwardAction>(route->action);
  if (by_route)
    http::change_response_headers(*route, nullptr, headers, format_input(request, &response));
}

}  // namespace weir
