// A file system of fixtures/ext, damaged. The first byte chooses which, the next two the edits; the
// rest are instructions (image/damage.hpp).

#include "image/damage.hpp"
#include "seeds.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imprint;
  constexpr std::size_t kHeadBytes = 3;
  static const std::vector<Bytes> seeds = fuzz::seed_images(IMPRINT_FIXTURES "/ext");
  if (size < kHeadBytes) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));

  const auto complain = [](const std::string& what) { fuzz::expect(false, what.c_str()); };
  Bytes file_system = seeds[data[0] % seeds.size()];
  image::test::damage(file_system, input.subspan(kHeadBytes));
  const image::test::DamagedImage damaged(std::move(file_system), complain);
  image::test::read_all(damaged, damaged, complain);
  image::test::edit(damaged, data[1] | (static_cast<unsigned>(data[2]) << 8U), complain);
  return 0;
}
