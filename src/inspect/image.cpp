// What an image is, what its client would do, and the files that its configuration names.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "found.hpp"
#include "imprint/base/text.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::inspect {

namespace {

using Root = image::FileSystems::Root;
using Texts = std::vector<std::string>;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 20;

Result<std::optional<std::string>> read_text(Root& root, std::string_view path) {
  const auto content = root.tree.read_file(path, kMaxFileBytes);
  if (content) return std::optional<std::string>(std::string(text_of(*content)));
  // A rootfs that is beyond us (squashfs) has its say with the device, not here.
  const Code code = content.error().code;
  if (code == Code::not_found || code == Code::unsupported) return std::optional<std::string>();
  return fail(Error(content.error()));
}

std::string_view name_of(image::TableKind kind) {
  switch (kind) {
    case image::TableKind::mbr:
      return "MBR";
    case image::TableKind::gpt:
      return "GPT";
    case image::TableKind::none:
      break;
  }
  return "a file system without a partition table";
}

std::string described(const image::Layout& layout) {
  std::string text(name_of(layout.table));
  const auto add = [&text](std::string_view role, const std::optional<image::Partition>& where,
                           std::string_view remark = "") {
    if (!where) return;
    text += fmt::format(", {} {}{}{}", role, where->number,
                        where->file_system.empty() ? "" : " (" + where->file_system + ")", remark);
  };
  add("boot", layout.boot);
  add("rootfs A", layout.rootfs_a);
  add("rootfs B", layout.rootfs_b, layout.rootfs_b_populated ? "" : ", empty");
  add("data", layout.data);
  return text;
}

/// A setting as each of the roots has it: one line where they agree.
class Settings {
 public:
  void add(std::string_view label, const Root& root, std::string value) {
    const auto known = std::ranges::find(rows_, label, &Row::label);
    Row& row = known != rows_.end() ? *known : rows_.emplace_back(Row{label, {}});
    row.values.emplace_back(root.label, std::move(value));
  }

  void move_to(std::vector<Fact>& facts) {
    for (Row& row : rows_) {
      const bool same = std::ranges::all_of(
          row.values, [&row](const auto& value) { return value.second == row.values[0].second; });
      if (same) {
        facts.push_back({row.label, std::move(row.values[0].second)});
        continue;
      }
      for (const auto& [root, value] : row.values)
        facts.push_back({row.label, fmt::format("{}: {}", root, value)});
    }
  }

 private:
  struct Row {
    std::string_view label;
    std::vector<std::pair<std::string, std::string>> values;  ///< root and value
  };

  std::vector<Row> rows_;
};

/// An image may hold anything, and this goes to a terminal.
std::string or_none(const std::optional<std::string>& text) {
  return text ? printable(*text) : "none";
}

void add_settings(Settings& settings, const Root& root, const mender::EffectiveConf& conf) {
  settings.add("server", root, or_none(conf.server_url()));
  settings.add("tenant token", root, conf.has_tenant_token() ? "set" : "none");
  settings.add("trusts", root,
               conf.server_certificate()
                   ? or_none(conf.server_certificate()) + " and the system's CAs"
                   : "the system's CAs");
  settings.add("client certificate", root, or_none(conf.certificate()));
  settings.add("client key", root, or_none(conf.key()));
  settings.add("signs with", root,
               conf.auth_private_key() ? or_none(conf.auth_private_key())
                                       : "a key that the client makes itself");
  settings.add(
      "artifacts", root,
      conf.artifact_verify_keys().empty()
          ? "need no signature"
          : printable(fmt::format("signed by {}", fmt::join(conf.artifact_verify_keys(), ", "))));
}

std::vector<std::string> files_of(const mender::EffectiveConf& conf) {
  std::vector<std::string> paths;
  const auto add = [&paths](const std::optional<std::string>& path) {
    if (path && path->starts_with('/') && std::ranges::find(paths, *path) == paths.end())
      paths.push_back(*path);
  };
  add(conf.certificate());
  add(conf.key());
  add(conf.auth_private_key());
  add(conf.server_certificate());
  for (const std::string& key : conf.artifact_verify_keys())
    add(key);
  return paths;
}

/// Looks at one image; what two roots share is looked at once.
class ImageExaminer {
 public:
  ImageExaminer(Findings& findings, files::ImageView& view)
      : findings_(findings),
        view_(view),
        entry_{.place = view.path().string(),
               .kind = Kind::image,
               .name = {},
               .facts = {},
               .ends = std::nullopt,
               .warnings = {}} {}

  Result<> run() {
    entry_.facts.push_back({"partitions", described(view_.layout())});
    IMPRINT_TRY(add_device_type());
    for (Root& root : view_.roots())
      IMPRINT_TRY(add_root(root));
    settings_.move_to(entry_.facts);
    findings_.images.push_back(std::move(entry_));
    return {};
  }

 private:
  Result<> add_device_type() {
    const auto text = IMPRINT_TRY(read_text(view_.roots().front(), mender::kDeviceType));
    constexpr std::string_view kSetting = "device_type=";
    if (!text || !text->starts_with(kSetting)) return {};
    entry_.name = printable(text->substr(kSetting.size(), text->find('\n') - kSetting.size()));
    entry_.facts.push_back({"device type", entry_.name});
    return {};
  }

  void warn(std::string text) {
    if (std::ranges::find(entry_.warnings, text) == entry_.warnings.end())
      entry_.warnings.push_back(std::move(text));
  }

  Result<> add_root(Root& root) {
    const auto main = IMPRINT_TRY(root.has_rootfs ? read_text(root, mender::kMainConf)
                                                  : std::optional<std::string>());
    const auto fallback = IMPRINT_TRY(read_text(root, mender::kFallbackConf));
    // A second rootfs without a configuration gets one with its first update.
    if (root.is_second && !main) return {};
    const mender::ConfFindings judged = mender::check_conf(main, fallback);
    for (const std::string& error : judged.errors)
      warn(fmt::format("{}: {}", root.label, error));
    for (const std::string& warning : judged.warnings)
      warn(warning);
    for (const std::string& missing : judged.missing)
      warn(missing);
    const auto conf = mender::effective_conf(main, fallback);
    if (!conf) return {};  // check_conf has said why
    add_settings(settings_, root, *conf);
    for (const std::string& path : files_of(*conf))
      IMPRINT_TRY(add_file(root, path));
    return {};
  }

  Result<> add_file(Root& root, const std::string& path) {
    const auto location = root.tree.resolve(path);
    if (!location && location.error().code == Code::unsupported) return {};
    if (!location && location.error().code != Code::not_found) return fail(Error(location.error()));
    if (!location || !location->node) {
      warn(fmt::format("{}: mender.conf names {}, which is not in the image", root.label,
                       quoted(path)));
      return {};
    }
    const int partition = location->file_system->partition().number;
    if (!seen_.emplace(partition, location->path).second) return {};
    const auto content = location->file_system->read_whole(location->path, kMaxFileBytes);
    const std::string file =
        fmt::format("{}:{}{}", view_.path().string(), path, root.is_second ? " in rootfs B" : "");
    if (!content) {
      warn(fmt::format("{} cannot be read: {}", quoted(path), content.error().message()));
      return {};
    }
    const std::string folder = file.substr(0, file.rfind('/'));
    if (add_objects(findings_, file, folder, location->node->mode, *content) == 0)
      warn(fmt::format("{} holds no certificate or key", quoted(path)));
    return {};
  }

  Findings& findings_;
  files::ImageView& view_;
  Entry entry_;
  Settings settings_;
  std::set<std::pair<int, std::string>> seen_;
};

}  // namespace

Result<> add_image(Findings& findings, files::ImageView& view) {
  return ImageExaminer(findings, view).run();
}

}  // namespace imprint::inspect
