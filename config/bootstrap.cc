#include "config/bootstrap.h"

#include <optional>
#include <utility>

#include "config/istio_compat.h"
#include "config/proto_loader.h"
#include "config/read_file.h"
#include "config/read_yaml.h"
#include "config/resolve.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"

namespace weir::config {
namespace {

constexpr std::string_view kOverlayName = "--config-yaml";

// Loads one source into `out`; false if it cannot be parsed at all.
bool load_source(const Source& source, bool is_json, const LoadOptions& options,
                 MessageCheck& check, Diagnostics& diagnostics, Bootstrap& out) {
  const std::unique_ptr<YamlTree> tree = read_yaml(source, options.limits, diagnostics);
  if (tree == nullptr) return false;
  if (tree->root().is_null()) {
    Diagnostic empty;
    empty.code = Code::kSyntax;
    empty.message = "the configuration is empty";
    empty.hint = "a bootstrap has at least 'static_resources' or 'dynamic_resources'";
    empty.file = source.file;
    diagnostics.add(std::move(empty));
    return false;
  }
  ProtoLoadOptions load;
  load.allow_unknown_fields = options.allow_unknown_static_fields;
  load.is_json = is_json;
  load.extension_types = check.support().extension_types();
  load.leaves_out_optional = true;
  load.on_any = [&](const google::protobuf::Message& content, const FieldPath& path) {
    check.check_extension(content, path, diagnostics);
  };
  const YamlNode root = options.istio_compat || is_istio_bootstrap(tree->root())
                            ? without_istio_parts(*tree, source, diagnostics)
                            : tree->root();
  ProtoLoader(source, load, diagnostics).load(root, FieldPath::root(), out);
  // Once merged, the same paths may lead to what another source has.
  resolve_positions_in(source, diagnostics);
  return true;
}

bool load_file(const LoadOptions& options, MessageCheck& check, Diagnostics& diagnostics,
               Bootstrap& out) {
  std::optional<std::string> text =
      read_file(options.config_path, options.limits.max_bytes, diagnostics, FileKind::kAny);
  if (!text) return false;
  const Source& source = diagnostics.add_source(options.config_path, std::move(*text));
  const bool is_json = options.config_path.ends_with(".json");
  return load_source(source, is_json, options, check, diagnostics, out);
}

// An overlay is loaded apart and then merged, so that its lists are joined to those of the file.
bool load_overlay(const LoadOptions& options, MessageCheck& check, Diagnostics& diagnostics,
                  Bootstrap& out) {
  const Source& source = diagnostics.add_source(std::string(kOverlayName), options.config_yaml);
  Bootstrap overlay;
  if (!load_source(source, /*is_json=*/false, options, check, diagnostics, overlay)) return false;
  out.MergeFrom(overlay);
  return true;
}

void apply_node_options(const LoadOptions& options, Bootstrap& out) {
  if (!options.service_cluster.empty()) out.mutable_node()->set_cluster(options.service_cluster);
  if (!options.service_node.empty()) out.mutable_node()->set_id(options.service_node);
  if (!options.service_zone.empty()) {
    out.mutable_node()->mutable_locality()->set_zone(options.service_zone);
  }
}

}  // namespace

void BootstrapDeleter::operator()(Bootstrap* bootstrap) const {
  delete bootstrap;
}

BootstrapPtr load_bootstrap(const LoadOptions& options, MessageCheck& check,
                            Diagnostics& diagnostics) {
  BootstrapPtr bootstrap(new Bootstrap);
  bool parsed = true;
  if (options.config_path.empty() && options.config_yaml.empty()) {
    diagnostics.error(Code::kIo, std::string(), "no configuration is given",
                      "give a file with -c, or text with --config-yaml");
    return nullptr;
  }
  if (!options.config_path.empty()) {
    parsed = load_file(options, check, diagnostics, *bootstrap);
  }
  if (!options.config_yaml.empty()) {
    parsed = load_overlay(options, check, diagnostics, *bootstrap) && parsed;
  }
  if (parsed) {
    apply_node_options(options, *bootstrap);
    check.check(*bootstrap, FieldPath::root(), diagnostics);
  }
  resolve_positions(diagnostics);
  return diagnostics.has_errors() ? nullptr : std::move(bootstrap);
}

}  // namespace weir::config
