#include <fmt/format.h>

#include "entry_name.hpp"
#include "imprint/base/text.hpp"
#include "imprint/files/copy.hpp"

namespace imprint::files {
namespace {

using image::NodeInfo;
using image::NodeType;

constexpr unsigned kPlainBits = 0777;

/// One copy, from its first name down.
class CopyIn {
 public:
  CopyIn(Changes& changes, Source& source, const CopyOptions& options)
      : changes_(changes),
        source_(source),
        options_(options) {}

  Result<> copy(const std::string& path, const std::string& destination) {
    const NodeInfo node = IMPRINT_TRY(source_.stat(path).context(quoted(source_.described())));
    switch (node.type) {
      case NodeType::file:
        return copy_file(path, destination, node);
      case NodeType::directory:
        return copy_directory(path, destination, node);
      case NodeType::symlink:
        return copy_link(path, destination, node);
      case NodeType::other:
        break;
    }
    return fail(Code::unsupported,
                fmt::format("{} is a device, a socket or a pipe; only files, directories and links "
                            "are copied",
                            quoted(described(path))));
  }

 private:
  [[nodiscard]] std::string described(const std::string& path) const {
    return path.empty() ? source_.described() : source_.described() + "/" + path;
  }

  /// What the copy is to get: what was asked for, above what is preserved.
  Result<Wanted> wanted_for(const std::string& path, const NodeInfo& node) {
    Wanted wanted = options_.wanted;
    if (node.type != NodeType::file) wanted.mode.reset();
    if (!options_.preserve) return wanted;
    wanted.mode = wanted.mode.value_or(node.mode);
    wanted.as_far_as_possible = !wanted.needs_owners();
    wanted.uid = wanted.uid.value_or(node.uid);
    wanted.gid = wanted.gid.value_or(node.gid);
    wanted.modified = wanted.modified.value_or(node.modified);
    auto attributes = IMPRINT_TRY(source_.extended_attributes(path));
    // Those asked for come last, and so prevail.
    attributes.insert(attributes.end(), wanted.extended_attributes.begin(),
                      wanted.extended_attributes.end());
    wanted.extended_attributes = std::move(attributes);
    return wanted;
  }

  Result<> copy_file(const std::string& path, const std::string& destination,
                     const NodeInfo& node) {
    const Wanted wanted = IMPRINT_TRY(wanted_for(path, node));
    const auto content = IMPRINT_TRY(source_.content(path).context(quoted(described(path))));
    return changes_.put(destination, *content, wanted, node.mode & kPlainBits, options_.parents);
  }

  Result<> copy_directory(const std::string& path, const std::string& destination,
                          const NodeInfo& node) {
    if (!options_.recursive) {
      return fail(Code::invalid_input,
                  fmt::format("{} is a directory; -r copies it with everything in it",
                              quoted(described(path))));
    }
    const Wanted wanted = IMPRINT_TRY(wanted_for(path, node));
    const bool is_there = IMPRINT_TRY(changes_.is_directory(destination));
    if (!is_there || options_.preserve) {
      const auto parents = is_there ? Changes::Parents::make : options_.parents;
      IMPRINT_TRY(changes_.make_directory(destination, wanted, node.mode & kPlainBits, parents));
    }
    const auto names = IMPRINT_TRY(source_.list(path));
    for (const std::string& name : names) {
      IMPRINT_TRY(check_entry_name(name, source_));
      const std::string inner = path.empty() ? name : path + "/" + name;
      IMPRINT_TRY(copy(inner, fmt::format("{}/{}", destination, name)));
    }
    return {};
  }

  Result<> copy_link(const std::string& path, const std::string& destination,
                     const NodeInfo& node) {
    const Wanted wanted = IMPRINT_TRY(wanted_for(path, node));
    const std::string target = IMPRINT_TRY(source_.read_link(path));
    return changes_.make_symlink(destination, target, wanted);
  }

  Changes& changes_;
  Source& source_;
  const CopyOptions& options_;
};

}  // namespace

Result<> copy_in(Changes& changes, Source& source, const std::string& destination,
                 const CopyOptions& options) {
  std::string target = destination;
  const bool into = destination.ends_with('/') || IMPRINT_TRY(changes.is_directory(destination));
  if (into) {
    const std::string name = source.name();
    if (name.empty()) {
      return fail(Code::invalid_input,
                  fmt::format("{} is a directory, and {} has no name of its own: name the file",
                              quoted(destination), source.described()));
    }
    while (target.ends_with('/'))
      target.pop_back();
    target += "/" + name;
  }
  return CopyIn(changes, source, options).copy({}, target);
}

}  // namespace imprint::files
