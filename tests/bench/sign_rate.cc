// How often BoringSSL, as linked here, signs with ECDSA P-256 in a second of one thread's CPU time:
// what a TLS server does once a full handshake. `openssl speed ecdsap256` tells it of OpenSSL.
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/nid.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

constexpr int kBatch = 1000;
constexpr double kMeasuredS = 2;

double cpu_s() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// 0: signing failed.
double signatures_per_second() {
  const bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  if (key == nullptr || !EC_KEY_generate_key(key.get())) return 0;
  uint8_t digest[32] = {1};
  std::vector<uint8_t> signature(ECDSA_size(key.get()));
  unsigned length = 0;
  const double start_s = cpu_s();
  double passed_s = 0;
  int64_t count = 0;
  while (passed_s < kMeasuredS) {
    for (int i = 0; i < kBatch; ++i)
      if (!ECDSA_sign(0, digest, sizeof(digest), signature.data(), &length, key.get())) return 0;
    count += kBatch;
    passed_s = cpu_s() - start_s;
  }
  return static_cast<double>(count) / passed_s;
}

}  // namespace

int main() {
  const double rate = signatures_per_second();
  std::printf("%.0f P-256 signatures per second\n", rate);
  return rate > 0 ? 0 : 1;
}
