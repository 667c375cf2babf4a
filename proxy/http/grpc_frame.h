#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Messages of a gRPC body: a byte of flags, the length in four bytes, the message
// (gRPC over HTTP/2, "Length-Prefixed-Message").
namespace weir::http {

inline constexpr size_t kGrpcPrefixBytes = 5;
inline constexpr uint8_t kGrpcCompressed = 0x01;
inline constexpr uint8_t kGrpcWebTrailers = 0x80;  // gRPC-Web: the "message" is a trailer section

// What stands before a message of `length` bytes.
std::array<char, kGrpcPrefixBytes> grpc_prefix(uint32_t length, uint8_t flags = 0);

// Appends the message with its prefix.
void append_grpc_frame(std::string_view message, std::string& out, uint8_t flags = 0);

// Takes a body apart. Feed a piece, then call `next` until it says that it needs more. One thread.
class GrpcFrameReader {
 public:
  enum class Step : uint8_t { kNeedMore, kMessage, kTooLarge };

  // A longer message than `max_message_bytes` is refused as soon as its prefix is there.
  explicit GrpcFrameReader(size_t max_message_bytes) : max_(max_message_bytes) {}

  // The piece must stay valid until `next` has said kNeedMore.
  void feed(std::string_view piece) { input_ = piece; }

  // `message` is valid until the next call of either.
  Step next(std::string_view& message, uint8_t& flags);

  // Nothing of a message is left over.
  bool at_boundary() const { return input_.empty() && (held_.empty() || consumed_ != 0); }
  size_t held_bytes() const { return held_.size(); }

 private:
  Step from(std::string_view bytes, std::string_view& message, uint8_t& flags, size_t& used) const;
  Step refill(std::string_view& message, uint8_t& flags);

  size_t max_;
  std::string_view input_;
  std::string held_;     // the beginning of a message whose rest has not come
  size_t consumed_ = 0;  // of `held_`: its message was given out
};

// Counts the messages of a body that passes, without looking into them. One thread.
class GrpcFrameCounter {
 public:
  // Says how many messages begin in the piece.
  uint64_t feed(std::string_view piece);

 private:
  uint32_t left_ = 0;         // of the present message
  uint32_t length_ = 0;       // read so far
  uint8_t prefix_bytes_ = 0;  // of the present prefix
};

}  // namespace weir::http
