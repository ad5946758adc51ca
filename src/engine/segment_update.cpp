#include "engine/segment_update.h"

#include <algorithm>
#include <tuple>

#include "engine/entry_reader.h"
#include "engine/update_sizes.h"

namespace s3v {
namespace {

constexpr uint64_t kMostReadAtOnce = 16u << 20;

void Append(WrittenLists from, size_t columns, WrittenLists* to) {
  const auto before = static_cast<uint32_t>(to->segments.size());
  for (Piece& piece : from.pieces) {
    piece.segment += before;
    to->columns.Append(from.columns, columns, piece);
    to->pieces.push_back(piece);
  }
  to->segments.insert(to->segments.end(), from.segments.begin(), from.segments.end());
  to->bytes += from.bytes;
}

}  // namespace

SegmentUpdate::SegmentUpdate(const Navigation& navigation, const UpdateSizes& sizes, const SegmentPlan& plan,
                             const ListPlaces& places, std::span<const uint32_t> list_ids, const LiveMap& live)
    : navigation_(navigation),
      places_(places),
      list_ids_(list_ids),
      live_(live),
      goes_settled_(list_ids.size()),
      is_given_up_(navigation.segments.size()) {
  settled_.sizes.resize(list_ids.size());
  fresh_.sizes.resize(list_ids.size());
  for (const uint32_t segment : plan.folded) is_given_up_[segment] = true;
  for (const uint32_t segment : plan.rewritten) is_given_up_[segment] = true;
  std::vector<bool> is_rewritten(navigation.segments.size());
  for (const uint32_t segment : plan.rewritten) is_rewritten[segment] = true;
  for (size_t place = 0; place < list_ids.size(); ++place) {
    const UpdateSizes::List& list = sizes.lists[place];
    goes_settled_[place] =
        plan.settles_all || list.is_made || (list.owner != UpdateSizes::kNoOwner && is_rewritten[list.owner]);
  }
  ChooseMoves();
}

void SegmentUpdate::ChooseMoves() {
  for (const Piece& piece : navigation_.pieces) {
    const uint32_t entries = live_.LiveIn(piece);
    if (entries == 0) continue;
    const bool is_fresh = !navigation_.segments[piece.segment].info.is_settled;
    if (!is_given_up_[piece.segment] && !(is_fresh && goes_settled_[PlaceOf(piece)])) continue;
    moved_.push_back(&piece);
    moved_entries_ += entries;
    Output& output = OutputFor(PlaceOf(piece));
    output.entries += entries;
    ListSize& size = output.sizes[PlaceOf(piece)];
    size.entries += entries;
    size.payload_bytes += PayloadBytes(navigation_, piece);
  }
  std::ranges::sort(moved_, [](const Piece* a, const Piece* b) {
    return std::tie(a->segment, a->first) < std::tie(b->segment, b->first);
  });
}

void SegmentUpdate::CountPut(std::span<const ListSize> put) {
  for (uint32_t place = 0; place < put.size(); ++place) {
    Output& output = OutputFor(place);
    output.entries += put[place].entries;
    output.sizes[place].entries += put[place].entries;
    output.sizes[place].payload_bytes += put[place].payload_bytes;
    put_entries_ += put[place].entries;
  }
}

// The settled output is as a rule the larger one.
void SegmentUpdate::OpenWriters(const Resources& resources) {
  SegmentShape shape{.index = navigation_.names.index,
                     .object = {},
                     .codes = navigation_.codes(),
                     .key_kind = navigation_.shape.key_kind,
                     .metadata_columns = navigation_.shape.metadata_columns,
                     .raw = navigation_.shape.raw};
  const bool are_two = settled_.entries > 0 && fresh_.entries > 0;
  const size_t quarter = resources.memory_bytes / 4;
  const auto open = [&](Output& output, bool is_settled, size_t memory_bytes) {
    if (output.entries == 0) return;
    output.writer = std::make_unique<ListWriter>(shape, output.sizes, list_ids_, is_settled, memory_bytes,
                                                 resources.store, resources.spill);
  };
  open(settled_, true, are_two ? 3 * quarter : resources.memory_bytes);
  open(fresh_, false, are_two ? quarter : resources.memory_bytes);
}

WrittenLists SegmentUpdate::Write(UpdateRows& rows, const RowCoder& coder, const Resources& resources, Stop& stop) {
  CountPut(rows.Sizes(list_ids_.size(), stop));
  OpenWriters(resources);
  Move(resources, stop);
  AddRows(rows, coder, resources, stop);
  WrittenLists written;
  uint64_t before = 0;
  for (Output* output : {&settled_, &fresh_}) {
    if (output->writer == nullptr) continue;
    WrittenLists lists =
        output->writer->Finish([&](uint64_t done) { resources.progress("writing", before + done, entries()); }, stop);
    Append(std::move(lists), navigation_.shape.metadata_columns, &written);
    before += output->entries;
    output->writer = nullptr;
  }
  return written;
}

void SegmentUpdate::Move(const Resources& resources, Stop& stop) {
  EntryReader reader(navigation_, live_, EntryParts::kAll,
                     std::min<uint64_t>(resources.memory_bytes / 8, kMostReadAtOnce), resources.store);
  uint64_t done = 0;
  reader.Read(
      moved_,
      [&](const Piece& piece, uint32_t, const Entry& entry) {
        OutputFor(PlaceOf(piece)).writer->Add(PlaceOf(piece), entry);
        if (++done % 1024 == 0) resources.progress("moving", done, moved_entries_);
      },
      stop);
}

void SegmentUpdate::AddRows(UpdateRows& rows, const RowCoder& coder, const Resources& resources, Stop& stop) {
  const size_t dimensions = navigation_.shape.dimensions;
  RowSpill::Payloads payloads = rows.payloads();
  CodedRows coded, coded_again;
  std::vector<uint32_t> firsts, seconds;
  rows.ForEachBlock(
      [&](uint64_t, std::span<const ListPair> lists, std::span<const float> vectors) {
        firsts.clear();
        seconds.clear();
        for (const ListPair& pair : lists) {
          firsts.push_back(pair.first);
          seconds.push_back(pair.second);
        }
        coder.Encode(vectors, firsts, resources.threads, &coded, stop);
        if (navigation_.shape.has_duplicates) coder.Encode(vectors, seconds, resources.threads, &coded_again, stop);
        for (size_t i = 0; i < lists.size(); ++i) {
          payloads.Next();
          const auto add = [&](uint32_t list, CodedRows& codes) {
            OutputFor(list).writer->Add(list, {.key = payloads.key(),
                                               .signs = codes.signs(i),
                                               .extension = codes.extension(i),
                                               .sign_factors = codes.sign_factors(i),
                                               .code_factors = codes.code_factors(i),
                                               .vector = vectors.subspan(i * dimensions, dimensions),
                                               .metadata = payloads.metadata(),
                                               .content_hash = payloads.content_hash()});
          };
          add(firsts[i], coded);
          if (seconds[i] != firsts[i]) add(seconds[i], coded_again);
        }
      },
      stop);
}

void SegmentUpdate::MaskMoved(LiveMap& live) const {
  std::vector<std::vector<MaskRun>> runs(is_given_up_.size());
  for (const Piece* piece : moved_) {
    if (!is_given_up_[piece->segment]) runs[piece->segment].push_back({piece->first, piece->count});
  }
  for (size_t segment = 0; segment < runs.size(); ++segment) {
    if (is_given_up_[segment]) {
      live.Drop(segment);
    } else if (!runs[segment].empty()) {
      live.Mask(segment, std::move(runs[segment]));
    }
  }
}

}  // namespace s3v
