// model file, format 1. Integers and floats little-endian.
//   file       := magic "S3VCATAL" | format u32 = 1 | dimensions u32 | words u32 | word{words} | projection | crc32c
//   u32 word       := length u32 | bytes{length} | idf f32 projection := f32{words * dimensions}, word by word crc32c
//   is that of all bytes before it
#include "catalogue/model.h"

#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"

namespace s3v::catalogue {
namespace {

constexpr std::string_view kMagic = "S3VCATAL";
constexpr uint32_t kFormat = 1;

[[noreturn]] void RefuseModel(const std::string& reason) {
  throw Error(Code::kCorrupted, "not a usable model file: " + reason, {}, "Run \"s3v_catalogue build\" again.");
}

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  ByteView Take(size_t size) {
    if (size > rest_.size()) RefuseModel("it ends too early");
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  template <class T>
  T Take() {
    T value;
    std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  size_t left() const { return rest_.size(); }

 private:
  ByteView rest_;
};

// Rows of unit length. A row that is nothing but rounding errors becomes zero.
Eigen::MatrixXd Directions(const Eigen::MatrixXd& places) {
  const Eigen::VectorXd lengths = places.rowwise().norm();
  const double noise = lengths.size() > 0 ? 1e-9 * lengths.maxCoeff() : 0.0;
  const auto scale = [&](double length) { return length > noise ? 1.0 / length : 0.0; };
  return lengths.unaryExpr(scale).asDiagonal() * places;
}

}  // namespace

Model Model::Train(const std::vector<WordCounts>& documents, const ModelOptions& options) {
  Model model;
  model.vocabulary_ = Vocabulary::Learn(documents, options.min_df);
  const RightSvd svd = RandomizedSvd(MakeTermMatrix(documents, model.vocabulary_), options.svd);
  const Eigen::MatrixXd places = svd.vectors * svd.values.cwiseSqrt().asDiagonal();
  model.projection_ = Directions(places).cast<float>();
  return model;
}

std::optional<std::vector<float>> Model::Embed(const WordCounts& counts) const {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(projection_.cols());
  for (const auto& [word, weight] : vocabulary_.Weigh(counts)) {
    sum += static_cast<double>(weight) * projection_.row(word).cast<double>().transpose();
  }
  const double length = sum.norm();
  if (!(length > 0.0)) return std::nullopt;
  std::vector<float> vector(sum.size());
  for (Eigen::Index i = 0; i < sum.size(); ++i) vector[i] = static_cast<float>(sum[i] / length);
  return vector;
}

Bytes Model::Encode() const {
  Bytes out;
  Append(out, AsBytes(kMagic));
  Append(out, kFormat);
  Append(out, static_cast<uint32_t>(dimensions()));
  Append(out, static_cast<uint32_t>(vocabulary_.size()));
  for (size_t i = 0; i < vocabulary_.size(); ++i) {
    Append(out, static_cast<uint32_t>(vocabulary_.words()[i].size()));
    Append(out, AsBytes(vocabulary_.words()[i]));
    Append(out, vocabulary_.idf()[i]);
  }
  Append(out, ByteView(reinterpret_cast<const uint8_t*>(projection_.data()), projection_.size() * sizeof(float)));
  Append(out, Crc32c(out));
  return out;
}

Model Model::Decode(ByteView bytes) {
  Reader reader(bytes);
  if (AsText(reader.Take(kMagic.size())) != kMagic)
    RefuseModel("it does not start with \"" + std::string(kMagic) + "\"");
  const auto format = reader.Take<uint32_t>();
  if (format != kFormat) {
    RefuseModel("it has format " + std::to_string(format) + ", this program reads " + std::to_string(kFormat));
  }
  if (reader.left() < sizeof(uint32_t)) RefuseModel("it ends too early");
  const ByteView covered = bytes.first(bytes.size() - sizeof(uint32_t));
  if (Reader(bytes.last(sizeof(uint32_t))).Take<uint32_t>() != Crc32c(covered)) RefuseModel("its checksum is wrong");

  const auto dimensions = reader.Take<uint32_t>();
  const auto count = reader.Take<uint32_t>();
  std::vector<std::string> words;
  std::vector<float> idf;
  for (uint32_t i = 0; i < count; ++i) {
    words.emplace_back(AsText(reader.Take(reader.Take<uint32_t>())));
    idf.push_back(reader.Take<float>());
  }
  Model model;
  model.vocabulary_ = Vocabulary(std::move(words), std::move(idf));
  const ByteView floats = reader.Take(size_t{count} * dimensions * sizeof(float));
  if (reader.left() != sizeof(uint32_t)) RefuseModel("it ends too late");
  model.projection_.resize(count, dimensions);
  if (!floats.empty()) std::memcpy(model.projection_.data(), floats.data(), floats.size());
  return model;
}

}  // namespace s3v::catalogue
