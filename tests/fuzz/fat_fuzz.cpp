// A FAT file system of fixtures/fat, damaged. The first byte chooses which; the rest are
// instructions (image/damage.hpp). It is read, and looked at for an edit; mtools, which does the
// edits, is not started.

#include <deque>

#include "image/damage.hpp"
#include "imprint/image/file_systems.hpp"
#include "seeds.hpp"

namespace imprint::fuzz {
namespace {

using image::test::DamagedImage;

template <class T>
bool check(const Result<T>& result) {
  if (result) return true;
  expect_decent(result.error());
  expect(result.error().message().find("partition 4") != std::string::npos,
         "a message names the partition");
  return false;
}

void read_file(image::FileSystem& file_system, const std::string& path, std::uint64_t size) {
  std::uint64_t sum = 0;
  check(file_system.read(path, [&sum](std::uint64_t offset, ByteView bytes) {
    expect(offset == sum, "content comes in order");
    sum += bytes.size();
    return Result<>();
  }));
  expect(sum <= size, "no more content than the size says");
}

/// Directories that are a tree come to an end.
void read_all(image::FileSystem& file_system) {
  std::deque<std::string> directories{"/"};
  for (std::size_t count = 0; !directories.empty(); ++count) {
    expect(count < 10000, "a walk ends");
    const std::string directory = directories.front();
    directories.pop_front();
    const auto names = file_system.list(directory);
    if (!check(names)) continue;
    for (const std::string& name : *names) {
      const std::string path = (directory == "/" ? "" : directory) + "/" + name;
      const auto node = file_system.find(path);
      if (!check(node) || !*node) continue;
      if ((*node)->type == image::NodeType::directory) directories.push_back(path);
      if ((*node)->type == image::NodeType::file) read_file(file_system, path, (*node)->size_bytes);
    }
  }
}

}  // namespace
}  // namespace imprint::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imprint;
  static const std::vector<Bytes> seeds = fuzz::seed_images(IMPRINT_FIXTURES "/fat");
  if (size < 1) return 0;
  const auto complain = [](const std::string& what) { fuzz::expect(false, what.c_str()); };
  Bytes bytes = seeds[data[0] % seeds.size()];
  image::test::damage(bytes, std::as_bytes(std::span(data, size)).subspan(1));
  const fuzz::DamagedImage damaged(std::move(bytes), complain);
  image::Partition partition = damaged.partition();
  partition.file_system = "vfat";
  const auto reading = image::read_natively(damaged);
  if (const auto file_system = reading->open(partition); fuzz::check(file_system))
    fuzz::read_all(**file_system);
  image::Canvas canvas(damaged);
  const auto editing = image::edit_natively(canvas, std::nullopt);
  if (const auto file_system = editing->open(partition); fuzz::check(file_system))
    fuzz::read_all(**file_system);
  return 0;
}
