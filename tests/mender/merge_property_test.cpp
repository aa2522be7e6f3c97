// Random files and settings: what merge_conf writes, read back by nlohmann, must be what a plain
// merge of the two values gives.
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/mender/conf.hpp"
#include "support/matchers.hpp"

namespace imprint::mender {
namespace {

using nlohmann::ordered_json;

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  /// A value; objects have no twins. Keys are few, so that two values meet in many.
  ordered_json value(int depth, bool nulls) {
    switch (below(depth > 0 ? 9 : 5)) {
      case 0:
        return nulls ? ordered_json(nullptr) : ordered_json(false);
      case 1:
        return below(1000);
      case 2:
        return "é\t\"" + std::to_string(below(5));
      case 3:
        return 0.25 * static_cast<double>(below(9));
      case 4:
        return true;
      case 5:
        return list(depth - 1);
      default:
        return object(depth - 1, nulls);
    }
  }

  ordered_json object(int depth, bool nulls) {
    ordered_json made = ordered_json::object();
    for (std::size_t members = below(6); members > 0; --members) {
      std::string key(1, static_cast<char>('a' + below(6)));
      if (!made.contains(key) && !made.contains(upper(key)))
        made[below(2) == 0 ? key : upper(key)] = value(depth, nulls);
    }
    return made;
  }

 private:
  static std::string upper(const std::string& key) {
    return {static_cast<char>(key[0] - 'a' + 'A')};
  }

  ordered_json list(int depth) {
    ordered_json made = ordered_json::array();
    for (std::size_t elements = below(4); elements > 0; --elements)
      made.push_back(value(depth, false));
    return made;
  }

  std::mt19937 random_;
};

/// RFC 7386 on values, with keys matched ignoring case.
void merge_values(ordered_json& target, const ordered_json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = ordered_json::object();
  for (const auto& item : patch.items()) {
    std::string key = item.key();
    for (const auto& old : target.items()) {
      if (equal_ignoring_ascii_case(old.key(), key)) key = old.key();
    }
    if (item.value().is_null()) {
      target.erase(key);
    } else {
      merge_values(target[key], item.value());
    }
  }
}

TEST(MergeConfProperty, GivesTheSameValueAsAMergeOfValuesInEveryLayout) {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    Maker maker(seed);
    ordered_json expected = maker.object(3, false);
    const ordered_json settings = maker.object(3, true);
    const int indent = static_cast<int>(maker.below(5)) - 1;
    const char filler = maker.below(3) == 0 ? '\t' : ' ';
    const std::string existing = expected.dump(indent, filler);

    const auto merged = merge_conf(existing, settings);
    ASSERT_THAT(merged, test::IsOk()) << existing;
    merge_values(expected, settings);
    const std::string shown = existing + "\n+ " + settings.dump() + "\n= " + *merged;
    ASSERT_EQ(ordered_json::parse(*merged).dump(), expected.dump()) << shown;
    // An empty object has no layout to follow.
    if (existing != "{}") {
      ASSERT_EQ(*merged, expected.dump(indent, filler)) << shown;
    }
    ASSERT_EQ(merge_conf(*merged, settings).value(), *merged) << shown;
  }
}

}  // namespace
}  // namespace imprint::mender
