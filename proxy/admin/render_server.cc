#include <google/protobuf/util/json_util.h>

#include <map>

#include "envoy/admin/v3/memory.pb.h"
#include "envoy/admin/v3/server_info.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/admin/render.h"
#include "proxy/base/memory_use.h"
#include "proxy/http/escape.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::CommandLineOptions;
using envoy::admin::v3::ServerInfo;

ServerInfo::State proto_state(ServerState state) {
  switch (state) {
    case ServerState::kLive:
      return ServerInfo::LIVE;
    case ServerState::kDraining:
      return ServerInfo::DRAINING;
    case ServerState::kPreInitializing:
      return ServerInfo::PRE_INITIALIZING;
    case ServerState::kInitializing:
      return ServerInfo::INITIALIZING;
  }
  return ServerInfo::LIVE;
}

void set_duration_ms(int64_t ms, google::protobuf::Duration& out) {
  out.set_seconds(ms / 1000);
  out.set_nanos(static_cast<int32_t>(ms % 1000 * 1'000'000));
}

void set_options(const ServerFacts& facts, CommandLineOptions& out) {
  out.set_concurrency(facts.concurrency);
  out.set_config_path(facts.config_path);
  out.set_config_yaml(facts.config_yaml);
  out.set_allow_unknown_static_fields(facts.allow_unknown_static_fields);
  out.set_local_address_ip_version(facts.local_address_ip_version == "v6" ? CommandLineOptions::v6
                                                                          : CommandLineOptions::v4);
  out.set_log_level(facts.log_level);
  out.set_component_log_level(facts.component_log_level);
  out.set_log_path(facts.log_path);
  out.set_service_cluster(facts.service_cluster);
  out.set_service_node(facts.service_node);
  set_duration_ms(facts.file_flush_interval_ms, *out.mutable_file_flush_interval());
  set_duration_ms(facts.drain_time_s * 1000, *out.mutable_drain_time());
  out.set_drain_strategy(facts.drain_strategy == "immediate" ? CommandLineOptions::Immediate
                                                             : CommandLineOptions::Gradual);
  out.set_cpuset_threads(facts.cpuset_threads);
  out.set_disable_hot_restart(facts.disable_hot_restart);
  out.set_restart_epoch(facts.restart_epoch);
  out.set_base_id(facts.base_id);
  set_duration_ms(facts.parent_shutdown_time_s * 1000, *out.mutable_parent_shutdown_time());
}

using LayerValues = std::map<std::string, std::vector<std::string>>;

// Every key's value in each layer, "" where a layer does not have it.
LayerValues values_by_key(const std::vector<RuntimeLayer>& layers) {
  LayerValues out;
  for (size_t i = 0; i < layers.size(); ++i)
    for (const auto& [key, value] : layers[i].values) {
      auto& values = out[key];
      values.resize(layers.size());
      values[i] = value;
    }
  return out;
}

void append_runtime_entry(const std::vector<std::string>& values, std::string& out) {
  std::string final_value;
  out += "{\"layer_values\":[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    http::append_json_string(values[i], out);
    if (!values[i].empty()) final_value = values[i];
  }
  out += "],\"final_value\":";
  http::append_json_string(final_value, out);
  out += '}';
}

}  // namespace

Result<std::string> message_json(const google::protobuf::Message& message, Unset unset) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = unset == Unset::kPrinted;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  if (status.ok()) return out;
  return Error{"json", "cannot print as JSON: " + std::string(status.message())};
}

std::string_view state_text(ServerState state) {
  switch (state) {
    case ServerState::kLive:
      return "LIVE";
    case ServerState::kDraining:
      return "DRAINING";
    case ServerState::kPreInitializing:
      return "PRE_INITIALIZING";
    case ServerState::kInitializing:
      return "INITIALIZING";
  }
  return "";
}

Result<std::string> server_info_json(const ServerFacts& facts,
                                     const envoy::config::bootstrap::v3::Bootstrap* bootstrap) {
  ServerInfo out;
  out.set_version(facts.version);
  out.set_state(proto_state(facts.state));
  set_duration_ms(facts.uptime_s * 1000, *out.mutable_uptime_current_epoch());
  set_duration_ms(facts.uptime_s * 1000, *out.mutable_uptime_all_epochs());
  out.set_hot_restart_version(facts.hot_restart_version);
  set_options(facts, *out.mutable_command_line_options());
  if (bootstrap != nullptr && bootstrap->has_node()) *out.mutable_node() = bootstrap->node();
  return message_json(out, Unset::kPrinted);
}

Result<std::string> memory_json() {
  const MemoryUse memory = memory_use();
  envoy::admin::v3::Memory out;
  out.set_allocated(memory.allocated);
  out.set_heap_size(memory.heap);
  out.set_pageheap_free(memory.free);
  out.set_total_physical_bytes(resident_bytes().value_or(0));
  return message_json(out, Unset::kPrinted);
}

std::string runtime_json(const std::vector<RuntimeLayer>& layers) {
  std::string out = "{\"layers\":[";
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) out += ',';
    http::append_json_string(layers[i].name, out);
  }
  out += "],\"entries\":{";
  bool first = true;
  for (const auto& [key, values] : values_by_key(layers)) {
    if (!first) out += ',';
    first = false;
    http::append_json_string(key, out);
    out += ':';
    append_runtime_entry(values, out);
  }
  return out + "}}\n";
}

}  // namespace weir::admin
