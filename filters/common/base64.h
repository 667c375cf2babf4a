#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::filters::common {

// Appends `bytes` in base64 with padding (RFC 4648 4).
void append_base64(std::string_view bytes, std::string& out);

// Decodes base64 that comes in pieces, cut anywhere. Groups that are padded may stand before
// others, as gRPC-Web's text mode has it. One thread.
class Base64Decoder {
 public:
  // Appends what the piece completes. False: the text is not base64; the decoder is of no more use.
  bool feed(std::string_view piece, std::string& out);
  // No group of four characters is left over.
  bool at_boundary() const { return filled_ == 0; }

 private:
  bool add(char c, std::string& out);

  unsigned bits_ = 0;
  int filled_ = 0;   // characters of the present group
  int padding_ = 0;  // of them
};

}  // namespace weir::filters::common
