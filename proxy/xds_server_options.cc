#include "proxy/xds_server_options.h"

#include <array>
#include <functional>
#include <string_view>

#include "config/nearest.h"

namespace weir {
namespace {

using Set = Result<void> (*)(XdsServerOptions&, const std::string&);

struct Flag {
  std::string_view name;
  std::string_view value;  // what the value is called; empty: the flag takes none
  std::string_view help;
  Set set;
};

Result<net::Address> address_of(std::string_view name, const std::string& text) {
  const bool is_unix = text.starts_with("unix:");
  Result<net::Address> address = is_unix ? net::Address::unix_path(text.substr(5))
                                 : text.starts_with("/") || text.starts_with("@")
                                     ? net::Address::unix_path(text)
                                     : net::Address::parse(text);
  if (address) return address;
  return Error{"usage", std::string(name) + " takes IP:PORT or unix:PATH, not '" + text + "'"};
}

Result<void> set_listen(XdsServerOptions& options, const std::string& value) {
  Result<net::Address> address = address_of("--listen", value);
  if (!address) return address.error();
  options.listen = address.take();
  return {};
}

Result<void> set_admin(XdsServerOptions& options, const std::string& value) {
  options.admin = net::Address();
  if (value == "off") return {};
  Result<net::Address> address = address_of("--admin", value);
  if (!address) return address.error();
  options.admin = address.take();
  return {};
}

Result<void> set_output(XdsServerOptions& options, const std::string& value) {
  if (value != "text" && value != "json")
    return Error{"usage", "--output takes 'text' or 'json', not '" + value + "'"};
  options.json_output = value == "json";
  return {};
}

Result<void> set_log_level(XdsServerOptions& options, const std::string& value) {
  Result<LogLevel> level = log_level_by_name(value);
  if (!level) return level.error();
  options.log_level = *level;
  return {};
}

Result<void> set_directory(XdsServerOptions& options, const std::string& value) {
  options.directory = value;
  return {};
}

template <bool XdsServerOptions::*kMember>
Result<void> set_on(XdsServerOptions& options, const std::string&) {
  options.*kMember = true;
  return {};
}

constexpr std::array kFlags = {
    Flag{"--dir", "DIR", "the directory with the resources, *.yaml, *.yml and *.json",
         set_directory},
    Flag{"--listen", "ADDRESS", "IP:PORT or unix:PATH; the default is 127.0.0.1:18000", set_listen},
    Flag{"--admin", "ADDRESS", "where the status page is, or 'off'; 127.0.0.1:18001", set_admin},
    Flag{"--validate", "", "check the directory and exit",
         set_on<&XdsServerOptions::validate_only>},
    Flag{"--strict", "", "warnings are errors", set_on<&XdsServerOptions::strict>},
    Flag{"--output", "FORMAT", "of errors in the files: 'text' or 'json'", set_output},
    Flag{"--log-level", "LEVEL", "trace, debug, info, warning, error, critical or off",
         set_log_level},
    Flag{"--help", "", "this text", set_on<&XdsServerOptions::show_help>},
};

Error unknown(const std::string& argument) {
  std::vector<std::string_view> names;
  for (const Flag& flag : kFlags) names.push_back(flag.name);
  std::string message = "unknown argument '" + argument + "'";
  const std::string hint = config::did_you_mean(argument, names);
  if (!hint.empty()) message += "; " + hint;
  return Error{"usage", message};
}

const Flag* find(std::string_view name) {
  for (const Flag& flag : kFlags)
    if (flag.name == name) return &flag;
  return nullptr;
}

}  // namespace

Result<XdsServerOptions> parse_xds_server_options(const std::vector<std::string>& arguments) {
  XdsServerOptions options;
  options.listen = net::Address::ip("127.0.0.1", 18000).take();
  options.admin = net::Address::ip("127.0.0.1", 18001).take();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const size_t equals = arguments[i].find('=');
    const bool has_value = equals != std::string::npos;
    const Flag* const flag = find(arguments[i].substr(0, equals));
    if (flag == nullptr) return unknown(arguments[i]);
    if (flag->value.empty() && has_value)
      return Error{"usage", std::string(flag->name) + " takes no value"};
    std::string value = has_value ? arguments[i].substr(equals + 1) : std::string();
    if (!flag->value.empty() && !has_value) {
      if (i + 1 == arguments.size())
        return Error{"usage", std::string(flag->name) + " needs a value"};
      value = arguments[++i];
    }
    if (Result<void> set = flag->set(options, value); !set) return set.error();
  }
  if (options.directory.empty() && !options.show_help)
    return Error{"usage", "no directory is given; name one with --dir DIR"};
  return options;
}

std::string xds_server_help() {
  std::string out =
      "usage: weir xds-server --dir DIR [OPTION]...\n\n"
      "Serves a directory of Envoy resources by xDS, and follows its changes.\n\n";
  for (const Flag& flag : kFlags) {
    std::string left = "  " + std::string(flag.name);
    if (!flag.value.empty()) left += " " + std::string(flag.value);
    left.resize(26, ' ');
    out += left + std::string(flag.help) + "\n";
  }
  out += "\nExit status: 0 fine, 1 bad resources or a taken port, 2 bad usage.\n";
  return out;
}

}  // namespace weir
