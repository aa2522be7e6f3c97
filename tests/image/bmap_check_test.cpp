#include "imprint/image/bmap_check.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "image/disk_image.hpp"
#include "imprint/crypto/digest.hpp"
#include "imprint/image/bmap.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using test::FailsWith;
using test::IsOk;
using test::kMiB;
using test::poke;
using test::slurp;
using test::TempDir;

/// An image with two stretches of data, a hole, and a last block that is a part only.
class BmapCheck : public testing::Test {
 protected:
  void SetUp() override {
    (void)dir_.write("image", std::string(2 * kMiB, 'g'));
    fs::resize_file(image_, 8 * kMiB + 700);
    poke(image_, 5 * kMiB, std::string(10'000, 'h'));
    poke(image_, 8 * kMiB + 600, "tail");
    ASSERT_EQ(test::run_command({"sync", image_.native()}).status, 0);
  }

  void make_by_bmaptool() {
    const auto made =
        test::run_command({"bmaptool", "create", "--output", bmap_.native(), image_.native()});
    ASSERT_EQ(made.status, 0) << made.err;
    text_ = slurp(bmap_);
  }

  [[nodiscard]] Result<> check() const {
    const FileImage image = FileImage::open(image_).value();
    return check_bmap(image, bmap_);
  }

  [[nodiscard]] Result<> check_text(const std::string& text) {
    (void)dir_.write("image.bmap", text);
    return check();
  }

  /// The text with one part replaced, and its own checksum right again.
  [[nodiscard]] Result<> check_changed(const std::string& from, const std::string& to) {
    std::string text = text_;
    // Its comments come first, and name elements, too.
    const std::size_t at = text.rfind(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return check_text(with_checksum(std::move(text)));
  }

  [[nodiscard]] static std::string with_checksum(std::string text) {
    const std::size_t element = text.find("<BmapFileChecksum>");
    if (element == std::string::npos) return text;
    const std::size_t at = text.find_first_not_of(' ', element + 18);
    text.replace(at, 64, 64, '0');
    text.replace(at, 64, to_hex(crypto::sha256(bytes_of(text))));
    return text;
  }

  [[nodiscard]] bool bmaptool_copies() const {
    fs::remove(dir_ / "card");
    return test::run_command({"bmaptool", "copy", "--bmap", bmap_.native(), image_.native(),
                              (dir_ / "card").native()})
               .status == 0;
  }

  TempDir dir_;
  fs::path image_ = dir_ / "image";
  fs::path bmap_ = dir_ / "image.bmap";
  std::string text_;
};

TEST_F(BmapCheck, AcceptsThoseOfBmaptoolAndOfImprint) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  EXPECT_THAT(check(), IsOk());
  const FileImage image = FileImage::open(image_).value();
  const std::vector<DataRange> touched{{6 * kMiB, 100}};
  const auto made = BmapTemplate::build(image, touched).value()->finish({});
  EXPECT_THAT(check_text(made.value()), IsOk());
  EXPECT_TRUE(bmaptool_copies());
}

TEST_F(BmapCheck, AgreesWithBmaptoolOnChangedImages) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  poke(image_, kMiB, "G");
  EXPECT_FALSE(bmaptool_copies());
  EXPECT_THAT(check(),
              FailsWith(Code::check_failed, "blocks 0 to 511 of the image have the checksum"));
  poke(image_, kMiB, "g");
  EXPECT_TRUE(bmaptool_copies());
  EXPECT_THAT(check(), IsOk());
  poke(image_, 8 * kMiB + 600, "Tail");
  EXPECT_THAT(check(), FailsWith(Code::check_failed, "blocks 2048 to 2048 of the image"));
}

// bmaptool would copy this image, and the card would not have it.
TEST_F(BmapCheck, FindsDataThatIsNotListed) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  poke(image_, 7 * kMiB + 5, "x");
  EXPECT_TRUE(bmaptool_copies());
  EXPECT_THAT(check(), FailsWith(Code::check_failed,
                                 fmt::format("byte {} of the image is in no block that it lists",
                                             7 * kMiB + 5)));
  poke(image_, 7 * kMiB + 5, std::string(1, '\0'));
  EXPECT_THAT(check(), IsOk());
}

TEST_F(BmapCheck, SaysWhatDiffers) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  ASSERT_THAT(check_changed("2.0", "2.0"), IsOk()) << "the test's own checksum";
  const auto differs = [&](const std::string& from, const std::string& to,
                           const std::string& says) {
    EXPECT_THAT(check_changed(from, to), FailsWith(Code::check_failed, says)) << from << " " << to;
  };
  const std::string size = std::to_string(8 * kMiB + 700);
  differs("<ImageSize> " + size, "<ImageSize> 77",
          fmt::format("it is for an image of 77 bytes; this one has {}", size));
  differs("<BlockSize> 4096", "<BlockSize> 0", "its blocks are of 0 bytes");
  differs("<BlockSize> 4096", "<BlockSize> 8192", "the image has 2049 blocks; it has 1025");
  differs("<BlocksCount> 2049", "<BlocksCount> many",
          "'BlocksCount' is 'many', which is no number");
  differs("<MappedBlocksCount> ", "<MappedBlocksCount> 9", "blocks are listed; it lists 5");
  differs("> 0-511 <", "> 511-0 <", "'511-0' is no range of blocks");
  differs("> 0-511 <", "> 0-5000 <", "blocks 0 to 5000 reach behind the image, which has 2049");
  differs("> 0-511 <", "> 1500-1600 <", "are not behind the range before");
  differs(" chksum=\"", " sum=\"", "has no checksum");
  differs("<BlockMap>", "<BlockMap> </BlockMap> <Other>", "it is no well-formed XML: line");
  differs("<bmap ", "<map ", "it begins with 'map', not with 'bmap'");
  differs("ImageSize>", "Imagesize>", "it is no well-formed XML: line");
  EXPECT_THAT(check_changed("version=\"2.0\"", "version=\"3.0\""),
              FailsWith(Code::unsupported, "it has version '3.0'"));
  EXPECT_THAT(check_changed("version=\"2.0\"", "version=\"1.2\""),
              FailsWith(Code::unsupported, "versions 1.3 to 2.0"));
  EXPECT_THAT(check_changed("version=\"2.0\"", "version=\"x\""),
              FailsWith(Code::check_failed, "its version is missing"));
  EXPECT_THAT(check_changed("> sha256 <", "> md5 <"),
              FailsWith(Code::unsupported, "its checksums are of type 'md5'"));
}

TEST_F(BmapCheck, SaysWhatIsMissing) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  for (const std::string name : {"ImageSize", "BlockSize", "BlocksCount", "MappedBlocksCount",
                                 "ChecksumType", "BmapFileChecksum", "BlockMap"}) {
    std::string text = text_;
    const std::string open = "<" + name + ">";
    text.replace(text.rfind(open), open.size(), "<Other>");
    text.replace(text.find("</" + name + ">"), name.size() + 3, "</Other>");
    EXPECT_THAT(check_text(text),
                FailsWith(Code::check_failed, fmt::format("it has no '{}'", name)));
  }
}

TEST_F(BmapCheck, RefusesWhatWasTamperedWith) {
  IMPRINT_NEED_COMMAND("bmaptool");
  make_by_bmaptool();
  std::string text = text_;
  text += "\n";
  EXPECT_THAT(check_text(text), FailsWith(Code::check_failed, "its own checksum is"));
  EXPECT_FALSE(bmaptool_copies());
}

TEST_F(BmapCheck, IsSafeFromEntities) {
  std::string laughs = "<?xml version=\"1.0\"?><!DOCTYPE bmap [<!ENTITY a \"ha\">";
  for (char name = 'b'; name <= 'k'; ++name)
    laughs += fmt::format("<!ENTITY {} \"{}\">", name, [&] {
      std::string ten;
      for (int i = 0; i < 10; ++i)
        ten += fmt::format("&{};", static_cast<char>(name - 1));
      return ten;
    }());
  laughs += "]><bmap version=\"2.0\">&k;</bmap>";
  EXPECT_THAT(check_text(laughs), FailsWith(Code::check_failed, "it has a document type"));
  EXPECT_THAT(check_text("<bmap version=\"2.0\"><ImageSize>" + std::string(5000, '1') +
                         "</ImageSize></bmap>"),
              FailsWith(Code::check_failed, "an element of it is too long"));
}

TEST_F(BmapCheck, RefusesWhatIsNoBlockMap) {
  EXPECT_THAT(check(), FailsWith(Code::not_found, "image.bmap"));
  EXPECT_THAT(check_text(""), FailsWith(Code::check_failed, "it is no well-formed XML"));
  EXPECT_THAT(check_text("<html/>"),
              FailsWith(Code::check_failed, "it begins with 'html', not with 'bmap'"));
  EXPECT_THAT(check_text("<html/>"), FailsWith(Code::check_failed, "block map '"));
  fs::resize_file(bmap_, (64U << 20) + 1);
  EXPECT_THAT(check(), FailsWith(Code::invalid_input, "image.bmap"));
}

// As bmaptool wrote them until 2.0: SHA-1, under other names.
TEST_F(BmapCheck, KnowsVersion13) {
  IMPRINT_NEED_COMMAND("bmaptool");
  IMPRINT_NEED_COMMAND("sha1sum");
  const auto sha1 = [&](const std::string& content) {
    const auto file = dir_.write("hashed", content);
    return test::run_command({"sha1sum", file.string()}).out.substr(0, 40);
  };
  const std::string zeros(40, '0');
  const auto data = std::string(2 * kMiB, 'g');
  (void)dir_.write("image", data);
  std::string text = fmt::format(
      "<?xml version=\"1.0\" ?>\n<bmap version=\"1.3\">\n<ImageSize> {} </ImageSize>\n"
      "<BlockSize> 4096 </BlockSize>\n<BlocksCount> 512 </BlocksCount>\n"
      "<MappedBlocksCount> 512 </MappedBlocksCount>\n<BmapFileSHA1> {} </BmapFileSHA1>\n"
      "<BlockMap>\n<Range sha1=\"{}\"> 0-511 </Range>\n</BlockMap>\n</bmap>\n",
      2 * kMiB, zeros, sha1(data));
  text.replace(text.find(zeros), 40, sha1(text));
  EXPECT_THAT(check_text(text), IsOk());
  EXPECT_TRUE(bmaptool_copies());
  poke(image_, 5, "x");
  EXPECT_THAT(check(), FailsWith(Code::check_failed, "blocks 0 to 511"));
  EXPECT_FALSE(bmaptool_copies());
}

}  // namespace
}  // namespace imprint::image
