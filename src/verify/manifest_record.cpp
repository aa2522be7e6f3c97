#include "manifest_record.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "imprint/base/text.hpp"
#include "imprint/crypto/examine.hpp"

namespace imprint::verify {

namespace {

Unexpected differs(std::string what) {
  return fail(Code::check_failed, std::move(what));
}

/// Values of the row's slots, one after the other, in the order of the certificate's names.
class Slots {
 public:
  Slots(const manifest::DevicePlan& plan, const manifest::DeviceTable& devices, std::size_t row)
      : plan_(plan),
        devices_(devices),
        row_(row) {}

  Result<std::string> value(const manifest::Template& text) {
    if (text.is_constant()) return text.constant();
    std::string value;
    IMPRINT_TRY(plan_.slots[next_++].expand(devices_, row_, value));
    return value;
  }

 private:
  const manifest::DevicePlan& plan_;
  const manifest::DeviceTable& devices_;
  std::size_t row_;
  std::size_t next_ = 0;
};

/// Names with their values as bytes: an IPv6 address can be written in many ways. Of hardware
/// modules there is no text to compare.
std::vector<std::string> comparable(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const std::string& name : names) {
    const auto split = crypto::split_alt_name(name);
    if (!split || split->kind == crypto::AltNameKind::hardware_module) continue;
    const Bytes octets = crypto::alt_name_octets(split->kind, split->value);
    all.push_back(fmt::format("{}:{}", crypto::word(split->kind), text_of(octets)));
  }
  std::ranges::sort(all);
  return all;
}

/// `unit-1.sdimg` for `unit-1.sdimg.zst`: flashing lines compress what a batch has made.
std::string without_compression(std::string name) {
  for (const std::string_view ending : {".gz", ".bz2", ".xz", ".zst"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name;
}

}  // namespace

ManifestRecord::ManifestRecord(manifest::Manifest manifest, manifest::DeviceTable devices,
                               manifest::DevicePlan plan)
    : manifest_(std::move(manifest)),
      devices_(std::move(devices)),
      plan_(std::move(plan)) {}

Result<ManifestRecord> ManifestRecord::load(const fs::path& path) {
  auto manifest = IMPRINT_TRY(manifest::load_manifest(path));
  auto devices = IMPRINT_TRY(manifest::load_devices(manifest));
  auto plan = IMPRINT_TRY(manifest::plan_devices(manifest, devices));
  ManifestRecord record(std::move(manifest), std::move(devices), std::move(plan));
  record.rows_by_image_.reserve(record.devices_.size());
  for (std::size_t row = 0; row < record.devices_.size(); ++row) {
    std::string name;
    IMPRINT_TRY(record.plan_.output_name.expand(record.devices_, row, name));
    record.rows_by_image_.emplace(std::move(name), row);
  }
  return record;
}

std::optional<std::size_t> ManifestRecord::row_of(const Clues& clues,
                                                  const crypto::Certificate& certificate) const {
  const auto named = rows_by_image_.find(without_compression(clues.image_name));
  if (named != rows_by_image_.end()) return named->second;
  if (!clues.ledger_id.empty()) return devices_.find(clues.ledger_id);
  return devices_.find(certificate.common_name());
}

Result<> ManifestRecord::compare_names(std::size_t row,
                                       const crypto::Certificate& certificate) const {
  Slots slots(plan_, devices_, row);
  std::vector<crypto::SubjectAttribute> subject;
  for (const manifest::SubjectTemplate& attribute : manifest_.identity.subject) {
    auto value = IMPRINT_TRY(slots.value(attribute.value));
    subject.push_back({.field = attribute.field, .value = std::move(value)});
  }
  const auto kind = certificate.key_kind();
  if (kind != manifest_.identity.key) {
    return differs(fmt::format("the key is {}, should be {}",
                               kind ? crypto::name(*kind) : "of another kind",
                               crypto::name(manifest_.identity.key)));
  }
  const std::string expected = crypto::subject_text(subject);
  if (certificate.subject_text() != expected) {
    return differs(fmt::format("the certificate's subject is {}, should be {}",
                               quoted(certificate.subject_text()), quoted(expected)));
  }
  std::vector<std::string> names;
  for (const manifest::AltNameTemplate& name : manifest_.identity.san) {
    auto value = IMPRINT_TRY(slots.value(name.value));
    names.push_back(
        fmt::format("{}:{}", crypto::word(name.kind),
                    name.hardware_type.empty() ? value : name.hardware_type + ";" + value));
  }
  const std::vector<std::string> found = crypto::names_of(certificate).alt_names;
  if (found.size() == names.size() && comparable(found) == comparable(names)) return {};
  return differs(fmt::format("the certificate's names are [{}], should be [{}]",
                             fmt::join(found, ", "), fmt::join(names, ", ")));
}

Result<> ManifestRecord::compare_places(const std::vector<Client>& clients) const {
  const auto expect = [](const Client& client, std::string_view setting,
                         const std::optional<std::string>& found,
                         const std::string& wanted) -> Result<> {
    if (found == wanted) return {};
    return differs(fmt::format("{}: {} is {}, should be {}", client.root->label, setting,
                               quoted(found.value_or("")), quoted(wanted)));
  };
  const manifest::IdentitySpec& identity = manifest_.identity;
  for (const Client& client : clients) {
    const auto& servers = manifest_.mender_conf.servers;
    if (!servers.empty())
      IMPRINT_TRY(expect(client, "ServerURL", client.conf.server_url(), servers.front()));
    IMPRINT_TRY(expect(client, "HttpsClient.Certificate", client.conf.certificate(),
                       identity.certificate_path));
    IMPRINT_TRY(expect(client, "HttpsClient.Key", client.conf.key(), identity.key_path));
  }
  return {};
}

Result<> ManifestRecord::compare_texts(std::size_t row, OpenImage& image) const {
  auto text = plan_.texts.begin();
  for (const manifest::FileSpec& spec : manifest_.files) {
    if (!spec.from.empty()) continue;
    std::string expected;
    if (spec.per_device()) {
      IMPRINT_TRY((text++)->content.expand(devices_, row, expected));
    } else {
      expected = spec.text.constant();
    }
    for (image::FileSystems::Root& root : image.roots) {
      const auto location = root.tree.resolve(spec.to);
      if (!location || !location->node)
        return differs(fmt::format("{}{} is not there", prefix_of(image, root), spec.to));
      const image::NodeInfo& node = *location->node;
      const auto content = location->file_system->read_whole(location->path);
      if (!content || text_of(*content) != expected)
        return differs(
            fmt::format("{}{} is not what it should be", prefix_of(image, root), spec.to));
      if (location->file_system->has_owners() &&
          (node.mode != spec.mode || node.uid != spec.uid || node.gid != spec.gid)) {
        return differs(fmt::format("{}{} is {:04o} {}:{}, should be {:04o} {}:{}",
                                   prefix_of(image, root), spec.to, node.mode, node.uid, node.gid,
                                   spec.mode, spec.uid, spec.gid));
      }
    }
  }
  return {};
}

std::vector<std::string> ManifestRecord::device_files() const {
  std::vector<std::string> paths;
  for (const manifest::DevicePlan::Text& text : plan_.texts)
    paths.push_back(manifest_.files[text.file].to);
  return paths;
}

std::string ManifestRecord::check(OpenImage& image, const crypto::Certificate& certificate,
                                  std::vector<Client>& clients, const Clues& clues,
                                  Findings& findings) const {
  const auto row = row_of(clues, certificate);
  if (!row) {
    findings.failed(
        check::kManifest,
        fmt::format("it has no device with an image {} or the id {}", quoted(clues.image_name),
                    quoted(clues.ledger_id.empty() ? certificate.common_name() : clues.ledger_id)));
    return {};
  }
  const std::string id(devices_.id(*row));
  const auto judge = [&](const Result<>& compared) {
    if (!compared)
      findings.failed(check::kManifest, fmt::format("{}: {}", id, compared.error().message()));
    return compared.has_value();
  };
  if (!clues.ledger_id.empty() && clues.ledger_id != id) {
    judge(differs(fmt::format("this is the identity of {}, by the ledger", clues.ledger_id)));
    return id;
  }
  if (judge(compare_names(*row, certificate)) && judge(compare_places(clients)) &&
      judge(compare_texts(*row, image)))
    findings.passed(check::kManifest, id);
  return id;
}

}  // namespace imprint::verify
