#pragma once

#include <functional>
#include <string>
#include <vector>

#include "xds/answer.h"
#include "xds/resource_table.h"
#include "xds/types.h"

namespace weir::xds {

struct Outcome {
  // Why the answer, or a part of it, was refused. None: all was taken over.
  std::vector<Rejection> errors;
  // Whose subscribers are to be told, once the answer is acknowledged.
  std::vector<std::string> absent;
};

// "name: details".
std::string text_of(const Rejection& error);
// The errors as one text of about `max_bytes` at most.
std::string joined(const std::vector<Rejection>& errors, size_t max_bytes);

// Brings an answer into the table and, where it changes something, to the handler, which may come
// back to whoever owns the table. Of an answer with errors nothing is applied.
Outcome take_in(const Answer& answer, ResourceTable& table, ResourceHandler& handler,
                const std::function<Now()>& now);

}  // namespace weir::xds
