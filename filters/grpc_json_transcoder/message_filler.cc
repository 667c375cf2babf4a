#include "filters/grpc_json_transcoder/message_filler.h"

#include <utility>

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool is_value(const Descriptor* type) {
  return type != nullptr && type->well_known_type() == Descriptor::WELLKNOWNTYPE_VALUE;
}

// null is a value of these, and for all others the same as leaving the field out.
bool takes_null(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return is_value(field.message_type());
  return field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
         field.enum_type()->full_name() == "google.protobuf.NullValue";
}

std::string what_starts(bool is_object) {
  return is_object ? "an object" : "an array";
}

}  // namespace

MessageFiller::MessageFiller(Message& message, std::string path, const JsonReadOptions& options,
                             int depth)
    : root_{&message, nullptr}, root_path_(std::move(path)), options_(options), depth_(depth) {}

MessageFiller::MessageFiller(Message& message, const FieldDescriptor& field, std::string path,
                             const JsonReadOptions& options)
    : root_{&message, &field}, root_path_(std::move(path)), options_(options), depth_(0) {}

// ---- errors ----

std::string MessageFiller::path() const {
  std::string out = root_path_;
  for (const Frame& frame : frames_) {
    if (frame.kind == Frame::Kind::kList) {
      if (frame.index >= 0) out += "[" + std::to_string(frame.index) + "]";
    } else if (frame.kind == Frame::Kind::kMap) {
      if (!frame.key.empty()) out += "[\"" + frame.key + "\"]";
    } else if (!frame.key.empty()) {
      if (!out.empty()) out += '.';
      out += frame.key;
    }
  }
  return out;
}

bool MessageFiller::fail(std::string description) {
  if (failed_) return false;
  failed_ = true;
  violation_ = {path(), std::move(description)};
  return false;
}

// ---- where a value goes ----

// Whether the null that follows is of a field that is simply left out.
bool MessageFiller::is_null_ignored() const {
  if (frames_.empty()) return root_.field != nullptr && !takes_null(*root_.field);
  const Frame& top = frames_.back();
  return top.kind == Frame::Kind::kMessage && (!takes_null(*top.field) || top.field->is_repeated());
}

bool MessageFiller::take_map_slot(Frame& frame, Slot& slot) {
  const Descriptor& entry_type = *frame.field->message_type();
  Message* entry = frame.message->GetReflection()->AddMessage(frame.message, frame.field);
  const std::string problem =
      set_field(*entry, *entry_type.map_key(), Scalar::from_url(frame.key), false);
  if (!problem.empty()) return fail("the key is wrong: " + problem);
  slot = {entry, entry_type.map_value()};
  return true;
}

// `value` is null for an object or array.
bool MessageFiller::take_slot(const Scalar* value, Slot& slot) {
  if (frames_.empty()) {
    slot = root_;
    return true;
  }
  Frame& top = frames_.back();
  if (top.kind == Frame::Kind::kList) ++top.index;
  if (top.kind == Frame::Kind::kMessage) {
    slot = {top.message, top.field};
    return note_oneof(top);
  }
  const FieldDescriptor& element =
      top.kind == Frame::Kind::kList ? *top.field : *top.field->message_type()->map_value();
  if (value != nullptr && value->kind == Scalar::Kind::kNull && !takes_null(element))
    return fail("expected " + type_in_words(element) + ", not null");
  if (top.kind == Frame::Kind::kMap) return take_map_slot(top, slot);
  slot = {top.message, top.field};
  return true;
}

// The message that the slot is, made when it is not there yet.
Message& MessageFiller::open_message(const Slot& slot) {
  if (slot.field == nullptr) return *slot.message;
  const Reflection& reflection = *slot.message->GetReflection();
  return slot.field->is_repeated() ? *reflection.AddMessage(slot.message, slot.field)
                                   : *reflection.MutableMessage(slot.message, slot.field);
}

bool MessageFiller::put(const Slot& slot, const Scalar& value) {
  const bool is_element = !frames_.empty() && frames_.back().kind == Frame::Kind::kList;
  if (slot.field != nullptr && slot.field->is_repeated() && !is_element)
    return fail(slot.field->is_map() ? "expected an object" : "expected an array");
  const bool is_message =
      slot.field == nullptr || slot.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  std::string problem =
      is_message ? set_message(open_message(slot), value)
                 : set_field(*slot.message, *slot.field, value, options_.case_insensitive_enums);
  return problem.empty() || fail(std::move(problem));
}

// ---- what the text consists of ----

bool MessageFiller::on_scalar(const Scalar& value) {
  if (tape_ != nullptr) {
    tape_->add_scalar(value);
    return true;
  }
  if (std::exchange(skip_next_, false) || skipping_ > 0) return true;
  if (value.kind == Scalar::Kind::kNull && is_null_ignored()) return true;
  Slot slot;
  return take_slot(&value, slot) && put(slot, value);
}

bool MessageFiller::note_seen(Frame& frame, const std::string& name) {
  return frame.seen.insert(name).second || fail("is there twice");
}

// Of a field that gets a value: null leaves the others of its oneof alone.
bool MessageFiller::note_oneof(Frame& frame) {
  const auto* oneof = frame.field->real_containing_oneof();
  return oneof == nullptr || frame.seen.insert(oneof->name()).second ||
         fail("another field of the oneof '" + oneof->name() + "' is there already");
}

bool MessageFiller::on_key(std::string_view key) {
  if (tape_ != nullptr) {
    tape_->add_key(key);
    return true;
  }
  if (skipping_ > 0) return true;
  Frame& top = frames_.back();
  top.key = key;
  if (top.kind == Frame::Kind::kMap) return note_seen(top, top.key);
  const Descriptor& type = *top.message->GetDescriptor();
  top.field = find_field(type, key);
  if (top.field != nullptr) return note_seen(top, top.field->name());
  skip_next_ = options_.ignore_unknown_fields;
  return skip_next_ || fail("no such field in " + type.full_name());
}

bool MessageFiller::push(Frame::Kind kind, Message& message, const FieldDescriptor* field) {
  frames_.push_back({.kind = kind, .message = &message, .field = field});
  return true;
}

bool MessageFiller::on_start(bool is_object) {
  if (++depth_ > kMaxJsonDepth)
    return fail("more than " + std::to_string(kMaxJsonDepth) + " objects and arrays in each other");
  if (tape_ != nullptr) {
    tape_->add_start(is_object);
    return true;
  }
  if (skipping_ > 0 || std::exchange(skip_next_, false)) {
    ++skipping_;
    return true;
  }
  Slot slot;
  if (!take_slot(nullptr, slot)) return false;
  if (slot.field == nullptr) return start_in_message(*slot.message, is_object);
  return start_in_field(slot, is_object);
}

bool MessageFiller::start_in_field(const Slot& slot, bool is_object) {
  const bool is_element = !frames_.empty() && frames_.back().kind == Frame::Kind::kList;
  if (slot.field->is_map()) {
    if (!is_object) return fail("expected an object, not an array");
    return push(Frame::Kind::kMap, *slot.message, slot.field);
  }
  if (slot.field->is_repeated() && !is_element) {
    if (is_object) return fail("expected an array, not an object");
    return push(Frame::Kind::kList, *slot.message, slot.field);
  }
  if (slot.field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return fail("expected " + type_in_words(*slot.field) + ", not " + what_starts(is_object));
  return start_in_message(open_message(slot), is_object);
}

bool MessageFiller::start_in_message(Message& message, bool is_object) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      if (!is_object) break;
      tape_ = std::make_unique<JsonTape>();
      tape_->add_start(true);
      any_ = &message;
      return true;
    case Descriptor::WELLKNOWNTYPE_VALUE: {
      const FieldDescriptor* of = type.FindFieldByNumber(is_object ? 5 : 6);
      return start_in_message(*reflection.MutableMessage(&message, of), is_object);
    }
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      if (!is_object) break;
      return push(Frame::Kind::kMap, message, type.FindFieldByNumber(1));
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      if (is_object) break;
      return push(Frame::Kind::kList, message, type.FindFieldByNumber(1));
    default:
      if (is_object && !is_scalar_message(type)) return push(Frame::Kind::kMessage, message);
  }
  return fail("expected a " + type.full_name() + ", not " + what_starts(is_object));
}

bool MessageFiller::on_end(bool is_object) {
  --depth_;
  if (tape_ != nullptr) return !tape_->add_end(is_object) || finish_any();
  if (skipping_ > 0) {
    --skipping_;
    return true;
  }
  frames_.pop_back();
  return true;
}

// ---- Any ----

// The type is known now: the members are read into a message of it, which the Any then holds.
bool MessageFiller::finish_any() {
  const std::unique_ptr<JsonTape> tape = std::move(tape_);
  const std::string url(tape->text_of("@type"));
  if (url.empty()) return fail("an Any needs its type in the member '@type'");
  const Message* prototype = options_.types.find_by_url(url);
  if (prototype == nullptr) return fail("'@type' names no type that is known here: '" + url + "'");
  const std::unique_ptr<Message> content(prototype->New());
  const auto well_known = content->GetDescriptor()->well_known_type();
  const bool is_plain = well_known == Descriptor::WELLKNOWNTYPE_UNSPECIFIED;
  MessageFiller filler(*content, path(), options_, depth_ + 1);
  const bool fine =
      is_plain ? tape->play_without("@type", filler) : tape->play_member("value", filler);
  if (filler.failed()) {
    failed_ = true;
    violation_ = filler.violation();
    return false;
  }
  if (!fine) return fail("an Any of this type needs the member 'value'");
  const Descriptor& type = *any_->GetDescriptor();
  any_->GetReflection()->SetString(any_, type.FindFieldByNumber(1), url);
  any_->GetReflection()->SetString(any_, type.FindFieldByNumber(2),
                                   content->SerializePartialAsString());
  return true;
}

}  // namespace weir::filters::transcoder
