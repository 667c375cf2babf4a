#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <cstdint>
#include <string_view>

// What the HTTP versions share of RFC 9110's field syntax, over bytes as they came.
namespace weir::http {

// Token characters (RFC 9110 5.6.2) mapped to lower case; everything else is 0.
constexpr std::array<char, 256> build_token_table() {
  std::array<char, 256> table{};
  for (char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"))
    table[static_cast<unsigned char>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c)
    table[static_cast<unsigned char>(c)] = static_cast<char>(c + 32);
  return table;
}
inline constexpr std::array<char, 256> kToken = build_token_table();

inline char token_char(char c) {
  return kToken[static_cast<unsigned char>(c)];
}

inline bool is_control(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && u != '\t') || u == 0x7f;
}

// The first control character (HTAB excepted) in [p, end), or end.
template <class Char>
inline Char* find_control(Char* p, Char* end) {
#if defined(__SSE2__)
  const __m128i top = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, top), v);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low), _mm_cmpeq_epi8(v, del));
    const int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (p < end && !is_control(*p)) ++p;
  return p;
}

// The bit of lower case sixteen times, and then nothing: 16 bytes from 16 - n on are a mask of n.
constexpr std::array<uint8_t, 32> first_half_bits() {
  std::array<uint8_t, 32> bytes{};
  for (size_t i = 0; i < 16; ++i) bytes[i] = 0x20;
  return bytes;
}
inline constexpr std::array<uint8_t, 32> kLowerMask = first_half_bits();

// The end of the token at p, which becomes lower case.
inline char* lower_token(char* p, char* end) {
#if defined(__SSE2__)
  // Letters and dashes, which is most names, sixteen at a time.
  const __m128i bit = _mm_set1_epi8(0x20);
  while (end - p >= 16) {
    auto* const at = reinterpret_cast<__m128i*>(p);
    const __m128i v = _mm_loadu_si128(at);
    const __m128i low = _mm_or_si128(v, bit);
    const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
                                         _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
    const __m128i name = _mm_or_si128(letter, _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
    const int n = __builtin_ctz(~static_cast<unsigned>(_mm_movemask_epi8(name)));
    // What follows the name stays as it is.
    const __m128i inside =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(kLowerMask.data() + 16 - n));
    const __m128i change = _mm_and_si128(letter, inside);
    _mm_storeu_si128(at, _mm_or_si128(v, change));
    p += n;
    if (n < 16) break;
  }
#endif
  for (char c; p < end && (c = token_char(*p)) != 0; ++p) *p = c;
  return p;
}

// Plain decimal without sign, space or leading zero, below 2^63. -1: it is not.
inline int64_t parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return -1;
  int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// A name that some servers read as one of HTTP/1's two framing headers.
inline bool is_framing_alias(std::string_view name) {
  const auto same_with_dashes = [name](std::string_view dashed) {
    if (name.size() != dashed.size()) return false;
    for (size_t i = 0; i < name.size(); ++i)
      if (name[i] != dashed[i] && !(name[i] == '_' && dashed[i] == '-')) return false;
    return true;
  };
  return name.find('_') != std::string_view::npos &&
         (same_with_dashes("transfer-encoding") || same_with_dashes("content-length"));
}

}  // namespace weir::http
