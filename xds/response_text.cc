#include "xds/response_text.h"

#include <memory>
#include <utility>

#include "config/proto_loader.h"
#include "config/read_yaml.h"
#include "config/unknown_fields.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace weir::xds {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::service::discovery::v3::DiscoveryResponse;

void fail(Code code, const std::string& file, std::string message, std::string hint,
          Diagnostics& diagnostics) {
  config::Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.file = file;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  diagnostics.add(std::move(diagnostic));
}

bool load_tree(const config::Source& source, bool is_json, const TextOptions& options,
               Diagnostics& diagnostics, DiscoveryResponse& out) {
  const std::unique_ptr<config::YamlTree> tree =
      config::read_yaml(source, options.limits, diagnostics);
  if (tree == nullptr) return false;
  if (tree->root().is_null()) {
    fail(Code::kSyntax, source.file, "there is no DiscoveryResponse in it",
         "it has 'version_info' and 'resources'", diagnostics);
    return false;
  }
  config::ProtoLoadOptions load;
  load.allow_unknown_fields = !options.reject_unknown_fields;
  load.is_json = is_json;
  config::ProtoLoader(source, load, diagnostics).load(tree->root(), FieldPath::root(), out);
  return true;
}

bool load_binary(const std::string& file, const std::string& bytes, const TextOptions& options,
                 Diagnostics& diagnostics, DiscoveryResponse& out) {
  if (!out.ParseFromString(bytes)) {
    fail(Code::kSyntax, file, "is no valid envoy.service.discovery.v3.DiscoveryResponse", {},
         diagnostics);
    return false;
  }
  const auto severity =
      options.reject_unknown_fields ? config::Severity::kError : config::Severity::kWarning;
  config::report_unknown_fields(out, FieldPath::root(), severity, diagnostics);
  return true;
}

}  // namespace

std::optional<Answer> parse_response(ResourceType type, TextForm form, const std::string& file,
                                     std::string text, const TextOptions& options,
                                     Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  DiscoveryResponse response;
  if (form == TextForm::kBinary) {
    if (!load_binary(file, text, options, diagnostics, response)) return std::nullopt;
  } else {
    const config::Source& source = diagnostics.add_source(file, std::move(text));
    const bool is_json = form == TextForm::kJson;
    if (!load_tree(source, is_json, options, diagnostics, response)) return std::nullopt;
  }
  if (response.type_url().empty()) response.set_type_url(std::string(type_url(type)));
  if (response.type_url() != type_url(type)) {
    diagnostics.error(Code::kInvalidValue, "type_url",
                      "'" + response.type_url() + "' is not what is asked for",
                      "leave it out, or say " + std::string(type_url(type)));
  }
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  return parse_sotw(response.SerializeAsString());
}

}  // namespace weir::xds
