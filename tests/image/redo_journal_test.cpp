#include "redo_journal.hpp"

#include <gtest/gtest.h>

#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::image {
namespace {

using std::string_literals::operator""s;
using test::IsOk;

[[nodiscard]] crypto::WipedBytes one(char byte) {
  return crypto::WipedBytes(1, static_cast<std::byte>(byte));
}

/// The worked example of docs/image.md.
[[nodiscard]] Journal example() {
  Journal journal;
  journal.image_bytes = 8192;
  journal.note = "n";
  journal.undo.push_back(Piece{4096, one('\0'), piece_digest(bytes_of("K"))});
  journal.redo.push_back(Piece{1024, one('B'), piece_digest(bytes_of("A"))});
  return journal;
}

[[nodiscard]] std::string sha256_by_others(const std::string& input) {
  return test::run_command({"sha256sum"}, input).out.substr(0, 64);
}

TEST(RedoJournal, IsLaidOutAsDocumented) {
  IMPRINT_NEED_COMMAND("sha256sum");
  const std::string body =
      "\0\x20\0\0\0\0\0\0\x01\0\0\0n"
      "\x01\0\0\0\0\x10\0\0\0\0\0\0\x01\0\x86\xbe\x9a\x55\x76\x2d\x31\x6a\0"
      "\x01\0\0\0\0\x04\0\0\0\0\0\0\x01\0\x55\x9a\xea\xd0\x82\x64\xd5\x79"
      "B"s;
  const EncodedJournal encoded = encode(example());
  const std::string text(text_of(encoded.bytes));
  EXPECT_EQ(text.substr(0, 20), "IMPRREDO\x01\0\0\0\x3b\0\0\0\0\0\0\0"s);
  EXPECT_EQ(to_hex(bytes_of(text.substr(20, 32))), sha256_by_others(body));
  EXPECT_EQ(text.substr(52), body + std::string(32, '\0'));
  EXPECT_EQ(encoded.mark_offset, text.size() - 32);
  EXPECT_EQ(to_hex(encoded.mark), sha256_by_others("imprint redo: decided" + text.substr(20, 32)));
}

TEST(RedoJournal, IsReadBackAsWritten) {
  const test::TempDir dir;
  const EncodedJournal encoded = encode(example());
  std::string text(text_of(encoded.bytes));
  auto loaded = load_journal(dir.write("journal", text));
  ASSERT_THAT(loaded, IsOk());
  EXPECT_FALSE(loaded->decided);
  EXPECT_EQ(encode(loaded->journal).bytes, encoded.bytes);
  EXPECT_EQ(loaded->mark_offset, encoded.mark_offset);

  text.replace(text.size() - 32, 32, text_of(encoded.mark));
  loaded = load_journal(dir.write("journal", text));
  ASSERT_THAT(loaded, IsOk());
  EXPECT_TRUE(loaded->decided);
}

}  // namespace
}  // namespace imprint::image
