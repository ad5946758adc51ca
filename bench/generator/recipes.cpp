#include "recipes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "product.h"

namespace s3v::bench {

namespace {

class Topics : public Recipe {
 public:
  explicit Topics(uint64_t seed)
      : seed_(seed), centre_(kTopics * kLatent), scale_(kTopics * kLatent), cumulative_(kTopics) {
    Random random(seed, Stream::kStructure, 0);
    const Floats super = random.Normal(kSuperTopics * kLatent);
    const Floats own = random.Normal(kTopics * kLatent);
    std::vector<int> order(kLatent);
    double total = 0;
    for (int64_t t = 0; t < kTopics; ++t) {
      const float* parent = super.data() + random.Below(kSuperTopics) * kLatent;
      std::iota(order.begin(), order.end(), 0);
      for (size_t i = kLatent - 1; i > 0; --i) std::swap(order[i], order[random.Below(i + 1)]);
      for (int64_t i = 0; i < kLatent; ++i) {
        centre_[t * kLatent + i] = parent[i] + 0.55f * own[t * kLatent + i];
        scale_[t * kLatent + i] = static_cast<float>(1.4 * std::pow(0.75, order[i]) + 0.25);
      }
      cumulative_[t] = total += std::pow(static_cast<double>(t + 1), -0.6);
    }
    Floats first = random.Normal(kLatent * kHidden), second = random.Normal(kHidden * kDimensions);
    for (float& value : first) value *= static_cast<float>(1.3 / std::sqrt(kLatent));
    for (float& value : second) value *= static_cast<float>(1 / std::sqrt(kHidden));
    first_ = std::make_unique<Panels>(first.data(), kLatent, kHidden);
    second_ = std::make_unique<Panels>(second.data(), kHidden, kDimensions);
    offset_ = random.Normal(kDimensions);
    for (float& value : offset_) value *= 0.35f;
  }

  int64_t dimensions() const override { return kDimensions; }
  bool cosine() const override { return true; }

  void Draw(Stream stream, int64_t first, int64_t count, float* out) const override {
    const bool query = stream == Stream::kQuery;
    const float spread = query ? 1.15f : 1.0f, shift = query ? 0.05f : 0.0f;
    Floats latent(count * kLatent), hidden(count * kHidden), noise(kDimensions);
    std::vector<Random> random;
    for (int64_t r = 0; r < count; ++r) {
      random.emplace_back(seed_, stream, first + r);
      const double at = random[r].Uniform() * cumulative_.back();
      const int64_t topic = std::min<int64_t>(
          std::upper_bound(cumulative_.begin(), cumulative_.end(), at) - cumulative_.begin(), kTopics - 1);
      float* row = latent.data() + r * kLatent;
      random[r].Normal(row, kLatent);
      for (int64_t i = 0; i < kLatent; ++i) {
        row[i] = centre_[topic * kLatent + i] + spread * scale_[topic * kLatent + i] * row[i] + shift;
      }
    }
    first_->Multiply(latent.data(), count, hidden.data());
    for (float& value : hidden) value = std::tanh(value);
    second_->Multiply(hidden.data(), count, out);
    for (int64_t r = 0; r < count; ++r) {
      float* row = out + r * kDimensions;
      for (int64_t i = 0; i < kDimensions; ++i) row[i] += offset_[i];
      Normalize(row);
      random[r].Normal(noise.data(), kDimensions);
      for (int64_t i = 0; i < kDimensions; ++i) row[i] += noise[i] * static_cast<float>(0.38 / std::sqrt(kDimensions));
      Normalize(row);
    }
  }

 private:
  static constexpr int64_t kDimensions = 768, kLatent = 48, kHidden = 256, kTopics = 4000, kSuperTopics = 80;
  static_assert(kHidden % kPanel == 0 && kDimensions % kPanel == 0, "products are written in place");

  static void Normalize(float* row) {
    const double length = std::sqrt(Dot(row, row, kDimensions));
    for (int64_t i = 0; i < kDimensions; ++i) row[i] = static_cast<float>(row[i] / length);
  }

  uint64_t seed_;
  Floats centre_, scale_, offset_;
  std::vector<double> cumulative_;
  std::unique_ptr<Panels> first_, second_;
};

class Hard : public Recipe {
 public:
  Hard(uint64_t seed, int64_t dimensions) : seed_(seed), dimensions_(dimensions), spectrum_(dimensions) {
    if (dimensions % kPanel != 0) throw std::invalid_argument("products are written in place");
    Random random(seed, Stream::kStructure, static_cast<uint64_t>(dimensions));
    const Floats basis = OrthonormalBasis(random);
    double squares = 0;
    for (int64_t i = 0; i < dimensions; ++i) squares += std::pow(i + 1, -2 * kDecay);
    for (int64_t i = 0; i < dimensions; ++i) {
      spectrum_[i] = static_cast<float>(std::pow(i + 1, -kDecay) * std::sqrt(dimensions / squares));
    }
    centre_ = random.Normal(kClusters * dimensions);
    for (size_t i = 0; i < centre_.size(); ++i) centre_[i] *= spectrum_[i % dimensions];
    basis_ = std::make_unique<Panels>(basis.data(), dimensions, dimensions);
  }

  int64_t dimensions() const override { return dimensions_; }
  bool cosine() const override { return false; }

  void Draw(Stream stream, int64_t first, int64_t count, float* out) const override {
    Floats drawn(count * dimensions_);
    for (int64_t r = 0; r < count; ++r) {
      Random random(seed_, stream, first + r);
      const float* centre = centre_.data() + random.Below(kClusters) * dimensions_;
      float* row = drawn.data() + r * dimensions_;
      random.Normal(row, dimensions_);
      for (int64_t i = 0; i < dimensions_; ++i) row[i] = centre[i] + row[i] * spectrum_[i];
    }
    basis_->Multiply(drawn.data(), count, out);
    for (int64_t i = 0; i < count * dimensions_; ++i) {
      out[i] = std::clamp(std::nearbyint(std::fabs(out[i]) * 24), 0.0f, 255.0f);
    }
  }

 private:
  static constexpr int64_t kClusters = 2000;
  static constexpr double kDecay = 0.72;

  Floats OrthonormalBasis(Random& random) const {  // Gram and Schmidt, twice for the sake of rounding
    Floats basis = random.Normal(dimensions_ * dimensions_);
    for (int64_t r = 0; r < dimensions_; ++r) {
      float* row = basis.data() + r * dimensions_;
      for (int pass = 0; pass < 2; ++pass) {
        for (int64_t other = 0; other < r; ++other) {
          const float* before = basis.data() + other * dimensions_;
          const double along = Dot(row, before, dimensions_);
          for (int64_t i = 0; i < dimensions_; ++i) row[i] -= static_cast<float>(along * before[i]);
        }
        const double length = std::sqrt(Dot(row, row, dimensions_));
        for (int64_t i = 0; i < dimensions_; ++i) row[i] = static_cast<float>(row[i] / length);
      }
    }
    return basis;
  }

  uint64_t seed_;
  int64_t dimensions_;
  Floats spectrum_, centre_;
  std::unique_ptr<Panels> basis_;
};

}  // namespace

std::unique_ptr<Recipe> MakeRecipe(const std::string& kind, uint64_t seed) {
  if (kind == "topics") return std::make_unique<Topics>(seed);
  if (kind == "hard") return std::make_unique<Hard>(seed, 128);
  if (kind == "growth") return std::make_unique<Hard>(seed, 96);
  throw std::invalid_argument("no such kind: \"" + kind + "\"");
}

}  // namespace s3v::bench
