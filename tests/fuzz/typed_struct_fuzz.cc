// The text is the JSON of a Struct that a TypedStruct has for a connection manager: either there is
// an error with a sentence, or the message is there in its place, and is as it was when that is
// looked at again. Istio's extensions are gone after they were taken out once.
#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/istio_compat.h"
#include "config/typed_struct.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace {

using namespace weir::config;
using envoy::config::listener::v3::Filter;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void require(bool holds) {
  if (!holds) std::abort();
}

// How many were removed.
int remove_all(Filter& filter) {
  int count = 0;
  remove_istio_extensions(filter, [&](const std::string& type) {
    require(!type.empty());
    ++count;
  });
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  xds::type::v3::TypedStruct folded;
  folded.set_type_url("type.googleapis.com/" + HttpConnectionManager::descriptor()->full_name());
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (!google::protobuf::util::JsonStringToMessage(text, folded.mutable_value()).ok()) return 0;
  Filter filter;
  filter.mutable_typed_config()->PackFrom(folded);
  remove_all(filter);
  Diagnostics diagnostics;
  unfold_typed_structs(filter, FieldPath::root(), {}, diagnostics);
  for (const Diagnostic& one : diagnostics.items()) require(!one.message.empty());
  if (diagnostics.has_errors()) return 0;
  HttpConnectionManager manager;
  require(filter.typed_config().UnpackTo(&manager));
  const std::string before = filter.SerializeAsString();
  // One that stands for another is refused by whoever checks the message.
  if (mentions_typed_struct(before)) return 0;
  unfold_typed_structs(filter, FieldPath::root(), {}, diagnostics);
  require(!diagnostics.has_errors() && filter.SerializeAsString() == before);
  remove_all(filter);
  require(remove_all(filter) == 0);
  return 0;
}
