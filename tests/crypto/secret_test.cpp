#include "imprint/crypto/secret.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <type_traits>

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include "imprint/crypto/key.hpp"
#include "secure_heap.hpp"

namespace imprint::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);

TEST(SecretBytes, HoldsWhatWasAppended) {
  SecretBytes secret(bytes_of("abc"));
  secret.append(bytes_of("def"));
  EXPECT_EQ(text_of(secret.view()), "abcdef");
}

TEST(SecretBytes, StartsZeroedWhenMadeBySize) {
  const SecretBytes secret(3);
  EXPECT_EQ(text_of(secret.view()), std::string_view("\0\0\0", 3));
}

TEST(SecretBytes, KeepsContentWhenGrowing) {
  SecretBytes secret(bytes_of("abc"));
  secret.resize(100'000);
  EXPECT_EQ(text_of(secret.view()).substr(0, 3), "abc");
  EXPECT_EQ(text_of(secret.view()).find_first_not_of('\0', 3), std::string_view::npos);
}

TEST(SecretBytes, WipesTheTailItForgets) {
  SecretBytes secret(bytes_of("secret"));
  const std::byte* const memory = secret.data();
  secret.resize(2);
  // Capacity is kept, so the memory is still ours to look at.
  EXPECT_EQ(text_of({memory, 6}), std::string_view("se\0\0\0\0", 6));
}

TEST(SecretBytes, WipesAndKeepsItsMemoryWhenCleared) {
  SecretBytes secret(bytes_of("secret"));
  const std::byte* const memory = secret.data();
  secret.clear();
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(text_of({memory, 6}), std::string_view("\0\0\0\0\0\0", 6));
  secret.append(bytes_of("again"));
  EXPECT_EQ(secret.data(), memory);
}

TEST(SecretBytes, LeavesNothingBehindWhenMovedFrom) {
  SecretBytes from(bytes_of("abc"));
  SecretBytes into(bytes_of("to be replaced"));
  into = std::move(from);
  EXPECT_EQ(text_of(into.view()), "abc");
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(WipedBytes, WorksAsAVector) {
  WipedBytes bytes(10, std::byte{7});
  bytes.resize(1000);
  EXPECT_EQ(bytes[9], std::byte{7});
  EXPECT_EQ(bytes[10], std::byte{0});
}

// Changes this process for good, so it runs last by its name and asks everything in one test.
TEST(ZHarden, ForbidsCoreDumpsAndPutsSmallSecretsInTheArena) {
  const Hardening reached = harden_process();
  EXPECT_EQ(harden_process(), reached);
  rlimit core{};
  ASSERT_EQ(getrlimit(RLIMIT_CORE, &core), 0);
  EXPECT_EQ(core.rlim_max, 0U);
  if (reached == Hardening::no_secure_heap) GTEST_SKIP() << "no secure heap to be had here";
  const SecretBytes small(256);
  EXPECT_EQ(CRYPTO_secure_allocated(small.data()), 1);
  const SecretBytes large(std::size_t{1} << 20);
  EXPECT_EQ(CRYPTO_secure_allocated(large.data()), 0);
}

TEST(ZHarden, LeavesRoomInTheArenaForKeyGeneration) {
  if (harden_process() == Hardening::no_secure_heap)
    GTEST_SKIP() << "no secure heap to be had here";
  std::vector<SecretBytes> many;
  many.reserve(1000);
  for (int i = 0; i < 1000; ++i)
    many.emplace_back(std::size_t{8192});
  EXPECT_LT(CRYPTO_secure_used(), (std::size_t{4} << 20) * 3 / 4);
  EXPECT_EQ(CRYPTO_secure_allocated(many.back().data()), 0);
}

TEST(ZHarden, AFullArenaIsAnErrorAndNoCrash) {
  if (harden_process() == Hardening::no_secure_heap)
    GTEST_SKIP() << "no secure heap to be had here";
  ASSERT_TRUE(PrivateKey::generate(KeyKind::ec_p256));
  std::vector<void*> all;
  for (std::size_t size = kSecureHeapBytes / 2; size >= kSecureHeapSmallestBlock; size /= 2) {
    while (void* const block = OPENSSL_secure_malloc(size))
      all.push_back(block);
  }
  for (const KeyKind kind : {KeyKind::ec_p256, KeyKind::rsa_2048}) {
    const auto key = PrivateKey::generate(kind);
    ASSERT_FALSE(key) << name(kind);
    EXPECT_EQ(key.error().code, Code::crypto);
  }
  const SecretBytes elsewhere(bytes_of("still kept"));
  EXPECT_EQ(text_of(elsewhere.view()), "still kept");
  for (void* const block : all)
    OPENSSL_secure_free(block);
  EXPECT_TRUE(PrivateKey::generate(KeyKind::ec_p256));
}

}  // namespace
}  // namespace imprint::crypto
