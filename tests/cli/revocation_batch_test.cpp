// Certificates that interrupted and repeated work leaves behind are found, revoked and listed.

#include <algorithm>
#include <atomic>
#include <set>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"
#include "support/fault.hpp"
#include "support/in_memory.hpp"
#include "support/process.hpp"

namespace imprint::cli::test {
namespace {

using imprint::test::openssl;
using imprint::test::run_in_child;
using testing::HasSubstr;

IMPRINT_TEMPORARIES_IN_MEMORY();

void ok(const std::vector<std::string>& arguments) {
  const CommandResult result = imprint(arguments);
  EXPECT_EQ(result.status, 0) << testing::PrintToString(arguments) << result.err;
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);)
    lines.insert(line);
  return lines;
}

/// The serials of a CRL, as OpenSSL reads them.
std::set<std::string> serials_in(const std::string& crl) {
  constexpr std::string_view kLabel = "Serial Number: ";
  std::set<std::string> serials;
  for (std::string line : lines_of(openssl({"crl", "-in", crl, "-noout", "-text"}))) {
    const std::size_t at = line.find(kLabel);
    if (at == std::string::npos) continue;
    line.erase(0, at + kLabel.size());
    std::ranges::transform(line, line.begin(), [](char c) {
      return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    serials.insert(line);
  }
  return serials;
}

constexpr int kKilled = 99;
constexpr const char* kCountOpen = "SELECT count(*) FROM devices WHERE state = 'issued'";

/// A batch that dies when it is about to give the Nth file its name.
int batch_killed_at_rename(int nth) {
  std::atomic<int> renames = 0;
  const imprint::test::ScopedFaultHook hook([&](std::string_view operation) {
    if (operation == "rename" && ++renames == nth) ::_exit(kKilled);
    return 0;
  });
  return imprint({"batch", "manifest.json", "--quiet"}).status;
}

TEST(RevocationAfterABatch, WhatAKilledRunLeftBehindIsRevokedAndNothingElse) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  constexpr int kDevices = 4;
  const BatchFolder folder(Variant::empty_b, kDevices);
  bool left_behind = false;
  for (int n = 1; n <= 10 && !left_behind; ++n) {
    const int status = run_in_child([n] { return batch_killed_at_rename(n); });
    EXPECT_EQ(status, kKilled) << n;
    left_behind = fs::exists("out/ledger.db") && sql("out/ledger.db", kCountOpen) != "0";
  }
  ASSERT_TRUE(left_behind);
  ok({"batch", "manifest.json", "--quiet"});
  const auto superseded =
      lines_of(sql("out/ledger.db", "SELECT serial FROM devices WHERE state = 'superseded'"));
  ASSERT_FALSE(superseded.empty());

  ok({"ca", "revoke", "ca", "--superseded", "--ledger", "out/ledger.db"});
  ok({"ca", "crl", "ca", "--ledger", "out/ledger.db", "--output", "crl.pem"});
  EXPECT_EQ(serials_in("crl.pem"), superseded);
  std::set<std::string> in_use;
  for (const auto& row : read_csv("out/devices.csv"))
    in_use.insert(row.at("serial"));
  EXPECT_EQ(in_use.size(), static_cast<std::size_t>(kDevices));
  for (const std::string& serial : superseded)
    EXPECT_FALSE(in_use.contains(serial)) << serial;
  EXPECT_EQ(
      run_command({"openssl", "crl", "-in", "crl.pem", "-CAfile", "ca/ca-cert.pem", "-noout"}).err,
      "verify OK\n");
  // A rerun has nothing to do: what is revoked is not in use.
  ok({"batch", "manifest.json", "--quiet"});
  EXPECT_EQ(sql("out/ledger.db", "SELECT count(*) FROM devices WHERE state = 'placed'"),
            std::to_string(kDevices));
}

TEST(RevocationAfterInject, AReplacedCertificateIsRefusedAndItsSuccessorIsNot) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  BatchFolder folder(Variant::empty_b, 1);
  folder.own_image();
  ok({"inject", "own.sdimg", "--id", "unit-7", "--ca", "ca"});
  folder.write("first.pem", carried_by(ImageOracle("own.sdimg")).certificate_pem);
  ok({"inject", "own.sdimg", "--id", "unit-7", "--ca", "ca", "--force"});
  folder.write("second.pem", carried_by(ImageOracle("own.sdimg")).certificate_pem);
  ok({"ca", "revoke", "ca", "--superseded"});
  ok({"ca", "crl", "ca", "--output", "crl.pem"});
  const auto verify = [](const std::string& certificate) {
    return run_command({"openssl", "verify", "-crl_check", "-CAfile", "ca/ca-cert.pem", "-CRLfile",
                        "crl.pem", certificate});
  };
  EXPECT_THAT(verify("first.pem").err, HasSubstr("certificate revoked"));
  EXPECT_EQ(verify("second.pem").status, 0) << verify("second.pem").err;
}

}  // namespace
}  // namespace imprint::cli::test
