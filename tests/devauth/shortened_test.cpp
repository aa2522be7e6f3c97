#include "shortened.hpp"

#include <gtest/gtest.h>

namespace imprint::devauth {
namespace {

TEST(Shortened, KeepsWholeCharacters) {
  const std::string fits(200, 'x');
  EXPECT_EQ(shortened(fits), fits);
  EXPECT_EQ(shortened(fits + "y"), fits + "...");
  const std::string before(199, 'x');
  EXPECT_EQ(shortened(before + "\xC3\xBC and more"), before + "...");
}

}  // namespace
}  // namespace imprint::devauth
