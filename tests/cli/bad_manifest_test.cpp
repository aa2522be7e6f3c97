// A manifest that is not right: one line that says where and what, exit status 2, nothing written.

#include "refusal.hpp"

namespace imprint::cli::test {
namespace {

/// Sets a value of the manifest, named by its JSON pointer.
std::function<void(BatchFolder&)> with(const std::string& pointer, Json value) {
  return [pointer, value = std::move(value)](BatchFolder& folder) {
    folder.manifest[Json::json_pointer(pointer)] = value;
    folder.save();
  };
}

std::function<void(BatchFolder&)> without(const std::string& key) {
  return [key](BatchFolder& folder) {
    folder.manifest.erase(key);
    folder.save();
  };
}

/// The text of manifest.json itself.
std::function<void(BatchFolder&)> text(const std::string& content) {
  return [content](BatchFolder& folder) { folder.write("manifest.json", content); };
}

void nothing(BatchFolder& /*folder*/) {}

TEST(BadManifest, FormIsRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"missing",
       nothing,
       "opening 'nowhere.json': No such file or directory",
       2,
       {"batch", "nowhere.json"}},
      {"a directory", nothing, "'ca' is not a regular file", 2, {"batch", "ca"}},
      {"empty", text(""),
       "manifest.json: line 1, column 1: not valid JSON: while parsing value - unexpected end of "
       "input; expected '[', '{', or a literal"},
      {"no JSON", text("{\n  \"version\": 1,\n  \"image\" \"x\"\n}\n"),
       "manifest.json: line 3, column 13: not valid JSON: while parsing object separator - "
       "unexpected string literal; expected ':'"},
      {"cut off", text("{\n  \"version\": 1,\n"),
       "manifest.json: line 3, column 1: not valid JSON: while parsing object key - unexpected end "
       "of input; expected string literal"},
      {"comment", text("{ // mine\n \"version\": 1 }"),
       "manifest.json: line 1, column 3: not valid JSON: while parsing object key - invalid "
       "literal; expected string literal"},
      {"duplicate key", text("{\"version\": 1, \"image\": \"a\", \"image\": \"b\"}"),
       "manifest.json: line 1, column 36: key 'image' appears twice in one object"},
      {"an array", text("[]"), "manifest.json: a manifest is a JSON object"},
      {"invalid UTF-8", text("{\"version\": 1, \"image\": \"\xff\"}"),
       "manifest.json: line 1, column 26: not valid JSON: while parsing value - invalid string: "
       "ill-formed UTF-8 byte"},
      {"other version", with("/version", 2),
       "manifest.json: /version: 2 is not known; this program reads version 1"},
      {"no image", without("image"), "manifest.json: key 'image' is missing"},
      {"no devices", without("devices"), "manifest.json: key 'devices' is missing"},
      {"unknown key", with("/imagee", "x"),
       "manifest.json: /imagee: unknown key (did you mean 'image'?)"},
      {"unknown nested key", with("/identity/kee", "ec:P-256"),
       "manifest.json: /identity/kee: unknown key (did you mean 'key'?)"},
      {"text for number", with("/identity/days", "3650"),
       "manifest.json: /identity/days: a whole number is expected here, not text"},
      {"number for text", with("/image", 7),
       "manifest.json: /image: text is expected here, not a number"},
      {"no days", with("/identity/days", 0),
       "manifest.json: /identity/days: 0 is not possible; 1 to 36500 is"},
      {"empty device array", with("/devices", Json::array()),
       "manifest.json: /devices: no devices"},
  });
}

TEST(BadManifest, ValuesAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"key kind", with("/identity/key", "ec:p256"),
       "manifest.json: /identity/key: 'ec:p256' is not one of 'ec:P-256', 'ec:P-384', 'ec:P-521', "
       "'rsa:2048', 'rsa:3072', 'rsa:4096', 'ed25519'"},
      {"target", with("/mender_conf/target", "root"),
       "manifest.json: /mender_conf/target: 'root' is not one of 'rootfs', 'data', 'both'"},
      {"format", with("/output/format", "zip"),
       "manifest.json: /output/format: 'zip' is not one of 'image', 'overlay'"},
      {"compress", with("/output/compress", "gzip"),
       "manifest.json: /output/compress: 'gzip' is not one of 'none'"},
      {"subject attribute", with("/identity/subject/CNN", "x"),
       "manifest.json: /identity/subject/CNN: unknown key (did you mean 'CN'?)"},
      {"country", with("/identity/subject/C", "Norway"),
       "manifest.json: /identity/subject/C: 'Norway' is no country; C takes the two capital "
       "letters of ISO 3166"},
      {"long CN", with("/identity/subject/CN", std::string(65, 'x')),
       "manifest.json: /identity/subject/CN: 65 characters; a CN may have at most 64 (RFC 5280)"},
      {"SAN kind", with("/identity/san/0", "dns.example.com"),
       "manifest.json: /identity/san/0: begins with DNS:, IP:, URI:, email: or "
       "hardwareModuleName:"},
      {"SAN DNS", with("/identity/san/0", "DNS:not a name"),
       "manifest.json: /identity/san/0: 'not a name' is no DNS name: it has a character that no "
       "host name has; use letters, digits, '-' and '.', and punycode for others (RFC 1123)"},
      {"SAN IP", with("/identity/san/0", "IP:1.2.3"),
       "manifest.json: /identity/san/0: '1.2.3' is no IP address; write it like 192.0.2.1 or "
       "2001:db8::1"},
      {"unclosed variable", with("/identity/subject/CN", "{id"),
       "manifest.json: /identity/subject/CN: column 1: '{' is never closed; write '{{' for a "
       "brace"},
      {"unknown variable", with("/identity/subject/CN", "{serail}"),
       "manifest.json: subject CN '{serail}' needs column 'serail', which 'devices.csv' does not "
       "have (did you mean 'serial'?)"},
      {"unknown variable in a file", with("/files/1/text", "{pks}\n"),
       "manifest.json: file '/data/wifi/psk' needs column 'pks', which 'devices.csv' does not have "
       "(did you mean 'psk'?)"},
      {"passphrase itself", with("/authority/passphrase", "hunter2"),
       "manifest.json: /authority/passphrase: says where the passphrase comes from: env:NAME, "
       "file:PATH, fd:NUMBER, credential:NAME or prompt; the passphrase itself must not stand in a "
       "manifest"},
  });
}

TEST(BadManifest, FilesAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"image", with("/image", "nowhere.sdimg"),
       "manifest.json: /image: opening 'nowhere.sdimg': No such file or directory"},
      {"certificate", with("/authority/certificate", "ca/nowhere.pem"),
       "reading the CA certificate: opening 'ca/nowhere.pem': No such file or directory"},
      {"key", with("/authority/key", "ca/nowhere.key"),
       "reading the CA key: opening 'ca/nowhere.key': No such file or directory"},
      {"devices", with("/devices", "nowhere.csv"),
       "manifest.json: /devices: opening 'nowhere.csv': No such file or directory"},
      {"devices of unknown form", with("/devices", "devices.txt"),
       "'devices.txt': a device list is a .csv, .jsonl or .json file"},
      {"shared file", with("/files/0", {{"from", "nowhere.crt"}, {"to", "/etc/x"}}),
       "manifest.json: /files/0/from: 'nowhere.crt' is no file"},
      {"from and text",
       with("/files/0", {{"from", "devices.csv"}, {"text", "x"}, {"to", "/etc/x"}}),
       "manifest.json: /files/0: exactly one of 'from' and 'text' is needed"},
      {"neither from nor text", with("/files/0", {{"to", "/etc/x"}}),
       "manifest.json: /files/0: exactly one of 'from' and 'text' is needed"},
      {"label", with("/files/0/selinux", "etc_t"),
       "manifest.json: /files/0/selinux: a SELinux label is USER:ROLE:TYPE and perhaps :LEVEL"},
      {"mode", with("/files/0/mode", "0999"),
       "manifest.json: /files/0/mode: permissions are octal digits in quotes: \"0644\""},
      {"mode as number", with("/files/0/mode", 644),
       "manifest.json: /files/0/mode: text is expected here, not a number"},
      {"twice", with("/files/0/to", "/etc/hostname"),
       "manifest.json: /files/2/to: '/etc/hostname' and '/etc/hostname' of /files/0/to cannot both "
       "be there"},
      {"the key's place", with("/files/0/to", "/data/mender/mender-cert-private.pem"),
       "manifest.json: /files/0/to: '/data/mender/mender-cert-private.pem' and "
       "'/data/mender/mender-cert-private.pem' of /identity/key_path cannot both be there"},
      {"the configuration's place", with("/files/0/to", "/etc/mender/mender.conf"),
       "manifest.json: /files/0/to: '/etc/mender/mender.conf' and '/etc/mender/mender.conf' of "
       "/mender_conf cannot both be there"},
  });
}

TEST(BadManifest, PathsThatLeadAstrayAreRefused) {
  IMPRINT_NEED_IMAGES();
  expect_refusals({
      {"relative", with("/files/0/to", "etc/x"),
       "manifest.json: /files/0/to: an absolute path on the device is needed, such as "
       "/data/mender/file"},
      {"dots", with("/files/0/to", "/etc/../../x"),
       "manifest.json: /files/0/to: '/etc/../../x': '..' cannot be part of it"},
      {"a directory", with("/files/0/to", "/etc/"),
       "manifest.json: /files/0/to: '/etc/': a path on the device has a name after every slash"},
      {"an existing directory", with("/files/0/to", "/etc/mender"),
       "manifest.json: /files/0/to: '/etc/mender' and '/etc/mender/mender.conf' of /mender_conf "
       "cannot both be there"},
      {"through a file", with("/files/0/to", "/etc/hostname/x"),
       "manifest.json: /files/2/to: '/etc/hostname' and '/etc/hostname/x' of /files/0/to cannot "
       "both be there"},
      {"name with a slash", with("/output/name", "../{id}.sdimg"),
       "devices.csv:2: output name '../{id}.sdimg': '../unit-1.sdimg': a slash cannot be in a file "
       "name (and 2 more rows)"},
      {"hidden name", with("/output/name", ".{id}.sdimg"),
       "devices.csv:2: output name '.{id}.sdimg': '.unit-1.sdimg': it cannot start with a dot or "
       "dash (and 2 more rows)"},
      {"own name", with("/output/name", "ledger.db{id}"),
       "devices.csv:2: output name 'ledger.db{id}': 'ledger.dbunit-1': imprint itself uses this "
       "name (and 2 more rows)"},
      {"own ending", with("/output/name", "{id}.bmap"),
       "devices.csv:2: output name '{id}.bmap': 'unit-1.bmap': imprint itself uses names ending in "
       "'.bmap' (and 2 more rows)"},
      {"one name for all", with("/output/name", "device.sdimg"),
       "devices.csv:3: output name 'device.sdimg': 'device.sdimg': the name of devices.csv:2 too "
       "(case ignored); use {id} in it (and 1 more row)"},
      {"unknown variable", with("/output/name", "{ip}.sdimg"),
       "manifest.json: output name '{ip}.sdimg' needs column 'ip', which 'devices.csv' does not "
       "have (did you mean 'id'?)"},
  });
}

}  // namespace
}  // namespace imprint::cli::test
