#include "imprint/base/base64.hpp"

#include <gtest/gtest.h>

namespace imprint {
namespace {

TEST(Base64, HasTheVectorsOfRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff\xfe", "+//+"},
  };
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(bytes_of(plain)), encoded);
    const auto decoded = from_base64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(text_of(*decoded), plain);
  }
}

TEST(Base64, HasOneFormForEachContent) {
  for (const char* const wrong : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9", "Zm9v\n", " Zm9v",
                                  "Zm9v====", "Z===", "=", "Zm-_", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace imprint
