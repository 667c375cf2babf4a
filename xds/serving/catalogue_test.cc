#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "config/diagnostic_format.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "xds/serving/load_catalogue.h"

namespace weir::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCluster = "\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n";
constexpr const char* kRoutes =
    "\"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n";

class LoadCatalogue : public ::testing::Test {
 protected:
  LoadCatalogue() {
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = ::testing::TempDir() + "/catalogue_" + info->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~LoadCatalogue() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
  }

  std::shared_ptr<const Catalogue> load() {
    config::Diagnostics diagnostics;
    ResourceCheck check{config::default_support(), {}};
    auto catalogue = load_catalogue(directory_, check, diagnostics);
    said_ = config::format_text(diagnostics, false);
    for (size_t at = 0; (at = said_.find(directory_ + "/", at)) != said_.npos;)
      said_.erase(at, directory_.size() + 1);
    return catalogue;
  }

  std::string directory_;
  std::string said_;
};

TEST_F(LoadCatalogue, OneResourceAListAndResources) {
  write("a.yaml", std::string(kCluster) + "name: a\nconnect_timeout: 1s\n");
  write("b.yml",
        "- {" + std::string(kCluster).substr(0, std::string(kCluster).size() - 1) + ", name: b}\n");
  write("c.json", R"({"resources": [{
    "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "r"}]})");
  write("notes.txt", "nothing");
  write(".hidden.yaml", ":");
  const auto catalogue = load();
  ASSERT_NE(catalogue, nullptr) << said_;
  EXPECT_EQ(inventory(*catalogue), "CDS 2, RDS 1");
  const ServedResource* const a = catalogue->find(ResourceType::kCluster, "a");
  ASSERT_NE(a, nullptr);
  envoy::config::cluster::v3::Cluster cluster;
  ASSERT_TRUE(a->resource.content->UnpackTo(&cluster));
  EXPECT_EQ(cluster.connect_timeout().seconds(), 1);
  EXPECT_TRUE(a->file.ends_with("/a.yaml"));
  EXPECT_EQ(catalogue->files().size(), 3u);
}

TEST_F(LoadCatalogue, VersionsFollowTheContent) {
  write("a.yaml", std::string(kCluster) + "name: a\n");
  const auto before = load();
  write("a.yaml", "# a remark\n" + std::string(kCluster) + "name: a\n");
  const auto same = load();
  write("a.yaml", std::string(kCluster) + "name: a\nconnect_timeout: 2s\n");
  const auto after = load();
  ASSERT_TRUE(before && same && after);
  EXPECT_EQ(before->version(), same->version());
  EXPECT_NE(before->version(), after->version());
  EXPECT_NE(before->version(ResourceType::kCluster), after->version(ResourceType::kCluster));
  EXPECT_EQ(before->version(ResourceType::kRoute), after->version(ResourceType::kRoute));
}

TEST_F(LoadCatalogue, EveryErrorHasItsPlace) {
  write("a.yaml", std::string(kCluster) + "name: a\nconect_timeout: 1s\n");
  write("b.yaml", "- " + std::string(kCluster) + "  name: \"\"\n- name: c\n");
  write("c.yaml", "resources:\n- \"@type\": type.googleapis.com/google.protobuf.Duration\n");
  write("d.yaml", "a: [\n");
  write("e.yaml", "");
  write("f.yaml", "static_resources: {}\n");
  write("g.yaml", "just text\n");
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(said_, HasSubstr("a.yaml:3:1: error: unknown field 'conect_timeout'"));
  EXPECT_THAT(said_, HasSubstr("b.yaml:2:9: error:"));
  EXPECT_THAT(said_, HasSubstr("b.yaml:3:3: error: this resource has no '@type'"));
  EXPECT_THAT(said_, HasSubstr("c.yaml:2:12: error: 'type.googleapis.com/google.protobuf.Duration'"
                               " is no type of resource that is served"));
  EXPECT_THAT(said_, HasSubstr("d.yaml:"));
  EXPECT_THAT(said_, HasSubstr("e.yaml:1:1: error: the file is empty"));
  EXPECT_THAT(said_, HasSubstr("f.yaml:1:19: error: this is a bootstrap configuration"));
  EXPECT_THAT(said_, HasSubstr("g.yaml:1:1: error: this is no resource"));
}

TEST_F(LoadCatalogue, ANameIsGivenOnce) {
  write("a.yaml", std::string(kCluster) + "name: x\n");
  write("b.yaml",
        "- " + std::string(kCluster) + "  name: x\n- " + std::string(kRoutes) + "  name: x\n");
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(said_, HasSubstr("b.yaml:1:3: error: there is a Cluster named 'x' already, in "
                               "a.yaml"));
  EXPECT_THAT(said_, Not(HasSubstr("RouteConfiguration named")));
}

TEST_F(LoadCatalogue, AResourceNeedsAName) {
  write("a.yaml", kRoutes);
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(said_, HasSubstr("a.yaml:1:1: error: this resource has no name"));
}

TEST_F(LoadCatalogue, WhatIsReferredToAndNotThereIsAWarning) {
  write("a.yaml", "- " + std::string(kCluster) +
                      "  name: a\n  type: EDS\n  eds_cluster_config: {eds_config: {ads: {}}}\n");
  write("r.yaml", std::string(kRoutes) +
                      "name: r\nvirtual_hosts:\n- name: v\n  domains: [\"*\"]\n  routes:\n"
                      "  - match: {prefix: /}\n    route: {cluster: b}\n");
  const auto catalogue = load();
  ASSERT_NE(catalogue, nullptr) << said_;
  EXPECT_THAT(said_, HasSubstr("a.yaml:2:9: warning: there is no ClusterLoadAssignment named 'a'"));
  EXPECT_THAT(said_, HasSubstr("r.yaml:8:22: warning: there is no Cluster named 'b' here"));
  EXPECT_THAT(catalogue->find(ResourceType::kCluster, "a")->needs,
              ElementsAre(Reference{ResourceType::kEndpoint, "a"}));
}

TEST_F(LoadCatalogue, WhatWeirDoesNotSupportIsAWarning) {
  write("a.yaml",
        "\"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\nname: a\n"
        "api_listener: {}\n");
  EXPECT_NE(load(), nullptr) << said_;
  EXPECT_THAT(said_, HasSubstr("a.yaml:3:1: warning: 'api_listener'"));
}

TEST_F(LoadCatalogue, ADirectoryWithoutFilesIsAnError) {
  write("README.md", "x");
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(said_, HasSubstr("it has no *.yaml"));
  directory_ += "/none";
  EXPECT_EQ(load(), nullptr);
  EXPECT_THAT(said_, HasSubstr("No such file or directory"));
}

TEST_F(LoadCatalogue, NothingCanBeServedOnPurpose) {
  write("a.yaml", "resources: []\n");
  std::filesystem::create_directories(directory_ + "/inner");
  const auto catalogue = load();
  ASSERT_NE(catalogue, nullptr) << said_;
  EXPECT_EQ(inventory(*catalogue), "nothing");
  EXPECT_THAT(said_, HasSubstr("inner: warning: this folder is not read"));
}

}  // namespace
}  // namespace weir::xds
