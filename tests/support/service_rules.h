// The service's filter language over metadata, both as JSON, straight from its documentation; where that is silent, a
// test says which answer it means. Source: reference "S3 Vectors API", section 3.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "filter/json_tree.h"
#include "filter/number.h"

namespace s3v::testing {

struct ServiceRules {
  bool numbers_are_doubles = true;     // else decimals
  bool not_equal_without_key = false;  // $ne and $nin match a missing key
  bool in_looks_into_lists = true;     // $in matches a list with one of the values
  bool order_looks_into_lists = false;
  bool prefix_looks_into_lists = false;
};

class ServiceFilter {
 public:
  explicit ServiceFilter(const ServiceRules& rules) : rules_(rules) {}

  bool Match(const JsonNode& filter, const JsonNode& metadata) const {
    const JsonNode& member = OnlyMember(filter);
    const auto holds = [&](const JsonNode& part) { return Match(part, metadata); };
    if (member.key == "$and") return std::ranges::all_of(Parts(member), holds);
    if (member.key == "$or") return std::ranges::any_of(Parts(member), holds);
    const auto value = std::ranges::find(metadata.children, member.key, &JsonNode::key);
    return Holds(OnlyMember(member), value == metadata.children.end() ? nullptr : &*value);
  }

 private:
  using Type = JsonNode::Type;

  static const JsonNode& OnlyMember(const JsonNode& object) {
    if (object.type != Type::kObject || object.children.size() != 1) throw std::logic_error("not one member");
    return object.children.front();
  }
  static const std::vector<JsonNode>& Parts(const JsonNode& list) {
    if (list.type != Type::kList || list.children.empty()) throw std::logic_error("no parts");
    return list.children;
  }

  bool Holds(const JsonNode& operand, const JsonNode* value) const {
    const std::string& op = operand.key;
    if (op == "$exists") {
      if (operand.type != Type::kTrue && operand.type != Type::kFalse) throw std::logic_error("$exists of no boolean");
      return (value != nullptr) == (operand.type == Type::kTrue);
    }
    const bool is_not = op == "$ne" || op == "$nin";
    if (value == nullptr) return is_not && rules_.not_equal_without_key;
    if (op == "$eq" || op == "$ne") return AnyEquals(*value, operand) != is_not;
    if (op == "$in" || op == "$nin") {
      if (op == "$in" && value->type == Type::kList && !rules_.in_looks_into_lists) return false;
      const auto is_equal = [&](const JsonNode& one) { return AnyEquals(*value, one); };
      return std::ranges::any_of(Parts(operand), is_equal) != is_not;
    }
    if (op == "$startsWith") {
      if (operand.type != Type::kString) throw std::logic_error("$startsWith of no string");
      return AnyOf(*value, rules_.prefix_looks_into_lists, [&](const JsonNode& one) {
        return one.type == Type::kString && one.text.starts_with(operand.text);
      });
    }
    if (operand.type != Type::kNumber) throw std::logic_error("ordering by no number");
    return AnyOf(*value, rules_.order_looks_into_lists,
                 [&](const JsonNode& one) { return one.type == Type::kNumber && IsOrdered(op, one, operand); });
  }

  template <class Predicate>
  static bool AnyOf(const JsonNode& value, bool looks_into_lists, const Predicate& predicate) {
    if (value.type != Type::kList) return predicate(value);
    return looks_into_lists && std::ranges::any_of(value.children, predicate);
  }

  bool AnyEquals(const JsonNode& value, const JsonNode& operand) const {
    if (operand.type == Type::kList || operand.type == Type::kObject || operand.type == Type::kNull) {
      throw std::logic_error("no scalar");
    }
    return AnyOf(value, true, [&](const JsonNode& one) {
      if (one.type != operand.type) return false;
      return one.type == Type::kNumber ? Compare(one, operand) == 0 : one.text == operand.text;
    });
  }

  bool IsOrdered(const std::string& op, const JsonNode& value, const JsonNode& operand) const {
    const std::weak_ordering order = Compare(value, operand);
    if (op == "$lt") return order < 0;
    if (op == "$lte") return order <= 0;
    if (op == "$gt") return order > 0;
    if (op == "$gte") return order >= 0;
    throw std::logic_error("unknown operator " + op);
  }

  std::weak_ordering Compare(const JsonNode& a, const JsonNode& b) const {
    if (!rules_.numbers_are_doubles) return Number::FromJson(a.text) <=> Number::FromJson(b.text);
    const double x = std::strtod(a.text.c_str(), nullptr);
    const double y = std::strtod(b.text.c_str(), nullptr);
    return x < y ? std::weak_ordering::less : x > y ? std::weak_ordering::greater : std::weak_ordering::equivalent;
  }

  ServiceRules rules_;
};

}  // namespace s3v::testing
