#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/message_table.h"
#include "config/proto_loader.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"

namespace weir::config {

// The workings of ProtoLoader, split by what they load. Internal to it.
class ProtoLoader::Run {
 public:
  Run(const Source& source, const ProtoLoadOptions& options, Diagnostics& diagnostics)
      : source_(source), options_(options), diagnostics_(diagnostics) {}

  // proto_loader.cc: mappings to fields
  void message(const YamlNode& node, const FieldPath& path, google::protobuf::Message& out);

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  // Which fields of one message were given, by their index.
  class Given {
   public:
    // False if it was given before.
    bool add(int index);

   private:
    std::array<std::uint64_t, 4> bits_{};
  };

  void message_of(MessageTable& table, const YamlNode& node, const FieldPath& path, Message& out);
  void fields(MessageTable& table, const YamlNode& node, const FieldPath& path,
              std::string_view skip, Message& out);
  void field(FieldEntry& entry, const YamlEntry& yaml, const FieldPath& path, Message& out);
  void repeated(FieldEntry& entry, const YamlNode& node, const FieldPath& path, Message& out);
  void map(FieldEntry& entry, const YamlNode& node, const FieldPath& path, Message& out);
  bool takes_null(FieldEntry& entry);
  bool may_set(FieldEntry& entry, const YamlEntry& yaml, Given& given, const FieldPath& path,
               const Message& out);
  void unknown_field(const MessageTable& table, const YamlEntry& yaml, const FieldPath& path);

  // proto_scalar.cc: scalars to fields. `append` adds to a repeated field.
  void scalar(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
              Message& out);
  void bool_value(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
                  Message& out);
  void integer(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
               Message& out);
  // Reports why it is none.
  void no_integer(const Field& field, const YamlNode& node, const FieldPath& path);
  void floating(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
                Message& out);
  void text(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
            Message& out);
  bool text_of(const Field& field, const YamlNode& node, const FieldPath& path, std::string& out);
  void enumeration(const Field& field, const YamlNode& node, const FieldPath& path, bool append,
                   Message& out);

  // well_known.cc: messages with a JSON form of their own
  void duration(const YamlNode& node, const FieldPath& path, Message& out);
  void timestamp(const YamlNode& node, const FieldPath& path, Message& out);
  void field_mask(const YamlNode& node, const FieldPath& path, Message& out);
  void struct_fields(const YamlNode& node, const FieldPath& path, google::protobuf::Struct& out);
  void value(const YamlNode& node, google::protobuf::Value& out);
  void list(const YamlNode& node, const FieldPath& path, google::protobuf::ListValue& out);
  void scalar_value(const YamlNode& node, google::protobuf::Value& out);

  // any_loader.cc
  void any(const YamlNode& node, const FieldPath& path, Message& out);
  // Whether the field of `owner` holds an optional extension that is not there; warns of it.
  bool is_left_out(const FieldEntry& entry, const YamlEntry& yaml, const YamlNode& owner,
                   const FieldPath& path);
  void typed_struct(const YamlNode& node, const FieldPath& path, Message& any_out);
  const google::protobuf::Descriptor* type_of(const YamlNode& url, const FieldPath& path);
  // Whether a type that is not known is no error there.
  bool is_passed_over(const YamlNode& url, const FieldPath& path);
  void pass_over(const YamlNode& url, const FieldPath& path, Message& any_out);
  void content(const google::protobuf::Descriptor& type, const YamlNode& node,
               const FieldPath& path, Message& any_out);

  // proto_load_run.cc: errors at a node of the tree
  void error(Code code, const YamlNode& node, const FieldPath& path, std::string message,
             std::string hint = {});
  void report(Severity severity, Code code, const YamlNode& node, const FieldPath& path,
              std::string message, std::string hint);
  // "expected a list, got 'x'"
  void wrong_type(const YamlNode& node, const FieldPath& path, std::string_view expected,
                  std::string hint = {});

  const Source& source_;
  const ProtoLoadOptions& options_;
  Diagnostics& diagnostics_;
  MessageTables tables_;
};

}  // namespace weir::config
