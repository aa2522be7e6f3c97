#include "imprint/manifest/manifest.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::manifest {
namespace {

using test::FailsWith;
using test::IsOk;
using testing::HasSubstr;
using testing::Not;

/// The smallest manifest with members added or replaced; null removes one.
std::string with(std::string_view members) {
  auto document = nlohmann::ordered_json::parse(R"({
    "version": 1, "image": "base.sdimg", "authority": {"certificate": "ca.pem", "key": "ca.key"},
    "devices": "devices.csv"})");
  document.merge_patch(nlohmann::ordered_json::parse(members));
  return document.dump();
}

Result<Manifest> parse(std::string_view text, const Overrides& overrides = {}) {
  return parse_manifest(text, "batch/m.json", overrides);
}

TEST(Manifest, HasTheDocumentedDefaults) {
  const Manifest m = parse(with("{}")).value();
  EXPECT_EQ(m.image, "batch/base.sdimg");
  EXPECT_EQ(m.authority.certificate, "batch/ca.pem");
  EXPECT_EQ(std::get<authority::KeyFile>(m.authority.key).path, "batch/ca.key");
  EXPECT_FALSE(m.authority.passphrase);
  EXPECT_EQ(m.identity.key, crypto::KeyKind::ec_p256);
  ASSERT_EQ(m.identity.subject.size(), 1U);
  EXPECT_EQ(m.identity.subject[0].field, crypto::NameField::common_name);
  EXPECT_EQ(m.identity.subject[0].value.text(), "{id}");
  EXPECT_TRUE(m.identity.san.empty());
  EXPECT_EQ(std::get<std::uint32_t>(m.identity.validity.not_after), 3650U);
  EXPECT_EQ(m.identity.key_path, "/data/mender/mender-cert-private.pem");
  EXPECT_EQ(m.identity.certificate_path, "/data/mender/mender-cert.pem");
  EXPECT_EQ(m.mender_conf.target, ConfTarget::rootfs);
  EXPECT_TRUE(m.mender_conf.merge->is_object());
  EXPECT_EQ(m.output.directory, "batch/out");
  EXPECT_EQ(m.output.name.text(), "{id}.sdimg");
  EXPECT_EQ(m.output.format, OutputFormat::image);
  EXPECT_FALSE(m.output.bmap);
  EXPECT_EQ(m.devices_path, "batch/devices.csv");
  EXPECT_EQ(m.inline_devices, nullptr);
}

TEST(Manifest, SaysWhichPartitionIsWhich) {
  EXPECT_FALSE(parse(with("{}")).value().layout.data);
  const std::string text = with(R"({"layout": {"boot": 1, "rootfs_a": 2, "data": 4}})");
  const Manifest m = parse(text).value();
  EXPECT_EQ(m.layout.boot, 1);
  EXPECT_EQ(m.layout.rootfs_a, 2);
  EXPECT_FALSE(m.layout.rootfs_b);
  EXPECT_EQ(m.layout.data, 4);
  // What flags say stands above it, role by role.
  Overrides overrides;
  overrides.layout = {.rootfs_b = 3, .data = 5};
  const Manifest flagged = parse(text, overrides).value();
  EXPECT_EQ(flagged.layout.boot, 1);
  EXPECT_EQ(flagged.layout.rootfs_b, 3);
  EXPECT_EQ(flagged.layout.data, 5);
}

TEST(Manifest, KeepsWhatItSays) {
  const Manifest m = parse(with(R"({
    "authority": {"passphrase": "file:pass.txt"},
    "identity": {"key": "rsa:3072", "subject": {"O": "Org", "CN": "{id}.x", "C": "NO"},
                 "san": ["URI:urn:x:{id}", "DNS:a.example"], "days": 10, "key_path": "/data/k", "certificate_path": "/data/c"},
    "mender_conf": {"target": "both", "merge": {"ServerURL": "https://x"}},
    "files": [{"from": "a", "to": "/etc/a", "mode": "4755", "uid": 7, "gid": 8}, {"text": "{id}", "to": "/etc/b"}],
    "identity_data": {"mac": "{mac}"},
    "output": {"directory": "/abs", "name": "x-{id}", "format": "overlay", "bmap": true, "compress": "none"}})"))
                         .value();
  ASSERT_TRUE(m.authority.passphrase);
  EXPECT_EQ(m.authority.passphrase->argument, "batch/pass.txt");
  EXPECT_EQ(m.identity.key, crypto::KeyKind::rsa_3072);
  ASSERT_EQ(m.identity.subject.size(), 3U);
  EXPECT_EQ(m.identity.subject[0].field, crypto::NameField::organization);
  EXPECT_EQ(m.identity.subject[1].field, crypto::NameField::common_name);
  ASSERT_EQ(m.identity.san.size(), 2U);
  EXPECT_EQ(m.identity.san[0].kind, crypto::AltNameKind::uri);
  EXPECT_EQ(m.identity.san[0].value.text(), "urn:x:{id}");
  EXPECT_EQ(std::get<std::uint32_t>(m.identity.validity.not_after), 10U);
  EXPECT_EQ(m.identity.key_path, "/data/k");
  EXPECT_EQ(m.identity.certificate_path, "/data/c");
  EXPECT_EQ(m.mender_conf.target, ConfTarget::both);
  EXPECT_EQ((*m.mender_conf.merge)["ServerURL"], "https://x");
  ASSERT_EQ(m.files.size(), 2U);
  EXPECT_EQ(m.files[0].from, "batch/a");
  EXPECT_EQ(m.files[0].mode, 04755U);
  EXPECT_EQ(m.files[0].uid, 7U);
  EXPECT_EQ(m.files[0].gid, 8U);
  EXPECT_FALSE(m.files[0].per_device());
  EXPECT_TRUE(m.files[1].per_device());
  EXPECT_EQ(m.files[1].mode, 0644U);
  EXPECT_EQ(m.identity_data.at(0).name, "mac");
  EXPECT_EQ(m.output.directory, "/abs");
  EXPECT_EQ(m.output.format, OutputFormat::overlay);
  EXPECT_TRUE(m.output.bmap);
}

TEST(Manifest, FlagsOverrideIt) {
  const Manifest m = parse(with("{}"), {.image = "i.img.xz",
                                        .devices = "d.jsonl",
                                        .output_directory = "elsewhere",
                                        .format = OutputFormat::overlay})
                         .value();
  EXPECT_EQ(m.image, "i.img.xz");
  EXPECT_EQ(m.devices_path, "d.jsonl");
  EXPECT_EQ(m.output.directory, "elsewhere");
  EXPECT_EQ(m.output.format, OutputFormat::overlay);
  EXPECT_EQ(m.output.name.text(), "{id}.img");
}

TEST(Manifest, HoldsDevicesItself) {
  const Manifest m =
      parse(R"({"version": 1, "image": "i", "authority": {"certificate": "c", "key": "k"},
                               "devices": [{"id": "a", "n": 0.50}, {"id": "b"}]})")
          .value();
  const auto table = load_devices(m).value();
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.value(0, 1), "0.50");
  EXPECT_EQ(table.place(1), "batch/m.json: /devices/1");
}

TEST(Manifest, SaysWhichInlineDeviceIsWrong) {
  const auto load = [](std::string_view devices) -> Result<DeviceTable> {
    const Manifest m = IMPRINT_TRY(parse(with(devices)));
    return load_devices(m);
  };
  EXPECT_THAT(load(R"({"devices": [{"id": "a"}, 5]})"),
              FailsWith(Code::invalid_input, "batch/m.json: /devices/1: a device is an object"));
  EXPECT_THAT(
      load(R"({"devices": [{"id": "a", "x": [1]}]})"),
      FailsWith(Code::invalid_input, "batch/m.json: /devices/0: the value of 'x' is an array"));
  EXPECT_THAT(load(R"({"devices": []})"),
              FailsWith(Code::invalid_input, "batch/m.json: /devices: no devices"));
  EXPECT_THAT(
      load(R"({"devices": [{"id": "a"}, {"id": "A"}]})"),
      FailsWith(Code::invalid_input,
                "/devices/1: id 'A' differs only in case from 'a' of batch/m.json: /devices/0"));
}

struct BadManifest {
  const char* name;
  std::string text;
  std::string message;
};

void PrintTo(const BadManifest& bad, std::ostream* out) {
  *out << bad.text;
}

class BadManifestTest : public testing::TestWithParam<BadManifest> {};

TEST_P(BadManifestTest, IsRefusedInOneLine) {
  const auto result = parse(GetParam().text);
  EXPECT_THAT(result, FailsWith(Code::invalid_input, "batch/m.json: " + GetParam().message));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Text, BadManifestTest,
    testing::Values(BadManifest{"empty", "", "line 1, column 1: not valid JSON"},
                    BadManifest{"trailing_comma", "{\"version\": 1,\n}",
                                "line 2, column 1: not valid JSON: while parsing object key - "
                                "unexpected '}'; expected string literal"},
                    BadManifest{"comment", "{\n  // no\n}", "line 2, column 3: not valid JSON"},
                    BadManifest{"two_documents", "{} {}", "line 1, column 4: not valid JSON"},
                    BadManifest{"duplicate_key",
                                "{\"version\": 1,\n \"image\": \"a\",\n \"image\": \"b\"}",
                                "line 3, column 8: key 'image' appears twice in one object"},
                    BadManifest{"deep", std::string(100, '['),
                                "line 1, column 65: nested more than 64 levels deep"},
                    BadManifest{"no_object", "[]", "a manifest is a JSON object"}),
    [](const auto& param_info) { return param_info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Schema, BadManifestTest,
    testing::Values(
        BadManifest{"unknown_key", with(R"({"devises": 1})"),
                    "/devises: unknown key (did you mean 'devices'?)"},
        BadManifest{"unknown_inner_key", with(R"({"identity": {"kee": "x"}})"),
                    "/identity/kee: unknown key (did you mean 'key'?)"},
        BadManifest{"unknown_key_of_file",
                    with(R"({"files": [{"to": "/a", "text": "", "mod": "1"}]})"),
                    "/files/0/mod: unknown key (did you mean 'mode'?)"},
        BadManifest{"unknown_role", with(R"({"layout": {"rootfs": 2}})"),
                    "/layout/rootfs: unknown key (did you mean 'rootfs_a'?)"},
        BadManifest{"partition_zero", with(R"({"layout": {"data": 0}})"), "/layout/data: "},
        BadManifest{"partition_by_name", with(R"({"layout": {"data": "4"}})"), "/layout/data: "},
        BadManifest{"unlike_any_key", with(R"({"zzzzzzzzzz": 1})"), "/zzzzzzzzzz: unknown key"},
        BadManifest{"escaped_pointer", with(R"({"a/b~c": 1})"), "/a~1b~0c: unknown key"},
        BadManifest{"missing_key", with(R"({"image": null})"), "key 'image' is missing"},
        BadManifest{"missing_inner_key", with(R"({"authority": {"key": null}})"),
                    "/authority: exactly one of 'key' and 'command' is needed"},
        BadManifest{"wrong_type", with(R"({"image": 5})"),
                    "/image: text is expected here, not a number"},
        BadManifest{"object_expected", with(R"({"identity": []})"),
                    "/identity: an object is expected here, not an array"},
        BadManifest{"text_version", with(R"({"version": "1"})"), "/version: 1 is expected here"},
        BadManifest{"key_kind", with(R"({"identity": {"key": "ec:P-257"}})"),
                    "/identity/key: 'ec:P-257' is not one of 'ec:P-256', 'ec:P-384'"},
        BadManifest{"days", with(R"({"identity": {"days": 0}})"),
                    "/identity/days: 0 is not possible; 1 to 36500 is"},
        BadManifest{"fraction", with(R"({"identity": {"days": 1.5}})"),
                    "/identity/days: a whole number is expected here, not a number"},
        BadManifest{"mode_number", with(R"({"files": [{"to": "/a", "text": "", "mode": 644}]})"),
                    "/files/0/mode: text is expected here, not a number"},
        BadManifest{"mode_digits", with(R"({"files": [{"to": "/a", "text": "", "mode": "0888"}]})"),
                    "/files/0/mode: permissions are octal digits"},
        BadManifest{"two_contents", with(R"({"files": [{"to": "/a", "text": "", "from": "b"}]})"),
                    "/files/0: exactly one of 'from' and 'text' is needed"},
        BadManifest{"no_content", with(R"({"files": [{"to": "/a"}]})"),
                    "/files/0: exactly one of 'from' and 'text' is needed"},
        BadManifest{"compressed", with(R"({"output": {"compress": "xz"}})"),
                    "/output/compress: 'xz' is not one of 'none'"},
        BadManifest{"empty_name", with(R"({"output": {"name": ""}})"),
                    "/output/name: empty text is not possible here"},
        BadManifest{
            "empty_subject",
            R"({"version": 1, "image": "i", "authority": {"certificate": "c", "key": "k"},
                                         "devices": "d.csv", "identity": {"subject": {}}})",
            "/identity/subject: without a subject the certificate needs names in 'san' (RFC "
            "5280 4.1.2.6); give at least a CN"},
        BadManifest{"devices_number", with(R"({"devices": 5})"),
                    "/devices: text or an array is expected here, not a number"},
        BadManifest{"target", with(R"({"mender_conf": {"target": "boot"}})"),
                    "/mender_conf/target: 'boot' is not one of"}),
    [](const auto& param_info) { return param_info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Meaning, BadManifestTest,
    testing::Values(
        BadManifest{"template", with(R"({"output": {"name": "{id"}})"),
                    "/output/name: column 1: '{' is never closed"},
        BadManifest{"subject_template", with(R"({"identity": {"subject": {"CN": "}"}}})"),
                    "/identity/subject/CN: column 1: '}' without a '{'"},
        BadManifest{"constant_country", with(R"({"identity": {"subject": {"C": "Norway"}}})"),
                    "/identity/subject/C: "},
        BadManifest{"constant_dns", with(R"({"identity": {"san": ["DNS:a b"]}})"),
                    "/identity/san/0: "},
        BadManifest{"san_prefix", with(R"({"identity": {"san": ["DNS:a", "{san}"]}})"),
                    "/identity/san/1: begins with DNS:, IP:, URI:, email: or hardwareModuleName:"},
        BadManifest{"relative_path", with(R"({"files": [{"to": "etc/a", "text": ""}]})"),
                    "/files/0/to: an absolute path on the device is needed"},
        BadManifest{"climbing_path", with(R"({"files": [{"to": "/data/../etc/a", "text": ""}]})"),
                    "/files/0/to: '/data/../etc/a': '..' cannot be part of it"},
        BadManifest{
            "directory_path", with(R"({"identity": {"key_path": "/data/"}})"),
            "/identity/key_path: '/data/': a path on the device has a name after every slash"},
        BadManifest{
            "same_place",
            with(R"({"files": [{"to": "/data/mender/mender-cert.pem", "text": ""}]})"),
            "/files/0/to: '/data/mender/mender-cert.pem' and '/data/mender/mender-cert.pem' of "
            "/identity/certificate_path cannot both be there"},
        BadManifest{"conf_twice",
                    with(R"({"files": [{"to": "/etc/mender/mender.conf", "text": ""}]})"),
                    "/files/0/to: '/etc/mender/mender.conf' and '/etc/mender/mender.conf' of "
                    "/mender_conf cannot"},
        BadManifest{"inside_a_file",
                    with(R"({"files": [{"to": "/a/b", "text": ""}, {"to": "/a", "text": ""}]})"),
                    "/files/1/to: '/a' and '/a/b' of /files/0/to cannot both be there"}),
    [](const auto& param_info) { return param_info.param.name; });

TEST(Manifest, OfANewerVersionIsUnsupported) {
  EXPECT_THAT(parse(R"({"version": 2, "new": true})"),
              FailsWith(Code::unsupported,
                        "batch/m.json: /version: 2 is not known; this program reads version 1"));
}

TEST(Manifest, NeverRepeatsAPassphrase) {
  for (const char* const text : {R"({"authority": {"passphrase": "hunter2"}})",
                                 R"({"authority": {"passphrase": "pass:hunter2"}})"}) {
    const auto result = parse(with(text));
    EXPECT_THAT(result,
                FailsWith(Code::invalid_input,
                          "/authority/passphrase: says where the passphrase comes from: env:NAME"));
    EXPECT_THAT(result.error().message(), Not(HasSubstr("hunter2")));
  }
  const auto broken = parse("{\"authority\": {\"passphrase\": \"hunter2\n\"}}");
  EXPECT_THAT(broken, FailsWith(Code::invalid_input, "not valid JSON"));
  EXPECT_THAT(broken.error().message(), Not(HasSubstr("hunter2")));
}

TEST(Manifest, NeverRepeatsAFilesText) {
  const auto result = parse(with(R"({"files": [{"to": "/a", "text": "psk=hunter2 {"}]})"));
  EXPECT_THAT(result,
              FailsWith(Code::invalid_input, "/files/0/text: column 13: '{' is never closed"));
  EXPECT_THAT(result.error().message(), Not(HasSubstr("hunter2")));
}

TEST(Manifest, MissingIsSaid) {
  EXPECT_THAT(load_manifest("/nowhere/m.json"), FailsWith(Code::not_found, "/nowhere/m.json"));
}

TEST(Manifest, SaysWhichOfItsFilesIsMissing) {
  const test::TempDir dir;
  const auto path =
      dir.write("m.json", with(R"({"files": [{"from": "server.crt", "to": "/etc/s"}]})"));
  EXPECT_THAT(load_manifest(path),
              FailsWith(Code::not_found, "m.json: /files/0/from: '" +
                                             (dir / "server.crt").native() + "' is no file"));
  dir.write("server.crt", "x");
  EXPECT_THAT(load_manifest(path), IsOk());
}

TEST(OutputFormat, HasItsWords) {
  EXPECT_EQ(parse_output_format("overlay").value(), OutputFormat::overlay);
  EXPECT_EQ(parse_output_format("image").value(), OutputFormat::image);
  EXPECT_THAT(parse_output_format("zip"),
              FailsWith(Code::invalid_input, "'zip' is no output format"));
}

}  // namespace
}  // namespace imprint::manifest
