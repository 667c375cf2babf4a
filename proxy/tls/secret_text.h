#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/base/result.h"

namespace weir::tls {

// Bytes that may be a private key: kept out of core files, overwritten when they are not needed any
// more. Move-only.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view copied);
  ~SecretText();
  SecretText(SecretText&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        mapped_(std::exchange(other.mapped_, 0)) {}
  SecretText& operator=(SecretText&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
  }

  // The whole file, which may be at most kMaxBytes long. The error names the path.
  static Result<SecretText> read_file(const std::string& path);
  static constexpr size_t kMaxBytes = 16 << 20;

  std::string_view view() const { return {bytes_, size_}; }
  bool empty() const { return size_ == 0; }

 private:
  void map(size_t bytes);

  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
};

}  // namespace weir::tls
