#pragma once

#include <cstdint>

#include "proxy/hcm_config.h"
#include "proxy/http/filter.h"
#include "proxy/http/route.h"
#include "proxy/net/address.h"

// What happens to headers on their way through: before routing, before the upstream, and before
// the client. Part of request's story, kept apart for length.
namespace weir {

class Request;
struct UpstreamPolicy;

// Makes the request's host, path and headers canonical and adds what says where it came from.
// False: `refusal` is the answer. `client` is storage for the client's address when it is not the
// peer's.
bool make_canonical(Request& request, net::Address& client, http::LocalReply& refusal);

// The last changes before the request goes to its upstream.
void finish_request_headers(Request& request, const http::WeightedCluster* weighted);

// Tells the upstream how long it has for the attempt that begins `elapsed_ms` after the first:
// x-envoy-expected-rq-timeout-ms, and grpc-timeout where the route's max_grpc_timeout says so.
void tell_timeout(Request& request, const http::ForwardAction& action, const UpstreamPolicy& policy,
                  int64_t elapsed_ms);

// Says in the request which attempt it is, where the virtual host wants that.
void note_attempt(Request& request);

// Changes to what came from the upstream: the route's, and Envoy's own headers.
void finish_upstream_response(Request& request, const http::WeightedCluster* weighted,
                              int64_t sent_ms);

// What every response gets: Server, Via, x-request-id. `local`: it is an answer of our own.
void finish_response_headers(Request& request, http::ResponseHead& response, bool local);

void drop_hop_by_hop_of_response(http::ResponseHead& response);

}  // namespace weir
