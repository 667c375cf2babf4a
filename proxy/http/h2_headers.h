#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/http/message.h"

// Field sections of HTTP/2 (RFC 9113 8): read strictly, whatever the HPACK library lets through,
// and prepared for being written.
namespace weir::http::h2 {

struct HeaderLimits {
  uint32_t max_count = 100;  // of lines, pseudo-headers among them
  size_t max_bytes = 60 * 1024;
};

// One field section as its lines come out of the decoder. Every line is copied into the arena of
// the map that it fills; bounds hold while decoding, so that a small block cannot grow large.
class FieldSection {
 public:
  enum class Kind : uint8_t { kRequest, kResponse, kTrailers };
  enum class Verdict : uint8_t { kFine, kMalformed, kTooLarge };

  // `to` stays until the section ends or is abandoned.
  void begin(Kind kind, HeaderMap& to, const HeaderLimits& limits);
  bool open() const { return to_ != nullptr; }
  void abandon() { to_ = nullptr; }

  // After anything but kFine, the section must be abandoned.
  Verdict add(std::string_view name, std::string_view value);

  // The section is whole: checks it and fills what stands outside of the map. False: malformed.
  bool finish_request(RequestHead& head, bool allow_connect);
  bool finish_response(ResponseHead& head);
  bool finish_trailers();

  // Why it was not fine: a literal.
  std::string_view details() const { return details_; }

 private:
  enum Pseudo : uint8_t { kMethod, kScheme, kAuthority, kPath, kProtocol, kStatus, kPseudoCount };

  Verdict malformed(std::string_view details);
  Verdict add_pseudo(std::string_view name, std::string_view value);
  Verdict add_regular(std::string_view name, std::string_view value);
  Verdict add_known(Known known, std::string_view value);
  Verdict note_content_length(std::string_view value);
  Verdict note_host(std::string_view value);
  bool has(Pseudo pseudo) const { return (seen_ & (1u << pseudo)) != 0; }
  bool fail(std::string_view details);
  bool check_connect(const RequestHead& head, bool allow_connect);
  bool check_target(const RequestHead& head);
  bool reconcile_host(RequestHead& head);
  void join_cookies(HeaderMap& headers);

  HeaderMap* to_ = nullptr;
  HeaderLimits limits_;
  std::array<std::string_view, kPseudoCount> pseudo_;
  std::string_view host_;
  std::string_view details_;
  int64_t content_length_ = kUnknownLength;
  size_t bytes_ = 0;
  uint32_t count_ = 0;
  uint32_t cookies_ = 0;
  uint8_t seen_ = 0;
  Kind kind_ = Kind::kRequest;
  bool regular_seen_ = false;
  bool host_seen_ = false;
};

// Field lines as nghttp2 takes them. Texts are not copied: they stay valid until the next flush,
// before which they are encoded. Lives on the stack of one call.
class FieldList {
 public:
  // At most `expected` lines are added.
  explicit FieldList(uint32_t expected);
  FieldList(const FieldList&) = delete;
  FieldList& operator=(const FieldList&) = delete;

  void add(std::string_view name, std::string_view value);
  // Text that does not outlive the call.
  void add_copied(std::string_view name, std::string_view value);
  void add_status(uint16_t status);
  // Nothing for a line that HTTP/2 has no place for (RFC 9113 8.2.2) or says in another way.
  void add_line(const Header& line);
  void add_all(const HeaderMap& headers);

  static constexpr uint64_t bit(Known known) { return uint64_t{1} << static_cast<unsigned>(known); }

  const nghttp2_nv* data() const { return lines_; }
  size_t size() const { return size_; }
  size_t bytes() const { return bytes_; }  // names and values, before compression

 private:
  static constexpr uint32_t kInline = 128;

  void push(std::string_view name, std::string_view value, uint8_t flags);

  nghttp2_nv inline_[kInline];
  std::vector<nghttp2_nv> many_;
  nghttp2_nv* lines_;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace weir::http::h2
