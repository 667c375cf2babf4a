#include "filters/grpc_json_transcoder/types.h"

#include <map>
#include <set>
#include <vector>

#include "google/api/annotations.pb.h"
#include "google/rpc/error_details.pb.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::Message;

// Keeps what is wrong with a file; the first problem is the cause of the others.
class Problems : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const Message*, ErrorLocation,
                const std::string& message) override {
    if (first_.empty()) first_ = file + ": " + element + ": " + message;
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

// Builds files with what they import before them.
class PoolBuilder {
 public:
  PoolBuilder(const FileDescriptorSet& files, DescriptorPool& pool) : pool_(pool) {
    for (const FileDescriptorProto& file : files.file()) given_.emplace(file.name(), &file);
  }

  // An empty text, or what is wrong.
  std::string build(const std::string& name, const std::string& importer) {
    if (pool_.FindFileByName(name) != nullptr) return {};
    if (!under_way_.insert(name).second) return name + " imports itself";
    FileDescriptorProto googles;
    const FileDescriptorProto* file = find(name, googles);
    if (file == nullptr)
      return importer + " imports " + name +
             ", which is not in the set: call protoc with --include_imports";
    for (const std::string& import : file->dependency())
      if (std::string problem = build(import, name); !problem.empty()) return problem;
    Problems problems;
    if (pool_.BuildFileCollectingErrors(*file, &problems) == nullptr) return problems.first();
    return {};
  }

 private:
  const FileDescriptorProto* find(const std::string& name, FileDescriptorProto& googles) const {
    if (const auto found = given_.find(name); found != given_.end()) return found->second;
    if (!name.starts_with("google/")) return nullptr;
    const FileDescriptor* here = DescriptorPool::generated_pool()->FindFileByName(name);
    if (here == nullptr) return nullptr;
    here->CopyTo(&googles);
    return &googles;
  }

  DescriptorPool& pool_;
  std::map<std::string, const FileDescriptorProto*> given_;
  std::set<std::string> under_way_;
};

}  // namespace

Result<std::unique_ptr<const Types>> Types::load(const FileDescriptorSet& files) {
  std::unique_ptr<Types> types(new Types());
  PoolBuilder builder(files, types->pool_);
  for (const FileDescriptorProto& file : files.file())
    if (std::string problem = builder.build(file.name(), file.name()); !problem.empty())
      return Error{"invalid-descriptors", std::move(problem)};
  for (const FileDescriptorProto& file : files.file())
    types->add_messages(*types->pool_.FindFileByName(file.name()));
  types->add_status_details();
  return std::unique_ptr<const Types>(std::move(types));
}

void Types::add_messages(const FileDescriptor& file) {
  for (int i = 0; i < file.message_type_count(); ++i) add_message(*file.message_type(i));
  for (int i = 0; i < file.dependency_count(); ++i)
    if (file.dependency(i)->name().starts_with("google/")) add_messages(*file.dependency(i));
}

void Types::add_message(const Descriptor& type) {
  if (type.options().map_entry() || by_name_.contains(type.full_name())) return;
  by_name_.emplace(type.full_name(), made_.GetPrototype(&type));
  for (int i = 0; i < type.nested_type_count(); ++i) add_message(*type.nested_type(i));
}

// What services put into google.rpc.Status.details, whether or not the set describes it.
void Types::add_status_details() {
  const FileDescriptor& file = *google::rpc::BadRequest::descriptor()->file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const Descriptor& type = *file.message_type(i);
    by_name_.emplace(type.full_name(),
                     google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type));
  }
}

const Message* Types::find(std::string_view full_name) const {
  const auto found = by_name_.find(full_name);
  return found == by_name_.end() ? nullptr : found->second;
}

const Message* Types::find_by_url(std::string_view type_url) const {
  const size_t slash = type_url.rfind('/');
  return slash == std::string_view::npos ? nullptr : find(type_url.substr(slash + 1));
}

}  // namespace weir::filters::transcoder
