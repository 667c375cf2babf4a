#pragma once

#include <string>
#include <string_view>

namespace google::rpc {
class Status;
}

namespace weir::xds {

// Makes a NACK: code 13 (INTERNAL, as Envoy sends) and the text, in valid UTF-8 of at most 8 KiB,
// since the peer puts it into its logs.
void fill_error_detail(std::string_view text, google::rpc::Status& status);
inline constexpr size_t kMaxErrorBytes = size_t{8} << 10;

}  // namespace weir::xds
