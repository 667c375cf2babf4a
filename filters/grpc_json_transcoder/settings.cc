#include "filters/grpc_json_transcoder/settings.h"

#include <google/protobuf/descriptor.pb.h>

#include "config/read_file.h"
#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"

namespace weir::filters::transcoder {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_json_transcoder::v3;
using config::Code;
using google::protobuf::FileDescriptorSet;

constexpr size_t kMaxDescriptorBytes = size_t{64} << 20;

std::string_view descriptor_field(const v3::GrpcJsonTranscoder& config) {
  return config.has_proto_descriptor() ? "proto_descriptor" : "proto_descriptor_bin";
}

// The bytes of the descriptor set; nothing on errors.
std::optional<std::string> read_bytes(const v3::GrpcJsonTranscoder& config,
                                      const http::FilterBuild& build) {
  if (!config.has_proto_descriptor()) return config.proto_descriptor_bin();
  config::Diagnostics of_file;
  auto bytes = config::read_file(config.proto_descriptor(), kMaxDescriptorBytes, of_file);
  for (const config::Diagnostic& problem : of_file.items())
    build.diagnostics.error(problem.code, build.path.field("proto_descriptor"),
                            "'" + config.proto_descriptor() + "': " + problem.message,
                            "write it with protoc --include_imports --descriptor_set_out");
  if (bytes) build.diagnostics.note_content(*bytes);
  return bytes;
}

std::unique_ptr<const Types> read_types(const v3::GrpcJsonTranscoder& config,
                                        const http::FilterBuild& build) {
  const std::optional<std::string> bytes = read_bytes(config, build);
  if (!bytes) return nullptr;
  const std::string field(descriptor_field(config));
  FileDescriptorSet files;
  if (!files.ParseFromString(*bytes) || files.file_size() == 0) {
    build.diagnostics.error(Code::kInvalidValue, build.path.field(field),
                            "is no descriptor set (google.protobuf.FileDescriptorSet) with files",
                            "write it with protoc --include_imports --descriptor_set_out");
    return nullptr;
  }
  Result<std::unique_ptr<const Types>> types = Types::load(files);
  if (types) return types.take();
  build.diagnostics.error(Code::kInvalidValue, build.path.field(field), types.error().message);
  return nullptr;
}

Unescape unescape_of(v3::GrpcJsonTranscoder::UrlUnescapeSpec spec) {
  switch (spec) {
    case v3::GrpcJsonTranscoder::ALL_CHARACTERS:
      return Unescape::kAll;
    case v3::GrpcJsonTranscoder::ALL_CHARACTERS_EXCEPT_SLASH:
      return Unescape::kAllButSlash;
    default:
      return Unescape::kAllButReserved;
  }
}

std::unique_ptr<const Bindings> read_bindings(const v3::GrpcJsonTranscoder& config,
                                              const Types& types, const http::FilterBuild& build) {
  auto bindings = std::make_unique<Bindings>(
      Bindings::Options{.auto_mapping = config.auto_mapping(),
                        .match_unregistered_verbs = config.match_unregistered_custom_verb(),
                        .unescape = unescape_of(config.url_unescape_spec())});
  for (int i = 0; i < config.services_size(); ++i) {
    const auto at = build.path.field("services", i);
    const auto* service = types.service(config.services(i));
    if (service == nullptr) {
      build.diagnostics.error(Code::kReference, at,
                              "the descriptors have no service '" + config.services(i) + "'",
                              "write package and name, as in 'my.package.MyService'");
      continue;
    }
    if (Result<void> added = bindings->add_service(*service, types); !added)
      build.diagnostics.error(Code::kInvalidValue, at, added.error().message);
  }
  return bindings;
}

void read_print_options(const v3::GrpcJsonTranscoder::PrintOptions& print, Settings& out) {
  out.write = {.add_whitespace = print.add_whitespace(),
               .always_print_primitive_fields = print.always_print_primitive_fields(),
               .enums_as_ints = print.always_print_enums_as_ints(),
               .preserve_proto_field_names = print.preserve_proto_field_names()};
  if (print.stream_newline_delimited()) out.stream = Settings::Stream::kLines;
  if (print.stream_sse_style_delimited()) out.stream = Settings::Stream::kEvents;
  // A line, or an event's data, is one line.
  if (out.stream != Settings::Stream::kArray) out.write.add_whitespace = false;
}

void read_switches(const v3::GrpcJsonTranscoder& config, Settings& out) {
  for (const std::string& name : config.ignored_query_parameters())
    out.ignored_parameters.insert(name);
  out.ignore_unknown_parameters = config.ignore_unknown_query_parameters();
  out.capture_unknown_parameters = config.capture_unknown_query_parameters();
  out.plus_is_space = config.query_param_unescape_plus();
  out.case_insensitive_enums = config.case_insensitive_enum_parsing();
  out.keep_route = config.match_incoming_request_route();
  out.convert_status = config.convert_grpc_status();
  const auto& validation = config.request_validation_options();
  out.reject_unknown_method = validation.reject_unknown_method();
  out.reject_unknown_parameters = validation.reject_unknown_query_parameters();
  out.reject_collisions = validation.reject_binding_body_field_collisions();
  if (config.has_max_request_body_size())
    out.max_request_bytes = config.max_request_body_size().value();
  if (config.has_max_response_body_size())
    out.max_response_bytes = config.max_response_body_size().value();
}

}  // namespace

std::unique_ptr<const Settings> read_settings(const v3::GrpcJsonTranscoder& config,
                                              const http::FilterBuild& build) {
  const size_t errors = build.diagnostics.error_count();
  auto out = std::make_unique<Settings>();
  read_print_options(config.print_options(), *out);
  read_switches(config, *out);
  // Without services the filter is switched off; descriptors are not needed then.
  if (config.services().empty()) return out;
  out->types = read_types(config, build);
  if (out->types == nullptr) return nullptr;
  out->bindings = read_bindings(config, *out->types, build);
  return build.diagnostics.error_count() == errors ? std::move(out) : nullptr;
}

}  // namespace weir::filters::transcoder
