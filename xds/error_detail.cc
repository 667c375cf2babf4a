#include "xds/error_detail.h"

#include "config/utf8.h"
#include "google/rpc/status.pb.h"

namespace weir::xds {
namespace {

constexpr std::string_view kMore = "\n(and more)";
constexpr int kInternal = 13;

// At most `max_bytes` of it, whole characters, with '?' for what is none.
std::string bounded_text(std::string_view text, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = config::utf8_sequence_length(text.substr(i));
    const std::string_view piece = length == 0 ? "?" : text.substr(i, length);
    if (out.size() + piece.size() > max_bytes) break;
    out += piece;
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace

void fill_error_detail(std::string_view text, google::rpc::Status& status) {
  status.set_code(kInternal);
  std::string message = bounded_text(text, kMaxErrorBytes);
  if (text.size() > kMaxErrorBytes) {
    message = bounded_text(text, kMaxErrorBytes - kMore.size());
    message += kMore;
  }
  status.set_message(std::move(message));
}

}  // namespace weir::xds
