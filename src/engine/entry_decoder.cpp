#include "engine/entry_decoder.h"

#include "ivf/codes.h"

namespace s3v {

EntryDecoder::EntryDecoder(const Navigation& navigation, const LiveMap& live, uint64_t bytes_at_once,
                           ObjectStore& store)
    : navigation_(navigation),
      reader_(navigation, live, EntryParts::kCodes, bytes_at_once, store),
      centroid_(navigation.shape.dimensions),
      row_(navigation.shape.dimensions) {}

void EntryDecoder::Read(std::span<const Piece* const> pieces, const Visit& visit, Stop& stop) {
  const CodeShape codes = navigation_.codes();
  reader_.Read(
      pieces,
      [&](const Piece& piece, uint32_t position, const Entry& entry) {
        if (piece.list != list_) navigation_.base->tables.lists.Dequantize(piece.list, centroid_);
        list_ = piece.list;
        const float scale = codes.bits > 1 ? entry.code_factors.scale : entry.sign_factors.scale;
        DecodeResidual(codes, entry.signs, entry.extension, scale, row_);
        for (size_t j = 0; j < row_.size(); ++j) row_[j] += centroid_[j];
        visit(piece, position, entry.key, row_);
      },
      stop);
}

}  // namespace s3v
