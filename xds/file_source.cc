#include "xds/file_source.h"

#include <algorithm>
#include <utility>

#include "config/diagnostic_format.h"
#include "config/read_file.h"
#include "config/resolve.h"
#include "proxy/base/hash.h"
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
    answer.errors.push_back({item.name, item.error});
  }
}

bool is_called(const Item& item, const std::string& name) {
  return item.name == name ||
         std::find(item.aliases.begin(), item.aliases.end(), name) != item.aliases.end();
}

// The field that a line of a rejection's details begins with; empty: it begins with none.
std::string_view field_of(std::string_view line) {
  const std::string_view path = line.substr(0, std::min(line.find(": "), line.size()));
  const bool is_path = path.size() < line.size() && path.find(' ') == std::string_view::npos;
  return is_path ? path : std::string_view();
}

// Where what a line says of the resource stands in the file.
std::string path_of(const Answer& answer, const std::string& name, std::string_view line) {
  for (size_t i = 0; i < answer.items.size(); ++i) {
    const std::string at = "resources[" + std::to_string(i) + "]";
    if (!is_called(answer.items[i], name) && name != at) continue;
    const std::string_view field = field_of(line);
    if (field.empty()) return at;
    return at + (answer.items[i].is_wrapped ? ".resource." : ".") + std::string(field);
  }
  return "resources";
}

void report_rejection(const Answer& answer, const Rejection& rejection, Diagnostics& diagnostics) {
  std::string_view rest = rejection.details;
  do {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    diagnostics.error(Code::kSemantic, path_of(answer, rejection.name, line),
                      text_of({rejection.name, std::string(line)}));
  } while (!rest.empty());
}

}  // namespace

FileSource::FileSource(ResourceType type, FileSourceOptions options, Clock& clock,
                       ResourceHandler& handler)
    : options_(std::move(options)), clock_(clock), handler_(handler), table_(type) {}

void FileSource::subscribe(const std::string& name) {
  is_asked_ = true;
  table_.subscribe(name, 0, {clock_.now_ms(), clock_.wall_ms()});
}

void FileSource::unsubscribe(const std::string& name) {
  table_.unsubscribe(name);
}

void FileSource::refresh(const std::string& name) {
  is_asked_ = true;
  table_.refresh(name, 0, {clock_.now_ms(), clock_.wall_ms()});
}

// Also what is the same is taken in: what was refused may be right by now, and what confirms
// endpoints confirms them again.
FileSource::Reading FileSource::reload(Diagnostics& diagnostics) {
  const bool was_asked = std::exchange(is_asked_, false);
  const Taken taken = take_file(diagnostics);
  config::resolve_positions(diagnostics);
  const bool is_good = taken.reading == Reading::kTaken;
  const std::string error = is_good ? "" : "the file could not be read, or was refused";
  const Now now{clock_.now_ms(), clock_.wall_ms()};
  for (const std::string& name : table_.take_waiting(error, now)) {
    handler_.on_absent(table_.type(), name);
  }
  const uint64_t outcome = xxhash64(config::format_text(diagnostics, false), taken.content_hash);
  const bool is_same = outcome_ == outcome;
  outcome_ = outcome;
  if (is_same && !was_asked) return Reading::kUnchanged;
  report(Event::kAttempt);
  report(taken.event);
  return taken.reading;
}

FileSource::Taken FileSource::take_file(Diagnostics& diagnostics) {
  const std::string& path = options_.path;
  Taken taken;
  if (path.ends_with(".pb_text")) {
    diagnostics.error(Code::kNotSupported, "path", "'" + path + "' is protobuf's text form",
                      "write it as YAML, JSON or in the binary form (.pb)");
    return taken;
  }
  std::optional<std::string> text =
      config::read_file(path, options_.text.limits.max_bytes, diagnostics);
  if (!text) {
    taken.event = Event::kFailure;
    return taken;
  }
  taken.content_hash = xxhash64(*text);
  std::optional<Answer> answer = parse_response(table_.type(), form_of(path), path,
                                                std::move(*text), options_.text, diagnostics);
  if (!answer) return taken;
  refuse_ttls(*answer);
  const Outcome outcome = take_in(*answer, table_, handler_, [this] {
    return Now{clock_.now_ms(), clock_.wall_ms()};
  });
  for (const std::string& name : outcome.absent) handler_.on_absent(table_.type(), name);
  for (const Rejection& error : outcome.errors) report_rejection(*answer, error, diagnostics);
  if (outcome.errors.empty()) {
    taken.event = Event::kSuccess;
    taken.reading = Reading::kTaken;
  } else if (answer->errors.empty()) {
    taken.reading = Reading::kPartly;
  }
  return taken;
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
