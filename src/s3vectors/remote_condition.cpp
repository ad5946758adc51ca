#include "s3vectors/remote_condition.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "s3vectors/remote_row.h"

namespace s3v {
namespace {

using Kind = Condition::Kind;

bool IsList(std::string_view op) { return op == "$in" || op == "$nin"; }

// Of a conjunction or disjunction: `nothing_to_say` adds nothing to it, `decider` makes it its own kind.
Condition Combine(Kind kind, Kind nothing_to_say, Kind decider, std::vector<Condition> parts) {
  const auto decides = [=](const Condition& part) { return part.kind == decider; };
  if (const auto found = std::ranges::find_if(parts, decides); found != parts.end()) return std::move(*found);
  const bool is_exact = std::ranges::all_of(parts, &Condition::is_exact);
  const auto says_nothing = [=](const Condition& part) { return part.kind == nothing_to_say; };
  if (std::ranges::all_of(parts, says_nothing)) return std::move(parts.front());
  std::erase_if(parts, says_nothing);
  std::vector<Condition> flat;
  for (Condition& part : parts) {
    if (part.kind == kind) {
      std::ranges::move(part.parts, std::back_inserter(flat));
    } else {
      flat.push_back(std::move(part));
    }
  }
  if (flat.size() == 1) {
    flat.front().is_exact = is_exact;
    return std::move(flat.front());
  }
  return {.kind = kind, .is_exact = is_exact, .parts = std::move(flat)};
}

bool IsNotIn(const Condition& condition) { return condition.kind == Kind::kTest && condition.op == "$nin"; }

// Of the parts that can be made weaker (those of conjunctions, and every $nin) the widest one; inside of it, the widest
// one that is enough. None: only the whole can be left out.
Condition* WidestPart(Condition& condition, size_t excess) {
  Condition* widest = nullptr;
  const auto offer = [&widest](Condition* candidate) {
    if (candidate != nullptr && (widest == nullptr || candidate->constraints() > widest->constraints())) {
      widest = candidate;
    }
  };
  for (Condition& part : condition.parts) {
    if (condition.kind == Kind::kAnd) offer(&part);
    if (condition.kind == Kind::kOr) offer(IsNotIn(part) ? &part : WidestPart(part, excess));
  }
  if (widest == nullptr || condition.kind == Kind::kOr) return widest;
  Condition* inner = WidestPart(*widest, excess);
  return inner != nullptr && inner->constraints() >= excess ? inner : widest;
}

// Leaves out the part, or as many values of a $nin as are too many.
void Weaken(Condition& part, size_t excess) {
  if (IsNotIn(part) && part.operands.size() > excess) {
    part.operands.resize(part.operands.size() - excess);
    part.is_exact = false;
    return;
  }
  part = Condition::Everything();
}

// Once more what All() and Any() do, with what is left.
Condition Rebuild(Condition condition) {
  if (condition.kind != Kind::kAnd && condition.kind != Kind::kOr) return condition;
  std::vector<Condition> parts;
  for (Condition& part : condition.parts) parts.push_back(Rebuild(std::move(part)));
  return condition.kind == Kind::kAnd ? Condition::All(std::move(parts)) : Condition::Any(std::move(parts));
}

void AppendJson(const Condition& condition, std::string* json);

void AppendTest(const Condition& test, std::string* json) {
  *json += '{';
  AppendString(test.column, json);
  *json += ":{\"";
  // A list of one is spelled as what it is.
  const bool is_list = IsList(test.op) && test.operands.size() > 1;
  *json += !IsList(test.op) || is_list ? test.op : test.op == "$in" ? "$eq" : "$ne";
  *json += is_list ? "\":[" : "\":";
  for (size_t i = 0; i < test.operands.size(); ++i) {
    if (i > 0) *json += ',';
    *json += test.operands[i];
  }
  *json += is_list ? "]}}" : "}}";
}

void AppendParts(std::string_view op, const std::vector<Condition>& parts, std::string* json) {
  *json += "{\"";
  *json += op;
  *json += "\":";
  for (size_t i = 0; i < parts.size(); ++i) {
    *json += i == 0 ? '[' : ',';
    AppendJson(parts[i], json);
  }
  *json += "]}";
}

void AppendJson(const Condition& condition, std::string* json) {
  switch (condition.kind) {
    case Kind::kEverything:
      break;
    case Kind::kNothing:
      AppendParts("$and",
                  {Condition::Exists(condition.column, true, true), Condition::Exists(condition.column, false, true)},
                  json);
      break;
    case Kind::kTest:
      AppendTest(condition, json);
      break;
    case Kind::kAnd:
      AppendParts("$and", condition.parts, json);
      break;
    case Kind::kOr:
      AppendParts("$or", condition.parts, json);
      break;
  }
}

}  // namespace

Condition Condition::All(std::vector<Condition> parts) {
  return Combine(Kind::kAnd, Kind::kEverything, Kind::kNothing, std::move(parts));
}

Condition Condition::Any(std::vector<Condition> parts) {
  return Combine(Kind::kOr, Kind::kNothing, Kind::kEverything, std::move(parts));
}

size_t Condition::constraints() const {
  if (kind == Kind::kNothing) return 2;
  size_t count = operands.size();
  for (const Condition& part : parts) count += part.constraints();
  return count;
}

bool Condition::Uses(std::string_view wanted) const {
  return op == wanted || std::ranges::any_of(parts, [wanted](const Condition& part) { return part.Uses(wanted); });
}

Condition Fit(Condition condition, size_t most) {
  for (size_t count = condition.constraints(); count > most; count = condition.constraints()) {
    Condition* part = WidestPart(condition, count - most);
    Weaken(part != nullptr ? *part : condition, count - most);
    condition = Rebuild(std::move(condition));
  }
  return condition;
}

std::string ToJson(const Condition& condition) {
  std::string json;
  AppendJson(condition, &json);
  return json;
}

}  // namespace s3v
