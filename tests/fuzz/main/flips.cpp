// s3v_flips [--bytes N] [--seed N]: flips N bytes of whole indexes, one after the other, and damages objects, local
// caches and ranges on their way in N/10 trials each. Prints what came of it; fails unless nothing was silent.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fuzz/campaign.h"

namespace {

using namespace s3v::fuzz;

uint64_t Argument(int argc, char** argv, const char* name, uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return std::strtoull(argv[i + 1], nullptr, 10);
  }
  return otherwise;
}

void Print(const Subject& subject, const CampaignCounts& counts) {
  uint64_t size = 0;
  for (const auto& [key, object] : subject.objects()) size += object.size();
  std::printf("%s: %zu objects of %" PRIu64 " bytes\n", subject.name().c_str(), subject.objects().size(), size);
  std::printf("  tried %" PRIu64 " (%" PRIu64 " in the store, %" PRIu64 " in the cache, %" PRIu64
              " on the way), %" PRIu64 " bytes changed, %" PRIu64 " with a sync\n",
              counts.tried, counts.in_store, counts.in_cache, counts.on_the_way, counts.bytes, counts.with_sync);
  std::printf("  right %" PRIu64 ", refused %" PRIu64 ", SILENT %" PRIu64 ", error without the object's name %" PRIu64
              ", unseen by check %" PRIu64 "\n",
              counts.right, counts.refused, counts.silent, counts.unnamed, counts.unseen);
  for (size_t kind = 0; kind < kDamageKinds; ++kind) {
    std::printf("  %s %" PRIu64 "%s", std::string(NameOf(static_cast<DamageKind>(kind))).c_str(), counts.by_kind[kind],
                kind + 1 == kDamageKinds ? "\n" : ",");
  }
  for (const std::string& complaint : counts.complaints) std::printf("  ! %s\n", complaint.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<SubjectOptions> subjects = AllSubjects();
  const uint64_t bytes = Argument(argc, argv, "--bytes", 100'000) / subjects.size() + 1;
  const uint64_t seed = Argument(argc, argv, "--seed", 1);
  const Subject other({.name = "another", .rows = 20});
  bool is_clean = true;
  uint64_t changed = 0, silent = 0;
  for (const SubjectOptions& options : subjects) {
    const Subject subject(options);
    Campaign campaign(subject, other.objects(), seed);
    campaign.FlipBytes(bytes);
    campaign.DamageObjects(bytes / 10);
    campaign.DamageCache(bytes / 10);
    campaign.DamageOnTheWay(bytes / 10);
    Print(subject, campaign.counts());
    is_clean = is_clean && campaign.counts().is_clean();
    changed += campaign.counts().bytes;
    silent += campaign.counts().silent;
  }
  std::printf("%" PRIu64 " mutated bytes, %" PRIu64 " silent results\n", changed, silent);
  return is_clean ? 0 : 1;
}
