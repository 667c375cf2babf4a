#include "proxy/http/grpc_frame.h"

#include <algorithm>

namespace weir::http {
namespace {

uint32_t length_in(const char* prefix) {
  uint32_t length = 0;
  for (int i = 1; i <= 4; ++i) length = length << 8 | static_cast<uint8_t>(prefix[i]);
  return length;
}

}  // namespace

std::array<char, kGrpcPrefixBytes> grpc_prefix(uint32_t length, uint8_t flags) {
  return {static_cast<char>(flags), static_cast<char>(length >> 24),
          static_cast<char>(length >> 16), static_cast<char>(length >> 8),
          static_cast<char>(length)};
}

void append_grpc_frame(std::string_view message, std::string& out, uint8_t flags) {
  const auto prefix = grpc_prefix(static_cast<uint32_t>(message.size()), flags);
  out.reserve(out.size() + prefix.size() + message.size());
  out.append(prefix.data(), prefix.size());
  out += message;
}

GrpcFrameReader::Step GrpcFrameReader::from(std::string_view bytes, std::string_view& message,
                                            uint8_t& flags, size_t& used) const {
  if (bytes.size() < kGrpcPrefixBytes) return Step::kNeedMore;
  const uint32_t length = length_in(bytes.data());
  if (length > max_) return Step::kTooLarge;
  if (bytes.size() - kGrpcPrefixBytes < length) return Step::kNeedMore;
  flags = static_cast<uint8_t>(bytes[0]);
  message = bytes.substr(kGrpcPrefixBytes, length);
  used = kGrpcPrefixBytes + length;
  return Step::kMessage;
}

// Takes from the input what the held message still needs, and no more.
GrpcFrameReader::Step GrpcFrameReader::refill(std::string_view& message, uint8_t& flags) {
  const auto take = [this](size_t wanted) {
    const size_t bytes = std::min(wanted - std::min(wanted, held_.size()), input_.size());
    held_ += input_.substr(0, bytes);
    input_.remove_prefix(bytes);
  };
  take(kGrpcPrefixBytes);
  if (held_.size() < kGrpcPrefixBytes) return Step::kNeedMore;
  const uint32_t length = length_in(held_.data());
  if (length > max_) return Step::kTooLarge;
  take(kGrpcPrefixBytes + length);
  return from(held_, message, flags, consumed_);
}

GrpcFrameReader::Step GrpcFrameReader::next(std::string_view& message, uint8_t& flags) {
  if (consumed_ != 0) {
    held_.clear();
    consumed_ = 0;
  }
  if (!held_.empty()) return refill(message, flags);
  size_t used = 0;
  const Step step = from(input_, message, flags, used);
  if (step == Step::kMessage) {
    input_.remove_prefix(used);
  } else if (step == Step::kNeedMore) {
    held_ = input_;
    input_ = {};
  }
  return step;
}

uint64_t GrpcFrameCounter::feed(std::string_view piece) {
  uint64_t begun = 0;
  while (!piece.empty()) {
    if (left_ > 0) {
      const size_t skipped = std::min<size_t>(left_, piece.size());
      left_ -= static_cast<uint32_t>(skipped);
      piece.remove_prefix(skipped);
      continue;
    }
    if (prefix_bytes_ > 0) length_ = length_ << 8 | static_cast<uint8_t>(piece[0]);
    piece.remove_prefix(1);
    if (++prefix_bytes_ == 1) ++begun;
    if (prefix_bytes_ < kGrpcPrefixBytes) continue;
    left_ = length_;
    length_ = prefix_bytes_ = 0;
  }
  return begun;
}

}  // namespace weir::http
