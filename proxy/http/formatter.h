#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/arena.h"
#include "proxy/base/result.h"
#include "proxy/http/message.h"
#include "proxy/http/stream_info.h"

namespace weir::http {

// Everything a substitution command may speak of. Pointers may be null.
struct FormatInput {
  const RequestHead* request = nullptr;
  const ResponseHead* response = nullptr;
  const HeaderMap* trailers = nullptr;  // of the response
  const StreamInfo* info = nullptr;
  std::string_view local_reply_body;
  std::string_view worker_name;
  // data.accesslog.v3.AccessLogType, of an entry of an access log.
  std::string_view log_type = "NotSet";
};

// A text with Envoy's substitution commands (%REQ(X?Y):Z%, %PROTOCOL%, ...; `%%` is a percent
// sign), compiled once and evaluated per request without heap allocation beyond its output.
// Immutable: any thread.
class Format {
 public:
  // `where` an unknown command or a bad parameter stands is part of the error's message.
  static Result<Format> compile(std::string_view text);

  Format(Format&&) noexcept;
  Format& operator=(Format&&) noexcept;
  ~Format();

  // True when there is no command in it: evaluating is a copy of literal().
  bool is_literal() const;
  std::string_view literal() const;

  // A missing value is written as `missing`. The result lives in `arena`, or in the Format.
  std::string_view evaluate(const FormatInput& input, Arena& arena,
                            std::string_view missing = "-") const;
  // Appends to `out`, raw.
  void append(const FormatInput& input, std::string& out, std::string_view missing = "-") const;
  // Appends to `out` such that any byte from outside ends up printable on one line.
  void append_escaped(const FormatInput& input, std::string& out,
                      std::string_view missing = "-") const;

  // Whether it is exactly one command and so has a value that may be absent or a number: what JSON
  // logs print unquoted or as null.
  bool is_single_command() const;

  struct Part;  // one literal or one command; formatter.cc

 private:
  explicit Format(std::unique_ptr<const std::vector<Part>> parts);
  friend class JsonFormat;
  std::unique_ptr<const std::vector<Part>> parts_;
};

}  // namespace weir::http
