#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "filters/grpc_json_transcoder/bindings.h"
#include "filters/grpc_json_transcoder/json_reader.h"
#include "filters/grpc_json_transcoder/json_writer.h"
#include "filters/grpc_json_transcoder/types.h"
#include "proxy/http/filter_type.h"

namespace envoy::extensions::filters::http::grpc_json_transcoder::v3 {
class GrpcJsonTranscoder;
}

namespace weir::filters::transcoder {

// A GrpcJsonTranscoder message, read: what one filter, or one route, transcodes and how. Immutable.
struct Settings {
  enum class Stream : uint8_t { kArray, kLines, kEvents };  // how streams of messages are printed

  std::unique_ptr<const Types> types;
  std::unique_ptr<const Bindings> bindings;  // null: there are no services, nothing is transcoded
  JsonWriteOptions write;
  Stream stream = Stream::kArray;
  std::set<std::string, std::less<>> ignored_parameters;
  bool ignore_unknown_parameters = false;
  bool capture_unknown_parameters = false;
  bool plus_is_space = false;
  bool case_insensitive_enums = false;
  bool keep_route = false;
  bool convert_status = false;
  bool reject_unknown_method = false;
  bool reject_unknown_parameters = false;
  bool reject_collisions = false;
  std::optional<size_t> max_request_bytes;   // unset: what filters may hold
  std::optional<size_t> max_response_bytes;  // unset: what filters may hold

  JsonReadOptions read_options() const {
    return {.types = *types,
            .ignore_unknown_fields = true,  // as Envoy: its API has no switch for it
            .case_insensitive_enums = case_insensitive_enums};
  }
};

// Null on errors, which are then in the diagnostics. Reads the file that `proto_descriptor` names
// and tells `build` what it holds.
std::unique_ptr<const Settings> read_settings(
    const envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder& config,
    const http::FilterBuild& build);

}  // namespace weir::filters::transcoder
