// Where the CA is, in the words of the manifest. The schema has seen to keys and types; what goes
// with what is checked here, because "exactly one of" in a schema does not tell its reader which.

#include "authority_spec.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/authority/token_uri.hpp"
#include "imprint/base/text.hpp"
#include "imprint/manifest/authority_file.hpp"
#include "imprint/manifest/authority_folder.hpp"
#include "json_text.hpp"
#include "schema_check.hpp"

namespace imprint::manifest {
namespace {

using Json = nlohmann::ordered_json;
using authority::AuthoritySource;
using authority::PassphraseSource;

constexpr std::uint64_t kMaxAuthorityFileBytes = std::uint64_t{1} << 20;

Unexpected refuse(const std::string& pointer, const char* key, std::string_view why) {
  return fail(Code::invalid_input, fmt::format("{}/{}: {}", pointer, key, why));
}

/// A passphrase source whose file is relative to `base`.
Result<std::optional<PassphraseSource>> read_source(const Json& object, const char* key,
                                                    const fs::path& base,
                                                    const std::string& pointer) {
  if (!object.contains(key)) return std::nullopt;
  PassphraseSource source =
      IMPRINT_TRY(authority::parse_passphrase_source(object[key].get_ref<const std::string&>())
                      .context(fmt::format("{}/{}", pointer, key)));
  if (source.kind == PassphraseSource::Kind::file) {
    source.argument = (base / source.argument).string();
  }
  return source;
}

Result<authority::KeyLocation> read_key(const std::string& key, const fs::path& base,
                                        const std::string& pointer) {
  if (!authority::is_token_uri(key)) return authority::KeyFile{base / key};
  IMPRINT_TRY(authority::check_token_uri(key).context(pointer + "/key"));
  return authority::TokenKey{key};
}

Result<authority::KeyLocation> read_command(const Json& object, const fs::path& base,
                                            const std::string& pointer) {
  authority::CommandKey key;
  key.command = object["command"].get<std::vector<std::string>>();
  std::string& program = key.command.front();
  if (program.empty()) return refuse(pointer, "command", "the first text names the program");
  for (const std::string& argument : key.command) {
    if (argument.find('\0') != std::string::npos)
      return refuse(pointer, "command", "an argument cannot hold a NUL character");
  }
  // A plain name is looked up in PATH.
  if (program.find('/') != std::string::npos) program = (base / program).string();
  if (program.front() != '/' && program.find('/') != std::string::npos) program = "./" + program;
  if (object.value("command_mode", std::string()) == "call")
    key.mode = authority::CommandKey::Mode::call;
  key.timeout = std::chrono::seconds(object.value("command_timeout", key.timeout.count()));
  return key;
}

Result<authority::KeyLocation> read_location(const Json& object, const fs::path& base,
                                             const std::string& pointer) {
  if (!object.contains("key")) return read_command(object, base, pointer);
  return read_key(object["key"].get<std::string>(), base, pointer);
}

/// Keys that say how to do what is not done.
Result<> check_belongs(const Json& object, const authority::KeyLocation& key,
                       const std::string& pointer) {
  const bool token = std::holds_alternative<authority::TokenKey>(key);
  const bool file = std::holds_alternative<authority::KeyFile>(key);
  if (object.contains("passphrase") && !file) {
    return refuse(pointer, "passphrase",
                  token ? "is for a key file; where a token's PIN is says 'pin'"
                        : "is for a key file; a command gets its secrets by itself");
  }
  if (object.contains("pin") && !token) {
    return refuse(pointer, "pin",
                  file ? "is for a pkcs11: key; where a key file's passphrase is says 'passphrase'"
                       : "is for a pkcs11: key; a command gets its secrets by itself");
  }
  for (const char* const name : {"command_mode", "command_timeout"}) {
    if (object.contains(name) && !object.contains("command"))
      return refuse(pointer, name, "is for a 'command'");
  }
  return {};
}

}  // namespace

Result<AuthoritySource> read_authority(const Json& value, const fs::path& base,
                                       const std::string& pointer) {
  if (value.is_string()) {
    return find_authority(base / value.get_ref<const std::string&>()).context(pointer);
  }
  if (value.contains("key") == value.contains("command")) {
    return fail(Code::invalid_input, fmt::format("{}exactly one of 'key' and 'command' is needed",
                                                 pointer.empty() ? "" : pointer + ": "));
  }
  AuthoritySource source{.certificate = base / value["certificate"].get<std::string>(),
                         .key = {},
                         .passphrase = std::nullopt};
  source.key = IMPRINT_TRY(read_location(value, base, pointer));
  IMPRINT_TRY(check_belongs(value, source.key, pointer));
  const char* const secret = value.contains("pin") ? "pin" : "passphrase";
  source.passphrase = IMPRINT_TRY(read_source(value, secret, base, pointer));
  if (value.contains("chain")) source.chain = base / value["chain"].get<std::string>();
  return source;
}

Result<AuthoritySource> read_authority_file(const fs::path& path) {
  const std::string name = printable(path.native());
  const Bytes bytes = IMPRINT_TRY(read_file(path, kMaxAuthorityFileBytes));
  const Json document = IMPRINT_TRY(parse_json(text_of(bytes)).context(name));
  IMPRINT_TRY(check_authority_schema(document).context(name));
  return read_authority(document, path.parent_path(), "").context(name);
}

}  // namespace imprint::manifest
