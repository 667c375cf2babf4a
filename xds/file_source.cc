#include "xds/file_source.h"

#include <optional>
#include <utility>

#include "config/read_file.h"
#include "config/resolve.h"
#include "xds/intake.h"

namespace weir::xds {
namespace {

using config::Code;
using config::Diagnostics;

TextForm form_of(const std::string& path) {
  if (path.ends_with(".pb")) return TextForm::kBinary;
  return path.ends_with(".json") ? TextForm::kJson : TextForm::kYaml;
}

// Nothing of a file ends by itself: it is valid until it is replaced.
void refuse_ttls(Answer& answer) {
  for (Item& item : answer.items) {
    if (!item.ttl_ms && item.content != nullptr) continue;
    if (!item.error.empty()) continue;
    item.error = item.ttl_ms ? "has a ttl, which a file cannot refresh" : "has no resource";
    answer.errors.push_back(item.name + ": " + item.error);
  }
}

}  // namespace

FileSource::FileSource(ResourceType type, FileSourceOptions options, Clock& clock,
                       ResourceHandler& handler)
    : options_(std::move(options)), clock_(clock), handler_(handler), table_(type) {}

void FileSource::subscribe(const std::string& name) {
  table_.subscribe(name, 0, {clock_.now_ms(), clock_.wall_ms()});
}

void FileSource::unsubscribe(const std::string& name) {
  table_.unsubscribe(name);
}

void FileSource::refresh(const std::string& name) {
  table_.refresh(name, 0, {clock_.now_ms(), clock_.wall_ms()});
}

bool FileSource::reload(Diagnostics& diagnostics) {
  report(Event::kAttempt);
  const bool is_good = take_file(diagnostics);
  config::resolve_positions(diagnostics);
  const std::string error = is_good ? "" : "the file could not be read, or was refused";
  const Now now{clock_.now_ms(), clock_.wall_ms()};
  for (const std::string& name : table_.take_waiting(error, now)) {
    handler_.on_absent(table_.type(), name);
  }
  return is_good;
}

bool FileSource::take_file(Diagnostics& diagnostics) {
  const std::string& path = options_.path;
  if (path.ends_with(".pb_text")) {
    diagnostics.error(Code::kNotSupported, "path", "'" + path + "' is protobuf's text form",
                      "write it as YAML, JSON or in the binary form (.pb)");
    report(Event::kRejected);
    return false;
  }
  std::optional<std::string> text =
      config::read_file(path, options_.text.limits.max_bytes, diagnostics);
  std::optional<Answer> answer;
  if (text) {
    answer = parse_response(table_.type(), form_of(path), path, std::move(*text), options_.text,
                            diagnostics);
  }
  if (!answer) {
    report(text ? Event::kRejected : Event::kFailure);
    return false;
  }
  refuse_ttls(*answer);
  const Outcome outcome = take_in(*answer, table_, handler_, [this] {
    return Now{clock_.now_ms(), clock_.wall_ms()};
  });
  for (const std::string& name : outcome.absent) handler_.on_absent(table_.type(), name);
  for (const std::string& error : outcome.errors) {
    diagnostics.error(Code::kSemantic, "resources", error);
  }
  report(outcome.errors.empty() ? Event::kSuccess : Event::kRejected);
  return outcome.errors.empty();
}

void FileSource::report(Event event) const {
  if (options_.on_event) options_.on_event(table_.type(), event);
}

std::vector<ResourceStatus> FileSource::status() const {
  std::vector<ResourceStatus> statuses;
  table_.append_status(statuses);
  return statuses;
}

}  // namespace weir::xds
