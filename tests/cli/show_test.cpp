// `imprint show`: images explained, and exit statuses for monitoring.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "batch_fixture.hpp"
#include "files_fixture.hpp"

namespace imprint::cli::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A CA, a device's files, and an image with an identity of that CA.
class ShowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_FILES_TOOLS();
    folder_.emplace();
    done({"ca", "init", "ca", "--days", "4000"});
    done({"ca", "issue-device", "ca", "--id", "unit-1", "--days", "100", "--output", "unit"});
    done({"inject", "x.sdimg", "--id", "unit-2", "--ca", "ca"});
  }

  static std::string done(const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.out;
  }

  static nlohmann::json entry(const std::string& place, const std::vector<std::string>& arguments) {
    const auto all = nlohmann::json::parse(done(arguments));
    for (const auto& one : all.at("entries")) {
      if (one.at("place") == place) return one;
    }
    ADD_FAILURE() << "nothing about " << place;
    return {};
  }

  std::optional<FilesFolder> folder_;
};

TEST_F(ShowTest, ExplainsAnImageAndTheFilesThatItNames) {
  const auto image = entry("x.sdimg", {"show", "--json", "x.sdimg"});
  EXPECT_EQ(image.at("kind"), "image");
  EXPECT_EQ(image.at("facts").at("client_certificate"), "/data/mender/mender-cert.pem");
  EXPECT_EQ(image.at("facts").at("client_key"), "/data/mender/mender-cert-private.pem");
  EXPECT_EQ(image.at("facts").at("signs_with"), "/data/mender/mender-cert-private.pem");
  EXPECT_EQ(image.at("facts").at("partitions"),
            "MBR, boot 1 (vfat), rootfs A 2 (ext4), rootfs B 3 (ext4), data 4 (ext4)");

  const std::string certificate = "x.sdimg:/data/mender/mender-cert.pem";
  const auto leaf = entry(certificate, {"show", "--json", "x.sdimg", "ca"});
  EXPECT_EQ(leaf.at("name"), "CN=unit-2");
  EXPECT_EQ(leaf.at("facts").at("signed_by"), "CN=Imprint Device CA (ca/ca-cert.pem)");
  EXPECT_EQ(leaf.at("facts").at("private_key"), "x.sdimg:/data/mender/mender-cert-private.pem");
  EXPECT_THAT(leaf.at("warnings"), IsEmpty());
  EXPECT_EQ(entry("x.sdimg:/data/mender/mender-cert-private.pem", {"show", "--json", "x.sdimg"})
                .at("facts")
                .at("belongs_to"),
            certificate);
}

TEST_F(ShowTest, ATokenIsSetAndNotTold) {
  done({"cat", "x.sdimg:/etc/mender/mender.conf"});
  folder_->write("conf", R"({"ServerURL": "https://a.example", "TenantToken": "abc-secret-xyz"})");
  done({"cp", "conf", "x.sdimg:/etc/mender/mender.conf"});
  const std::string text = done({"show", "x.sdimg"});
  EXPECT_THAT(text, HasSubstr("  server              https://a.example\n"));
  EXPECT_THAT(text, HasSubstr("  tenant token        set\n"));
  EXPECT_THAT(text, HasSubstr("  trusts              the system's CAs\n"));
  EXPECT_THAT(text, Not(HasSubstr("abc-secret-xyz")));
}

TEST_F(ShowTest, RootsThatDifferAreToldApart) {
  folder_->write("conf", R"({"ServerURL": "https://b.example"})");
  done({"cp", "--rootfs", "b", "conf", "x.sdimg:/etc/mender/mender.conf"});
  EXPECT_THAT(done({"show", "x.sdimg"}),
              HasSubstr("  server              rootfs B (partition 3): https://b.example\n"));
}

TEST_F(ShowTest, WarnsOfFilesThatAreNotInTheImage) {
  done({"rm", "x.sdimg:/data/mender/mender-cert-private.pem"});
  EXPECT_THAT(done({"show", "x.sdimg"}),
              HasSubstr("  warning             rootfs A (partition 2): mender.conf names "
                        "'/data/mender/mender-cert-private.pem', which is not in the image\n"));
}

TEST_F(ShowTest, WarnsOfAKeyOfAnotherDevice) {
  done({"cp", "unit/unit-1.key", "x.sdimg:/data/mender/mender-cert-private.pem"});
  EXPECT_THAT(
      done({"show", "x.sdimg"}),
      HasSubstr("  warning             is the key of none of the certificates beside it\n"));
}

TEST_F(ShowTest, AMonitorIsToldWhatEndsSoon) {
  EXPECT_EQ(imprint({"show", "--within", "90d", "unit", "ca"}).err, "");
  EXPECT_EQ(imprint({"show", "--within", "90d", "unit", "ca"}).status, 0);
  const CommandResult soon = imprint({"show", "--within", "15w", "unit", "ca"});
  EXPECT_EQ(soon.status, 1);
  EXPECT_THAT(soon.err, testing::MatchesRegex("imprint: warning: unit/unit-1.crt: certificate "
                                              "'CN=unit-1' ends on [0-9TZ:-]+\n"));
  const CommandResult later = imprint({"show", "--at", "2099-01-01", "--within", "0", "unit"});
  EXPECT_EQ(later.status, 1);
  EXPECT_THAT(later.err, HasSubstr("'CN=unit-1' ended on 20"));
  EXPECT_THAT(later.out, HasSubstr("  warning             expired on 20"));
}

TEST_F(ShowTest, AMonitorIsToldOfDamage) {
  folder_->write("bad.pem", "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(imprint({"show", "bad.pem"}).status, 0);
  const CommandResult watched = imprint({"show", "--within", "1d", "bad.pem"});
  EXPECT_EQ(watched.status, 1);
  EXPECT_THAT(watched.err, testing::StartsWith("imprint: warning: bad.pem: damaged certificate"));
}

TEST_F(ShowTest, Mistakes) {
  const auto refused = [](const std::vector<std::string>& arguments) {
    const CommandResult result = imprint(arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_EQ(refused({"show", "--within", "soon", "unit"}),
            "imprint: error: --within: 'soon' is no span of time: write 12h, 90d or 4w, up to "
            "100000 of them\n");
  EXPECT_EQ(refused({"show", "--within", "100001d", "unit"}),
            "imprint: error: --within: '100001d' is no span of time: write 12h, 90d or 4w, up to "
            "100000 of them\n");
  EXPECT_EQ(refused({"show", "--at", "tomorrow", "unit"}),
            "imprint: error: --at: 'tomorrow' is no date: write 2030-01-31 or "
            "2030-01-31T12:00:00Z\n");
  EXPECT_EQ(refused({"show", "none"}),
            "imprint: error: opening 'none': No such file or directory\n");
  EXPECT_EQ(refused({"show", "ca/ledger.db"}),
            "imprint: error: 'ca/ledger.db' is a database; a ledger is shown by 'imprint ledger "
            "list'\n");
}

}  // namespace
}  // namespace imprint::cli::test
