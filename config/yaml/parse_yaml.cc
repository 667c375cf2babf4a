#include "config/yaml/parse_yaml.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <stdexcept>
#include <string>
#include <utility>

#include "config/yaml/syntax_error.h"
#include "config/yaml/tree_builder.h"
#include "config/yaml/yaml_input.h"

namespace weir::config {
namespace {

// The only place that yaml-cpp is called from, and that its exceptions reach. An error that the
// builder has found comes first: it ends the input, which yaml-cpp then finds incomplete.
void run_parser(YamlInput& input, TreeBuilder& builder) {
  std::istream stream(&input);
  try {
    YAML::Parser parser(stream);
    while (!builder.failed() && parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::DeepRecursion& error) {
    builder.fail_too_deep(input.offset(error.mark.pos));
  } catch (const YAML::Exception& error) {
    if (input.cut() != YamlInput::Cut::kNone) return;  // TreeBuilder::finish reports why
    builder.fail(explain_syntax_error(error.msg, {.text = input.text(),
                                                  .offset = input.offset(error.mark.pos),
                                                  .last_value = builder.last_value(),
                                                  .open_bracket = builder.open_bracket()}));
  } catch (const std::runtime_error& error) {
    builder.fail({YamlError::Kind::kSyntax, builder.last_value(),
                  std::string("this is not valid YAML: ") + error.what(), ""});
  }
}

}  // namespace

std::unique_ptr<YamlTree> parse_yaml(std::string_view text, const YamlLimits& limits,
                                     std::vector<YamlError>& errors) {
  auto tree = std::make_unique<YamlTree>();
  YamlInput input(text, limits.max_nodes);
  TreeBuilder builder(text, limits, input, *tree, errors);
  run_parser(input, builder);
  builder.finish();
  return builder.failed() ? nullptr : std::move(tree);
}

}  // namespace weir::config
