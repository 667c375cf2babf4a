#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>

#include "xds/types.h"

namespace google::protobuf {
class Any;
}

namespace weir {

// A resource that came from a control plane, for dumps of the configuration. `warming`: it waits
// for what it needs, and an older version serves, if there is one.
struct DynamicResource {
  xds::ResourceType type = xds::ResourceType::kCluster;
  std::string name;
  std::string version;
  int64_t updated_s = 0;  // since 1970
  std::shared_ptr<const google::protobuf::Any> content;
  bool warming = false;
};

}  // namespace weir
