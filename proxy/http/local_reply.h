#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/fraction.h"
#include "proxy/http/header_changes.h"
#include "proxy/http/log_filter.h"
#include "proxy/http/log_format.h"

namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class LocalReplyConfig;
}

namespace weir::http {

// HttpConnectionManager.local_reply_config: how answers of the proxy itself are dressed. The first
// mapper whose filter matches changes status, body and headers; then a body format applies.
// Immutable: any thread.
class LocalReplies {
 public:
  // Errors are in `diagnostics` afterwards.
  static LocalReplies compile(
      const envoy::extensions::filters::network::http_connection_manager::v3::LocalReplyConfig&
          config,
      const config::FieldPath& path, config::Diagnostics& diagnostics,
      const RuntimeLookup& runtime);

  bool empty() const { return mappers_.empty() && !format_; }

  // `input.response` is the answer as it stands, in `response`, and `info` is that of `input`; body
  // and content type are replaced where the config says so. What is new lives in the response's
  // arena.
  void dress(FormatInput input, uint64_t random, StreamInfo& info, ResponseHead& response,
             std::string_view& body, std::string_view& content_type) const;

 private:
  struct Mapper {
    LogFilter filter;
    std::optional<uint16_t> status;
    std::optional<std::string> body;
    HeaderChanges headers;
    std::optional<LogFormat> format;
  };
  std::vector<Mapper> mappers_;
  std::optional<LogFormat> format_;
};

}  // namespace weir::http
