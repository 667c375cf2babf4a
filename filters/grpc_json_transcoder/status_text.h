#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "filters/grpc_json_transcoder/field_value.h"
#include "filters/grpc_json_transcoder/settings.h"

namespace google::rpc {
class Status;
}

// google.rpc.Status as JSON: what a client gets when something went wrong.
namespace weir::filters::transcoder {

std::string status_text(const google::rpc::Status& status, const Settings& settings);

// Of the proxy's own: with a google.rpc.BadRequest that names the field, when `violation` has one.
std::string status_text(uint32_t grpc_code, std::string_view message, const Violation* violation,
                        const Settings& settings);

}  // namespace weir::filters::transcoder
