#include "filters/webhook_hmac/secret.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "filters/webhook_hmac/text_encoding.h"

namespace weir::webhook {
namespace {

constexpr size_t kMaxSecretTextBytes = 4096;
constexpr std::string_view kWhsecPrefix = "whsec_";

Error secret_error(std::string message) {
  return {.code = "webhook-secret", .message = std::move(message)};
}

Result<std::string> decoded(Encoding encoding, std::string_view text, std::string_view remedy) {
  if (auto bytes = decode(encoding, text)) return std::move(*bytes);
  return secret_error(std::string(remedy));
}

Result<std::string> key_of(SecretForm form, std::string_view text) {
  switch (form) {
    case SecretForm::kRaw:
      return std::string(text);
    case SecretForm::kHex:
      return decoded(Encoding::kHex, text, "the secret is not hexadecimal; is its form RAW?");
    case SecretForm::kBase64:
      return decoded(Encoding::kBase64, text, "the secret is not base64; is its form RAW?");
    case SecretForm::kWhsec:
      if (text.starts_with(kWhsecPrefix)) text.remove_prefix(kWhsecPrefix.size());
      return decoded(Encoding::kBase64, text,
                     "the secret is not base64 after 'whsec_'; if its text is the key itself, set "
                     "its form to RAW");
  }
  return secret_error("the secret has no known form");
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxSecretTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open() || (file.gcount() == 0 && errno != 0))
    return secret_error("cannot read the secret file '" + path + "': " + std::strerror(errno));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxSecretTextBytes)
    return secret_error("the secret file '" + path + "' is longer than 4096 bytes");
  return text;
}

Result<std::string> read_secret_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return secret_error("the environment variable '" + name + "' is not set");
  return std::string(value);
}

std::string_view without_line_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Result<std::string> secret_key(SecretForm form, std::string_view text) {
  text = without_line_end(text);
  if (text.empty()) return secret_error("the secret is empty");
  Result<std::string> key = key_of(form, text);
  if (!key) return key;
  if (key->size() < kMinSecretBytes)
    return secret_error("the secret has " + std::to_string(key->size()) + " bytes; at least " +
                        std::to_string(kMinSecretBytes) + " are needed to be safe from guessing");
  return key;
}

}  // namespace weir::webhook
