#include "der.hpp"

#include "oracles.hpp"

namespace imprint::crypto::der {
namespace {

Bytes element(std::uint8_t tag, std::size_t content) {
  Bytes bytes(header_size(content) + content, std::byte{0xaa});
  write_header(bytes.data(), tag, content);
  return bytes;
}

// Sizes on both sides of every change in the number of length octets; the expected octets are
// X.690's.
TEST(Der, WritesTheShortestLength) {
  EXPECT_EQ(to_hex(ByteView(element(4, 127)).first(2)), "047f");
  EXPECT_EQ(to_hex(ByteView(element(4, 128)).first(3)), "048180");
  EXPECT_EQ(to_hex(ByteView(element(4, 255)).first(3)), "0481ff");
  EXPECT_EQ(to_hex(ByteView(element(4, 256)).first(4)), "04820100");
  EXPECT_EQ(to_hex(ByteView(element(4, 65535)).first(4)), "0482ffff");
  EXPECT_EQ(to_hex(ByteView(element(4, 65536)).first(5)), "0483010000");
}

TEST(Der, ReadsWhatItWrites) {
  for (const std::size_t size :
       std::array<std::size_t, 8>{0, 1, 127, 128, 255, 256, 65535, 65536}) {
    const Bytes bytes = element(0x30, size);
    const auto read_back = read(bytes);
    ASSERT_TRUE(read_back) << size;
    EXPECT_EQ(read_back->tag, 0x30);
    EXPECT_EQ(read_back->content.size(), size);
    EXPECT_EQ(read_back->whole.size(), bytes.size());
  }
}

TEST(Der, RefusesWhatIsCutOrNoDer) {
  const auto refuses = [](std::initializer_list<int> octets) {
    Bytes bytes;
    for (const int octet : octets)
      bytes.push_back(static_cast<std::byte>(octet));
    return !read(bytes);
  };
  EXPECT_TRUE(refuses({}));
  EXPECT_TRUE(refuses({0x04}));
  EXPECT_TRUE(refuses({0x04, 0x02, 0x00}));        // cut content
  EXPECT_TRUE(refuses({0x04, 0x82, 0x01}));        // cut length
  EXPECT_TRUE(refuses({0x04, 0x80, 0x00, 0x00}));  // indefinite
  EXPECT_TRUE(refuses({0x04, 0x81, 0x01, 0x00}));  // longer than needed
  EXPECT_TRUE(refuses({0x04, 0x84, 0, 0, 0, 0}));  // longer than handled
  EXPECT_FALSE(read_all(ByteView(element(4, 3)).first(4)));
}

TEST(DerTemplate, ComputesNestedLengthsFromSlots) {
  Template layout;
  layout.open(0x30);
  layout.constant(bytes_of("\x02\x01\x05"));
  layout.open(0x31);
  layout.slot(0x0c, 0);
  layout.close();
  layout.slot(Template::kWholeElement, 1);
  layout.close();
  std::vector<std::size_t> lengths(layout.item_count());
  for (const std::size_t size :
       std::array<std::size_t, 9>{0, 1, 100, 127, 128, 130, 250, 300, 70000}) {
    const Bytes text(size, std::byte{'x'});
    const Bytes whole = element(4, 5);
    const std::array<ByteView, 2> slots = {text, whole};
    Bytes result(layout.measure(slots, lengths));
    EXPECT_EQ(layout.write(slots, lengths, result.data()), result.data() + result.size());
    const auto outer = read(result);
    ASSERT_TRUE(outer) << size;
    EXPECT_EQ(outer->whole.size(), result.size());
    const auto parts = read_all(outer->content);
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), 3U);
    EXPECT_EQ(to_hex((*parts)[0].whole), "020105");
    const auto inner = read((*parts)[1].content);
    ASSERT_TRUE(inner);
    EXPECT_EQ(inner->tag, 0x0c);
    EXPECT_TRUE(std::ranges::equal(inner->content, text));
    EXPECT_TRUE(std::ranges::equal((*parts)[2].whole, whole));
  }
}

}  // namespace
}  // namespace imprint::crypto::der
