// Every byte of a small object of each kind flipped, and the object cut at every length: an error, never other data.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/random.h"
#include "format/column.h"
#include "format/key_plane.h"
#include "format/samples.h"

namespace s3v {
namespace {

using testing::kSampleIndex;
using testing::kSampleObject;

struct Kind {
  std::string name;
  Bytes bytes;
  std::function<void(ByteView)> read;
};

void ReadSegment(ByteView segment, const WrittenSegment& written) {
  const SegmentShape shape = testing::SampleShape();
  const auto range = [&](uint64_t offset, uint64_t length) {
    const uint64_t begin = std::min<uint64_t>(offset, segment.size());
    return segment.subspan(begin, std::min<uint64_t>(length, segment.size() - begin));
  };
  for (const Piece& piece : written.pieces) {
    const ScanRange scan(range(piece.scan_offset, piece.scan_length), piece, shape, "segment");
    const ExtensionRange extension(range(piece.extension_offset(), piece.extension_length), piece, shape, "segment");
    const ColumnPlace& place = written.columns.Of(piece, 1)[0];
    const ColumnRange column(range(place.offset, place.length), place, 0, piece, shape, "segment");
    const uint64_t raw_bytes = RawBytes(shape.raw, shape.codes.dimensions);
    std::vector<float> vector(shape.codes.dimensions);
    for (uint32_t i = 0; i < piece.count; ++i) {
      const uint64_t offset = piece.raw_offset + i * raw_bytes;
      DecodeRaw(range(offset, raw_bytes), offset, shape, "segment", vector);
    }
  }
  const uint64_t length = written.object.size();
  const ByteView index = range(length - written.keys.index_length, written.keys.index_length);
  for (const KeyBlockPlace& place : DecodeKeyIndex(index, shape, written.keys, length, written.entries, "segment")) {
    const KeyBlock block(range(place.offset, place.length), place, shape, written.entries, "segment");
  }
}

std::vector<Kind> Kinds() {
  const WrittenSegment segment = testing::SampleSegment();
  const Bytes delta = EncodeDelta(testing::SampleDelta(), kSampleIndex, kSampleObject);
  return {
      {"owner", EncodeOwner(testing::SampleOwner(), kSampleIndex),
       [](ByteView bytes) { DecodeOwner(bytes, kSampleIndex, 7, "owner"); }},
      {"manifest", EncodeManifest(testing::SampleManifest()),
       [](ByteView bytes) { DecodeManifest(bytes, kSampleIndex, kSampleObject, "manifest"); }},
      {"base", EncodeBase(testing::SampleBase(), kSampleIndex, kSampleObject),
       [](ByteView bytes) { DecodeBase(bytes, kSampleIndex, kSampleObject, "base"); }},
      {"delta", delta, [](ByteView bytes) { DecodeDelta(bytes, kSampleIndex, kSampleObject, "delta"); }},
      {"delta, checked alone", delta, [](ByteView bytes) { CheckDelta(bytes, kSampleIndex, kSampleObject, "delta"); }},
      // A query reads a segment's ranges, not its header, which serves check and recovery.
      {"segment", segment.object, [segment](ByteView bytes) { ReadSegment(bytes, segment); }},
  };
}

// A fresh heap copy of exactly that size, so that the sanitizer sees a read behind its end.
Code ReadCopy(const Kind& kind, ByteView bytes) {
  const Bytes copy(bytes.begin(), bytes.end());
  try {
    kind.read(copy);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(Corruption, EveryFlippedByteIsFound) {
  for (const Kind& kind : Kinds()) {
    ASSERT_EQ(ReadCopy(kind, kind.bytes), Code::kOk) << kind.name;
    const size_t first = kind.name == "segment" ? 48 : 0;
    for (size_t i = first; i < kind.bytes.size(); ++i) {
      for (const uint8_t mask : {0x01, 0x80, 0xff}) {
        Bytes bytes = kind.bytes;
        bytes[i] ^= mask;
        ASSERT_EQ(ReadCopy(kind, bytes), Code::kCorrupted) << kind.name << " byte " << i;
      }
    }
  }
}

TEST(Corruption, EveryCutIsFound) {
  for (const Kind& kind : Kinds()) {
    for (size_t size = 0; size < kind.bytes.size(); ++size) {
      ASSERT_EQ(ReadCopy(kind, ByteView(kind.bytes).first(size)), Code::kCorrupted) << kind.name << " cut at " << size;
    }
  }
}

TEST(Corruption, BytesAppendedAreFound) {
  for (const Kind& kind : Kinds()) {
    if (kind.name == "segment") continue;  // nobody reads behind the last range
    Bytes bytes = kind.bytes;
    bytes.push_back(0);
    EXPECT_EQ(ReadCopy(kind, bytes), Code::kCorrupted) << kind.name;
  }
}

TEST(Corruption, RandomBytesNeverPass) {
  Random random(7);
  for (const Kind& kind : Kinds()) {
    for (int round = 0; round < 2000; ++round) {
      Bytes bytes = kind.bytes;
      for (uint64_t changes = 1 + random.Below(8); changes > 0; --changes) {
        bytes[48 + random.Below(bytes.size() - 48)] = static_cast<uint8_t>(random.Next());
      }
      if (bytes == kind.bytes) continue;
      ASSERT_EQ(ReadCopy(kind, bytes), Code::kCorrupted) << kind.name;
    }
  }
}

TEST(Corruption, ObjectsOfOtherKindsAreRefused) {
  const std::vector<Kind> kinds = Kinds();
  for (const Kind& reader : kinds) {
    for (const Kind& object : kinds) {
      if (reader.name.substr(0, 5) != object.name.substr(0, 5)) {
        EXPECT_EQ(ReadCopy(reader, object.bytes), Code::kCorrupted) << reader.name << " reads " << object.name;
      }
    }
  }
}

}  // namespace
}  // namespace s3v
