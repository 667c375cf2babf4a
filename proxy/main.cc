// The weir program: the proxy itself, and small commands beside it.
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "filters/webhook_hmac/webhook_cli.h"
#include "proxy/demo_upstream.h"
#include "proxy/options.h"
#include "proxy/server.h"
#include "proxy/upgrade_command.h"
#include "proxy/xds_server.h"

namespace {

int serve(const std::vector<std::string>& arguments) {
  const weir::Result<weir::Options> options = weir::parse_options(arguments);
  if (!options) {
    std::cerr << "weir: " << options.error().message << "\nTry 'weir --help'.\n";
    return 2;
  }
  if (options->show_help) {
    std::cout << weir::help_text();
    return 0;
  }
  if (options->show_version) {
    std::cout << weir::version_text() << "\n";
    return 0;
  }
  if (options->load.config_path.empty() && options->load.config_yaml.empty()) {
    std::cerr << "weir: no configuration; give one with -c FILE or --config-yaml TEXT.\n"
                 "Try 'weir --help'.\n";
    return 2;
  }
  if (const weir::Result<void> raised = weir::raise_descriptor_limit(*options); !raised) {
    std::cerr << "weir: " << raised.error().message << "\n";
    return 1;
  }
  return weir::Server(*options).run();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string command = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (command == "demo-upstream") return weir::demo_upstream(rest);
  if (command == "xds-server") return weir::xds_server(rest);
  if (command == "upgrade") return weir::upgrade_command(rest, {std::cout, std::cerr});
  if (command == "webhook")
    return weir::webhook::webhook_command(rest,
                                          {std::cin, std::cout, std::cerr, std::time(nullptr)});
  return serve(arguments);
}
