#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::admin {

// A request to the admin port, without its body, which no endpoint reads.
struct AdminRequest {
  std::string method;
  std::string path;                                        // without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string host;    // the Host header; empty when there is none
  std::string origin;  // the Origin header; empty when there is none

  bool has(std::string_view name) const;           // a parameter, also without a value
  std::string param(std::string_view name) const;  // "" when it is not there
};

// `target` as in the request line: "/stats?filter=a%2Eb&usedonly".
AdminRequest make_admin_request(std::string_view method, std::string_view target,
                                std::string_view host, std::string_view origin);

struct AdminResponse {
  uint16_t status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=UTF-8";
  std::string allow;  // of a 405: the Allow header's value
};

AdminResponse text_response(std::string body);
AdminResponse json_response(std::string body);
AdminResponse error_response(uint16_t status, std::string message);

}  // namespace weir::admin
