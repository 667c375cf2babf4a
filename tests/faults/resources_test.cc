// What runs out: files, connections; and what must not be used at all: the heap, for a request.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

TEST(Files, AreAllGivenBack) {
  TestUpstream app;
  app.on("/cut").respond(200, "0123456789").only(50).then_close();
  Proxy proxy = weir().upstream(app).start();
  const auto round = [&] {
    proxy.get("/");
    proxy.get("/cut");
    proxy.send("BAD\r\n\r\n");
    RawClient(proxy).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx");
    app.close_all();
  };
  for (int i = 0; i < 5; ++i) round();
  // A pool may hold a connection or two more than it did then; a leak would be one a round.
  constexpr size_t kPooled = 5;
  const size_t before = proxy.open_files();
  for (int i = 0; i < 50; ++i) round();
  EXPECT_TRUE(eventually([&] { return proxy.open_files() <= before + kPooled; }))
      << before << " before, " << proxy.open_files() << " after";
}

TEST(Connections, BeyondTheListenersLimitAreClosed) {
  Proxy proxy = weir()
                    .with("bootstrap",
                          "layered_runtime:\n"
                          "  layers:\n"
                          "  - name: static\n"
                          "    static_layer:\n"
                          "      envoy.resource_limits.listener.front.connection_limit: 5")
                    .direct("/", 200, "hi")
                    .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(clients.back()->reply().status, 200) << i;
  }
  RawClient sixth(proxy);
  sixth.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(sixth.closed_within(1s));
  EXPECT_EQ(sixth.wire().input(), "");
  clients.pop_back();
  EXPECT_TRUE(eventually([&] { return proxy.get("/", 500ms).status == 200; }));
}

// A sanitizer has a heap of its own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(_GLIBCXX_TSAN)

// Counts the heap allocations of a process that preloads tests/faults/count_allocations.c.
class AllocationCounter {
 public:
  AllocationCounter() : path_(scratch_folder() + "/allocations") {
    write_file(path_, std::string(sizeof(uint64_t), '\0'));
    const int file = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    count_ = static_cast<const volatile uint64_t*>(
        mmap(nullptr, sizeof(uint64_t), PROT_READ, MAP_SHARED, file, 0));
    close(file);
  }
  uint64_t count() const { return *count_; }
  std::string file_variable() const { return "COUNT_ALLOCATIONS_IN=" + path_; }
  static std::string preload_variable() {
    return "LD_PRELOAD=" + runfile("tests/faults/libcount_allocations.so");
  }

 private:
  std::string path_;
  const volatile uint64_t* count_ = nullptr;
};

void send_many(const Proxy& proxy, const std::string& request, int count) {
  RawClient client(proxy);
  for (int i = 0; i < count; ++i) {
    client.send(request);
    ASSERT_EQ(client.reply().status, 200);
  }
}

TEST(Heap, IsNotUsedForARequest) {
  TestUpstream app;
  const AllocationCounter counter;
  Proxy proxy = weir()
                    .upstream(app)
                    .argument("--file-flush-interval-msec")
                    .argument("60000")
                    .environment(counter.file_variable())
                    .environment(AllocationCounter::preload_variable())
                    .start();
  constexpr int kRequests = 2000;
  for (const std::string request :
       {"GET /path?query HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n",
        "POST /path HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"}) {
    send_many(proxy, request, 200);
    const uint64_t before = counter.count();
    ASSERT_GT(before, 0u) << "nothing is counted";
    send_many(proxy, request, kRequests);
    // The connection itself may allocate; a request may not.
    EXPECT_LT(counter.count() - before, kRequests / 20) << request;
  }
}

#endif

}  // namespace
}  // namespace weir::test
