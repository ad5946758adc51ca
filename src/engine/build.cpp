#include "engine/build.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/clock.h"
#include "base/parallel.h"
#include "engine/list_writer.h"
#include "engine/row_spill.h"
#include "format/names.h"
#include "ivf/kmeans.h"
#include "ivf/neighbours.h"
#include "ivf/probe.h"

namespace s3v {
namespace {

constexpr size_t kMaxMetadata = 16u << 20;

constexpr size_t kSamplePerList = 128;
constexpr size_t kEnoughPerList = 64;  // with fewer, training is followed by a refinement over all rows

// Measured in docs/design/probing.md: so much of what is missing to full recall is added to the target, because sampled
// rows are not queries.
constexpr double kCalibrationMargin = 0.4;
constexpr size_t kCalibrationQueries = 512;
constexpr size_t kLeastCalibrationQueries = 64;
constexpr size_t kCalibrationNeighbours = 10;

// glibc keeps freed blocks of several megabytes for itself once it has seen larger ones come and go; each phase would
// then add its peak to those before.
void ReturnFreedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

double ProcessCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Lists of sqrt(rows) entries, within bounds that make a list worth its request: 250 to 500 entries at 128 dimensions,
// 250 at 768 and more (docs/design/probing.md).
size_t ChooseLists(uint64_t rows, size_t dimensions) {
  const double most = std::clamp(192000.0 / static_cast<double>(dimensions), 250.0, 500.0);
  const double entries = std::clamp(std::sqrt(static_cast<double>(rows)), 250.0, most);
  const auto lists = static_cast<uint64_t>(std::llround(static_cast<double>(rows) / entries));
  return std::clamp<uint64_t>(lists, 1, kMaxLists);
}

// `count` of the numbers below `total`, ascending, each as likely as any other (Knuth's algorithm S).
std::vector<uint64_t> SampleNumbers(uint64_t total, uint64_t count, Random& random) {
  std::vector<uint64_t> numbers;
  numbers.reserve(count);
  for (uint64_t i = 0; numbers.size() < count; ++i) {
    if (random.Below(total - i) < count - numbers.size()) numbers.push_back(i);
  }
  return numbers;
}

const BuildOptions& Checked(const BuildOptions& options) {
  const auto refuse = [](const std::string& message) { throw Error(Code::kInvalidArgument, message); };
  if (options.dimensions < 1 || options.dimensions > kMaxDimensions) {
    refuse("an index needs 1 to " + std::to_string(kMaxDimensions) + " dimensions, not " +
           std::to_string(options.dimensions));
  }
  if (options.lists > kMaxLists) {
    refuse("an index has at most " + std::to_string(kMaxLists) + " lists, not " + std::to_string(options.lists));
  }
  if (!(options.recall >= 0.5 && options.recall <= 0.999)) {
    refuse("recall must be between 0.5 and 0.999, not " + std::to_string(options.recall));
  }
  return options;
}

}  // namespace

class IndexBuild::Impl {
 public:
  Impl(const BuildOptions& options, ObjectStore& store, SpillFactory& spill, BuildProgress progress)
      : options_(Checked(options)),
        memory_(std::max<size_t>(options.memory_bytes, 1u << 20)),
        store_(store),
        spill_(spill),
        progress_(std::move(progress)),
        cpu_at_start_(ProcessCpuSeconds()),
        random_(options.seed),
        space_{.metric = options.metric, .dimensions = options.dimensions},
        block_rows_(std::clamp<size_t>(memory_ / 16 / (space_.width() * sizeof(float)), 64, 8192)) {
    rows_ = std::make_unique<RowSpill>(spill, options.dimensions, memory_ / 8);
  }

  void Add(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
    CheckRow(key, vector, metadata);
    if (options_.metric == Metric::kInnerProduct) space_.norm_limit = std::max(space_.norm_limit, Norm(vector));
    rows_->Append(key, vector, metadata);
    if (rows_->rows() % 256 == 0) stop.Check();
    if (rows_->rows() % 1024 == 0) Tell("reading", rows_->rows(), 0);
  }

  BuildResult Finish(Stop& stop) {
    Tell("reading", rows_->rows(), rows_->rows());
    TrainLists(stop);
    SampleQueries();
    NeighbourLists truth(queries_, space_.width(), query_rows_, kCalibrationNeighbours);
    AssignRows(truth, stop);
    const ProbeRule rule = CalibrateRule(truth, stop);
    WrittenLists lists = WriteLists(stop);
    return Publish(rule, std::move(lists), stop);
  }

 private:
  void Tell(const char* phase, uint64_t done, uint64_t total) const {
    if (progress_) progress_(phase, done, total);
  }

  void CheckRow(ByteView key, std::span<const float> vector, ByteView metadata) const {
    const auto refuse = [](const std::string& message) { throw Error(Code::kInvalidArgument, message); };
    if (vector.size() != options_.dimensions) {
      refuse("vector has " + std::to_string(vector.size()) + " dimensions, index has " +
             std::to_string(options_.dimensions));
    }
    if (!AllFinite(vector)) refuse("vector has elements that are not finite");
    if (options_.metric == Metric::kCosine && std::ranges::all_of(vector, [](float x) { return x == 0; })) {
      refuse("a zero vector has no cosine distance");
    }
    const size_t width = KeyWidth(options_.key_kind);
    if (width > 0 && key.size() != width) {
      refuse("key has " + std::to_string(key.size()) + " bytes, its kind has " + std::to_string(width));
    }
    if (key.size() > kMaxKeyBytes) {
      throw Error(Code::kLimitExceeded, "key has " + std::to_string(key.size()) + " bytes, at most " +
                                            std::to_string(kMaxKeyBytes) + " can be indexed");
    }
    if (metadata.size() > kMaxMetadata) {
      throw Error(Code::kLimitExceeded, "metadata has " + std::to_string(metadata.size()) + " bytes, at most " +
                                            std::to_string(kMaxMetadata) + " can be indexed");
    }
    if (options_.metadata_columns.empty() && !metadata.empty())
      refuse("metadata for an index without metadata columns");
  }

  // Vectors of `rows` rows from `first` on, in the assignment space; valid until the next call.
  std::span<const float> ReadPlaced(uint64_t first, size_t count, Stop& stop) {
    const size_t dimensions = options_.dimensions;
    raw_.resize(std::max(raw_.size(), count * dimensions));
    rows_->ReadVectors(first, std::span(raw_).first(count * dimensions));
    if (options_.metric == Metric::kL2) return std::span(raw_).first(count * dimensions);
    placed_.resize(std::max(placed_.size(), count * space_.width()));
    const size_t chunk = std::max<size_t>(1, (1u << 22) / space_.width());  // well below 50 ms of work
    ParallelFor(count, std::min(chunk, count / static_cast<size_t>(std::max(options_.threads, 1)) + 1),
                options_.threads, stop, [&](size_t begin, size_t end) {
                  for (size_t i = begin; i < end; ++i) {
                    space_.PlaceRow(std::span(raw_).subspan(i * dimensions, dimensions),
                                    std::span(placed_).subspan(i * space_.width(), space_.width()));
                  }
                });
    return std::span(placed_).first(count * space_.width());
  }

  // visit(first, vectors) for every block of rows; the count is vectors.size() / width.
  template <class Visit>
  void ForEachBlock(const char* phase, Stop& stop, const Visit& visit) {
    const uint64_t total = rows_->rows();
    for (uint64_t first = 0; first < total; first += block_rows_) {
      stop.Check();
      Tell(phase, first, total);
      visit(first, ReadPlaced(first, std::min<uint64_t>(block_rows_, total - first), stop));
    }
    Tell(phase, total, total);
  }

  std::vector<uint32_t> AssignBlock(std::span<const float> vectors, Stop& stop) const {
    std::vector<uint32_t> assignment(vectors.size() / space_.width());
    Assign(centroids_, vectors, {.threads = options_.threads}, assignment, {}, stop);
    return assignment;
  }

  void TrainLists(Stop& stop) {
    const uint64_t rows = rows_->rows();
    const size_t lists = options_.lists > 0 ? options_.lists : ChooseLists(rows, options_.dimensions);
    const uint64_t fits = std::max<uint64_t>(memory_ / 2 / (space_.width() * sizeof(float)), 1);
    const uint64_t sampled = std::min({rows, uint64_t{kSamplePerList} * lists, fits});
    Tell("training", 0, rows);
    {
      const std::vector<float> sample = ReadSample(SampleNumbers(rows, sampled, random_), stop);
      centroids_ =
          Train(sample, space_.width(), {.lists = lists, .seed = random_.Next(), .threads = options_.threads}, stop);
    }
    ReturnFreedMemory();
    if (sampled == rows || sampled >= kEnoughPerList * lists) return;
    Refinement refinement(centroids_);
    ForEachBlock("training", stop, [&](uint64_t, std::span<const float> vectors) {
      refinement.Add(vectors, AssignBlock(vectors, stop));
    });
    refinement.Apply(&centroids_);
  }

  std::vector<float> ReadSample(const std::vector<uint64_t>& numbers, Stop& stop) {
    std::vector<float> sample(numbers.size() * space_.width());
    std::vector<float> row(options_.dimensions);
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (i % 1024 == 0) stop.Check();
      rows_->ReadVectors(numbers[i], row);
      space_.PlaceRow(row, std::span(sample).subspan(i * space_.width(), space_.width()));
    }
    return sample;
  }

  void SampleQueries() {
    // Each keeps its ranking of all lists until the rule is found.
    const size_t fit = memory_ / 4 / (centroids_.list_count() * sizeof(RankedList));
    const uint64_t rows = rows_->rows();
    const uint64_t count = std::clamp(fit, kLeastCalibrationQueries, kCalibrationQueries);
    query_rows_ = SampleNumbers(rows, std::min(rows, count), random_);
    queries_.resize(query_rows_.size() * space_.width());
    std::vector<float> row(options_.dimensions);
    for (size_t i = 0; i < query_rows_.size(); ++i) {
      rows_->ReadVectors(query_rows_[i], row);
      space_.PlaceQuery(row, std::span(queries_).subspan(i * space_.width(), space_.width()));
    }
  }

  // One pass: every row finds its list, and the sampled queries their true neighbours.
  void AssignRows(NeighbourLists& truth, Stop& stop) {
    list_sizes_.resize(centroids_.list_count());
    assignment_ = std::make_unique<SpillBuffer>(spill_, memory_ / 16);
    RowSpill::Payloads payloads(*rows_);
    ForEachBlock("assigning", stop, [&](uint64_t first, std::span<const float> vectors) {
      const std::vector<uint32_t> lists = AssignBlock(vectors, stop);
      truth.Add(vectors, first, lists, options_.threads, stop);
      for (const uint32_t list : lists) {
        payloads.Next();
        ++list_sizes_[list].entries;
        list_sizes_[list].payload_bytes += payloads.key().size() + payloads.metadata().size();
      }
      assignment_->Append({reinterpret_cast<const uint8_t*>(lists.data()), lists.size() * sizeof(uint32_t)});
    });
  }

  ProbeRule CalibrateRule(NeighbourLists& truth, Stop& stop) const {
    Tell("calibrating", 0, query_rows_.size());
    std::vector<std::vector<uint32_t>> neighbours = truth.Take();
    std::vector<CalibrationQuery> queries(neighbours.size());
    ParallelFor(queries.size(), 1, options_.threads, stop, [&](size_t i, size_t) {
      queries[i].ranked = RankLists(centroids_, std::span(queries_).subspan(i * space_.width(), space_.width()));
      queries[i].neighbour_lists = std::move(neighbours[i]);
    });
    std::vector<uint32_t> entries;
    for (const ListSize& size : list_sizes_) entries.push_back(size.entries);
    const double target = options_.recall + kCalibrationMargin * (1 - options_.recall);
    const ProbeRule rule = Calibrate(queries, entries, target);
    Tell("calibrating", query_rows_.size(), query_rows_.size());
    return rule;
  }

  WrittenLists WriteLists(Stop& stop) {
    const uint64_t rows = rows_->rows();
    const SegmentShape shape{.index = options_.index,
                             .dimensions = options_.dimensions,
                             .key_kind = options_.key_kind,
                             .has_metadata = !options_.metadata_columns.empty()};
    placed_ = {};
    ReturnFreedMemory();
    ListWriter writer(shape, list_sizes_, memory_, store_, spill_);
    Distribute(writer, stop);
    rows_.reset();
    assignment_.reset();
    raw_ = {};
    ReturnFreedMemory();
    return writer.Finish([&](uint64_t done) { Tell("writing", done, rows); }, stop);
  }

  void Distribute(ListWriter& writer, Stop& stop) {
    const size_t dimensions = options_.dimensions;
    RowSpill::Payloads payloads(*rows_);
    std::vector<uint32_t> lists(block_rows_);
    raw_.resize(block_rows_ * dimensions);
    const uint64_t total = rows_->rows();
    for (uint64_t first = 0; first < total; first += block_rows_) {
      stop.Check();
      Tell("writing", 0, total);
      const size_t count = std::min<uint64_t>(block_rows_, total - first);
      rows_->ReadVectors(first, std::span(raw_).first(count * dimensions));
      assignment_->ReadAt(first * sizeof(uint32_t),
                          {reinterpret_cast<uint8_t*>(lists.data()), count * sizeof(uint32_t)});
      for (size_t i = 0; i < count; ++i) {
        payloads.Next();
        writer.Add(lists[i], payloads.key(), std::span(raw_).subspan(i * dimensions, dimensions), payloads.metadata());
      }
    }
    rows_written_ = total;
  }

  uint64_t Put(const std::string& key, const Bytes& bytes, Stop& stop) {
    store_.Put(key, bytes, ObjectStore::PutMode::kOverwrite, stop);
    return bytes.size();
  }

  // Base, delta, and last the manifest, which names all other objects.
  BuildResult Publish(const ProbeRule& rule, WrittenLists lists, Stop& stop) {
    Manifest manifest{.index = options_.index,
                      .id = RandomId(),
                      .metric = options_.metric,
                      .dimensions = static_cast<uint32_t>(options_.dimensions),
                      .key_kind = options_.key_kind,
                      .encoding = Encoding::kFloat32,
                      .metadata_columns = options_.metadata_columns,
                      .rows = rows_written_,
                      .lists = centroids_.list_count(),
                      .base = RandomId(),
                      .delta = RandomId(),
                      .segments = lists.segments,
                      .created = SystemClock().WallSeconds()};
    NavigationDelta delta{.base = manifest.base,
                          .key_kind = options_.key_kind,
                          .encoding = Encoding::kFloat32,
                          .has_metadata = !options_.metadata_columns.empty(),
                          .rows = rows_written_,
                          .rule = rule,
                          .segments = std::move(lists.segments),
                          .pieces = std::move(lists.pieces)};
    BuildResult result;
    const NavigationBase base{space_, std::move(centroids_)};
    manifest.base_length =
        Put(NavigationKey(options_.index, manifest.base), EncodeBase(base, options_.index, manifest.base), stop);
    manifest.delta_length =
        Put(NavigationKey(options_.index, manifest.delta), EncodeDelta(delta, options_.index, manifest.delta), stop);
    const uint64_t manifest_length = Put(ManifestKey(options_.index, manifest.id), EncodeManifest(manifest), stop);
    result.bytes_written = lists.bytes + manifest.base_length + manifest.delta_length + manifest_length;
    result.manifest = std::move(manifest);
    result.cpu_seconds = ProcessCpuSeconds() - cpu_at_start_;
    return result;
  }

  const BuildOptions options_;
  const size_t memory_;
  ObjectStore& store_;
  SpillFactory& spill_;
  const BuildProgress progress_;
  const double cpu_at_start_;
  Random random_;
  AssignmentSpace space_;
  const size_t block_rows_;  // a sixteenth of the memory, twice where rows must be placed
  std::unique_ptr<RowSpill> rows_;
  uint64_t rows_written_ = 0;
  std::vector<float> raw_;
  std::vector<float> placed_;
  Centroids centroids_;
  std::vector<uint64_t> query_rows_;
  std::vector<float> queries_;
  std::vector<ListSize> list_sizes_;
  std::unique_ptr<SpillBuffer> assignment_;  // u32 a row
};

IndexBuild::IndexBuild(const BuildOptions& options, ObjectStore& store, SpillFactory& spill, BuildProgress progress)
    : impl_(std::make_unique<Impl>(options, store, spill, std::move(progress))) {}
IndexBuild::~IndexBuild() = default;

void IndexBuild::Add(ByteView key, std::span<const float> vector, ByteView metadata, Stop& stop) {
  impl_->Add(key, vector, metadata, stop);
}

BuildResult IndexBuild::Finish(Stop& stop) { return impl_->Finish(stop); }

}  // namespace s3v
