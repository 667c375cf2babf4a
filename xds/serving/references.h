#pragma once

#include <string>
#include <vector>

#include "config/field_path.h"
#include "xds/serving/catalogue.h"

namespace google::protobuf {
class Message;
}

namespace weir::xds {

struct PlacedReference {
  Reference reference;
  std::string path;  // of the field that names it
};

// Adds what `message` itself, which stands at `path`, leads to: a cluster to its endpoints, a
// connection manager to its routes, routes to clusters, a TLS context to secrets. What comes from
// elsewhere, such as a file, is left out; so is what lies in an Any within it.
void collect_references(const google::protobuf::Message& message, const config::FieldPath& path,
                        std::vector<PlacedReference>& out);

// What the resource is called: ClusterLoadAssignment's cluster_name, the `name` of all others.
std::string resource_name(const google::protobuf::Message& message);

}  // namespace weir::xds
