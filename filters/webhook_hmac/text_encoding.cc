#include "filters/webhook_hmac/text_encoding.h"

#include <openssl/base64.h>

#include <algorithm>

namespace weir::webhook {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::optional<std::string> decode_base64(std::string_view text) {
  size_t size = 0;
  if (EVP_DecodedLength(&size, text.size()) != 1) return std::nullopt;
  std::string bytes(size, '\0');
  if (EVP_DecodeBase64(reinterpret_cast<uint8_t*>(bytes.data()), &size, bytes.size(),
                       reinterpret_cast<const uint8_t*>(text.data()), text.size()) != 1)
    return std::nullopt;
  bytes.resize(size);
  return bytes;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.find_first_of("+/") != std::string_view::npos) return std::nullopt;
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  while (standard.size() % 4 != 0) standard.push_back('=');
  return decode_base64(standard);
}

std::string encode_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()),
                              reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  return text;
}

}  // namespace

std::optional<std::string> decode(Encoding encoding, std::string_view text) {
  if (encoding == Encoding::kHex) return decode_hex(text);
  return encoding == Encoding::kBase64 ? decode_base64(text) : decode_base64url(text);
}

std::string encode(Encoding encoding, std::string_view bytes) {
  if (encoding == Encoding::kHex) {
    std::string text;
    for (const char byte : bytes) {
      text.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) >> 4]);
      text.push_back("0123456789abcdef"[static_cast<uint8_t>(byte) & 15]);
    }
    return text;
  }
  std::string text = encode_base64(bytes);
  if (encoding == Encoding::kBase64) return text;
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

}  // namespace weir::webhook
