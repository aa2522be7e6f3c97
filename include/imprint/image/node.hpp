#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "imprint/base/bytes.hpp"
#include "imprint/base/clock.hpp"

namespace imprint::image {

/// Of an ext file system's own numbering; 0 where a file system has none (FAT).
using InodeNumber = std::uint32_t;

enum class NodeType { file, directory, symlink, other };

struct NodeInfo {
  InodeNumber inode = 0;
  NodeType type = NodeType::other;
  unsigned mode = 0;  ///< permission bits, 07777
  unsigned uid = 0;
  unsigned gid = 0;
  std::uint64_t size_bytes = 0;
  unsigned links = 0;
  TimePoint modified;
  TimePoint accessed;
  TimePoint changed;
};

struct ExtendedAttribute {
  std::string name;  ///< with its namespace: `security.selinux`
  Bytes value;
};

/// What a new node gets.
struct Attributes {
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  /// Time of modification; the time of the edit when there is none.
  std::optional<TimePoint> modified = std::nullopt;
};

/// What of a node that is there is to be changed.
struct AttributeChange {
  std::optional<unsigned> mode = std::nullopt;
  std::optional<unsigned> uid = std::nullopt;
  std::optional<unsigned> gid = std::nullopt;
  std::optional<TimePoint> modified = std::nullopt;
};

}  // namespace imprint::image
