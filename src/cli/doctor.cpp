#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <sys/random.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "engine_options.hpp"
#include "help.hpp"
#include "imprint/base/file.hpp"
#include "imprint/base/text.hpp"
#include "imprint/base/version.hpp"
#include "imprint/guestfs/appliance.hpp"
#include "imprint/image/clone.hpp"
#include "imprint/pipeline/protect.hpp"

namespace imprint::cli {

namespace {

struct DoctorOptions {
  EngineOptions engine;
  fs::path directory = ".";
  bool json = false;
};

/// `absent`: not there, and not needed for what was asked.
enum class Status { ok, absent, failed };

struct Finding {
  Status status = Status::ok;
  std::string check;
  std::string detail;  ///< when it is not `ok`, with what to do
};

using Findings = std::vector<Finding>;

[[nodiscard]] std::string_view word(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::absent:
      return "absent";
    case Status::failed:
      break;
  }
  return "FAIL";
}

Finding look_at_memory() {
  switch (pipeline::protect_process()) {
    case crypto::Hardening::full:
      return {Status::ok, "memory", "private keys are kept in locked memory"};
    case crypto::Hardening::secure_heap_not_locked:
      return {
          Status::absent, "memory",
          "no locked memory for private keys, which could reach swap: raise 'ulimit -l' to 8192"};
    case crypto::Hardening::no_secure_heap:
      break;
  }
  return {Status::absent, "memory",
          "no locked memory for private keys, which could reach swap: free some memory"};
}

Finding look_at_random() {
  std::byte one{};
  if (::getrandom(&one, sizeof one, GRND_NONBLOCK) == 1) {
    return {Status::ok, "random", "the kernel's generator is ready"};
  }
  return {
      Status::failed, "random",
      "the kernel's generator is not ready yet: wait, or give this machine a source of entropy"};
}

Result<bool> keeps_holes(const fs::path& directory) {
  constexpr std::uint64_t kBytes = 1 << 20;
  NewFile trial = IMPRINT_TRY(NewFile::beside(directory / "imprint-doctor", 0600));
  IMPRINT_TRY(trial.file().resize(kBytes));
  const auto ranges = IMPRINT_TRY(image::data_ranges(trial.file()));
  return ranges.empty();
}

/// Room, holes and shared extents where images are to be written.
void look_at_directory(const fs::path& directory, Findings& findings) {
  const std::string name = quoted(directory.string());
  const auto holes = keeps_holes(directory);
  if (!holes) {
    findings.push_back(
        {Status::failed, "directory", fmt::format("{}: {}", name, holes.error().message())});
    return;
  }
  findings.push_back({Status::ok, "directory", fmt::format("{} can be written", name)});
  if (const auto room = free_space_bytes(directory)) {
    findings.push_back({Status::ok, "space", fmt::format("{} MiB are free", *room >> 20)});
  } else {
    findings.push_back({Status::failed, "space", room.error().message()});
  }
  findings.push_back(*holes ? Finding{Status::ok, "holes", "files keep their holes"}
                            : Finding{Status::absent, "holes",
                                      "files have no holes here: every image takes its full size"});
  const auto reflink = image::can_reflink(directory);
  findings.push_back(
      reflink && *reflink
          ? Finding{Status::ok, "reflink", "images can share what they have in common"}
          : Finding{Status::absent, "reflink",
                    "every image is a copy of its own; btrfs or xfs would share them"});
}

/// A program on PATH or in the folders of system programs.
[[nodiscard]] bool has_program(std::string_view program) {
  const char* const path = std::getenv("PATH");
  std::string folders = fmt::format("{}:/usr/sbin:/sbin", path == nullptr ? "/usr/bin:/bin" : path);
  std::string_view rest = folders;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    if (::access((fs::path(rest.substr(0, end)) / program).c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

Finding look_at_mtools() {
  if (has_program("mcopy")) return {Status::ok, "mtools", "FAT boot partitions can be edited"};
  return {Status::absent, "mtools",
          "FAT boot partitions cannot be edited: install it with 'apt-get install mtools'"};
}

void try_engine(const DoctorOptions& options, const pipeline::EngineChoice& choice,
                Findings& findings) {
  const auto trial =
      guestfs::try_appliance(options.directory, {.timeout = choice.timeout, .passphrase = {}});
  if (!trial) {
    findings.push_back({Status::failed, "appliance", trial.error().message()});
    return;
  }
  findings.push_back({Status::ok, "appliance",
                      fmt::format("started in {:.1f} s with {}",
                                  std::chrono::duration<double>(trial->start).count(),
                                  guestfs::name(trial->acceleration))});
  for (const guestfs::Trial::Kind& kind : trial->kinds) {
    if (!kind.error) {
      findings.push_back({Status::ok, kind.file_system, "made, written and read back"});
      continue;
    }
    // Debian packs xfs apart, and its kernel for clouds has no f2fs.
    findings.push_back(
        {Status::absent, kind.file_system,
         fmt::format("not in the appliance ({}): {}", kind.error->message(),
                     kind.file_system == "xfs" ? "install it with 'apt-get install libguestfs-xfs'"
                                               : "it needs a kernel with it, 'apt-get install "
                                                 "linux-image-amd64'")});
  }
}

/// Something that every image with such a file system needs is no failure where nobody asked for
/// the engine.
void look_at_engine(const DoctorOptions& options, const pipeline::EngineChoice& choice,
                    Findings& findings) {
  const bool needed = choice.engine == pipeline::Engine::guestfs;
  const auto version = guestfs::library_version();
  if (!version) {
    findings.push_back(
        {needed ? Status::failed : Status::absent, "guestfs", version.error().message()});
    return;
  }
  findings.push_back(
      {Status::ok, "guestfs",
       fmt::format("libguestfs {}{}", *version, needed ? "" : " (--engine guestfs tries it)")});
  if (needed) try_engine(options, choice, findings);
}

void print(std::ostream& out, const Findings& findings) {
  for (const Finding& finding : findings) {
    out << fmt::format("{:<6} {:<10} {}\n", word(finding.status), finding.check, finding.detail);
  }
}

void print_json(std::ostream& out, const Findings& findings, bool ready) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    checks.push_back({{"check", finding.check},
                      {"status", to_lower_ascii(word(finding.status))},
                      {"detail", finding.detail}});
  }
  const nlohmann::ordered_json document = {{"version", 1}, {"ready", ready}, {"checks", checks}};
  out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

Exit run_doctor(const DoctorOptions& options, Console& console) {
  const auto choice = options.engine.choice();
  if (!choice) return console.fail(choice.error());
  Findings findings;
  findings.push_back({Status::ok, "imprint", fmt::format("{} ({})", kVersion, kRevision)});
  findings.push_back(look_at_memory());
  findings.push_back(look_at_random());
  look_at_directory(options.directory, findings);
  findings.push_back(look_at_mtools());
  look_at_engine(options, *choice, findings);
  const bool ready = std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.status == Status::failed; });
  if (options.json) {
    print_json(console.out(), findings, ready);
  } else {
    print(console.out(), findings);
  }
  return ready ? Exit::done : Exit::failed;
}

}  // namespace

Action add_doctor(CLI::App& program) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command =
      program.add_subcommand("doctor", "Is this machine ready, and if not, what to do");
  command->footer(std::string(help::kDoctor));
  command->add_option("--directory", options->directory, "Where images are going to be written")
      ->capture_default_str();
  command
      ->add_option("--engine", options->engine.engine,
                   "guestfs: try it as well; it takes up to a minute")
      ->capture_default_str();
  command
      ->add_option("--engine-timeout", options->engine.timeout_s,
                   "Seconds that the guestfs engine has to start, and for each step")
      ->capture_default_str()
      ->check(CLI::Range(1U, 86400U));
  command->add_flag("--json", options->json, "Print the findings as JSON");
  return [options](Console& console) { return run_doctor(*options, console); };
}

}  // namespace imprint::cli
