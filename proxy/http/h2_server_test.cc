// The client's side of HTTP/2: requests, responses, flow control and ends, told to a stream that
// keeps what it hears.
#include "proxy/http/h2_server.h"

#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http {
namespace {

using namespace h2::testing;

class H2ServerTest : public H2ServerFixture {};

TEST_F(H2ServerTest, ARequestIsAnswered) {
  Peer peer = open(echo);
  peer.send(request(1, true, {}, "GET", "/hello"));
  const Frame head = peer.wait_for(kHeaders);
  EXPECT_EQ(head.get(":status"), "200");
  EXPECT_EQ(head.get("content-length"), "6");
  EXPECT_EQ(head.get("date"), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(peer.body(1), "/hello");
  EXPECT_TRACE(0, "head GET /hello; end");
}

TEST_F(H2ServerTest, ManyStreamsAtOnceComeInOneWrite) {
  Peer peer = open(echo);
  std::string requests;
  for (uint32_t i = 0; i < 50; ++i)
    requests += request(2 * i + 1, true, {}, "GET", "/" + std::to_string(i));
  peer.send(requests);
  for (uint32_t i = 0; i < 50; ++i) EXPECT_EQ(peer.body(2 * i + 1), "/" + std::to_string(i));
}

}  // namespace
}  // namespace weir::http
