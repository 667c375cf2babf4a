#pragma once

#include <string>
#include <string_view>

#include "proxy/admin/hooks.h"
#include "proxy/admin/message.h"
#include "proxy/base/result.h"

namespace weir::admin {

// The admin endpoints, under Envoy's names and with Envoy's outputs: from a request to its
// response. Serving them is the caller's. Main thread.
class Admin {
 public:
  explicit Admin(AdminHooks hooks) : hooks_(std::move(hooks)) {}

  // GET (and HEAD) never changes anything: what does answers it with 405. Requests that a web page
  // of another site may have sent are answered with 403.
  AdminResponse handle(const AdminRequest& request) const;

  // A gRPC call of ClientStatusDiscoveryService (client_status.h): the answer to one message. The
  // error is "forbidden" where `handle` answers 403.
  Result<std::string> client_status(const AdminRequest& request, std::string_view message) const;

 private:
  AdminHooks hooks_;
};

}  // namespace weir::admin
