#include "proxy/upstream/grpc_service.h"

#include <algorithm>

#include "envoy/config/core/v3/grpc_service.pb.h"
#include "proxy/base/duration.h"
#include "proxy/http/header_name.h"

namespace weir::upstream {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::GrpcService;

// Fills in one GrpcServiceConfig, a group of fields at a time.
class ServiceCompiler {
 public:
  ServiceCompiler(const GrpcService& config, const FieldPath& path, Diagnostics& diagnostics)
      : config_(config), path_(path), diagnostics_(diagnostics) {}

  std::optional<GrpcServiceConfig> compile(
      const std::function<bool(const std::string&)>& has_cluster) {
    target(has_cluster);
    if (config_.has_timeout()) out_.timeout_ms = duration(config_.timeout(), path_, "timeout");
    if (config_.has_retry_policy())
      error(Code::kNotSupported, path_.field("retry_policy"),
            "calls of a service are not repeated by a policy", "leave it out");
    metadata();
    if (failed_) return std::nullopt;
    return std::move(out_);
  }

 private:
  void error(Code code, const FieldPath& path, std::string message, std::string hint) {
    failed_ = true;
    diagnostics_.error(code, path, std::move(message), std::move(hint));
  }

  void target(const std::function<bool(const std::string&)>& has_cluster) {
    const FieldPath path = path_.field("envoy_grpc");
    if (config_.has_google_grpc())
      return error(Code::kNotSupported, path_.field("google_grpc"),
                   "Weir has one gRPC client, which calls clusters",
                   "define a cluster with http2_protocol_options for '" +
                       config_.google_grpc().target_uri() + "' and name it in envoy_grpc");
    if (!config_.has_envoy_grpc())
      return error(Code::kConstraint, path_, "the service has no target", "set envoy_grpc");
    const auto& grpc = config_.envoy_grpc();
    out_.cluster = grpc.cluster_name();
    if (has_cluster && !has_cluster(out_.cluster))
      error(Code::kReference, path.field("cluster_name"),
            "there is no cluster '" + out_.cluster + "'", "define it under clusters");
    out_.authority = grpc.authority();
    if (!http::valid_header_value(out_.authority))
      error(Code::kInvalidValue, path.field("authority"), "the authority has control characters",
            "write a host, with a port if there must be one");
    if (const uint32_t most = grpc.max_receive_message_length().value(); most > 0)
      out_.max_message_bytes = std::min<size_t>(most, GrpcServiceConfig::kMaxMessageBytes);
    if (grpc.has_retry_policy()) back_off(grpc.retry_policy(), path.field("retry_policy"));
  }

  void back_off(const envoy::config::core::v3::RetryPolicy& policy, const FieldPath& path) {
    if (!policy.has_retry_back_off()) return;
    const FieldPath at = path.field("retry_back_off");
    const auto& config = policy.retry_back_off();
    out_.back_off_base_ms =
        std::max<int64_t>(1, duration(config.base_interval(), at, "base_interval"));
    out_.back_off_max_ms = out_.back_off_base_ms * 10;
    if (!config.has_max_interval()) return;
    out_.back_off_max_ms = duration(config.max_interval(), at, "max_interval");
    if (out_.back_off_max_ms < out_.back_off_base_ms)
      error(Code::kSemantic, at.field("max_interval"), "max_interval is below base_interval",
            "raise it, or leave it out for ten times base_interval");
  }

  void metadata() {
    for (int i = 0; i < config_.initial_metadata_size(); ++i) {
      const auto& line = config_.initial_metadata(i);
      const FieldPath path = path_.field("initial_metadata", i);
      const std::string key = http::lower_case(line.key());
      const std::string& value = line.value().empty() ? line.raw_value() : line.value();
      if (!http::valid_header_name(key) || key.starts_with("grpc-"))
        error(Code::kInvalidValue, path.field("key"), "'" + key + "' is no name of metadata",
              "a name is a token that does not begin with ':' or 'grpc-'");
      if (!http::valid_header_value(value))
        error(Code::kInvalidValue, path.field("value"), "the value has control characters",
              "binary values are base64, under a name that ends in '-bin'");
      if (value.find('%') != std::string::npos)
        error(Code::kNotSupported, path.field("value"),
              "substitution commands are not supported in the metadata of a service",
              "write the value itself");
      out_.metadata.emplace_back(key, value);
    }
  }

  int64_t duration(const google::protobuf::Duration& value, const FieldPath& parent,
                   std::string_view field) {
    constexpr int64_t kMaxSeconds = 315'576'000'000;  // 10,000 years, the bound of the type
    if (value.seconds() >= 0 && value.seconds() <= kMaxSeconds && value.nanos() >= 0)
      return to_ms(value);
    error(Code::kOutOfRange, parent.field(field), "the time is negative or too long",
          "give a positive one, e.g. 5s");
    return 0;
  }

  const GrpcService& config_;
  const FieldPath& path_;
  Diagnostics& diagnostics_;
  GrpcServiceConfig out_;
  bool failed_ = false;
};

}  // namespace

GrpcMethod GrpcServiceConfig::method(std::string_view service, std::string_view name) const {
  return {service, name, authority, &metadata, timeout_ms, max_message_bytes};
}

std::optional<GrpcServiceConfig> GrpcServiceConfig::compile(
    const GrpcService& config, const FieldPath& path,
    const std::function<bool(const std::string&)>& has_cluster, Diagnostics& diagnostics) {
  return ServiceCompiler(config, path, diagnostics).compile(has_cluster);
}

}  // namespace weir::upstream
