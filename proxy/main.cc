// The weir program: the proxy itself, and small commands beside it.
#include <iostream>
#include <string>
#include <vector>

#include "proxy/options.h"
#include "proxy/server.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
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
  return weir::Server(*options).run();
}
