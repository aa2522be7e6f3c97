#include <array>

#include <gtest/gtest.h>

#include "imprint/base/bytes.hpp"

namespace imprint {
namespace {

TEST(Hex, TwoLowerCaseDigitsAByte) {
  const std::array bytes = {std::byte{0x00}, std::byte{0x09}, std::byte{0xab}, std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "0009abff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(Bytes, TextAndBytesAreTheSameMemory) {
  const std::string_view text("a\0b", 3);
  EXPECT_EQ(text_of(bytes_of(text)), text);
  EXPECT_EQ(text_of(bytes_of(text)).data(), text.data());
}

}  // namespace
}  // namespace imprint
