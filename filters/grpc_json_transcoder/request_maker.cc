#include "filters/grpc_json_transcoder/request_maker.h"

#include <google/protobuf/any.pb.h>

#include <utility>

#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Arena;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// The message that the chain leads to, made on the way.
Message& open_chain(Message& message, const FieldChain& chain, size_t length) {
  Message* at = &message;
  for (size_t i = 0; i < length; ++i) at = at->GetReflection()->MutableMessage(at, chain[i]);
  return *at;
}

}  // namespace

RequestMaker::RequestMaker(Match match, const Settings& settings)
    : match_(std::move(match)),
      settings_(settings),
      bound_(match_.binding->method->request->New(&arena_)) {}

// ---- path and query ----

std::string RequestMaker::read_query(std::string_view path) {
  const Descriptor& request = *binding().method->descriptor->input_type();
  for (QueryPair& pair : split_query(path, settings_.plus_is_space)) {
    if (settings_.ignored_parameters.contains(pair.name)) continue;
    auto chain = find_chain(request, split_names(pair.name));
    if (chain && takes_text(*chain->back())) {
      parameters_.emplace_back(std::move(*chain), std::move(pair.value));
    } else if (settings_.ignore_unknown_parameters) {
      continue;
    } else if (settings_.capture_unknown_parameters) {
      unknown_[pair.name].push_back(std::move(pair.value));
    } else {
      return pair.name;
    }
  }
  return {};
}

std::optional<Violation> RequestMaker::bind_text(const FieldChain& chain, std::string_view text) {
  Message& owner = open_chain(*bound_, chain, chain.size() - 1);
  const FieldDescriptor& field = *chain.back();
  const Scalar value = Scalar::from_url(text);
  std::string problem;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    const Reflection& reflection = *owner.GetReflection();
    problem = set_message(field.is_repeated() ? *reflection.AddMessage(&owner, &field)
                                              : *reflection.MutableMessage(&owner, &field),
                          value);
  } else {
    problem = set_field(owner, field, value, settings_.case_insensitive_enums);
  }
  if (problem.empty()) return {};
  return Violation{chain_text(chain), std::move(problem)};
}

// The path's word is the last one: what it names has been routed and authorised by it.
std::optional<Violation> RequestMaker::bind() {
  for (const auto& [chain, text] : parameters_)
    if (auto violation = bind_text(chain, text)) return violation;
  for (const auto& [chain, text] : match_.variables)
    if (auto violation = bind_text(*chain, text)) return violation;
  return {};
}

// A field that path or query set and that the body sets otherwise.
std::optional<Violation> RequestMaker::find_collision(const Message& message) const {
  const auto differs = [&](const FieldChain& chain) {
    if (chain.back()->is_repeated()) return false;
    std::string bound;
    std::string now;
    write_json_field(*bound_, chain, *settings_.types, {}, bound);
    write_json_field(message, chain, *settings_.types, {}, now);
    return bound != now;
  };
  const auto collision = [](const FieldChain& chain) {
    return Violation{chain_text(chain), "the body says otherwise than the URL"};
  };
  for (const auto& [chain, text] : parameters_)
    if (differs(chain)) return collision(chain);
  for (const auto& [chain, text] : match_.variables)
    if (differs(*chain)) return collision(*chain);
  return {};
}

// ---- the body ----

std::optional<Violation> RequestMaker::frame(const Message& message, std::string& out) {
  if (!message.IsInitialized()) {
    std::vector<std::string> missing;
    message.FindInitializationErrors(&missing);
    return Violation{missing.empty() ? "" : missing[0], "is required"};
  }
  const auto prefix = http::grpc_prefix(static_cast<uint32_t>(message.ByteSizeLong()));
  out.append(prefix.data(), prefix.size());
  message.AppendPartialToString(&out);
  return {};
}

std::optional<Violation> RequestMaker::add_json(std::string_view json, std::string& out) {
  Arena arena;
  Message& message = *bound_->New(&arena);
  message.CopyFrom(*bound_);
  if (binding().body != Binding::Body::kNone && !is_blank(json)) {
    const JsonReadOptions options = settings_.read_options();
    auto violation = binding().body == Binding::Body::kWhole
                         ? read_json(json, message, options)
                         : read_json_field(json, message, binding().body_field, options);
    if (violation) return violation;
    if (settings_.reject_collisions && (violation = find_collision(message))) return violation;
  }
  return frame(message, out);
}

void RequestMaker::put_unknown_parameters(Message& body) const {
  const FieldDescriptor* extensions = body.GetDescriptor()->FindFieldByName("extensions");
  if (unknown_.empty() || extensions == nullptr) return;
  envoy::extensions::filters::http::grpc_json_transcoder::v3::UnknownQueryParams parameters;
  for (const auto& [name, values] : unknown_)
    for (const std::string& value : values) (*parameters.mutable_key())[name].add_values(value);
  google::protobuf::Any any;
  any.PackFrom(parameters);
  body.GetReflection()->AddMessage(&body, extensions)->ParseFromString(any.SerializeAsString());
}

std::optional<Violation> RequestMaker::add_http_body(std::string_view content_type,
                                                     std::string_view data, std::string& out) {
  Arena arena;
  Message& message = *bound_->New(&arena);
  if (first_) message.CopyFrom(*bound_);
  Message& body = open_chain(message, binding().body_field, binding().body_field.size());
  const Reflection& reflection = *body.GetReflection();
  const Descriptor& type = *body.GetDescriptor();
  if (first_) {
    reflection.SetString(&body, type.FindFieldByName("content_type"), std::string(content_type));
    put_unknown_parameters(body);
  }
  reflection.SetString(&body, type.FindFieldByName("data"), std::string(data));
  first_ = false;
  return frame(message, out);
}

}  // namespace weir::filters::transcoder
