#include "imprint/devauth/token.hpp"

#include <sys/stat.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/base/file.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::devauth {
namespace {

using test::FailsWith;
using test::TempDir;

TEST(Token, IsTheFileLessOneLineEnd) {
  const TempDir dir;
  for (const char* content : {"abc.def-_~+/=", "abc.def-_~+/=\n", "abc.def-_~+/=\r\n"}) {
    const auto token = read_token(dir.write("token", content));
    ASSERT_THAT(token, test::IsOk());
    EXPECT_EQ(text_of(token->text.view()), "abc.def-_~+/=");
  }
}

TEST(Token, ThatOthersCanReadIsSaid) {
  const TempDir dir;
  const fs::path file = dir.write("token", "abc");
  for (const unsigned mode : {0600U, 0400U, 0640U, 0604U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_EQ(read_token(file)->readable_by_others, (mode & 077U) != 0) << mode;
  }
}

TEST(Token, IsNeverInAMessage) {
  const TempDir dir;
  const fs::path file = dir / "token";
  const auto refused = [&](const std::string& content, const std::string& message) {
    dir.write("token", content);
    const auto token = read_token(file);
    ASSERT_FALSE(token.has_value());
    EXPECT_EQ(token.error().code, Code::invalid_input);
    EXPECT_EQ(token.error().message(), fmt::format("'{}' {}", file.string(), message));
    EXPECT_THAT(token.error().message(), testing::Not(testing::HasSubstr("secret")));
  };
  const std::string advice =
      " a character that is in no token; put nothing but the token into "
      "the file, without quotes and 'Bearer'";
  refused("", "holds no token; put one into it");
  refused("\n", "holds no token; put one into it");
  refused("secret\n\n", "has at byte 7" + advice);
  refused("Bearer secret", "has at byte 7" + advice);
  refused("\"secret\"", "has at byte 1" + advice);
  refused("secret\r\nX-Other: 1", "has at byte 7" + advice);
  refused(std::string("sec\0ret", 7), "has at byte 4" + advice);
  refused(std::string(16385, 's'),
          "has 16385 bytes: no token is that long; put nothing but the token into the file");
  EXPECT_THAT(read_token(dir / "none"), FailsWith(Code::not_found, (dir / "none").string()));
  EXPECT_THAT(read_token(dir.path()), FailsWith(Code::invalid_input, dir.path().string()));
}

}  // namespace
}  // namespace imprint::devauth
