#include <gtest/gtest.h>

#include "proxy/stats/export_rules.h"

namespace weir::stats {
namespace {

// As it would stand in Prometheus' format.
std::string exported(std::string_view metric) {
  const TaggedName tagged = ExportRules().tagged(metric);
  std::string out = prometheus_name(tagged.name);
  for (const Tag& tag : tagged.tags) out += " " + std::string(tag.name) + "=" + tag.value;
  return out;
}

TEST(TagsTest, Clusters) {
  EXPECT_EQ(exported("cluster.app.upstream_rq_total"),
            "envoy_cluster_upstream_rq_total envoy_cluster_name=app");
  EXPECT_EQ(exported("cluster.app.upstream_rq_2xx"),
            "envoy_cluster_upstream_rq_xx envoy_response_code_class=2 envoy_cluster_name=app");
  EXPECT_EQ(exported("cluster.app.external.upstream_rq_503"),
            "envoy_cluster_external_upstream_rq envoy_response_code=503 envoy_cluster_name=app");
  EXPECT_EQ(exported("cluster.app.upstream_rq_max_duration_reached"),
            "envoy_cluster_upstream_rq_max_duration_reached envoy_cluster_name=app");
}

TEST(TagsTest, ConnectionManagers) {
  EXPECT_EQ(exported("http.ingress.downstream_rq_5xx"),
            "envoy_http_downstream_rq_xx envoy_response_code_class=5 "
            "envoy_http_conn_manager_prefix=ingress");
  EXPECT_EQ(exported("http.ingress.rds.local.update_success"),
            "envoy_http_rds_update_success envoy_http_conn_manager_prefix=ingress "
            "envoy_rds_route_config=local");
}

TEST(TagsTest, Listeners) {
  EXPECT_EQ(exported("listener.127.0.0.1_8080.downstream_cx_total"),
            "envoy_listener_downstream_cx_total envoy_listener_address=127.0.0.1_8080");
  EXPECT_EQ(exported("listener.[__1]_80.downstream_cx_active"),
            "envoy_listener_downstream_cx_active envoy_listener_address=[__1]_80");
  EXPECT_EQ(exported("listener.0.0.0.0_80.worker_3.downstream_cx_total"),
            "envoy_listener_worker_downstream_cx_total envoy_listener_address=0.0.0.0_80 "
            "envoy_worker_id=3");
  EXPECT_EQ(exported("listener.mine.http.edge.downstream_rq_2xx"),
            "envoy_listener_mine_http_downstream_rq_xx envoy_response_code_class=2 "
            "envoy_http_conn_manager_prefix=edge");
  EXPECT_EQ(exported("listener.0.0.0.0_80.http.edge.downstream_rq_2xx"),
            "envoy_listener_http_downstream_rq_xx envoy_response_code_class=2 "
            "envoy_listener_address=0.0.0.0_80 envoy_http_conn_manager_prefix=edge");
  EXPECT_EQ(exported("listener.admin.downstream_cx_total"),
            "envoy_listener_admin_downstream_cx_total");
}

TEST(TagsTest, Others) {
  EXPECT_EQ(exported("listener_manager.listener_added"), "envoy_listener_manager_listener_added");
  EXPECT_EQ(exported("server.worker_0.watchdog_miss"),
            "envoy_server_worker_watchdog_miss envoy_worker_id=0");
  EXPECT_EQ(exported("server.live"), "envoy_server_live");
  EXPECT_EQ(exported("tcp.db.downstream_cx_total"),
            "envoy_tcp_downstream_cx_total envoy_tcp_prefix=db");
  EXPECT_EQ(exported("limiter.http_local_rate_limit.rate_limited"),
            "envoy_http_local_rate_limit_rate_limited envoy_local_http_ratelimit_prefix=limiter");
  EXPECT_EQ(exported("vhost.shop.vcluster.other.upstream_rq_total"),
            "envoy_vhost_vcluster_upstream_rq_total envoy_virtual_host=shop "
            "envoy_virtual_cluster=other");
}

TEST(TagsTest, NamesThatEndEarlyAreKept) {
  for (const char* name : {"cluster", "cluster.", "cluster.app", "http.x", "listener.",
                           "listener.1", "server.worker_", "_rq_", "", "a._rq_2xx"})
    EXPECT_EQ(exported(name).find("envoy_"), 0u) << name;
  EXPECT_EQ(exported("cluster.app"), "envoy_cluster_app");
}

}  // namespace
}  // namespace weir::stats
