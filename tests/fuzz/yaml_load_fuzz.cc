// Whatever bytes come in: loading ends, every error has a sentence and lies within the text, and a
// configuration that was accepted is accepted again when its messages are checked as such.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/bootstrap.h"
#include "config/diagnostic_format.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"

namespace {

using namespace weir::config;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_reports(const Diagnostics& diagnostics, const std::string& input) {
  const auto newlines = std::count(input.begin(), input.end(), '\n');
  for (const Diagnostic& item : diagnostics.items()) {
    require(!item.message.empty());
    require(item.line >= 0 && item.line <= newlines + 1);
    require(item.caret <= item.source_line.size());
  }
  const std::string text = format_text(diagnostics, /*colour=*/false);
  require(text.find('\x1b') == std::string::npos);
  const std::string json = format_json(diagnostics);
  require(json.ends_with("]}\n") && std::count(json.begin(), json.end(), '\n') == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  LoadOptions options;
  options.config_yaml.assign(reinterpret_cast<const char*>(data), size);
  if (options.config_yaml.empty()) return 0;
  MessageCheck check(default_support());
  Diagnostics diagnostics;
  const BootstrapPtr bootstrap = load_bootstrap(options, check, diagnostics);
  require((bootstrap == nullptr) == diagnostics.has_errors());
  check_reports(diagnostics, options.config_yaml);
  if (bootstrap == nullptr) return 0;
  Diagnostics again;
  check.check_all(*bootstrap, FieldPath::root(), again);
  require(!again.has_errors());
  return 0;
}
