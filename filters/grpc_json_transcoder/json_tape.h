#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/grpc_json_transcoder/field_value.h"

namespace weir::filters::transcoder {

// What a JSON text consists of, in its order.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;

  // False: enough, the text is wrong.
  virtual bool on_scalar(const Scalar& value) = 0;
  virtual bool on_key(std::string_view key) = 0;
  virtual bool on_start(bool is_object) = 0;
  virtual bool on_end(bool is_object) = 0;
};

// An object that has to be complete before it can be understood: an Any says by one of its members,
// which may be the last one, what the others mean. Kept until it is played.
class JsonTape {
 public:
  void add_scalar(const Scalar& value);
  void add_key(std::string_view key);
  void add_start(bool is_object);
  // True: this was the end of the recorded object.
  bool add_end(bool is_object);

  // The text of the object's own member `key`; nothing when it has none, or it is no text.
  std::string_view text_of(std::string_view key) const;
  // The object without its member `left_out`. False when `to` had enough.
  bool play_without(std::string_view left_out, JsonEvents& to) const;
  // The value of the object's member `key` alone. False also when there is none.
  bool play_member(std::string_view key, JsonEvents& to) const;

 private:
  enum class What : uint8_t { kScalar, kKey, kStart, kEnd };
  struct Event {
    What what;
    bool is_object;
    Scalar scalar;
    size_t text_at = 0;  // in `text_`, of a key or a scalar
    size_t text_size = 0;
  };

  std::string_view text(const Event& event) const {
    return std::string_view(text_).substr(event.text_at, event.text_size);
  }
  void add(Event event, std::string_view text);
  size_t value_end(size_t at) const;
  bool play(size_t from, size_t to, JsonEvents& events) const;
  // Position of the member's key among the events; their number when there is none.
  size_t find(std::string_view key) const;

  std::vector<Event> events_;
  std::string text_;
  int depth_ = 0;
};

}  // namespace weir::filters::transcoder
