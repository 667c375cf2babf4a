#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Any;
}

namespace weir::xds {

// The kinds of resources that a control plane may be asked for.
enum class ResourceType : uint8_t {
  kCluster,
  kEndpoint,
  kListener,
  kRoute,
  kScopedRoute,
  kSecret,
  kRuntime,
  kExtension,
};
inline constexpr size_t kResourceTypes = 8;

// "type.googleapis.com/envoy.config.cluster.v3.Cluster"; of kExtension, TypedExtensionConfig's.
std::string_view type_url(ResourceType type);
std::optional<ResourceType> type_of_url(std::string_view url);
// "CDS", as people and statistics call it.
std::string_view short_name(ResourceType type);
// Of listeners, clusters and scopes of routes a whole answer says all there are: what it leaves out
// is removed. Of the others it says what is new; they go with what refers to them.
bool absence_removes(ResourceType type);

// One resource as it came. Immutable.
struct Resource {
  std::string name;
  std::string version;
  std::shared_ptr<const google::protobuf::Any> content;  // of the resource's own type
};

// A change of the resources of one type. `removed` comes before `added`, so that an address or a
// name can be used again at once; no name is in both.
struct Update {
  ResourceType type = ResourceType::kCluster;
  std::string version;  // of the answer as a whole
  std::vector<std::string> removed;
  std::vector<Resource> added;  // those whose bytes are as they were are left out
};

// Why a resource of an update was not applied.
struct Rejection {
  std::string name;
  std::string details;  // a line for each error: "path of the field: what is wrong", if it has one
};

// Whoever makes something of resources. Main thread.
class ResourceHandler {
 public:
  virtual ~ResourceHandler() = default;
  // Applies each valid resource and returns the others, whose last good versions stay.
  virtual std::vector<Rejection> apply(const Update& update) = 0;
  // The resource that was subscribed to did not come within its initial_fetch_timeout, or was the
  // first of its name and rejected, or the control plane says that there is none: what waits for it
  // goes on without. `name` is "*" for the type as a whole.
  virtual void on_absent(ResourceType type, const std::string& name) = 0;
  // These came again with the bytes that they had. For those who want to know how fresh something
  // is; a heartbeat of a time to live is none of them.
  virtual void on_unchanged(ResourceType /*type*/, const std::vector<std::string>& /*names*/) {}
};

}  // namespace weir::xds
