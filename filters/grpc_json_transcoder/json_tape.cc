#include "filters/grpc_json_transcoder/json_tape.h"

namespace weir::filters::transcoder {

void JsonTape::add(Event event, std::string_view text) {
  event.text_at = text_.size();
  event.text_size = text.size();
  text_ += text;
  events_.push_back(event);
}

void JsonTape::add_scalar(const Scalar& value) {
  Event event{.what = What::kScalar, .is_object = false, .scalar = value};
  event.scalar.text = {};
  add(event, value.text);
}

void JsonTape::add_key(std::string_view key) {
  add({.what = What::kKey, .is_object = false}, key);
}

void JsonTape::add_start(bool is_object) {
  ++depth_;
  add({.what = What::kStart, .is_object = is_object}, {});
}

bool JsonTape::add_end(bool is_object) {
  add({.what = What::kEnd, .is_object = is_object}, {});
  return --depth_ == 0;
}

// Behind the value that begins at `at`.
size_t JsonTape::value_end(size_t at) const {
  int depth = 0;
  for (; at < events_.size(); ++at) {
    if (events_[at].what == What::kStart) ++depth;
    if (events_[at].what == What::kEnd) --depth;
    if (depth == 0 && events_[at].what != What::kKey) return at + 1;
  }
  return at;
}

size_t JsonTape::find(std::string_view key) const {
  // The first event is the object's start, the last one its end.
  size_t at = 1;
  while (at + 1 < events_.size() && text(events_[at]) != key) at = value_end(at + 1);
  return at + 1 < events_.size() ? at : events_.size();
}

std::string_view JsonTape::text_of(std::string_view key) const {
  const size_t at = find(key);
  if (at == events_.size()) return {};
  const Event& value = events_[at + 1];
  return value.scalar.kind == Scalar::Kind::kString ? text(value) : std::string_view();
}

bool JsonTape::play(size_t from, size_t to, JsonEvents& events) const {
  bool fine = true;
  for (size_t at = from; at < to && fine; ++at) {
    const Event& event = events_[at];
    switch (event.what) {
      case What::kScalar: {
        Scalar scalar = event.scalar;
        scalar.text = text(event);
        fine = events.on_scalar(scalar);
        break;
      }
      case What::kKey:
        fine = events.on_key(text(event));
        break;
      case What::kStart:
        fine = events.on_start(event.is_object);
        break;
      case What::kEnd:
        fine = events.on_end(event.is_object);
        break;
    }
  }
  return fine;
}

bool JsonTape::play_without(std::string_view left_out, JsonEvents& to) const {
  const size_t at = find(left_out);
  if (at == events_.size()) return play(0, at, to);
  return play(0, at, to) && play(value_end(at + 1), events_.size(), to);
}

bool JsonTape::play_member(std::string_view key, JsonEvents& to) const {
  const size_t at = find(key);
  return at != events_.size() && play(at + 1, value_end(at + 1), to);
}

}  // namespace weir::filters::transcoder
