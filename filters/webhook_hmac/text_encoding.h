#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::webhook {

enum class Encoding : uint8_t { kHex, kBase64, kBase64Url };

// Strict: hex of either case without separators; base64 with its padding (RFC 4648 4); base64url
// padded or not (RFC 4648 5). Nothing when the text is not that.
std::optional<std::string> decode(Encoding encoding, std::string_view text);

// Lower-case hex; padded base64; base64url without padding.
std::string encode(Encoding encoding, std::string_view bytes);

}  // namespace weir::webhook
