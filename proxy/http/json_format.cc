#include "proxy/http/json_format.h"

#include <google/protobuf/struct.pb.h>

#include <charconv>
#include <cmath>
#include <map>
#include <vector>

#include "proxy/http/escape.h"
#include "proxy/http/formatter_part.h"

namespace weir::http {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// Shortest text that gives the number back; JSON knows neither NaN nor infinity.
std::string number_text(double number) {
  if (!std::isfinite(number)) return "null";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), number).ptr);
}

}  // namespace

struct JsonFormat::Node {
  enum class Kind : uint8_t { kLiteral, kFormat, kObject, kList };
  Kind kind = Kind::kLiteral;
  std::string key;      // `"name":`, of an object's member
  std::string literal;  // as JSON
  std::optional<Format> format;
  std::vector<Node> children;
};

// Walks the Struct; errors do not stop it, so that all of them are found.
class JsonFormat::Compiler {
 public:
  explicit Compiler(config::Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  bool fine() const { return fine_; }

  Node object(const Struct& object, const config::FieldPath& path) {
    Node out;
    out.kind = Node::Kind::kObject;
    const std::map<std::string, Value> sorted(object.fields().begin(), object.fields().end());
    for (const auto& [name, member] : sorted) {
      const config::FieldPath member_path = path.key(name);
      out.children.push_back(value(member, member_path));
      append_json_string(name, out.children.back().key);
      out.children.back().key += ':';
    }
    return out;
  }

 private:
  Node value(const Value& value, const config::FieldPath& path) {
    switch (value.kind_case()) {
      case Value::kStructValue:
        return object(value.struct_value(), path);
      case Value::kListValue:
        return list(value, path);
      case Value::kStringValue:
        return text(value.string_value(), path);
      case Value::kNumberValue:
        return literal(number_text(value.number_value()));
      case Value::kBoolValue:
        return literal(value.bool_value() ? "true" : "false");
      case Value::kNullValue:
      case Value::KIND_NOT_SET:
        break;
    }
    return literal("null");
  }

  Node list(const Value& value, const config::FieldPath& path) {
    Node out;
    out.kind = Node::Kind::kList;
    for (int i = 0; i < value.list_value().values_size(); ++i) {
      const config::FieldPath item_path = path.at(i);
      out.children.push_back(this->value(value.list_value().values(i), item_path));
    }
    return out;
  }

  Node text(const std::string& text, const config::FieldPath& path) {
    Node out;
    Result<Format> format = Format::compile(text);
    if (!format) {
      report_format_error(format.error(), path, diagnostics_);
      fine_ = false;
    } else if (format->is_literal()) {
      append_json_string(format->literal(), out.literal);
    } else {
      out.kind = Node::Kind::kFormat;
      out.format = format.take();
    }
    return out;
  }

  static Node literal(std::string json) {
    Node out;
    out.literal = std::move(json);
    return out;
  }

  config::Diagnostics& diagnostics_;
  bool fine_ = true;
};

// Writes one object for one request.
class JsonFormat::Writer {
 public:
  Writer(const FormatInput& input, bool omit_empty, std::string& out)
      : input_(input), omit_empty_(omit_empty), out_(out) {}

  void write(const Node& node) {
    switch (node.kind) {
      case Node::Kind::kLiteral:
        out_ += node.literal;
        break;
      case Node::Kind::kFormat:
        write_format(node);
        break;
      case Node::Kind::kObject:
        write_children(node, '{', '}');
        break;
      case Node::Kind::kList:
        write_children(node, '[', ']');
        break;
    }
  }

 private:
  void write_children(const Node& node, char open, char close) {
    out_ += open;
    bool first = true;
    for (const Node& child : node.children) {
      const size_t before = out_.size();
      if (!first) out_ += ',';
      out_ += child.key;
      left_out_ = false;
      write(child);
      if (left_out_)
        out_.resize(before);
      else
        first = false;
      left_out_ = false;
    }
    out_ += close;
  }

  void write_format(const Node& node) {
    if (node.format->is_single_command()) {
      write_value(node.format->parts_->front().value(input_, scratch_));
      return;
    }
    out_ += '"';
    for (const Format::Part& part : *node.format->parts_) {
      const FormatValue value = part.value(input_, scratch_);
      if (value.kind != FormatValue::Kind::kMissing)
        append_json_escaped(value.text, out_);
      else if (!omit_empty_)
        out_ += '-';
    }
    out_ += '"';
  }

  void write_value(const FormatValue& value) {
    switch (value.kind) {
      case FormatValue::Kind::kText:
        append_json_string(value.text, out_);
        break;
      case FormatValue::Kind::kNumber:
        out_ += value.text;
        break;
      case FormatValue::Kind::kMissing:
        out_ += "null";
        left_out_ = omit_empty_;
        break;
    }
  }

  const FormatInput& input_;
  bool omit_empty_;
  std::string& out_;
  bool left_out_ = false;  // what was just written must be taken back
  FormatScratch scratch_;
};

JsonFormat::JsonFormat(std::unique_ptr<const Node> root, bool omit_empty)
    : root_(std::move(root)), omit_empty_(omit_empty) {}
JsonFormat::JsonFormat(JsonFormat&&) noexcept = default;
JsonFormat& JsonFormat::operator=(JsonFormat&&) noexcept = default;
JsonFormat::~JsonFormat() = default;

std::optional<JsonFormat> JsonFormat::compile(const Struct& object, bool omit_empty,
                                              const config::FieldPath& path,
                                              config::Diagnostics& diagnostics) {
  Compiler compiler(diagnostics);
  auto root = std::make_unique<const Node>(compiler.object(object, path));
  if (!compiler.fine()) return std::nullopt;
  return JsonFormat(std::move(root), omit_empty);
}

void JsonFormat::append(const FormatInput& input, std::string& out) const {
  Writer(input, omit_empty_, out).write(*root_);
}

void report_format_error(const Error& error, const config::FieldPath& path,
                         config::Diagnostics& diagnostics) {
  const auto code =
      error.code == "not-supported" ? config::Code::kNotSupported : config::Code::kInvalidValue;
  diagnostics.error(code, path, error.message);
}

}  // namespace weir::http
