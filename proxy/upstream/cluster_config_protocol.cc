// How a cluster's endpoints are spoken to: HttpProtocolOptions, or the cluster's older fields.
#include <algorithm>
#include <string>

#include "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/http/h1_compile.h"
#include "proxy/http/h2_compile.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;

namespace {

// The name under which Envoy looks for the options.
constexpr std::string_view kOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

void read_common(ClusterBuild& build, const core::HttpProtocolOptions& options,
                 const FieldPath& path) {
  ClusterConfig& out = build.out;
  const auto read = [&](const google::protobuf::Duration& from, std::string_view field,
                        int64_t& to) {
    http::compile_duration_ms(from, path.field(field), build.diagnostics, to);
  };
  if (options.has_idle_timeout()) read(options.idle_timeout(), "idle_timeout", out.idle_timeout_ms);
  if (options.has_max_connection_duration())
    read(options.max_connection_duration(), "max_connection_duration",
         out.max_connection_duration_ms);
  if (options.has_max_stream_duration())
    read(options.max_stream_duration(), "max_stream_duration", out.max_stream_duration_ms);
  if (options.has_max_headers_count())
    out.max_response_headers_count = options.max_headers_count().value();
  if (options.has_max_requests_per_connection())
    out.max_requests_per_connection = options.max_requests_per_connection().value();
}

// Fields that are about requests from clients mean nothing here, as in Envoy.
void read_http1(ClusterBuild& build, const core::Http1ProtocolOptions& options,
                const FieldPath& path) {
  build.out.header_keys = http::compile_header_keys(options, path, build.diagnostics);
  build.out.pass_trailers = options.enable_trailers();
  if (options.allow_chunked_length())
    refuse(build.diagnostics, path.field("allow_chunked_length"), "allow_chunked_length");
  build.out.absolute_targets = options.send_fully_qualified_url();
}

void read_http2(ClusterBuild& build, const core::Http2ProtocolOptions& options,
                const FieldPath& path) {
  http::compile_http2(options, path, build.diagnostics, build.out.http2);
}

// One of the three messages that say which versions of HTTP are spoken.
template <class Message>
void read_versions(ClusterBuild& build, const Message& message, const FieldPath& path) {
  if (message.has_http2_protocol_options())
    read_http2(build, message.http2_protocol_options(), path.field("http2_protocol_options"));
  if (message.has_http3_protocol_options())
    refuse(build.diagnostics, path.field("http3_protocol_options"), "HTTP/3 to an upstream");
  read_http1(build, message.http_protocol_options(), path.field("http_protocol_options"));
}

// What the two older ways and the new one have in common.
void finish_http2(ClusterConfig& out) {
  out.http2.max_header_count = out.max_response_headers_count;
  out.http2.max_header_bytes = size_t{out.max_response_headers_kb} * 1024;
  out.http2.idle_timeout_ms = 0;  // the pool's own
  // How long an upstream may take is the route's to say.
  out.http2.stream_flush_timeout_ms = 0;
}

void check_filters(ClusterBuild& build, const HttpProtocolOptions& options, const FieldPath& path) {
  using envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
  for (int i = 0; i < options.http_filters_size(); ++i) {
    // The codec is the end of every chain of upstream filters; alone it changes nothing.
    if (options.http_filters(i).typed_config().Is<UpstreamCodec>()) continue;
    // An optional one that is not there.
    if (options.http_filters(i).is_optional() && !options.http_filters(i).has_typed_config())
      continue;
    const FieldPath at = path.field("http_filters", i);
    refuse(build.diagnostics, at.field("typed_config"), "an HTTP filter of a cluster");
  }
}

// Whether each of its connections has TLS. One that could not be read counts: its own errors are
// enough.
bool has_tls_everywhere(const ClusterBuild& build) {
  const ClusterConfig& out = build.out;
  const FieldPath socket = build.path.field("transport_socket");
  if (out.tls == nullptr && !has_error_under(build.diagnostics, socket.str())) return false;
  const FieldPath matches = build.path.field("transport_socket_matches");
  if (has_error_under(build.diagnostics, matches.str())) return true;
  return std::all_of(out.transport_matches.begin(), out.transport_matches.end(),
                     [](const auto& match) { return match.tls != nullptr; });
}

// What is agreed on is agreed on in TLS's handshake; HTTP/2 is offered whether it has options or
// not.
void choose_auto(ClusterBuild& build, const FieldPath& path) {
  build.out.versions = ClusterConfig::Versions::kAuto;
  if (has_tls_everywhere(build)) return;
  build.diagnostics.error(Code::kSemantic, path,
                          "which version is spoken is agreed on in TLS's handshake, and the "
                          "cluster has connections without TLS",
                          "add a transport_socket with TLS, or choose by explicit_http_config");
}

// Names prove nothing when anybody may have signed them.
void check_san_validation(ClusterBuild& build) {
  const auto check = [&](const tls::ClientTls* tls, const FieldPath& path) {
    if (tls == nullptr || !tls->ready() || tls->context()->checks_chain()) return;
    build.diagnostics.error(Code::kSemantic, path, "auto_san_validation needs authorities to trust",
                            "add validation_context.trusted_ca");
  };
  if (!build.out.auto_san_validation) return;
  check(build.out.tls.get(), build.path.field("transport_socket"));
  const FieldPath matches = build.path.field("transport_socket_matches");
  int index = 0;
  for (const ClusterConfig::TransportMatch& match : build.out.transport_matches) {
    const FieldPath at = matches.at(index++);
    check(match.tls.get(), at.field("transport_socket"));
  }
}

void read_upstream(ClusterBuild& build, const core::UpstreamHttpProtocolOptions& options) {
  build.out.auto_sni = options.auto_sni();
  build.out.auto_san_validation = options.auto_san_validation();
  build.out.auto_sni_header = options.override_auto_sni_header();
  check_san_validation(build);
}

void read_options(ClusterBuild& build, const HttpProtocolOptions& options, const FieldPath& path) {
  read_common(build, options.common_http_protocol_options(),
              path.field("common_http_protocol_options"));
  read_upstream(build, options.upstream_http_protocol_options());
  check_filters(build, options, path);
  if (options.has_header_validation_config())
    refuse(build.diagnostics, path.field("header_validation_config"), "header_validation_config");
  switch (options.upstream_protocol_options_case()) {
    case HttpProtocolOptions::kExplicitHttpConfig:
      if (options.explicit_http_config().has_http2_protocol_options())
        build.out.versions = ClusterConfig::Versions::kHttp2;
      return read_versions(build, options.explicit_http_config(),
                           path.field("explicit_http_config"));
    case HttpProtocolOptions::kUseDownstreamProtocolConfig:
      if (options.use_downstream_protocol_config().has_http2_protocol_options())
        build.out.versions = ClusterConfig::Versions::kDownstream;
      return read_versions(build, options.use_downstream_protocol_config(),
                           path.field("use_downstream_protocol_config"));
    case HttpProtocolOptions::kAutoConfig:
      choose_auto(build, path.field("auto_config"));
      return read_versions(build, options.auto_config(), path.field("auto_config"));
    case HttpProtocolOptions::UPSTREAM_PROTOCOL_OPTIONS_NOT_SET:
      build.diagnostics.error(Code::kSemantic, path, "no version of HTTP is chosen",
                              "add explicit_http_config with http_protocol_options");
  }
}

void warn_ignored(ClusterBuild& build, bool present, std::string_view field) {
  if (!present) return;
  build.diagnostics.warning(Code::kSemantic, build.path.field(field),
                            "has no effect beside HttpProtocolOptions in "
                            "typed_extension_protocol_options");
}

void read_protocol(ClusterBuild& build) {
  const Cluster& c = build.proto;
  const FieldPath map_path = build.path.field("typed_extension_protocol_options");
  bool typed = false;
  // Envoy's default here is without a limit; the peer's counts.
  build.out.http2.max_concurrent_streams = INT32_MAX;
  for (const auto& [key, any] : c.typed_extension_protocol_options()) {
    const FieldPath path = map_path.key(key);
    HttpProtocolOptions options;
    if (!any.UnpackTo(&options)) {
      refuse(build.diagnostics, path, "protocol options of type " + any.type_url());
      continue;
    }
    if (key != kOptionsKey)
      build.diagnostics.warning(
          Code::kSemantic, path,
          "Envoy looks for these options under the key '" + std::string(kOptionsKey) + "' only");
    typed = true;
    read_options(build, options, path);
    // As in Envoy: of the older fields this one counts where the options do not have it.
    if (c.has_max_requests_per_connection() &&
        !options.common_http_protocol_options().has_max_requests_per_connection())
      build.out.max_requests_per_connection = c.max_requests_per_connection().value();
  }
  if (typed) {
    warn_ignored(build, c.has_common_http_protocol_options(), "common_http_protocol_options");
    warn_ignored(build, c.has_http_protocol_options(), "http_protocol_options");
    warn_ignored(build, c.has_http2_protocol_options(), "http2_protocol_options");
    return;
  }
  if (c.has_max_requests_per_connection())
    build.out.max_requests_per_connection = c.max_requests_per_connection().value();
  read_common(build, c.common_http_protocol_options(),
              build.path.field("common_http_protocol_options"));
  read_http1(build, c.http_protocol_options(), build.path.field("http_protocol_options"));
  read_upstream(build, c.upstream_http_protocol_options());
  if (!c.has_http2_protocol_options()) return;
  build.out.versions = c.protocol_selection() == Cluster::USE_DOWNSTREAM_PROTOCOL
                           ? ClusterConfig::Versions::kDownstream
                           : ClusterConfig::Versions::kHttp2;
  read_http2(build, c.http2_protocol_options(), build.path.field("http2_protocol_options"));
}

}  // namespace

void compile_protocol(ClusterBuild& build) {
  read_protocol(build);
  finish_http2(build.out);
}

}  // namespace weir::upstream
