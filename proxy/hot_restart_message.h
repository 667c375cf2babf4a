#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/result.h"

// What a process and its successor tell each other over a Unix socket (SOCK_SEQPACKET, so that a
// message is whole or not there). A message is
//   magic "WEIR" u32, version u16, kind u16, length of the rest u32,
//   number u64, flags u8, count of texts u32, of counters u32, then those;
// integers little-endian, a text after its length (u32), a counter as text and u64. Descriptors
// travel beside it (SCM_RIGHTS). Magic, version and kRefused stay what they are in all versions.
namespace weir::hot_restart {

inline constexpr uint16_t kVersion = 1;
inline constexpr size_t kMaxMessageBytes = 64 * 1024;
inline constexpr size_t kMaxDescriptors = 250;  // the kernel takes 253

enum class Kind : uint16_t {
  kRefused = 1,     // texts: why
  kHello = 2,       // from the successor; number: its epoch
  kWelcome = 3,     // number: the process's id
  kGetSockets = 4,  // texts: a listener's name, empty for the admin port; its address
  kSockets = 5,     // with descriptors
  kTakeOver = 6,    // number: milliseconds until the process ends
  kTakenOver = 7,   // it accepts nothing more
  kCounters = 8,    // what was counted since the last one
  kGetCommand = 9,  // from `weir upgrade`
  kCommand = 10,    // number: epoch; texts: process id, working directory, program, arguments; with
                    // the descriptors of stdout and stderr
};

using Counters = std::vector<std::pair<std::string, uint64_t>>;

struct Message {
  Kind kind = Kind::kRefused;
  uint64_t number = 0;
  bool more = false;  // another message belongs to the same answer
  std::vector<std::string> texts;
  Counters counters;
  std::vector<int> descriptors;  // beside the bytes; of a received one the receiver's own
};

std::string encode(const Message& message);
// Errors: "version" when the magic is right but the version another, else "malformed".
Result<Message> decode(std::string_view bytes);

// One message; the descriptors stay the caller's. Errors: "again" (non-blocking, or a time limit of
// the socket), "closed".
Result<void> send(int socket, const Message& message);
// Errors: "again", "closed", and those of decode. Descriptors are close-on-exec.
Result<Message> receive(int socket);

// The abstract address "@weir_domain_socket_<base id>_<epoch>".
std::string socket_name(uint32_t base_id, uint32_t epoch);
// The user at the other end of a connected Unix socket; -1 cast when that is not known.
uid_t peer_user(int socket);

// Bound, close-on-exec and non-blocking, not listening yet. Error "taken": somebody has that name.
Result<int> bind_socket(uint32_t base_id, uint32_t epoch);
// Blocking, with a time limit for each send and receive; whoever listens there runs as `user`.
Result<int> connect_socket(uint32_t base_id, uint32_t epoch, int64_t timeout_ms, uid_t user);

}  // namespace weir::hot_restart
