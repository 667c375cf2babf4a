#include "proxy/listener_compile.h"

#include <google/protobuf/any.pb.h>

#include <unordered_map>

#include "config/message_hash.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "proxy/base/hash.h"
#include "proxy/http/compile_duration.h"
#include "proxy/listener_filter_compile.h"
#include "proxy/stats/clean_name.h"
#include "proxy/tls/transport_socket.h"

namespace weir {
namespace {

namespace listenerv3 = envoy::config::listener::v3;
namespace corev3 = envoy::config::core::v3;
using config::Code;
using config::FieldPath;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;

bool read_address(const corev3::Address& in, const FieldPath& path,
                  config::Diagnostics& diagnostics, ListenerConfig& out) {
  Result<net::Address> address = Error{"bad-address", "the listener has no address"};
  if (in.has_pipe()) {
    address = net::Address::unix_path(in.pipe().path());
    out.unix_mode = in.pipe().mode();
  } else if (in.has_socket_address()) {
    const auto& socket = in.socket_address();
    address = net::Address::ip(socket.address(), static_cast<uint16_t>(socket.port_value()));
    if (socket.ipv4_compat()) out.v6_only = false;
  }
  if (!address) {
    diagnostics.error(Code::kInvalidValue, path, address.error().message);
    return false;
  }
  out.addresses.push_back(address.take());
  return true;
}

bool read_addresses(const listenerv3::Listener& in, const FieldPath& path,
                    config::Diagnostics& diagnostics, ListenerConfig& out) {
  bool fine = read_address(in.address(), path.field("address"), diagnostics, out);
  const FieldPath more = path.field("additional_addresses");
  for (int i = 0; i < in.additional_addresses_size(); ++i) {
    const FieldPath at = more.at(i);
    fine &=
        read_address(in.additional_addresses(i).address(), at.field("address"), diagnostics, out);
  }
  return fine;
}

void read_socket_options(const listenerv3::Listener& in, ListenerConfig& out) {
  for (const corev3::SocketOption& option : in.socket_options()) {
    SocketOption& made = out.socket_options.emplace_back();
    made.level = static_cast<int>(option.level());
    made.name = static_cast<int>(option.name());
    made.before_bind = option.state() == corev3::SocketOption::STATE_PREBIND;
    made.value = option.buf_value();
    if (!option.has_int_value()) continue;
    const int value = static_cast<int>(option.int_value());
    made.value.assign(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

template <class Ranges>
void read_ranges(const Ranges& in, const FieldPath& path, config::Diagnostics& diagnostics,
                 std::vector<CidrRange>& out) {
  for (int i = 0; i < in.size(); ++i) {
    Result<net::Address> address = net::Address::ip(in[i].address_prefix(), 0);
    const uint32_t most = address && address->family() == net::Address::Family::kIpv6 ? 128 : 32;
    if (!address) {
      diagnostics.error(Code::kInvalidValue, path.at(i), address.error().message);
    } else if (in[i].prefix_len().value() > most) {
      diagnostics.error(Code::kInvalidValue, path.at(i),
                        "prefix_len is at most " + std::to_string(most) + " for this address");
    } else {
      out.push_back({address.take(), in[i].prefix_len().value()});
    }
  }
}

// "*.example.com" as ".example.com", which no name is.
std::string read_server_name(std::string name, const FieldPath& path,
                             config::Diagnostics& diagnostics) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (name.starts_with("*.") && name.size() > 2) name.erase(0, 1);
  if (name.empty() || name.find('*') != std::string::npos)
    diagnostics.error(Code::kInvalidValue, path,
                      "'" + name + "' is neither a host name nor '*.' and a suffix",
                      "partial wildcards are not supported; leave server_names out to match all");
  return name;
}

ChainMatch read_match(const listenerv3::FilterChainMatch& in, const FieldPath& path,
                      config::Diagnostics& diagnostics) {
  ChainMatch out;
  if (in.has_destination_port())
    out.destination_port = static_cast<uint16_t>(in.destination_port().value());
  read_ranges(in.prefix_ranges(), path.field("prefix_ranges"), diagnostics, out.destinations);
  read_ranges(in.source_prefix_ranges(), path.field("source_prefix_ranges"), diagnostics,
              out.sources);
  out.source_type = static_cast<ChainMatch::SourceType>(in.source_type());
  for (uint32_t port : in.source_ports()) out.source_ports.push_back(static_cast<uint16_t>(port));
  read_ranges(in.direct_source_prefix_ranges(), path.field("direct_source_prefix_ranges"),
              diagnostics, out.direct_sources);
  const FieldPath names = path.field("server_names");
  for (int i = 0; i < in.server_names_size(); ++i)
    out.server_names.push_back(read_server_name(in.server_names(i), names.at(i), diagnostics));
  out.transport_protocol = in.transport_protocol();
  out.application_protocols.assign(in.application_protocols().begin(),
                                   in.application_protocols().end());
  return out;
}

bool read_app(const google::protobuf::Any& any, const FieldPath& path, const AppBuild& build,
              ChainConfig& out) {
  if (any.Is<HttpConnectionManager>()) {
    HttpConnectionManager hcm;
    any.UnpackTo(&hcm);
    auto compiled = compile_hcm(hcm, path, build);
    out.app = compiled;
    return compiled != nullptr;
  }
  if (any.Is<TcpProxy>()) {
    TcpProxy tcp;
    any.UnpackTo(&tcp);
    auto compiled = compile_tcp_proxy(tcp, path, build);
    out.app = compiled;
    return compiled != nullptr;
  }
  build.diagnostics.error(Code::kNotSupported, path, "Weir has no network filter of this type",
                          "http_connection_manager and tcp_proxy are supported");
  return false;
}

// Whether the chain has what it is to have.
bool read_transport_socket(const listenerv3::FilterChain& in, const FieldPath& path,
                           const AppBuild& build, const std::string& stat_prefix,
                           ChainConfig& out) {
  if (in.has_transport_socket_connect_timeout())
    http::compile_duration_ms(in.transport_socket_connect_timeout(),
                              path.field("transport_socket_connect_timeout"), build.diagnostics,
                              out.handshake_timeout_ms);
  if (!in.has_transport_socket()) return true;
  const size_t errors_before = build.diagnostics.error_count();
  const FieldPath at = path.field("transport_socket");
  if (build.secrets == nullptr) {
    build.diagnostics.error(Code::kNotSupported, at, "there is no TLS here");
  } else {
    out.tls = tls::compile_downstream(in.transport_socket(), at,
                                      {*build.secrets, build.diagnostics, build.stats, &build.logs},
                                      stat_prefix);
  }
  return build.diagnostics.error_count() == errors_before;
}

// Null on errors.
std::shared_ptr<const ChainConfig> read_chain(const listenerv3::FilterChain& in,
                                              const FieldPath& path, const AppBuild& listener_build,
                                              const std::string& stat_prefix) {
  auto out = std::make_shared<ChainConfig>();
  AppBuild build = listener_build;
  // The port, because a chain may strip it from hosts; the runtime, because there is one or not.
  const uint64_t around = build.listener_port + (build.runtime != nullptr ? 1u << 16 : 0u);
  out->hash = config::message_hash(in, xxhash64(stat_prefix, around));
  build.diagnostics.take_content_hash();  // of the chain before
  out->name = in.name();
  out->match =
      read_match(in.filter_chain_match(), path.field("filter_chain_match"), build.diagnostics);
  if (!read_transport_socket(in, path, build, stat_prefix, *out)) return nullptr;
  const FieldPath filters = path.field("filters");
  if (in.filters_size() != 1) {
    build.diagnostics.error(Code::kNotSupported, filters,
                            "a filter chain has exactly one network filter here",
                            "http_connection_manager or tcp_proxy");
    return nullptr;
  }
  const FieldPath filter = filters.at(0);
  if (!read_app(in.filters(0).typed_config(), filter.field("typed_config"), build, *out))
    return nullptr;
  out->hash ^= build.diagnostics.take_content_hash();
  return out;
}

void read_chains(const listenerv3::Listener& in, const FieldPath& path, const AppBuild& build,
                 const std::string& stat_prefix, ListenerConfig& out) {
  const FieldPath chains = path.field("filter_chains");
  for (int i = 0; i < in.filter_chains_size(); ++i) {
    const FieldPath at = chains.at(i);
    auto chain = read_chain(in.filter_chains(i), at, build, stat_prefix);
    if (chain == nullptr) continue;
    // One chain that takes everything needs no look-up.
    const bool takes_all = in.filter_chains_size() == 1 && !in.has_default_filter_chain() &&
                           !in.filter_chains(i).has_filter_chain_match();
    if (takes_all) {
      out.default_chain = std::move(chain);
    } else {
      out.chains.push_back(std::move(chain));
    }
  }
  if (in.has_default_filter_chain()) {
    const FieldPath at = path.field("default_filter_chain");
    out.default_chain = read_chain(in.default_filter_chain(), at, build, stat_prefix);
  }
  if (in.filter_chains_size() == 0 && !in.has_default_filter_chain())
    build.diagnostics.error(Code::kSemantic, path, "the listener has no filter chain",
                            "add filter_chains or default_filter_chain");
}

// Where a chain is as it was, the old object serves on: with its connections, its TLS tickets and
// its routes.
void keep_chains(const ListenerConfig& old, ListenerConfig& out) {
  std::unordered_map<uint64_t, std::shared_ptr<const ChainConfig>> known;
  old.each_chain([&](const auto& chain) { known[chain->hash] = chain; });
  const auto keep = [&](std::shared_ptr<const ChainConfig>& chain) {
    if (const auto found = known.find(chain->hash); found != known.end()) chain = found->second;
  };
  for (auto& chain : out.chains) keep(chain);
  if (out.default_chain != nullptr) keep(out.default_chain);
}

// Everything that is not a chain: while that stays, sockets and connections do.
uint64_t frame_hash_of(const listenerv3::Listener& in) {
  listenerv3::Listener frame = in;
  frame.clear_filter_chains();
  frame.clear_default_filter_chain();
  return config::message_hash(frame);
}

uint64_t hash_of(const ListenerConfig& listener) {
  uint64_t hash = listener.frame_hash;
  listener.each_chain([&](const auto& chain) {
    hash = xxhash64({reinterpret_cast<const char*>(&chain->hash), sizeof(chain->hash)}, hash);
  });
  return hash;
}

// Of two chains that are equally right for a connection, neither can be meant.
void check_overlaps(const FieldPath& path, config::Diagnostics& diagnostics,
                    const ListenerConfig& out) {
  const FieldPath chains = path.field("filter_chains");
  for (size_t i = 0; i < out.chains.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!out.chains[i]->match.overlaps(out.chains[j]->match)) continue;
      const FieldPath at = chains.at(static_cast<int>(i));
      const FieldPath match = at.field("filter_chain_match");
      diagnostics.error(
          Code::kSemantic, match,
          "some connections match this chain and filter_chains[" + std::to_string(j) + "] alike",
          "make one of the matches more specific");
      break;
    }
  }
}

std::string stat_prefix_of(const listenerv3::Listener& in, const ListenerConfig& out) {
  const std::string own = out.addresses[0].text();
  return "listener." + stats::clean_name(in.stat_prefix().empty() ? own : in.stat_prefix()) + ".";
}

}  // namespace

std::shared_ptr<const ListenerConfig> compile_listener(const listenerv3::Listener& in,
                                                       const FieldPath& path, const AppBuild& build,
                                                       const ListenerConfig* old) {
  const size_t errors_before = build.diagnostics.error_count();
  auto out = std::make_shared<ListenerConfig>();
  if (!read_addresses(in, path, build.diagnostics, *out)) return nullptr;
  read_socket_options(in, *out);
  out->name = in.name().empty() ? out->addresses[0].text() : in.name();
  out->frame_hash = frame_hash_of(in);
  if (in.has_per_connection_buffer_limit_bytes())
    out->buffer_limit_bytes = in.per_connection_buffer_limit_bytes().value();
  if (in.has_tcp_backlog_size()) out->backlog = in.tcp_backlog_size().value();
  out->fast_open_queue = in.tcp_fast_open_queue_length().value();
  if (in.has_enable_reuse_port()) out->reuse_port = in.enable_reuse_port().value();
  if (in.has_bind_to_port()) out->bind_to_port = in.bind_to_port().value();
  if (in.has_max_connections_to_accept_per_socket_event())
    out->max_accepts_per_event = in.max_connections_to_accept_per_socket_event().value();
  out->transparent = in.transparent().value();
  out->freebind = in.freebind().value();
  out->runtime = build.runtime;
  out->limit_key = "envoy.resource_limits.listener." + out->name + ".connection_limit";
  out->open = old != nullptr ? old->open : std::make_shared<ConnectionCount>();
  out->overload = build.overload;
  out->bypass_overload = in.bypass_overload_manager();
  out->ignore_connection_limit = in.ignore_global_conn_limit();
  out->inbound = in.traffic_direction() == corev3::INBOUND;
  if (in.drain_type() == listenerv3::Listener::DEFAULT)
    out->health_check_failing = build.health_check_failing;
  AppBuild chain_build = build;
  chain_build.listener_port = out->addresses[0].port();
  const std::string stat_prefix = stat_prefix_of(in, *out);
  out->stats = ListenerStats(build.stats, stat_prefix);
  chain_build.listener_stat_prefix = stat_prefix;
  read_chains(in, path, chain_build, stat_prefix, *out);
  // Of chains that could not be read the indices would be off.
  if (build.diagnostics.error_count() == errors_before)
    check_overlaps(path, build.diagnostics, *out);
  compile_listener_filters(in, path, build, *out);
  if (in.access_log_size() > 0)
    out->access_logs =
        http::AccessLogs::compile(in.access_log(), path.field("access_log"), build.diagnostics,
                                  build.logs, lookup_in(build.runtime));
  if (build.diagnostics.error_count() != errors_before) return nullptr;
  out->hash = hash_of(*out);
  if (old != nullptr) keep_chains(*old, *out);
  return out;
}

}  // namespace weir
