#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace imprint::test {

/// Looks for secrets in all memory of this process. What it looks for is kept in one region of its
/// own, into which files are read without any buffer between, and which is left out of the search.
class MemoryScan {
 public:
  MemoryScan();
  MemoryScan(const MemoryScan&) = delete;
  MemoryScan& operator=(const MemoryScan&) = delete;
  ~MemoryScan();

  /// A file's content, in the region. At most 64 KiB.
  std::span<const std::byte> read(const std::filesystem::path& file);

  /// Looks for the first and the last 16 bytes of it, forwards and backwards (numbers of OpenSSL
  /// are little-endian): a part of a secret is one too. `secret` lies in the region.
  void look_for_number(const std::string& label, std::span<const std::byte> secret);

  /// The same, forwards only.
  void look_for_text(const std::string& label, std::span<const std::byte> secret);

  /// Looks for the lines of the PEM form of `der` in which bytes from `begin` to before `end` are.
  void look_for_pem_lines(const std::string& label, std::span<const std::byte> der,
                          std::size_t begin, std::size_t end);

  /// Looks for all secret numbers of a PKCS#8 file (P-256 or RSA, DER), and for its PEM lines.
  void look_for_key(const std::string& label, const std::filesystem::path& pkcs8);

  [[nodiscard]] std::size_t count() const noexcept { return needles_.size(); }

  /// What was found and where: `label: forwards in [heap]`. Each needle is told once.
  [[nodiscard]] std::vector<std::string> find();

 private:
  struct Needle {
    std::string label;
    std::span<const std::byte> bytes;
    bool found = false;
  };

  std::span<std::byte> take(std::size_t size);
  void add(std::string label, std::span<const std::byte> bytes);
  void search(std::span<const std::byte> memory, const std::string& where,
              std::vector<std::string>& found);

  std::byte* region_;
  std::size_t used_ = 0;
  std::vector<Needle> needles_;
  std::unordered_multimap<std::uint32_t, std::size_t> by_prefix_;
  std::vector<bool> prefixes_;
};

}  // namespace imprint::test
