// What may lie between a partition and its file system: LUKS, LVM, one in the other.

#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "session.hpp"

namespace imprint::guestfs {

namespace {

/// LUKS in LVM in LUKS is the deepest that anybody builds.
constexpr int kMaxDepth = 3;

[[nodiscard]] std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (line.starts_with(' '))
      line.remove_prefix(1);
    while (line.ends_with(' '))
      line.remove_suffix(1);
    if (!line.empty()) all.emplace_back(line);
  }
  return all;
}

/// A logical volume with a file system that could be the data partition's.
struct Candidate {
  std::string device;
  std::string label;
  bool has_device_type = false;

  [[nodiscard]] std::string text() const {
    return label.empty() ? device : fmt::format("{} (label {})", device, quoted(label));
  }
};

/// The best sign that exactly one has; none when no sign decides.
[[nodiscard]] const Candidate* decide(const std::vector<Candidate>& candidates) {
  const auto only = [&](auto has_sign) -> const Candidate* {
    const Candidate* found = nullptr;
    for (const Candidate& candidate : candidates) {
      if (!has_sign(candidate)) continue;
      if (found != nullptr) return nullptr;
      found = &candidate;
    }
    return found;
  };
  if (const auto* one = only([](const Candidate& c) { return c.has_device_type; })) return one;
  if (const auto* one = only([](const Candidate& c) { return c.label == "data"; })) return one;
  return only([](const Candidate& /*any*/) { return true; });
}

[[nodiscard]] std::string mount_and_look(const std::string& device) {
  return fmt::format(
      R"(mkdir -p /run/look
mount -o ro {0} /run/look 2>/dev/null || exit 0
[ ! -e /run/look/mender/device_type ] || echo device_type
umount /run/look)",
      device);
}

}  // namespace

Result<std::string> Session::kind_of(const std::string& device) {
  // blkid's status is 2 when it knows nothing.
  return handle().shell(fmt::format("blkid -p -o value -s TYPE {} || [ $? = 2 ]", device));
}

Result<std::string> Session::without_layers(std::string device, int depth) {
  const std::string kind = IMPRINT_TRY(kind_of(device));
  if (kind != "crypto_LUKS" && kind != "LVM2_member") return device;
  if (depth == kMaxDepth) {
    return fail(Code::unsupported, "LUKS and LVM lie in each other more than three deep");
  }
  if (kind == "crypto_LUKS") {
    const std::string opened = IMPRINT_TRY(open_luks(device, depth));
    return without_layers(opened, depth + 1);
  }
  return choose_logical_volume(device, depth);
}

Result<std::string> Session::open_luks(const std::string& device, int depth) {
  const std::string name =
      fmt::format("imprint-{}-{}", device.substr(device.rfind('/') + 1), depth);
  const std::string opened = "/dev/mapper/" + name;
  const std::string there =
      IMPRINT_TRY(handle().shell(fmt::format("[ ! -e {} ] || echo there", opened)));
  if (!there.empty()) return opened;
  if (!passphrase_) {
    return fail(Code::invalid_input,
                "it is encrypted (LUKS): say where its passphrase is with --luks-passphrase");
  }
  if (!known_passphrase_) known_passphrase_ = IMPRINT_TRY(passphrase_());
  crypto::SecretBytes text(known_passphrase_->view());
  if (std::memchr(text.data(), 0, text.size()) != nullptr) {
    return fail(Code::invalid_input,
                "the passphrase has a NUL byte, which the appliance's "
                "interface cannot take");
  }
  text.resize(text.size() + 1);
  text.mutable_view().back() = std::byte{0};
  // By a name of our own: libguestfs renames sdX as they were when it started.
  const std::string alias = "/dev/imprint/" + name;
  IMPRINT_TRY(handle().shell(fmt::format("ln -sf {} {}", device, alias)));
  const bool read_only = drives_[*attached_].read_only;
  const abi::OpenLuks how{
      .set = abi::kOpenReadOnlySet, .read_only = read_only ? 1 : 0, .type = nullptr};
  const int status = handle().run([&](const Library& api, guestfs_h* g) {
    return api.cryptsetup_open_argv(g, alias.c_str(), reinterpret_cast<const char*>(text.data()),
                                    name.c_str(),
                                    reinterpret_cast<const guestfs_cryptsetup_open_argv*>(&how));
  });
  if (status != 0) {
    return fail(Code::invalid_input, fmt::format("it is encrypted (LUKS) and does not open, most "
                                                 "likely for a wrong passphrase: {}",
                                                 handle().error().what));
  }
  return opened;
}

Result<std::string> Session::choose_logical_volume(const std::string& device, int depth) {
  const std::string group = IMPRINT_TRY(
      handle().shell(fmt::format("lvm pvs --noheadings -o vg_name {} | tr -d ' '", device)));
  if (group.empty()) return fail(Code::unsupported, "its LVM volume group is not there");
  IMPRINT_TRY(handle().shell(
      fmt::format("set -e; lvm vgchange -ay {} >/dev/null; udevadm settle", shell_word(group))));
  const std::string listed = IMPRINT_TRY(
      handle().shell(fmt::format("lvm lvs --noheadings -o lv_path {}", shell_word(group))));
  std::vector<Candidate> candidates;
  for (const std::string& path : lines(listed)) {
    const std::string inner = IMPRINT_TRY(without_layers(path, depth + 1).context(quoted(path)));
    const std::string kind = IMPRINT_TRY(kind_of(inner));
    if (kind.empty() || kind == "swap") continue;
    Candidate candidate{.device = inner, .label = {}, .has_device_type = false};
    candidate.label = IMPRINT_TRY(
        handle().shell(fmt::format("blkid -p -o value -s LABEL {} || [ $? = 2 ]", inner)));
    const std::string seen = IMPRINT_TRY(handle().shell(mount_and_look(inner)));
    candidate.has_device_type = seen == "device_type";
    candidates.push_back(std::move(candidate));
  }
  if (const Candidate* chosen = decide(candidates)) return chosen->device;
  if (candidates.empty()) {
    return fail(Code::unsupported,
                fmt::format("no logical volume of group {} has a file system", quoted(group)));
  }
  std::vector<std::string> texts;
  for (const Candidate& candidate : candidates)
    texts.push_back(candidate.text());
  return fail(Code::invalid_input,
              fmt::format("which logical volume of group {} holds the data cannot be told: {}; "
                          "label one of them 'data', or put /mender/device_type into it",
                          quoted(group), fmt::join(texts, ", ")));
}

}  // namespace imprint::guestfs
