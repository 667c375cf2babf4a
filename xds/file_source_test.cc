#include "xds/file_source.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "config/diagnostic_format.h"
#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Reading = FileSource::Reading;
using State = ResourceStatus::State;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;

constexpr std::string_view kTwoClusters = R"(
version_info: "7"
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: a
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: b
)";
constexpr std::string_view kOneAssignment = R"({"version_info": "1", "resources": [
  {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
   "cluster_name": "a"}]})";

class FileSourceTest : public ::testing::Test {
 protected:
  ~FileSourceTest() override { std::remove(path_.c_str()); }

  FileSource& source(ResourceType type = kCds, const std::string& ending = ".yaml") {
    if (source_ != nullptr) return *source_;
    path_ = std::string(std::getenv("TEST_TMPDIR")) + "/resources" + ending;
    FileSourceOptions options;
    options.path = path_;
    options.text.reject_unknown_fields = rejects_unknown_;
    options.on_event = [this](ResourceType, Event event) { ++events_[event]; };
    source_ = std::make_unique<FileSource>(type, options, wire_, handler_);
    return *source_;
  }
  void write(std::string_view text) { std::ofstream(path_) << text; }
  // The errors and warnings; empty: there are none.
  std::string reload() {
    config::Diagnostics diagnostics;
    reading_ = source().reload(diagnostics);
    const bool is_good = reading_ == Reading::kTaken || reading_ == Reading::kUnchanged;
    EXPECT_TRUE(is_good || diagnostics.has_errors());
    EXPECT_FALSE(reading_ == Reading::kTaken && diagnostics.has_errors());
    return config::format_text(diagnostics, false);
  }
  ResourceStatus status_of(const std::string& name) {
    for (const ResourceStatus& status : source().status()) {
      if (status.name == name) return status;
    }
    ADD_FAILURE() << "no status of " << name;
    return {};
  }

  testing::FakeWire wire_;
  testing::RecordingHandler handler_;
  std::map<Event, int> events_;
  Reading reading_ = Reading::kTaken;  // of the last reload
  bool rejects_unknown_ = false;
  std::string path_;

 private:
  std::unique_ptr<FileSource> source_;
};

TEST_F(FileSourceTest, ReadsYaml) {
  source().subscribe("*");
  write(kTwoClusters);
  EXPECT_EQ(reload(), "");
  ASSERT_EQ(handler_.updates.size(), 1u);
  EXPECT_EQ(handler_.updates[0].version, "7");
  EXPECT_EQ(handler_.updates[0].type, kCds);
  EXPECT_EQ(handler_.updates[0].added[0].content->type_url(), type_url(kCds));
  EXPECT_EQ(handler_.take_added(), "a b");
  EXPECT_EQ(source().version(), "7");
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  EXPECT_EQ(status_of("a").version, "7");
  EXPECT_EQ(events_[Event::kSuccess], 1);
}

TEST_F(FileSourceTest, ReadsJson) {
  source(kEds, ".json").subscribe("a");
  write(kOneAssignment);
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(handler_.take_added(), "a");
}

TEST_F(FileSourceTest, ReadsTheBinaryForm) {
  source(kCds, ".pb").subscribe("*");
  testing::DiscoveryResponse response;
  *response.add_resources() = testing::cluster("a");
  write(response.SerializeAsString());
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(handler_.take_added(), "a");
  write("\xff\xff");
  EXPECT_THAT(reload(), HasSubstr("is no valid envoy.service.discovery.v3.DiscoveryResponse"));
}

TEST_F(FileSourceTest, RefusesTheTextForm) {
  source(kCds, ".pb_text").subscribe("*");
  write("");
  EXPECT_THAT(reload(), HasSubstr("[not-supported]\nhint: write it as YAML"));
}

TEST_F(FileSourceTest, AbsenceRemovesClusters) {
  source().subscribe("*");
  write(kTwoClusters);
  reload();
  write("resources: []");
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(handler_.take_removed(), "a b");
}

TEST_F(FileSourceTest, AbsenceOfEndpointsIsNothing) {
  source(kEds).subscribe("a");
  write(kOneAssignment);
  reload();
  handler_.updates.clear();
  write("resources: []");
  EXPECT_EQ(reload(), "");
  EXPECT_THAT(handler_.updates, IsEmpty());
  EXPECT_EQ(status_of("a").state, State::kAccepted);
}

TEST_F(FileSourceTest, WhatDidNotChangeIsLeftOut) {
  source().subscribe("*");
  write(kTwoClusters);
  reload();
  handler_.updates.clear();
  EXPECT_EQ(reload(), "");
  EXPECT_THAT(handler_.updates, IsEmpty());
}

TEST_F(FileSourceTest, ABadFileKeepsTheLastGood) {
  source().subscribe("*");
  write(kTwoClusters);
  reload();
  handler_.updates.clear();
  write("resources: [");
  EXPECT_THAT(reload(), HasSubstr("[syntax]"));
  write("resources:\n- \"@type\": type.googleapis.com/no.Such\n");
  EXPECT_THAT(reload(), HasSubstr(":2:"));
  write("");
  EXPECT_THAT(reload(), HasSubstr("there is no DiscoveryResponse in it"));
  std::remove(path_.c_str());
  EXPECT_THAT(reload(), HasSubstr("cannot be opened"));
  EXPECT_THAT(handler_.updates, IsEmpty());
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  EXPECT_EQ(source().version(), "7");
  EXPECT_EQ(events_[Event::kRejected], 3);
  EXPECT_EQ(events_[Event::kFailure], 1);
}

TEST_F(FileSourceTest, WhatAHandlerRejectsIsReported) {
  source().subscribe("*");
  write(kTwoClusters);
  handler_.refused["b"] = "lb_policy: is odd";
  EXPECT_THAT(reload(), HasSubstr("error: b: lb_policy: is odd [semantic]"));
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  EXPECT_EQ(status_of("b").state, State::kRejected);
  EXPECT_EQ(source().version(), "");
  EXPECT_EQ(reading_, Reading::kPartly);
  EXPECT_EQ(events_[Event::kRejected], 1);
}

TEST_F(FileSourceTest, WhatAHandlerRejectsIsPlaced) {
  source().subscribe("*");
  write(R"(version_info: "7"
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: a
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: b
  connect_timeout: 3s
  eds_cluster_config: {service_name: x}
- "@type": type.googleapis.com/envoy.service.discovery.v3.Resource
  name: c
  resource:
    "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: c
    connect_timeout: 4s
)");
  handler_.refused["a"] = "the bootstrap has it: nothing changes that";
  handler_.refused["b"] = "eds_cluster_config.service_name: is odd\nconnect_timeout: too long";
  handler_.refused["c"] = "connect_timeout: too long";
  const std::string errors = reload();
  EXPECT_THAT(errors, HasSubstr(":3:3: error: a: the bootstrap has it: nothing changes that"));
  EXPECT_THAT(errors, HasSubstr(":7:20: error: b: connect_timeout: too long"));
  EXPECT_THAT(errors, HasSubstr(":8:38: error: b: eds_cluster_config.service_name: is odd"));
  EXPECT_THAT(errors, HasSubstr(":14:22: error: c: connect_timeout: too long"));
}

TEST_F(FileSourceTest, WhatMakesAllOfItWrongIsPlaced) {
  source().subscribe("*");
  write(R"(
resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: a
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
)");
  EXPECT_THAT(reload(), HasSubstr(":5:3: error: resources[1]: has no name of its own"));
  EXPECT_EQ(reading_, Reading::kRefused);
  EXPECT_THAT(handler_.updates, IsEmpty());
}

TEST_F(FileSourceTest, WhatIsTheSameIsReportedOnce) {
  source().subscribe("*");
  write(kTwoClusters);
  reload();
  reload();
  EXPECT_EQ(reading_, Reading::kUnchanged);
  EXPECT_EQ(events_[Event::kAttempt], 1);
  EXPECT_EQ(events_[Event::kSuccess], 1);
  for (const std::string_view wrong : {"resources: [", "type_url: x"}) {
    write(wrong);
    reload();
    EXPECT_EQ(reading_, Reading::kRefused);
    reload();
    EXPECT_EQ(reading_, Reading::kUnchanged) << wrong;
  }
  EXPECT_EQ(events_[Event::kAttempt], 3);
  EXPECT_EQ(events_[Event::kRejected], 2);
  std::remove(path_.c_str());
  reload();
  reload();
  EXPECT_EQ(reading_, Reading::kUnchanged);
  EXPECT_EQ(events_[Event::kFailure], 1);
  write(kTwoClusters);
  reload();
  EXPECT_EQ(reading_, Reading::kTaken);
  EXPECT_EQ(events_[Event::kSuccess], 2);
  source().subscribe("a");
  reload();
  EXPECT_EQ(reading_, Reading::kTaken) << "somebody asked";
  EXPECT_EQ(events_[Event::kSuccess], 3);
}

TEST_F(FileSourceTest, WhatWasRejectedMayBeRightLater) {
  source().subscribe("*");
  write(kTwoClusters);
  handler_.refused["b"] = "lb_policy: is odd";
  reload();
  handler_.updates.clear();
  reload();
  EXPECT_EQ(reading_, Reading::kUnchanged);
  EXPECT_EQ(handler_.take_added(), "b") << "it is tried again";
  handler_.refused.clear();
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(reading_, Reading::kTaken);
  EXPECT_EQ(handler_.take_added(), "b");
  EXPECT_EQ(status_of("b").state, State::kAccepted);
  EXPECT_EQ(events_[Event::kAttempt], 2);
  EXPECT_EQ(events_[Event::kSuccess], 1);
}

TEST_F(FileSourceTest, TheTypeMayBeSaidAndMustBeRight) {
  source(kEds).subscribe("*");
  write("type_url: type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n");
  EXPECT_EQ(reload(), "");
  write("type_url: type.googleapis.com/envoy.config.cluster.v3.Cluster\n");
  EXPECT_THAT(reload(), HasSubstr("is not what is asked for"));
  write(kTwoClusters);
  EXPECT_THAT(reload(), HasSubstr("resources[0]: is of type"));
}

TEST_F(FileSourceTest, UnknownFieldsAreWarningsOrErrors) {
  source().subscribe("*");
  write("version_info: '1'\nnew_field: 1\n");
  EXPECT_THAT(reload(), HasSubstr("warning: "));
  EXPECT_EQ(source().version(), "1");
}

TEST_F(FileSourceTest, UnknownFieldsAreRejectedOnDemand) {
  rejects_unknown_ = true;
  source().subscribe("*");
  write("version_info: '1'\nnew_field: 1\n");
  EXPECT_THAT(reload(), HasSubstr("error: unknown field 'new_field'"));
  EXPECT_EQ(source().version(), "");
}

TEST_F(FileSourceTest, WhatIsNotThereIsAbsent) {
  source(kEds).subscribe("a");
  source().subscribe("b");
  write(kOneAssignment);
  reload();
  EXPECT_THAT(handler_.absent, ElementsAre("b"));
  EXPECT_EQ(status_of("b").state, State::kDoesNotExist);
  reload();
  EXPECT_EQ(handler_.absent.size(), 1u);
}

TEST_F(FileSourceTest, WhatIsAskedForAgainIsToldOfInAnyCase) {
  source(kEds).subscribe("a");
  write(kOneAssignment);
  reload();
  source().refresh("a");
  reload();
  EXPECT_THAT(handler_.unchanged, ElementsAre("a"));
  EXPECT_THAT(handler_.absent, IsEmpty());
  source().refresh("a");
  write("resources: [");
  reload();
  EXPECT_THAT(handler_.absent, ElementsAre("a")) << "nobody waits for a bad file";
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  source().refresh("a");
  write("resources: []");
  reload();
  EXPECT_THAT(handler_.absent, ElementsAre("a", "a"));
  EXPECT_EQ(status_of("a").state, State::kAccepted);
}

TEST_F(FileSourceTest, NobodyWaitsForABadFile) {
  source().subscribe("*");
  source().subscribe("x");
  EXPECT_THAT(reload(), HasSubstr("cannot be opened"));
  EXPECT_THAT(handler_.absent, ElementsAre("x", "*"));
  EXPECT_EQ(status_of("x").state, State::kRejected);
  write(kTwoClusters);
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(handler_.take_added(), "a b");
}

TEST_F(FileSourceTest, RefusesATtl) {
  source().subscribe("*");
  write(R"(
resources:
- "@type": type.googleapis.com/envoy.service.discovery.v3.Resource
  name: a
  ttl: 10s
  resource: {"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: a}
- "@type": type.googleapis.com/envoy.service.discovery.v3.Resource
  name: b
)");
  const std::string errors = reload();
  EXPECT_THAT(errors, HasSubstr("a: has a ttl, which a file cannot refresh"));
  EXPECT_THAT(errors, HasSubstr("b: has no resource"));
}

TEST_F(FileSourceTest, UnsubscribingForgets) {
  source(kEds).subscribe("a");
  write(kOneAssignment);
  reload();
  source().unsubscribe("a");
  handler_.updates.clear();
  EXPECT_EQ(reload(), "");
  EXPECT_THAT(handler_.updates, IsEmpty());
  EXPECT_THAT(source().status(), IsEmpty());
}

}  // namespace
}  // namespace weir::xds
