#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/stats/registry.h"
#include "proxy/stats/status_classes.h"
#include "proxy/upstream/breaker.h"
#include "proxy/upstream/cluster_config.h"
#include "proxy/upstream/drop_policy.h"

namespace weir::upstream {

// The names under `cluster.<name>.` that the data path counts.
struct ClusterStats {
  ClusterStats(stats::Registry& registry, const std::string& stat_name);

  stats::CounterId cx_total, cx_http1_total, cx_http2_total, cx_connect_fail, cx_connect_timeout,
      cx_destroy, cx_overflow, cx_max_requests, cx_protocol_error, cx_idle_timeout, cx_none_healthy,
      cx_max_duration_reached, rx_bytes, tx_bytes;
  stats::GaugeId cx_active;
  stats::CounterId rq_total, rq_completed, rq_pending_total, rq_pending_overflow,
      rq_pending_failure_eject, rq_timeout, rq_per_try_timeout, rq_per_try_idle_timeout,
      rq_cancelled, rq_rx_reset, rq_tx_reset, rq_retry, rq_retry_success, rq_retry_overflow,
      rq_retry_limit_exceeded, rq_retry_backoff_exponential, rq_retry_backoff_ratelimited,
      rq_drop_overload;
  stats::StatusClasses rq_by_class;
  stats::GaugeId rq_active, rq_pending_active;
  stats::HistogramId rq_time, cx_connect_ms, cx_length_ms;
};

// The limits of one routing priority, shared by all workers.
struct ClusterLimits {
  ClusterLimits(const Thresholds& thresholds, uint32_t workers)
      : ClusterLimits(thresholds, workers, thresholds.retry_budget_percent.has_value()) {}
  SharedLimit connections;
  SharedLimit pending;
  SharedLimit requests;
  SharedLimit retries;

 private:
  // What is left of a limit can be told of exact ones only.
  ClusterLimits(const Thresholds& thresholds, uint32_t workers, bool budget)
      : connections(thresholds.max_connections, workers, thresholds.track_remaining),
        pending(thresholds.max_pending_requests, workers, budget || thresholds.track_remaining),
        requests(thresholds.max_requests, workers, budget || thresholds.track_remaining),
        retries(thresholds.max_retries, workers, budget || thresholds.track_remaining) {}
};

// What all workers share of one cluster. Made on the main thread; the limits are the only part
// that is written afterwards.
struct Cluster {
  Cluster(std::shared_ptr<const ClusterConfig> cluster_config, stats::Registry& names,
          uint32_t workers,
          std::shared_ptr<const DropLimit> limit = std::make_shared<const DropLimit>())
      : config(std::move(cluster_config)),
        registry(names),
        stats(names, config->stat_name),
        limits{{config->thresholds[0], workers}, {config->thresholds[1], workers}},
        h2(config->http2),
        drop_limit(std::move(limit)) {
    if (config->versions != ClusterConfig::Versions::kHttp1)
      h2.stats = http::H2Stats::create(names, "cluster." + config->stat_name + ".http2.");
  }

  std::shared_ptr<const ClusterConfig> config;
  stats::Registry& registry;
  ClusterStats stats;
  ClusterLimits limits[2];  // default, high
  http::H2Options h2;
  std::shared_ptr<const DropLimit> drop_limit;
};

}  // namespace weir::upstream
