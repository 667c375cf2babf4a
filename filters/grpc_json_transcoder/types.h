#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/base/result.h"

namespace weir::filters::transcoder {

// The message types of a descriptor set, ready for use: nothing is built, and no lock is taken,
// when a message of one is made. Immutable once loaded: any thread.
class Types {
 public:
  // Files that the set imports and does not have are taken from this build when they are Google's
  // own (google/protobuf, google/api, google/rpc).
  static Result<std::unique_ptr<const Types>> load(
      const google::protobuf::FileDescriptorSet& files);

  Types(const Types&) = delete;
  Types& operator=(const Types&) = delete;

  // Null when there is no such type.
  const google::protobuf::Message* find(std::string_view full_name) const;
  // The type that an Any's type URL names.
  const google::protobuf::Message* find_by_url(std::string_view type_url) const;
  const google::protobuf::ServiceDescriptor* service(const std::string& full_name) const {
    return pool_.FindServiceByName(full_name);
  }

 private:
  Types() : made_(&pool_) {}
  void add_messages(const google::protobuf::FileDescriptor& file);
  void add_message(const google::protobuf::Descriptor& type);
  void add_status_details();

  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory made_;
  std::unordered_map<std::string_view, const google::protobuf::Message*> by_name_;
};

}  // namespace weir::filters::transcoder
