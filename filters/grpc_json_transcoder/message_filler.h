#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "filters/grpc_json_transcoder/json_reader.h"
#include "filters/grpc_json_transcoder/json_tape.h"

namespace weir::filters::transcoder {

// Puts the parts of a JSON text into a message, one by one.
class MessageFiller : public JsonEvents {
 public:
  // The value is `message`; `depth` is how deep the text stands in another one.
  MessageFiller(google::protobuf::Message& message, std::string path,
                const JsonReadOptions& options, int depth = 0);
  // The value is a field of `message`.
  MessageFiller(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                std::string path, const JsonReadOptions& options);

  bool on_scalar(const Scalar& value) override;
  bool on_key(std::string_view key) override;
  bool on_start(bool is_object) override;
  bool on_end(bool is_object) override;

  // Reports what is wrong where the text is now; false.
  bool fail(std::string description);
  const Violation& violation() const { return violation_; }
  bool failed() const { return failed_; }

 private:
  // Where a value goes: into `field` of `message`, or it is the message itself.
  struct Slot {
    google::protobuf::Message* message = nullptr;
    const google::protobuf::FieldDescriptor* field = nullptr;
  };
  // An object or array that is open.
  struct Frame {
    enum class Kind : uint8_t { kMessage, kMap, kList };
    Kind kind;
    google::protobuf::Message* message;              // of kMap and kList: whose field it is
    const google::protobuf::FieldDescriptor* field;  // of kMessage: of the present key
    std::string key;                                 // as written
    int index = -1;                                  // of kList
    // Keys, of kMap; names of fields and oneofs, which differ, of kMessage.
    std::set<std::string, std::less<>> seen;
  };

  bool is_null_ignored() const;
  bool take_slot(const Scalar* value, Slot& slot);
  bool take_map_slot(Frame& frame, Slot& slot);
  bool put(const Slot& slot, const Scalar& value);
  static google::protobuf::Message& open_message(const Slot& slot);
  bool start_in_field(const Slot& slot, bool is_object);
  bool start_in_message(google::protobuf::Message& message, bool is_object);
  bool push(Frame::Kind kind, google::protobuf::Message& message,
            const google::protobuf::FieldDescriptor* field = nullptr);
  bool note_seen(Frame& frame, const std::string& name);
  bool note_oneof(Frame& frame);
  bool finish_any();
  std::string path() const;

  Slot root_;
  std::string root_path_;
  const JsonReadOptions& options_;
  std::vector<Frame> frames_;
  int depth_;
  int skipping_ = 0;        // objects and arrays open in a value that no field takes
  bool skip_next_ = false;  // the value that follows is of no field
  std::unique_ptr<JsonTape> tape_;
  google::protobuf::Message* any_ = nullptr;  // that the tape is for
  Violation violation_;
  bool failed_ = false;
};

}  // namespace weir::filters::transcoder
