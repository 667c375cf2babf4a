#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/admin/message.h"
#include "proxy/base/result.h"

namespace weir::admin {

// Whether a web page may be behind this request. A page of somebody else's site reaches an admin
// port through the browser of a person who can: directly (then Origin is another site's), or by DNS
// rebinding (then Host is a name that somebody registered). Accepted as Host: an IP literal, a name
// that nobody can register publicly (one label; .local, .internal, .svc and the like), and the
// names in `allowed`. An Origin must be that of Host itself. The error is for a 403.
Result<void> check_origin(const AdminRequest& request, const std::vector<std::string>& allowed);

}  // namespace weir::admin
