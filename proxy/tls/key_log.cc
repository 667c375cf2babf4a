#include "proxy/tls/key_log.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <utility>

namespace weir::tls {
namespace {

using net::CidrRange;
using Holder = std::shared_ptr<const KeyLog>;

// That of threads that are no workers: lines are few.
constexpr uint32_t kLane = UINT32_MAX;

// The place at an SSL where its log is kept.
int place() {
  static const int kPlace = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* held, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Holder*>(held);
      });
  return kPlace;
}

bool holds(const std::vector<CidrRange>& ranges, const net::Address& address) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const CidrRange& range) {
           return range.contains(address);
         });
}

}  // namespace

KeyLog::KeyLog(std::shared_ptr<stats::LogFile> file, Ranges local, Ranges remote)
    : file_(std::move(file)), local_(std::move(local)), remote_(std::move(remote)) {}

void KeyLog::allow(SSL_CTX& context) {
  SSL_CTX_set_keylog_callback(&context, &KeyLog::write_line);
}

void KeyLog::attach(net::TlsSession& session, const net::Address& local,
                    const net::Address& remote) const {
  if (!holds(local_, local) || !holds(remote_, remote)) return;
  auto held = std::make_unique<Holder>(shared_from_this());
  if (SSL_set_ex_data(session.ssl(), place(), held.get())) held.release();
}

void KeyLog::write_line(const SSL* ssl, const char* line) {
  const auto* held = static_cast<const Holder*>(SSL_get_ex_data(ssl, place()));
  if (held != nullptr) (*held)->file_->append(kLane, std::string(line) + '\n');
}

}  // namespace weir::tls
