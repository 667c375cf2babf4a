#include "proxy/options.h"

#include <charconv>
#include <functional>
#include <limits>
#include <string_view>

#include "config/nearest.h"

namespace weir {
namespace {

using Arguments = std::vector<std::string>;

struct Flag {
  std::string_view name;
  std::string_view short_name;
  std::string_view value;  // what the value is called; empty: the flag takes none
  std::string_view help;
  std::function<Result<void>(Options&, const std::string&)> set;
};

Result<void> bad_value(std::string_view name, const std::string& value, std::string_view wanted) {
  return Error{"usage",
               std::string(name) + " takes " + std::string(wanted) + ", not '" + value + "'"};
}

template <class Number>
auto number(std::string_view name, Number Options::*member, Number least,
            Number most = std::numeric_limits<Number>::max()) {
  return [=](Options& options, const std::string& value) -> Result<void> {
    Number parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size() || parsed < least ||
        parsed > most)
      return bad_value(
          name, value,
          "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    options.*member = parsed;
    return {};
  };
}

auto seconds(std::string_view name, int64_t Options::*member) {
  return number(name, member, int64_t{0}, Options::kMaxSeconds);
}

auto text(std::string Options::*member) {
  return [=](Options& options, const std::string& value) -> Result<void> {
    options.*member = value;
    return {};
  };
}

auto load_text(std::string config::LoadOptions::*member) {
  return [=](Options& options, const std::string& value) -> Result<void> {
    options.load.*member = value;
    return {};
  };
}

auto on(bool Options::*member) {
  return [=](Options& options, const std::string&) -> Result<void> {
    options.*member = true;
    return {};
  };
}

// 0 is one worker, as in Envoy.
Result<void> set_concurrency(Options& options, const std::string& value) {
  const Result<void> set =
      number("--concurrency", &Options::concurrency, 0u, Options::kMaxWorkers)(options, value);
  if (options.concurrency == 0) options.concurrency = 1;
  return set;
}

Result<void> set_base_id(Options& options, const std::string& value) {
  uint32_t parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size())
    return bad_value("--base-id", value, "a whole number from 0 to 4294967295");
  options.base_id = parsed;
  return {};
}

Result<void> set_mode(Options& options, const std::string& value) {
  if (value != "serve" && value != "validate")
    return bad_value("--mode", value, "'serve' or 'validate'");
  options.validate_only = value == "validate";
  return {};
}

Result<void> set_output(Options& options, const std::string& value) {
  if (value != "text" && value != "json") return bad_value("--output", value, "'text' or 'json'");
  options.json_output = value == "json";
  return {};
}

Result<void> set_strategy(Options& options, const std::string& value) {
  if (value != "gradual" && value != "immediate")
    return bad_value("--drain-strategy", value, "'gradual' or 'immediate'");
  options.drain_strategy = value;
  return {};
}

Result<void> set_ip_version(Options& options, const std::string& value) {
  if (value != "v4" && value != "v6")
    return bad_value("--local-address-ip-version", value, "'v4' or 'v6'");
  options.local_address_ip_version = value;
  return {};
}

auto load_on(bool config::LoadOptions::*member) {
  return [=](Options& options, const std::string&) -> Result<void> {
    options.load.*member = true;
    return {};
  };
}

Result<void> nothing(Options&, const std::string&) {
  return {};
}

const std::vector<Flag>& flags() {
  using L = config::LoadOptions;
  static const std::vector<Flag> kFlags = {
      {"--config-path", "-c", "FILE", "the bootstrap configuration, YAML or JSON",
       load_text(&L::config_path)},
      {"--config-yaml", "", "TEXT", "YAML that is merged over the file",
       load_text(&L::config_yaml)},
      {"--mode", "", "MODE", "'serve', or 'validate' to check the configuration and exit",
       set_mode},
      {"--output", "", "FORMAT", "of configuration errors: 'text' or 'json'", set_output},
      {"--concurrency", "", "N", "worker threads; the default is one per processor",
       set_concurrency},
      {"--cpuset-threads", "", "", "as many workers as processors this process may use",
       on(&Options::cpuset_threads)},
      {"--service-cluster", "", "NAME", "replaces node.cluster", load_text(&L::service_cluster)},
      {"--service-node", "", "NAME", "replaces node.id", load_text(&L::service_node)},
      {"--service-zone", "", "NAME", "replaces node.locality.zone", load_text(&L::service_zone)},
      {"--drain-time-s", "", "SECONDS", "how long open connections may take to end",
       seconds("--drain-time-s", &Options::drain_time_s)},
      {"--drain-strategy", "", "NAME", "'gradual' or 'immediate'", set_strategy},
      {"--file-flush-interval-msec", "", "MS", "how often access logs are written",
       number("--file-flush-interval-msec", &Options::file_flush_interval_ms, int64_t{1},
              Options::kMaxSeconds * 1000)},
      {"--log-level", "-l", "LEVEL", "trace, debug, info, warning, error, critical or off",
       text(&Options::log_level)},
      {"--component-log-level", "", "LIST", "e.g. upstream:debug,config:trace",
       text(&Options::component_log_level)},
      {"--log-format", "", "PATTERN", "of a line of the log; the default is Envoy's",
       text(&Options::log_format)},
      {"--log-format-escaped", "", "", "no effect: lines of the log are always escaped", nothing},
      {"--skip-deprecated-logs", "", "", "no effect: what is deprecated is not logged", nothing},
      {"--log-path", "", "FILE", "where the log goes; the default is stderr",
       text(&Options::log_path)},
      {"--admin-address-path", "", "FILE", "a file to write the admin address to",
       text(&Options::admin_address_path)},
      {"--local-address-ip-version", "", "VERSION", "'v4' or 'v6'", set_ip_version},
      {"--allow-unknown-static-fields", "", "", "unknown fields are warnings",
       load_on(&L::allow_unknown_static_fields)},
      {"--reject-unknown-dynamic-fields", "", "", "unknown fields from xDS are errors",
       on(&Options::reject_unknown_dynamic_fields)},
      {"--istio-compat", "", "", "leaves Istio's own telemetry extensions out",
       load_on(&L::istio_compat)},
      {"--restart-epoch", "", "N", "0, or one more than the process to take over from",
       number("--restart-epoch", &Options::restart_epoch, 0u)},
      {"--base-id", "", "N", "tells processes apart that restart hot on the same machine",
       set_base_id},
      {"--use-dynamic-base-id", "", "", "chooses a free base id",
       on(&Options::use_dynamic_base_id)},
      {"--base-id-path", "", "FILE", "a file to write the chosen base id to",
       text(&Options::base_id_path)},
      {"--parent-shutdown-time-s", "", "SECONDS", "when the process before ends at the latest",
       seconds("--parent-shutdown-time-s", &Options::parent_shutdown_time_s)},
      {"--skip-hot-restart-on-no-parent", "", "", "starts when there is nobody to take over from",
       on(&Options::skip_hot_restart_on_no_parent)},
      {"--skip-hot-restart-parent-stats", "", "", "counts from 0, not from what was counted before",
       on(&Options::skip_hot_restart_parent_stats)},
      {"--disable-hot-restart", "", "", "nobody can take over from this process",
       on(&Options::disable_hot_restart)},
      {"--ready-fd", "", "FD", "a descriptor to write 'ready' to, or why that cannot be",
       number("--ready-fd", &Options::ready_fd, 0)},
      {"--help", "-h", "", "this text", on(&Options::show_help)},
      {"--version", "", "", "the version", on(&Options::show_version)},
  };
  return kFlags;
}

Result<void> check_together(const Options& options) {
  if (options.use_dynamic_base_id && options.restart_epoch > 0)
    return Error{"usage",
                 "--use-dynamic-base-id is for epoch 0; later ones get the base id by --base-id"};
  if (options.use_dynamic_base_id && options.base_id)
    return Error{"usage", "--use-dynamic-base-id and --base-id exclude each other"};
  if (!options.base_id_path.empty() && !options.use_dynamic_base_id)
    return Error{"usage", "--base-id-path goes with --use-dynamic-base-id"};
  if (options.disable_hot_restart && options.restart_epoch > 0)
    return Error{"usage", "--disable-hot-restart leaves nothing to take over by --restart-epoch"};
  return {};
}

Error unknown(const std::string& argument) {
  std::vector<std::string_view> names;
  for (const Flag& flag : flags()) names.push_back(flag.name);
  std::string message = "unknown argument '" + argument + "'";
  const std::string hint = config::did_you_mean(argument, names);
  if (!hint.empty()) message += "; " + hint;
  return Error{"usage", message};
}

}  // namespace

Result<Options> parse_options(const Arguments& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    std::string value;
    bool has_value = false;
    if (const size_t equals = name.find('='); name.starts_with("--") && equals != name.npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
      has_value = true;
    }
    const Flag* found = nullptr;
    for (const Flag& flag : flags())
      if (name == flag.name || (!flag.short_name.empty() && name == flag.short_name)) found = &flag;
    if (found == nullptr) return unknown(arguments[i]);
    if (found->value.empty() && has_value)
      return Error{"usage", std::string(found->name) + " takes no value"};
    if (!found->value.empty() && !has_value) {
      if (i + 1 == arguments.size())
        return Error{"usage", std::string(found->name) + " needs a value"};
      value = arguments[++i];
    }
    if (Result<void> set = found->set(options, value); !set) return set.error();
  }
  options.command_line = arguments;
  if (Result<void> checked = check_together(options); !checked) return checked.error();
  return options;
}

std::string help_text() {
  std::string out =
      "usage: weir -c FILE [OPTION]...\n"
      "       weir upgrade [OPTION]... [-- ARGUMENT...]\n"
      "       weir demo-upstream [PORT]\n"
      "       weir webhook sign|verify [OPTION]...\n"
      "       weir xds-server --dir DIR [OPTION]...\n\n"
      "A proxy that reads Envoy's configuration.\n\n";
  for (const Flag& flag : flags()) {
    std::string left = "  ";
    if (!flag.short_name.empty()) left += std::string(flag.short_name) + ", ";
    left += flag.name;
    if (!flag.value.empty()) left += " " + std::string(flag.value);
    left.resize(std::max<size_t>(left.size() + 2, 38), ' ');
    out += left + std::string(flag.help) + "\n";
  }
  out += "\nExit status: 0 fine, 1 bad configuration, 2 bad usage.\n";
  return out;
}

std::string version_text() {
  return "weir 0.1.0";
}

}  // namespace weir
