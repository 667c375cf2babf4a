#include "config/unknown_fields.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/message_walk.h"

namespace weir::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Bounds the stack: protobuf bounds the depth of one message, not that of Anys.
constexpr int kMaxAnyDepth = 32;

class UnknownFieldWalk {
 public:
  UnknownFieldWalk(Severity severity, Diagnostics& diagnostics)
      : severity_(severity), diagnostics_(diagnostics) {}

  void visit(const Message& message, const FieldPath& path) {
    report(message, path);
    if (message.GetDescriptor()->well_known_type() == Descriptor::WELLKNOWNTYPE_ANY) {
      return visit_any(static_cast<const Any&>(message), path);
    }
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* const field : fields) {
      if (child_type(*field) == nullptr) continue;
      for_each_child(message, *field, path,
                     [this](const Message& child, const FieldPath& at) { visit(child, at); });
    }
  }

  std::size_t count() const { return count_; }

 private:
  void report(const Message& message, const FieldPath& path) {
    const google::protobuf::UnknownFieldSet& unknown =
        message.GetReflection()->GetUnknownFields(message);
    std::set<int> numbers;
    for (int i = 0; i < unknown.field_count(); ++i) numbers.insert(unknown.field(i).number());
    count_ += numbers.size();
    for (const int number : numbers) {
      std::string text = "'" + message.GetDescriptor()->full_name() + "' has no field " +
                         std::to_string(number) + " here";
      if (severity_ == Severity::kError) {
        diagnostics_.error(Code::kUnknownField, path, std::move(text),
                           "send what the API of this version has");
      } else {
        diagnostics_.warning(Code::kUnknownField, path, std::move(text), "it is ignored");
      }
    }
  }

  void visit_any(const Any& any, const FieldPath& path) {
    std::string name;
    if (!Any::ParseAnyTypeUrl(any.type_url(), &name)) return;
    const Descriptor* const type =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    if (type == nullptr) return;
    if (any_depth_ == kMaxAnyDepth) {
      return diagnostics_.error(Code::kLimit, path, "Anys are nested too deep",
                                "at most " + std::to_string(kMaxAnyDepth) + " are allowed");
    }
    google::protobuf::Arena arena;
    Message& content =
        *google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New(&arena);
    if (!content.ParseFromString(any.value())) return;
    ++any_depth_;
    visit(content, path);
    --any_depth_;
  }

  Severity severity_;
  Diagnostics& diagnostics_;
  std::size_t count_ = 0;
  int any_depth_ = 0;
};

}  // namespace

std::size_t report_unknown_fields(const Message& message, const FieldPath& path, Severity severity,
                                  Diagnostics& diagnostics) {
  UnknownFieldWalk walk(severity, diagnostics);
  walk.visit(message, path);
  return walk.count();
}

}  // namespace weir::config
