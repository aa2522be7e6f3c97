// Serial numbers that repeat, because the random number generator does: no certificate is placed
// twice under one.

#include <algorithm>
#include <atomic>

#include <gmock/gmock.h>
#include <openssl/rand.h>

#include "batch_fixture.hpp"

// The interface is deprecated for what it is used for here: to replace the generator.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace imprint::cli::test {
namespace {

constexpr int kSerialBytes = 16;

int same_serial(unsigned char* into, int size) {
  if (size != kSerialBytes) return RAND_OpenSSL()->bytes(into, size);
  std::fill_n(into, size, static_cast<unsigned char>(0x55));
  return 1;
}

int present() {
  return 1;
}

TEST(RepeatingGenerator, NoSerialIsUsedTwice) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  const BatchFolder folder(Variant::empty_b, 3);
  RAND_METHOD method{nullptr, same_serial, nullptr, nullptr, same_serial, present};
  ASSERT_EQ(RAND_set_rand_method(&method), 1);
  const auto made = imprint({"batch", "manifest.json", "--jobs", "1"});
  RAND_set_rand_method(nullptr);
  EXPECT_EQ(made.status, 4) << made.err;
  EXPECT_THAT(made.err, testing::HasSubstr("its serial is in the ledger 'out/ledger.db' already"));
  EXPECT_EQ(sql("out/ledger.db", "SELECT count(*) - count(DISTINCT serial) FROM certificates"),
            "0");
  const auto rest = imprint({"batch", "manifest.json"});
  EXPECT_EQ(rest.status, 0) << rest.err;
  EXPECT_EQ(sql("out/ledger.db",
                "SELECT count(DISTINCT device_id) FROM devices WHERE "
                "state='placed'"),
            "3");
}

}  // namespace
}  // namespace imprint::cli::test
