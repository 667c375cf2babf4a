#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace weir::webhook {

// What a command may read and write, and the present, in seconds since 1970.
struct CommandIo {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  int64_t now_s;
};

// `weir webhook sign|verify ...`; `arguments` begin with "sign" or "verify". Signs as a sender
// would, or judges a request as the filter would and explains what is wrong with it. Returns the
// exit status: 0 fine, 1 refused, 2 bad usage.
int webhook_command(const std::vector<std::string>& arguments, const CommandIo& io);

}  // namespace weir::webhook
