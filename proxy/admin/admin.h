#pragma once

#include <string_view>

#include "proxy/admin/hooks.h"
#include "proxy/admin/message.h"

namespace weir::admin {

// The admin endpoints, under Envoy's names and with Envoy's outputs: from a request to its
// response. Serving them is the caller's. Main thread.
class Admin {
 public:
  explicit Admin(AdminHooks hooks) : hooks_(std::move(hooks)) {}

  // GET (and HEAD) never changes anything: what does answers it with 405. Requests that a web page
  // of another site may have sent are answered with 403.
  AdminResponse handle(const AdminRequest& request) const;

 private:
  AdminHooks hooks_;
};

}  // namespace weir::admin
