// Sums of a query's integers over the set bits of sign planes, by table: the sums of every four integers' sixteen
// subsets are looked up, as in fast scans of product codes (Andre et al., "Cache locality is not enough", VLDB 2015).
//
// With AVX-512 VBMI one instruction looks up 64 bytes in tables of four positions; VNNI adds the four up. Elsewhere
// sixteen entries' bytes of one position are brought together first, for lookups within 128 bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ivf/kernels/sign_sums.cpp"
// foreach_target.h must be the first of Highway's headers, after the choice of targets.
// clang-format off
#include "ivf/kernels/targets.h"
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "ivf/kernels/kernels.h"

// Highway's own attributes name the VNNI of 256-bit vectors only.
#if HWY_TARGET == HWY_AVX3_DL
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace s3v::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kBlock = 8;        // entries
constexpr size_t kBlockBytes = 64;  // of one word
constexpr size_t kTable = 64;       // bytes: of four positions, of sixteen subsets each

// Tables lie word by word; in a word: those of bytes 0-3, of bytes 4-7; in each: of lower nibbles, of upper nibbles; in
// each: lower bytes of the sums, upper bytes; in each: four positions of sixteen. Sums are taken from the least of each
// position, whose total over all positions is the result.
int32_t BuildSignTables(const int16_t* integers, size_t words, size_t bytes, uint8_t* tables) {
  int32_t least_sum = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<uint16_t, 16> d16;
  const hn::Rebind<int16_t, decltype(d16)> di16;
  const hn::Rebind<uint8_t, decltype(d16)> d8;
  const size_t lanes = hn::Lanes(d16);
  const auto of_byte = hn::Set(d16, uint16_t{0xFF});
#endif
  for (size_t position = 0; position < 16 * words; ++position) {
    const int16_t* q = integers + 4 * position;
    int least = 0;
    for (size_t bit = 0; bit < 4; ++bit) least += std::min<int>(q[bit], 0);
    least_sum += least;
    // position = 16 * word + 2 * byte + nibble
    const size_t byte = position / 2 % 8;
    const size_t group = (position / 16 * 2 + byte / 4) * 2 + position % 2;
    uint8_t* table = tables + group * bytes * kTable + byte % 4 * 16;
#if HWY_TARGET == HWY_SCALAR
    for (size_t subset = 0; subset < 16; ++subset) {
      int sum = -least;
      for (size_t bit = 0; bit < 4; ++bit) sum += (subset >> bit & 1) != 0 ? q[bit] : 0;
      table[subset] = static_cast<uint8_t>(sum);
      if (bytes == 2) table[kTable + subset] = static_cast<uint8_t>(sum >> 8);
    }
#else
    for (size_t subset = 0; subset < 16; subset += lanes) {
      const auto number = hn::Iota(d16, static_cast<uint16_t>(subset));
      auto sum = hn::Set(d16, static_cast<uint16_t>(-least));
      HWY_UNROLL(4)
      for (size_t bit = 0; bit < 4; ++bit) {
        const auto has = hn::TestBit(number, hn::Set(d16, static_cast<uint16_t>(1 << bit)));
        sum = hn::Add(sum, hn::IfThenElseZero(has, hn::Set(d16, static_cast<uint16_t>(q[bit]))));
      }
      hn::StoreU(hn::DemoteTo(d8, hn::BitCast(di16, hn::And(sum, of_byte))), d8, table + subset);
      if (bytes == 2) {
        hn::StoreU(hn::DemoteTo(d8, hn::BitCast(di16, hn::ShiftRight<8>(sum))), d8, table + kTable + subset);
      }
    }
#endif
  }
  return least_sum;
}

#if HWY_TARGET == HWY_AVX3_DL

// Each half of a word's bytes: four positions of two blocks' entries, which lie in turn.
template <size_t kBytes>
HWY_INLINE void LookUp(__m512i x, const uint8_t* tables, __m512i (&sums)[2 * kBytes]) {
  const __m512i nibble = _mm512_set1_epi8(0x0F);
  const __m512i position = _mm512_set1_epi32(0x30201000);
  constexpr int kAndOr = 0xEA;  // (a & b) | c
  const __m512i lower = _mm512_ternarylogic_epi32(x, nibble, position, kAndOr);
  const __m512i upper = _mm512_ternarylogic_epi32(_mm512_srli_epi16(x, 4), nibble, position, kAndOr);
  const __m512i one = _mm512_set1_epi8(1);
  HWY_UNROLL(2)
  for (size_t b = 0; b < kBytes; ++b) {
    const __m512i of_lower = _mm512_loadu_si512(tables + b * kTable);
    const __m512i of_upper = _mm512_loadu_si512(tables + (kBytes + b) * kTable);
    sums[2 * b] = _mm512_dpbusd_epi32(sums[2 * b], _mm512_permutexvar_epi8(lower, of_lower), one);
    sums[2 * b + 1] = _mm512_dpbusd_epi32(sums[2 * b + 1], _mm512_permutexvar_epi8(upper, of_upper), one);
  }
}

// Sixteen entries: those of block a, those of block b.
template <size_t kBytes>
HWY_INLINE void SumTwoBlocks(const uint8_t* tables, const uint8_t* a, const uint8_t* b, size_t words, int32_t base,
                             int32_t* sums) {
  __m512i even[2 * kBytes], odd[2 * kBytes];
  HWY_UNROLL(4)
  for (size_t i = 0; i < 2 * kBytes; ++i) even[i] = odd[i] = _mm512_setzero_si512();
  for (size_t w = 0; w < words; ++w) {
    const __m512 of_a = _mm512_loadu_ps(a + w * kBlockBytes);
    const __m512 of_b = _mm512_loadu_ps(b + w * kBlockBytes);
    const __m512 bytes_0_3 = _mm512_mask_moveldup_ps(of_a, 0xAAAA, of_b);
    const __m512 bytes_4_7 = _mm512_mask_movehdup_ps(of_b, 0x5555, of_a);
    LookUp<kBytes>(_mm512_castps_si512(bytes_0_3), tables, even);
    LookUp<kBytes>(_mm512_castps_si512(bytes_4_7), tables + 2 * kBytes * kTable, odd);
    tables += 4 * kBytes * kTable;
  }
  __m512i total = _mm512_add_epi32(_mm512_add_epi32(even[0], even[1]), _mm512_add_epi32(odd[0], odd[1]));
  if constexpr (kBytes == 2) {
    const __m512i upper = _mm512_add_epi32(_mm512_add_epi32(even[2], even[3]), _mm512_add_epi32(odd[2], odd[3]));
    total = _mm512_add_epi32(total, _mm512_slli_epi32(upper, 8));
  }
  total = _mm512_add_epi32(total, _mm512_set1_epi32(base));
  const __m512i in_order = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  _mm512_storeu_si512(sums, _mm512_permutexvar_epi32(in_order, total));
}

#elif HWY_TARGET == HWY_SCALAR

template <size_t kBytes>
void SumTwoBlocks(const uint8_t* tables, const uint8_t* a, const uint8_t* b, size_t words, int32_t base,
                  int32_t* sums) {
  for (size_t entry = 0; entry < 2 * kBlock; ++entry) {
    const uint8_t* bytes = (entry < kBlock ? a : b) + entry % kBlock * 8;
    uint32_t sum = static_cast<uint32_t>(base);
    for (size_t i = 0; i < 8 * words; ++i) {
      const uint8_t byte = bytes[i / 8 * kBlockBytes + i % 8];
      const uint8_t* table = tables + i / 4 * 2 * kBytes * kTable + i % 4 * 16;
      for (size_t t = 0; t < kBytes; ++t) {
        sum += static_cast<uint32_t>(table[t * kTable + (byte & 0x0F)]) << (8 * t);
        sum += static_cast<uint32_t>(table[(kBytes + t) * kTable + (byte >> 4)]) << (8 * t);
      }
    }
    sums[entry] = static_cast<int32_t>(sum);
  }
}

#else

using Block = hn::Full128<uint8_t>;
using D8 = hn::CappedTag<uint8_t, 32>;
using D16 = hn::Repartition<uint16_t, D8>;
using V8 = hn::Vec<D8>;
using V16 = hn::Vec<D16>;
constexpr size_t kPositions = HWY_MAX_BYTES >= 32 ? 2 : 1;  // of sixteen entries, in a vector
// A lane of 16 bits holds the sum of 257 bytes; a word adds at most 16.
constexpr size_t kWordsUntilFlush = 16;

// One word of sixteen entries, byte by byte: the first vectors hold byte 0 of all entries, and so on.
HWY_INLINE void GatherBytes(const uint8_t* a, const uint8_t* b, V8 (&bytes)[8 / kPositions]) {
  const Block d;
  const hn::Repartition<uint16_t, Block> d16;
  const hn::Repartition<uint32_t, Block> d32;
  const hn::Repartition<uint64_t, Block> d64;
  alignas(16) static constexpr uint8_t kPairs[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
  const auto pairs = hn::Load(d, kPairs);
  hn::Vec<decltype(d16)> rows[8];
  HWY_UNROLL(4)
  for (size_t i = 0; i < 4; ++i) {
    rows[i] = hn::BitCast(d16, hn::TableLookupBytes(hn::LoadU(d, a + 16 * i), pairs));
    rows[4 + i] = hn::BitCast(d16, hn::TableLookupBytes(hn::LoadU(d, b + 16 * i), pairs));
  }
  hn::Vec<decltype(d32)> s[8];
  HWY_UNROLL(4)
  for (size_t i = 0; i < 4; ++i) {
    s[2 * i] = hn::BitCast(d32, hn::InterleaveLower(d16, rows[2 * i], rows[2 * i + 1]));
    s[2 * i + 1] = hn::BitCast(d32, hn::InterleaveUpper(d16, rows[2 * i], rows[2 * i + 1]));
  }
  HWY_UNROLL(4)
  for (size_t i = 0; i < 4; ++i) {
    // i / 2: bytes 0-3 or 4-7; i % 2: which two of them.
    const auto a0 = s[i / 2], a1 = s[2 + i / 2], b0 = s[4 + i / 2], b1 = s[6 + i / 2];
    const auto of_a =
        hn::BitCast(d64, i % 2 == 0 ? hn::InterleaveLower(d32, a0, a1) : hn::InterleaveUpper(d32, a0, a1));
    const auto of_b =
        hn::BitCast(d64, i % 2 == 0 ? hn::InterleaveLower(d32, b0, b1) : hn::InterleaveUpper(d32, b0, b1));
    const auto first = hn::BitCast(d, hn::InterleaveLower(d64, of_a, of_b));
    const auto second = hn::BitCast(d, hn::InterleaveUpper(d64, of_a, of_b));
#if HWY_MAX_BYTES >= 32
    bytes[i] = hn::Combine(D8(), second, first);
#else
    bytes[2 * i] = first;
    bytes[2 * i + 1] = second;
#endif
  }
}

// Bytes are added up in pairs: `both` gets them as numbers of 16 bits, `odd` the upper ones, which are taken off at the
// end.
struct PairSums {
  V16 both;
  V16 odd;

  HWY_INLINE void Clear() { both = odd = hn::Zero(D16()); }
  HWY_INLINE void Add(V8 values) {
    const V16 pairs = hn::BitCast(D16(), values);
    both = hn::Add(both, pairs);
    odd = hn::Add(odd, hn::ShiftRight<8>(pairs));
  }
  HWY_INLINE void FlushTo(int32_t* sums, int shift) {
    alignas(32) uint16_t even_sums[16], odd_sums[16];
    hn::Store(hn::Sub(both, hn::ShiftLeft<8>(odd)), D16(), even_sums);
    hn::Store(odd, D16(), odd_sums);
    for (size_t i = 0; i < hn::Lanes(D16()); ++i) {
      sums[2 * i % 16] += even_sums[i] << shift;
      sums[2 * i % 16 + 1] += odd_sums[i] << shift;
    }
    Clear();
  }
};

template <size_t kBytes>
HWY_INLINE void SumTwoBlocks(const uint8_t* tables, const uint8_t* a, const uint8_t* b, size_t words, int32_t base,
                             int32_t* sums) {
  const D8 d;
  PairSums pairs[kBytes];
  for (PairSums& sum : pairs) sum.Clear();
  std::fill_n(sums, 2 * kBlock, base);
  for (size_t w = 0; w < words; ++w) {
    V8 bytes[8 / kPositions];
    GatherBytes(a + w * kBlockBytes, b + w * kBlockBytes, bytes);
    HWY_UNROLL(8)
    for (size_t i = 0; i < 8 / kPositions; ++i) {
      const size_t byte = i * kPositions;
      const uint8_t* table = tables + (w * 2 + byte / 4) * 2 * kBytes * kTable + byte % 4 * 16;
      const V8 lower = hn::And(bytes[i], hn::Set(d, uint8_t{0x0F}));
      const V8 upper = hn::ShiftRight<4>(bytes[i]);
      HWY_UNROLL(2)
      for (size_t t = 0; t < kBytes; ++t) {
        pairs[t].Add(hn::TableLookupBytes(hn::LoadU(d, table + t * kTable), lower));
        pairs[t].Add(hn::TableLookupBytes(hn::LoadU(d, table + (kBytes + t) * kTable), upper));
      }
    }
    if (w % kWordsUntilFlush == kWordsUntilFlush - 1 || w + 1 == words) {
      for (size_t t = 0; t < kBytes; ++t) pairs[t].FlushTo(sums, static_cast<int>(8 * t));
    }
  }
}

#endif

template <size_t kBytes>
void SumAllSigns(const uint8_t* tables, const uint8_t* plane, size_t words, size_t count, int32_t base, int32_t* sums) {
  const size_t block_bytes = words * kBlockBytes;
  size_t i = 0;
  for (; i + 2 * kBlock <= count; i += 2 * kBlock) {
    SumTwoBlocks<kBytes>(tables, plane, plane + block_bytes, words, base, sums + i);
    plane += 2 * block_bytes;
  }
  if (i == count) return;
  int32_t last[2 * kBlock];
  // A block alone is taken twice.
  const uint8_t* second = count - i > kBlock ? plane + block_bytes : plane;
  SumTwoBlocks<kBytes>(tables, plane, second, words, base, last);
  std::copy_n(last, count - i, sums + i);
}

void SumSigns(const uint8_t* tables, size_t bytes, const uint8_t* plane, size_t words, size_t count, int32_t base,
              int32_t* sums) {
  const auto sum = bytes == 1 ? &SumAllSigns<1> : &SumAllSigns<2>;
  sum(tables, plane, words, count, base, sums);
}

}  // namespace s3v::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace s3v::kernels {
HWY_EXPORT(BuildSignTables);
HWY_EXPORT(SumSigns);

int32_t BuildSignTables(const int16_t* integers, size_t words, size_t bytes, uint8_t* tables) {
  return HWY_DYNAMIC_DISPATCH(BuildSignTables)(integers, words, bytes, tables);
}

void SumSigns(const uint8_t* tables, size_t bytes, const uint8_t* plane, size_t words, size_t count, int32_t base,
              int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(SumSigns)(tables, bytes, plane, words, count, base, sums);
}

}  // namespace s3v::kernels
#endif
