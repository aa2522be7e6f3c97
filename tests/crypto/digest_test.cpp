#include "imprint/crypto/digest.hpp"

#include "hasher.hpp"
#include "oracles.hpp"

namespace imprint::crypto {
namespace {

// FIPS 180-4's own example.
constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kEmpty =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(to_hex(sha256(bytes_of("abc"))), kAbc);
  EXPECT_EQ(to_hex(sha256({})), kEmpty);
}

TEST(Sha256, AddsUpAndStartsAnew) {
  Sha256 hash;
  hash.update(bytes_of("a"));
  hash.update({});
  hash.update(bytes_of("bc"));
  EXPECT_EQ(to_hex(hash.finish()), kAbc);
  EXPECT_EQ(to_hex(hash.finish()), kEmpty);
}

TEST(Hasher, IsReusable) {
  auto hasher = Hasher::create(nullptr, "SHA1");
  ASSERT_THAT(hasher, test::IsOk());
  std::array<std::byte, 20> digest{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(hasher->digest(bytes_of("abc"), digest));
    EXPECT_EQ(to_hex(digest), "a9993e364706816aba3e25717850c26c9cd0d89d");
  }
  EXPECT_FALSE(hasher->digest(bytes_of("abc"), MutableBytes(digest).first(19)));
}

TEST(Hasher, NamesADigestThatIsNotThere) {
  EXPECT_THAT(Hasher::create(nullptr, "NOHASH"), test::FailsWith(Code::crypto, "NOHASH"));
}

}  // namespace
}  // namespace imprint::crypto
