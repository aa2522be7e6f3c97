// The proof that no device of a batch can fail for what its row says. All templates are expanded
// for all rows once, before anything is written; a million rows take a few seconds, and save the
// night in which row 999,999 has a CN of 65 characters.
//
// Output names must differ even when case is ignored. Remembering a million names would cost more
// memory than the devices themselves, so only a hash and the row are kept, and a name that comes up
// again is expanded again to make sure. When the name's only variable is the id, ids being distinct
// is proof enough.

#include "imprint/manifest/plan.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "imprint/base/text.hpp"
#include "imprint/base/utf8.hpp"
#include "row_index.hpp"

namespace imprint::manifest {
namespace {

/// What imprint itself puts into an output directory.
constexpr std::array<std::string_view, 4> kOwnNames = {"report.json", "devices.csv", "failed.csv",
                                                       "certificates"};
/// SQLite puts files of its own beside these, named after them.
constexpr std::array<std::string_view, 2> kOwnStores = {"ledger.db", "overlays.db"};
constexpr std::array<std::string_view, 2> kOwnEndings = {".bmap", ".tmp"};
/// A block map's name is five bytes longer.
constexpr std::size_t kMaxNameBytes = 255 - kOwnEndings[0].size();

[[nodiscard]] std::string described(std::string_view what, const Template& text) {
  return fmt::format("{} {}", what, quoted(text.text()));
}

/// Whether no two devices may have the same value there: caseIgnoreMatch, so in more than case.
[[nodiscard]] bool tells_devices_apart(const IdentitySpec& identity, crypto::NameField field) {
  return identity.profile == CertificateProfile::idevid &&
         field == crypto::NameField::serial_number;
}

/// A serial number without a variable is the same on all devices.
Result<> check_constants(const Manifest& manifest, const DeviceTable& table) {
  for (const SubjectTemplate& attribute : manifest.identity.subject) {
    if (!attribute.value.is_constant() || table.size() < 2 ||
        !tells_devices_apart(manifest.identity, attribute.field)) {
      continue;
    }
    return fail(Code::invalid_input,
                fmt::format("/identity/subject/serialNumber: {} would be the serial number of all "
                            "devices; put a variable into it, like {{serial}}",
                            quoted(attribute.value.constant())));
  }
  return {};
}

/// Checks rows one after the other, with buffers that keep their memory.
class RowChecker {
 public:
  RowChecker(const Manifest& manifest, const DeviceTable& table, const DevicePlan& plan)
      : manifest_(manifest),
        table_(table),
        plan_(plan) {}

  Result<> check(std::size_t row) {
    IMPRINT_TRY(check_slots(row));
    IMPRINT_TRY(check_name(row));
    for (const DevicePlan::Text& text : plan_.texts)
      IMPRINT_TRY(expand(text.content, row));
    for (const DevicePlan::Datum& datum : plan_.identity_data) {
      IMPRINT_TRY(expand(datum.value, row));
      if (const auto bad = utf8::forbidden_character(value_)) {
        return refuse(row, datum.value, fmt::format("{} is not allowed", *bad));
      }
    }
    return {};
  }

 private:
  Result<> expand(const BoundTemplate& text, std::size_t row) {
    value_.clear();
    return text.expand(table_, row, value_);
  }

  /// The rule first broken by the value at hand, with the row and what the value was for.
  [[nodiscard]] Unexpected refuse(std::size_t row, const BoundTemplate& text,
                                  std::string_view rule) const {
    constexpr std::size_t kShown = 80;
    const bool cut = value_.size() > kShown;
    return fail(Code::invalid_input,
                fmt::format("{}: {}: {}{}: {}", table_.place(row), text.purpose(),
                            quoted(value_.substr(0, kShown)), cut ? "..." : "", rule));
  }

  Result<> check_slots(std::size_t row) {
    std::size_t slot = 0;
    for (const SubjectTemplate& attribute : manifest_.identity.subject) {
      if (attribute.value.is_constant()) continue;
      const BoundTemplate& text = plan_.slots[slot++];
      IMPRINT_TRY(expand(text, row));
      const auto valid = crypto::check_name_value(attribute.field, value_);
      if (!valid) return refuse(row, text, valid.error().message());
      if (tells_devices_apart(manifest_.identity, attribute.field))
        IMPRINT_TRY(check_serial_number(text, row));
    }
    for (const AltNameTemplate& name : manifest_.identity.san) {
      if (name.value.is_constant()) continue;
      const BoundTemplate& text = plan_.slots[slot++];
      IMPRINT_TRY(expand(text, row));
      const auto valid = crypto::check_alt_name(name.kind, value_);
      if (!valid) return refuse(row, text, valid.error().message());
    }
    return {};
  }

  /// The row before this one for which the text is the same (case ignored) as the value at hand.
  std::optional<std::uint32_t> twin_of(const BoundTemplate& text, std::size_t row,
                                       RowIndex& index) {
    if (text.distinct_by_id()) return std::nullopt;
    const auto same = [this, &text](std::uint32_t other) {
      other_.clear();
      return text.expand(table_, other, other_).has_value() &&
             equal_ignoring_ascii_case(other_, value_);
    };
    return index.insert(folded_hash(value_), static_cast<std::uint32_t>(row), same);
  }

  Result<> check_serial_number(const BoundTemplate& text, std::size_t row) {
    const auto twin = twin_of(text, row, serial_numbers_);
    if (!twin) return {};
    return refuse(row, text,
                  fmt::format("the serial number of {} too (case ignored); an IDevID's is its "
                              "own among all of a manufacturer (IEEE 802.1AR)",
                              table_.place(*twin)));
  }

  Result<> check_name(std::size_t row) {
    const BoundTemplate& text = plan_.output_name;
    IMPRINT_TRY(expand(text, row));
    const auto valid = check_output_name(value_);
    if (!valid) return refuse(row, text, valid.error().message());
    const auto twin = twin_of(text, row, names_);
    if (!twin) return {};
    return refuse(
        row, text,
        fmt::format("the name of {} too (case ignored); use {{id}} in it", table_.place(*twin)));
  }

  const Manifest& manifest_;
  const DeviceTable& table_;
  const DevicePlan& plan_;
  RowIndex names_;
  RowIndex serial_numbers_;
  std::string value_;
  std::string other_;
};

Result<DevicePlan> bind_all(const Manifest& manifest, const DeviceTable& table) {
  DevicePlan plan;
  for (const SubjectTemplate& attribute : manifest.identity.subject) {
    if (attribute.value.is_constant()) continue;
    const std::string what = fmt::format("subject {}", crypto::word(attribute.field));
    plan.slots.push_back(
        IMPRINT_TRY(attribute.value.bind(table, described(what, attribute.value))));
  }
  for (const AltNameTemplate& name : manifest.identity.san) {
    if (name.value.is_constant()) continue;
    const std::string what = fmt::format("SAN {}", crypto::word(name.kind));
    plan.slots.push_back(IMPRINT_TRY(name.value.bind(table, described(what, name.value))));
  }
  plan.output_name =
      IMPRINT_TRY(manifest.output.name.bind(table, described("output name", manifest.output.name)));
  for (std::size_t file = 0; file < manifest.files.size(); ++file) {
    const FileSpec& spec = manifest.files[file];
    if (!spec.per_device()) continue;
    // The text may hold a password: the file's name has to do.
    auto content = IMPRINT_TRY(spec.text.bind(table, "file " + quoted(spec.to)));
    plan.texts.push_back({file, std::move(content)});
  }
  for (const IdentityDatum& datum : manifest.identity_data) {
    const std::string what = fmt::format("identity_data {}", quoted(datum.name));
    auto value = IMPRINT_TRY(datum.value.bind(table, described(what, datum.value)));
    plan.identity_data.push_back({datum.name, std::move(value)});
  }
  return plan;
}

}  // namespace

Result<DevicePlan> plan_devices(const Manifest& manifest, const DeviceTable& table) {
  const std::string name = printable(manifest.path.native());
  IMPRINT_TRY(check_constants(manifest, table).context(name));
  DevicePlan plan = IMPRINT_TRY(bind_all(manifest, table).context(name));

  RowChecker checker(manifest, table, plan);
  std::optional<Error> first;
  std::size_t others = 0;
  for (std::size_t row = 0; row < table.size(); ++row) {
    auto checked = checker.check(row);
    if (checked) continue;
    if (first) {
      ++others;
    } else {
      first = std::move(checked).error();
    }
  }
  if (!first) return plan;
  if (others > 0)
    first->what += fmt::format(" (and {} more row{})", others, others == 1 ? "" : "s");
  return fail(*std::move(first));
}

Result<> check_output_name(std::string_view name) {
  const auto refuse = [](std::string reason) {
    return fail(Code::invalid_input, std::move(reason));
  };
  if (name.empty()) return refuse("a file needs a name");
  if (name.size() > kMaxNameBytes) {
    return refuse(fmt::format("{} bytes; a name may have at most {}", name.size(), kMaxNameBytes));
  }
  if (utf8::first_invalid(name)) return refuse("invalid UTF-8");
  if (const auto bad = utf8::forbidden_character(name))
    return refuse(fmt::format("{} is not allowed", *bad));
  if (name.find('/') != std::string_view::npos) return refuse("a slash cannot be in a file name");
  if (name.front() == '.' || name.front() == '-')
    return refuse("it cannot start with a dot or dash");

  const std::string lower = to_lower_ascii(name);
  const bool own = std::find(kOwnNames.begin(), kOwnNames.end(), lower) != kOwnNames.end() ||
                   std::any_of(kOwnStores.begin(), kOwnStores.end(),
                               [&](auto s) { return lower.starts_with(s); });
  if (own) return refuse("imprint itself uses this name");
  for (const std::string_view ending : kOwnEndings) {
    if (lower.ends_with(ending))
      return refuse(fmt::format("imprint itself uses names ending in '{}'", ending));
  }
  return {};
}

}  // namespace imprint::manifest
