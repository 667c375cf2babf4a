#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <string>

namespace weir::filters::transcoder {

// The descriptor set of bookstore.proto with what it imports.
google::protobuf::FileDescriptorSet bookstore_set();

// A configuration of the filter, in YAML, for the service bookstore.Bookstore, with `more` lines.
std::string bookstore_config(const std::string& more = "");

}  // namespace weir::filters::transcoder
