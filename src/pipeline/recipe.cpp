#include "recipe.hpp"

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/text.hpp"
#include "imprint/image/selinux.hpp"
#include "imprint/mender/conf.hpp"
#include "imprint/mender/paths.hpp"

namespace imprint::pipeline {

namespace {

/// Generous for a certificate or a configuration, too small for a mistake.
constexpr std::uint64_t kSharedFileLimitBytes = std::uint64_t{16} << 20;

Result<std::vector<image::ExtendedAttribute>> extended_attributes(const std::string& selinux) {
  std::vector<image::ExtendedAttribute> attributes;
  if (!selinux.empty()) attributes.push_back(IMPRINT_TRY(image::selinux_label(selinux)));
  return attributes;
}

Result<golden::SharedFile> shared_file(const manifest::FileSpec& spec) {
  golden::SharedFile file{
      .path = spec.to, .content = {}, .attributes = {spec.mode, spec.uid, spec.gid}};
  file.extended_attributes = IMPRINT_TRY(extended_attributes(spec.selinux));
  if (spec.from.empty()) {
    const ByteView text = bytes_of(spec.text.constant());
    file.content.assign(text.begin(), text.end());
  } else {
    file.content = IMPRINT_TRY(read_file(spec.from, kSharedFileLimitBytes));
  }
  return file;
}

/// mender.conf: what the manifest merges, its entries, then the identity, so that nothing in a
/// manifest can leave the client without it.
golden::MergedFile merged_conf(const manifest::Manifest& manifest, const ConfEntries& entries,
                               std::string_view path, bool must_exist) {
  auto identity = std::make_shared<nlohmann::ordered_json>(
      mender::identity_settings(manifest.identity.certificate_path, manifest.identity.key_path));
  auto settings = manifest.mender_conf.merge;
  auto named = entries.settings;
  return {
      .path = std::string(path),
      .merge = [settings, named,
                identity](std::optional<std::string_view> existing) -> Result<std::string> {
        const std::string merged =
            IMPRINT_TRY(mender::merge_conf(existing.value_or("{}\n"), *settings));
        const std::string complete = IMPRINT_TRY(mender::merge_conf(merged, *named));
        return mender::merge_conf(complete, *identity);
      },
      .must_exist = must_exist,
      .attributes_if_new = {0600, 0, 0},
  };
}

Result<> refuse_twice(const manifest::Manifest& manifest, const golden::Recipe& recipe) {
  std::set<std::string_view> paths;
  std::string_view twice;
  const auto add = [&](std::string_view path) {
    if (!paths.insert(path).second && twice.empty()) twice = path;
  };
  for (const golden::SharedFile& file : recipe.files)
    add(file.path);
  for (const golden::MergedFile& file : recipe.merges)
    add(file.path);
  for (const golden::DeviceFile& file : recipe.device_files)
    add(file.path);
  if (twice.empty()) return {};
  return fail(Code::invalid_input,
              fmt::format("{}: {} is written twice: by two entries of 'files', or by 'files' and "
                          "the identity or mender.conf",
                          manifest.path.string(), quoted(twice)));
}

}  // namespace

Result<golden::Recipe> make_recipe(const manifest::Manifest& manifest, const NominalSizes& sizes,
                                   const ConfEntries& entries, bool replace_identity) {
  golden::Recipe recipe;
  const auto label = IMPRINT_TRY(extended_attributes(manifest.identity.selinux));
  recipe.device_files = {
      {manifest.identity.key_path, {0600, 0, 0}, sizes.key_bytes, replace_identity, label},
      {manifest.identity.certificate_path,
       {0644, 0, 0},
       sizes.certificate_bytes,
       replace_identity,
       label},
  };
  std::size_t text = 0;
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const manifest::FileSpec& spec = manifest.files[i];
    if (spec.per_device()) {
      auto attributes = IMPRINT_TRY(extended_attributes(spec.selinux));
      recipe.device_files.push_back({spec.to,
                                     {spec.mode, spec.uid, spec.gid},
                                     sizes.text_bytes[text++],
                                     true,
                                     std::move(attributes)});
    } else {
      recipe.files.push_back(IMPRINT_TRY(
          shared_file(spec).context(fmt::format("{}: /files/{}/from", manifest.path.string(), i))));
    }
  }

  recipe.files.insert(recipe.files.end(), entries.files.begin(), entries.files.end());
  const manifest::ConfTarget target = manifest.mender_conf.target;
  if (target != manifest::ConfTarget::data)
    recipe.merges.push_back(merged_conf(manifest, entries, mender::kMainConf, true));
  if (target != manifest::ConfTarget::rootfs)
    recipe.merges.push_back(merged_conf(manifest, entries, mender::kFallbackConf, false));
  IMPRINT_TRY(refuse_twice(manifest, recipe));
  return recipe;
}

}  // namespace imprint::pipeline
