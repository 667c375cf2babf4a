#pragma once

#include <functional>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Message;
}

// Extensions whose owner says `is_optional`: HTTP filters, and what routes say of them
// (config.route.v3.FilterConfig). One that Weir does not have is left out: the owner stays without
// it.
namespace weir::config {

// Whether bytes of a message may hold such an owner.
bool mentions_optional_extension(std::string_view bytes);

// Takes out of `message` the optional ones of types that `has` does not know, with a warning for
// each. For messages that did not come from YAML: ProtoLoader does the same.
void leave_out_optional(google::protobuf::Message& message, const FieldPath& path,
                        const std::function<bool(std::string_view type)>& has,
                        Diagnostics& diagnostics);

}  // namespace weir::config
