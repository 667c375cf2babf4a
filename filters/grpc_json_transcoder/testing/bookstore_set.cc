#include "filters/grpc_json_transcoder/testing/bookstore_set.h"

#include <google/protobuf/descriptor.h>

#include <set>
#include <string>

#include "bookstore.pb.h"
#include "filters/common/base64.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorSet;

void add_file(const FileDescriptor& file, std::set<std::string>& added, FileDescriptorSet& to) {
  if (!added.insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) add_file(*file.dependency(i), added, to);
  file.CopyTo(to.add_file());
}

}  // namespace

FileDescriptorSet bookstore_set() {
  FileDescriptorSet set;
  std::set<std::string> added;
  add_file(*bookstore::Book::descriptor()->file(), added, set);
  return set;
}

std::string bookstore_config(const std::string& more) {
  std::string set;
  common::append_base64(bookstore_set().SerializeAsString(), set);
  return "proto_descriptor_bin: " + set + "\nservices: [bookstore.Bookstore]\n" + more + "\n";
}

}  // namespace weir::filters::transcoder
