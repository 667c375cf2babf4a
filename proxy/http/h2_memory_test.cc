#include "proxy/http/h2_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "proxy/http/testing/h2_frames.h"

namespace weir::http::h2 {
namespace {

size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t all = 0;
  size_t resident = 0;
  in >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// A server that has said its SETTINGS.
struct Idle {
  Idle() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_mem hooks = memory.hooks();
    nghttp2_session_server_new3(&session, callbacks, nullptr, nullptr, &hooks);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
    EXPECT_EQ(sent(), testing::settings());
  }
  ~Idle() { nghttp2_session_del(session); }

  std::string sent() const {
    std::string out;
    const uint8_t* data = nullptr;
    for (ssize_t n; (n = nghttp2_session_mem_send(session, &data)) > 0;)
      out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    return out;
  }

  SessionMemory memory;
  nghttp2_session* session = nullptr;
};

TEST(SessionMemory, KnowsTheBufferOfFrames) {
  const Idle one;
  EXPECT_GE(one.memory.releasable_bytes(), 16u * 1024);
  EXPECT_LE(one.memory.releasable_bytes(), 24u * 1024);
}

TEST(SessionMemory, NothingIsLostWithIt) {
  Idle one;
  for (const char* mark : {"01234567", "abcdefgh"}) {
    one.memory.release();
    nghttp2_submit_ping(one.session, NGHTTP2_FLAG_NONE, reinterpret_cast<const uint8_t*>(mark));
    EXPECT_EQ(one.sent(), testing::ping(mark));
  }
}

TEST(SessionMemory, IsGivenBackToTheKernel) {
  std::vector<std::unique_ptr<Idle>> many;
  for (int i = 0; i < 2'000; ++i) many.push_back(std::make_unique<Idle>());
  const size_t before = resident_bytes();
  for (const auto& one : many) one->memory.release();
  EXPECT_LT(resident_bytes() + 2'000 * 3 * 1024, before);
}

}  // namespace
}  // namespace weir::http::h2
