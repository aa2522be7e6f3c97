// What a batch leaves beside its images, read by sqlite3 and jq; and what flags do to it.

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "device_proof.hpp"

namespace imprint::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// jq's answer to a filter over a file, without quotes and the last line end.
std::string jq(const std::string& filter, const std::string& input) {
  const auto result = run_command({"jq", "-c", "-r", filter}, input);
  EXPECT_EQ(result.status, 0) << filter << ": " << result.err;
  std::string text = result.out;
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<std::string> column(const fs::path& csv, const std::string& name) {
  std::vector<std::string> values;
  for (auto& row : read_csv(csv))
    values.push_back(row[name]);
  return values;
}

TEST(BatchOutputs, SelinuxLabelsAreSetAsAskedAndKept) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  BatchFolder folder(Variant::empty_b, 1);
  const std::string label = "system_u:object_r:cert_t:s0";
  const std::string kept = "system_u:object_r:hostname_etc_t:s0";
  ImageOracle(folder.own_image())
      .change(kRootfsA, {"ea_set /etc/hostname security.selinux " + kept});
  folder.manifest["identity"]["selinux"] = label;
  folder.manifest["files"][0]["selinux"] = label;
  folder.manifest["files"][1]["selinux"] = label;
  folder.save();
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;

  const ImageOracle image("out/unit-1.sdimg");
  for (const char* path :
       {"/mender/mender-cert-private.pem", "/mender/mender-cert.pem", "/wifi/psk"}) {
    EXPECT_THAT(image.debugfs(kData, fmt::format("ea_get {} security.selinux", path)),
                HasSubstr(label))
        << path;
  }
  EXPECT_THAT(image.debugfs(kRootfsA, "ea_get /etc/mender/server.crt security.selinux"),
              HasSubstr(label));
  EXPECT_THAT(image.debugfs(kRootfsA, "ea_get /etc/hostname security.selinux"), HasSubstr(kept));
  for (const int partition : {kRootfsA, kData})
    EXPECT_EQ(image.complaints(partition), "");
}

TEST(BatchOutputs, FilesOfTheBootPartitionAreTheSameOnAllDevices) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("mtype");
  BatchFolder folder(Variant::populated, 2);
  folder.manifest["files"] = {
      {{"text", "hello\n"}, {"to", "/boot/efi/EFI/hello.txt"}, {"mode", "0600"}},
      {{"text", "uboot\n"}, {"to", "/uboot/cmdline.txt"}}};
  folder.save();
  const auto made = imprint({"batch", "manifest.json"});
  ASSERT_EQ(made.status, 0) << made.err;
  for (const std::string image : {"out/unit-1.sdimg", "out/unit-2.sdimg"}) {
    const ImageOracle oracle(image);
    const std::string boot = fmt::format("{}@@{}", image, oracle.partitions()[0].offset_bytes);
    EXPECT_EQ(run_command({"mtype", "-i", boot, "::EFI/hello.txt"}).out, "hello\n");
    EXPECT_EQ(run_command({"mtype", "-i", boot, "::cmdline.txt"}).out, "uboot\n");
    for (const int partition : {kRootfsA, kRootfsB, kData})
      EXPECT_EQ(oracle.complaints(partition), "");
  }
  folder.manifest["files"][0]["text"] = "{id}\n";
  folder.manifest["output"]["directory"] = "again";
  folder.save();
  const auto refused = imprint({"batch", "manifest.json"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err,
            "imprint: error: 'base.sdimg': boot (partition 1): '/boot/efi/EFI/hello.txt': a "
            "device's own file cannot be placed on vfat; it needs ext2, ext3 or ext4\n");
}

TEST(BatchOutputs, LedgerListAndImagesNameTheSameCertificates) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  IMPRINT_NEED_COMMAND("sqlite3");
  BatchFolder folder(Variant::empty_b, 4);
  folder.manifest["identity_data"] = {{"sn", "{serial}"}, {"name", "the \"{id}\""}};
  folder.save();
  ASSERT_EQ(imprint({"batch", "manifest.json"}).status, 0);

  EXPECT_EQ(sql("out/ledger.db", "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(sql("out/ledger.db", "SELECT count(*) FROM devices WHERE state='placed'"), "4");
  EXPECT_EQ(sql("out/ledger.db", "SELECT exit_status FROM runs"), "0");
  const auto rows = read_csv("out/devices.csv");
  ASSERT_THAT(rows, SizeIs(4));
  for (const auto& row : rows) {
    const std::string& id = row.at("id");
    const auto certificate = carried_by(ImageOracle("out/" + row.at("file"))).certificate_pem;
    EXPECT_EQ(plain_hex(row.at("serial")), serial_of(certificate)) << id;
    EXPECT_EQ(sql("out/ledger.db",
                  fmt::format("SELECT serial || ',' || certificate_sha256 || ',' || "
                              "public_key_sha256 || ',' || not_before || ',' || not_after || ',' "
                              "|| file FROM devices WHERE device_id='{}'",
                              id)),
              fmt::format("{},{},{},{},{},{}", row.at("serial"), row.at("certificate_sha256"),
                          row.at("public_key_sha256"), row.at("not_before"), row.at("not_after"),
                          row.at("file")));
    const std::string fingerprint =
        imprint::test::openssl({"x509", "-noout", "-fingerprint", "-sha256"}, certificate);
    std::string digest = fingerprint.substr(fingerprint.find('=') + 1);
    std::erase_if(digest, [](char c) { return c == ':' || c == '\n'; });
    std::ranges::transform(digest, digest.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_EQ(row.at("certificate_sha256"), digest) << id;
    const Json known =
        Json::parse(imprint({"ledger", "export", "out/ledger.db", "--format", "json", "--id", id})
                        .out)["devices"][0];
    EXPECT_EQ(known["certificate"], certificate) << id;
    EXPECT_EQ(known["public_key"],
              imprint::test::openssl({"x509", "-noout", "-pubkey"}, certificate))
        << id;
    EXPECT_EQ(known["identity_data"]["name"], "the \"" + id + "\"");
    EXPECT_THAT(
        imprint::test::openssl({"x509", "-noout", "-ext", "subjectAltName"}, certificate),
        HasSubstr("URI:urn:serial:" + known["identity_data"]["sn"].get<std::string>() + "\n"));
  }
}

TEST(BatchOutputs, DeviceListIsInTheManifestsOrderWhateverTheJobs) {
  IMPRINT_NEED_IMAGES();
  for (const std::string jobs : {"1", "2"}) {
    BatchFolder folder(Variant::empty_b, 1);
    folder.write("devices.csv",
                 "psk,id,serial\nx,zulu,1\nx,alpha,2\nx,mike,3\nx,bravo,4\nx,yankee,5\n");
    folder.manifest["output"]["bmap"] = false;
    folder.save();
    const auto made = imprint({"batch", "manifest.json", "--jobs", jobs});
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_THAT(column("out/devices.csv", "id"),
                ElementsAre("zulu", "alpha", "mike", "bravo", "yankee"));
    EXPECT_TRUE(fs::exists("out/zulu.sdimg") && fs::exists("out/yankee.sdimg"));
    EXPECT_FALSE(fs::exists("out/zulu.sdimg.bmap"));
  }
}

TEST(BatchOutputs, ReportAndEventsAreJsonForMachines) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("jq");
  const BatchFolder folder(Variant::empty_b, 3);
  const auto made = imprint({"batch", "manifest.json", "--events", "-", "--quiet"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(made.err, "");
  EXPECT_EQ(
      jq("[.version, .outcome, .devices, .done, .failed, .plan.format]", slurp("out/report.json")),
      R"([1,"done",3,3,0,"image"])");
  EXPECT_EQ(jq(".stage_seconds | keys", slurp("out/report.json")),
            R"(["finish","mint","place","record"])");

  EXPECT_EQ(jq(".event", made.out),
            "batch-started\ndevice-done\ndevice-done\ndevice-done\nbatch-finished");
  const auto serials = column("out/devices.csv", "serial");
  EXPECT_EQ(jq("select(.event == \"device-done\") | .serial", made.out),
            fmt::format("{}", fmt::join(serials, "\n")));
}

TEST(BatchOutputs, EventsAreAppendedToAFile) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("jq");
  const BatchFolder folder(Variant::empty_b, 2);
  folder.write("events.jsonl", "{\"event\":\"earlier\"}\n");
  ASSERT_EQ(imprint({"batch", "manifest.json", "--events", "events.jsonl"}).status, 0);
  EXPECT_EQ(jq(".event", slurp("events.jsonl")),
            "earlier\nbatch-started\ndevice-done\ndevice-done\nbatch-finished");
}

TEST(BatchOutputs, PrivateKeysAreInTheImagesAndNowhereElse) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_IMAGE_ORACLE();
  const BatchFolder folder(Variant::empty_b, 1);
  const auto made = imprint({"batch", "manifest.json", "--events", "events.jsonl", "--json"});
  ASSERT_EQ(made.status, 0);
  std::string line = carried_by(ImageOracle("out/unit-1.sdimg")).key_pem;
  line = line.substr(line.find('\n') + 1, 64);  // enough of the key to know it again
  ASSERT_THAT(line, SizeIs(64));
  EXPECT_EQ(run_command({"grep", "-rlaF", line, "."}).out, "./out/unit-1.sdimg\n");
  EXPECT_THAT(made.out + made.err, testing::Not(HasSubstr(line)));
  for (const auto& [name, mode] : {std::pair("out/unit-1.sdimg", 0600), {"out/ledger.db", 0600}})
    EXPECT_EQ(static_cast<int>(fs::status(name).permissions()), mode) << name;
}

TEST(BatchOutputs, DryRunSaysThePlanAndWritesNothing) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("jq");
  const BatchFolder folder(Variant::empty_b, 3);
  const auto before = listing(".");
  const auto people = imprint({"batch", "manifest.json", "--dry-run"});
  EXPECT_EQ(people.status, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("devices      3\n"));
  EXPECT_THAT(people.out, HasSubstr("/data/mender/mender-cert-private.pem (partition 4)"));
  const auto machines = imprint({"batch", "manifest.json", "--dry-run", "--json"});
  EXPECT_EQ(machines.status, 0);
  EXPECT_EQ(jq("[.version, .plan.devices, .plan.key, .plan.format]", machines.out),
            R"([1,3,"ec:P-256","image"])");
  EXPECT_EQ(listing("."), before);

  ASSERT_EQ(imprint({"batch", "manifest.json", "--limit", "1"}).status, 0);
  const auto half_done = listing(".");
  EXPECT_EQ(imprint({"batch", "manifest.json", "--dry-run"}).status, 0);
  EXPECT_EQ(listing("."), half_done) << "nor when a ledger is there";
}

TEST(BatchOutputs, LimitMakesSoManyAndARerunTheRest) {
  IMPRINT_NEED_IMAGES();
  IMPRINT_NEED_COMMAND("sqlite3");
  const BatchFolder folder(Variant::empty_b, 5);
  const auto first = imprint({"batch", "manifest.json", "--limit", "2"});
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(column("out/devices.csv", "id"), ElementsAre("unit-1", "unit-2"));
  EXPECT_FALSE(fs::exists("out/unit-3.sdimg"));
  const auto early = fs::last_write_time("out/unit-1.sdimg");

  const auto rest = imprint({"batch", "manifest.json"});
  ASSERT_EQ(rest.status, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("3 of 5 devices done"));
  EXPECT_THAT(rest.err, HasSubstr("2 done before"));
  EXPECT_THAT(column("out/devices.csv", "id"),
              ElementsAre("unit-1", "unit-2", "unit-3", "unit-4", "unit-5"));
  EXPECT_EQ(fs::last_write_time("out/unit-1.sdimg"), early);
  EXPECT_EQ(sql("out/ledger.db", "SELECT count(*), count(DISTINCT device_id) FROM certificates"),
            "5|5");
}

TEST(BatchOutputs, ARerunOfAFinishedBatchChangesNoResult) {
  IMPRINT_NEED_IMAGES();
  for (const std::string format : {"image", "overlay"}) {
    SCOPED_TRACE(format);
    const BatchFolder folder(Variant::empty_b, 2);
    ASSERT_EQ(imprint({"batch", "manifest.json", "--format", format}).status, 0);
    const auto results = [] {
      auto all = listing("out");
      // The ledger notes the run, and the lists and the report are made again.
      std::erase_if(all, [](const std::string& line) {
        return line.find("ledger.db") != std::string::npos ||
               line.find("report.json") != std::string::npos ||
               line.find("devices.csv") != std::string::npos ||
               line.find(".imprint ") != std::string::npos ||
               line.find("lock") != std::string::npos;
      });
      return all;
    };
    const auto before = results();
    const std::string devices = slurp("out/devices.csv");
    const auto again = imprint({"batch", "manifest.json", "--format", format});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_EQ(results(), before);
    EXPECT_EQ(slurp("out/devices.csv"), devices);
  }
}

TEST(BatchOutputs, AFailedDeviceIsListedWithItsReasonAndFedBack) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 3);
  fs::create_directory("out");
  folder.write("out/unit-2.sdimg", "somebody's work");
  const auto made = imprint({"batch", "manifest.json"});
  EXPECT_EQ(made.status, 3) << made.err;
  EXPECT_THAT(made.err, HasSubstr("device 'unit-2' failed: 'out/unit-2.sdimg' exists already"));
  EXPECT_EQ(slurp("out/unit-2.sdimg"), "somebody's work");
  EXPECT_THAT(column("out/devices.csv", "id"), ElementsAre("unit-1", "unit-3"));
  EXPECT_THAT(column("out/failed.csv", "id"), ElementsAre("unit-2"));
  EXPECT_THAT(column("out/failed.csv", "psk"), ElementsAre("passphrase 2"));

  fs::remove("out/unit-2.sdimg");
  const auto retry = imprint({"batch", "manifest.json", "--devices", "out/failed.csv"});
  EXPECT_EQ(retry.status, 0) << retry.err;
  EXPECT_TRUE(fs::exists("out/unit-2.sdimg"));
  EXPECT_FALSE(fs::exists("out/failed.csv"));
}

TEST(BatchOutputs, EveryDeviceHasAnotherSerialAndKey) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 1000);
  ASSERT_EQ(imprint({"batch", "manifest.json", "--format", "overlay"}).status, 0);
  for (const std::string name : {"id", "serial", "certificate_sha256", "public_key_sha256"}) {
    const auto values = column("out/devices.csv", name);
    EXPECT_THAT((std::set<std::string>(values.begin(), values.end())), SizeIs(1000)) << name;
  }
}

}  // namespace
}  // namespace imprint::cli::test
