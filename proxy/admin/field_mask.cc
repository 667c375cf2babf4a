#include "proxy/admin/field_mask.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::admin {
namespace {

using google::protobuf::Any;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

// What is named below one field; without children all of it.
struct Node {
  std::map<std::string, Node, std::less<>> children;
  bool whole = false;
};

void add_path(std::string_view path, Node& root) {
  Node* at = &root;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    at = &at->children[std::string(path.substr(0, dot))];
    path = dot == path.npos ? std::string_view() : path.substr(dot + 1);
  }
  at->whole = true;
}

Node parse(std::string_view mask) {
  Node root;
  while (!mask.empty()) {
    const size_t comma = mask.find(',');
    if (comma != 0) add_path(mask.substr(0, comma), root);
    mask = comma == mask.npos ? std::string_view() : mask.substr(comma + 1);
  }
  return root;
}

bool trim(const Node& node, Message& message);

bool trim_any(const Node& node, Any& any) {
  const std::string& url = any.type_url();
  const auto* type =
      DescriptorPool::generated_pool()->FindMessageTypeByName(url.substr(url.rfind('/') + 1));
  if (type == nullptr) return false;
  const std::unique_ptr<Message> content(
      MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!any.UnpackTo(content.get()) || !trim(node, *content)) return false;
  any.PackFrom(*content);
  return true;
}

bool trim_field(const Node& node, const FieldDescriptor& field, Message& message) {
  if (node.whole || node.children.empty()) return true;
  if (field.is_repeated() || field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return false;
  const auto& reflection = *message.GetReflection();
  if (!reflection.HasField(message, &field)) return true;
  Message& inner = *reflection.MutableMessage(&message, &field);
  if (inner.GetDescriptor() == Any::descriptor()) return trim_any(node, static_cast<Any&>(inner));
  return trim(node, inner);
}

bool trim(const Node& node, Message& message) {
  const auto& type = *message.GetDescriptor();
  for (const auto& [name, child] : node.children) {
    const FieldDescriptor* field = type.FindFieldByName(name);
    if (field == nullptr || !trim_field(child, *field, message)) return false;
  }
  std::vector<const FieldDescriptor*> present;
  message.GetReflection()->ListFields(message, &present);
  for (const FieldDescriptor* field : present)
    if (!node.children.contains(field->name()))
      message.GetReflection()->ClearField(&message, field);
  return true;
}

}  // namespace

bool keep_masked(const std::string& mask, Message& message) {
  const Node root = parse(mask);
  return root.children.empty() || trim(root, message);
}

}  // namespace weir::admin
