#include "xds/intake.h"

#include <utility>

#include "xds/error_detail.h"

namespace weir::xds {

std::string text_of(const Rejection& error) {
  return error.name + ": " + error.details;
}

std::string joined(const std::vector<Rejection>& errors, size_t max_bytes) {
  std::string text;
  for (const Rejection& error : errors) {
    if (text.size() > max_bytes) break;
    if (!text.empty()) text += '\n';
    text += text_of(error).substr(0, max_bytes + 1);
  }
  return text;
}

Outcome take_in(const Answer& answer, ResourceTable& table, ResourceHandler& handler,
                const std::function<Now()>& now) {
  Outcome outcome;
  if (!answer.errors.empty()) {
    outcome.errors = answer.errors;
    outcome.absent = table.refuse(answer, joined(answer.errors, kMaxErrorBytes), now());
    return outcome;
  }
  Change change = table.begin(answer, now());
  std::vector<Rejection> rejections;
  if (!change.update.removed.empty() || !change.update.added.empty()) {
    rejections = handler.apply(change.update);
  }
  outcome.errors = table.finish(change, rejections, now());
  outcome.absent = std::move(change.absent);
  if (!change.unchanged.empty()) handler.on_unchanged(table.type(), change.unchanged);
  return outcome;
}

}  // namespace weir::xds
