#include "imprint/base/owner.hpp"

#include <unistd.h>

#include <gmock/gmock.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint {
namespace {

using imprint::test::FailsWith;
using imprint::test::TempDir;

TEST(OwnerOf, IsThatOfWhatALinkLeadsTo) {
  const TempDir dir;
  fs::create_symlink(dir.write("file", "x"), dir / "link");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown((dir / "file").c_str(), 65533, 65532), 0);
    EXPECT_EQ(owner_of(dir / "link"), (Owner{65533, 65532}));
  } else {
    EXPECT_EQ(owner_of(dir / "link").value().user, ::geteuid());
  }
}

TEST(OwnerOf, NamesWhatIsMissing) {
  const TempDir dir;
  EXPECT_THAT(owner_of(dir / "none"),
              FailsWith(Code::not_found, "looking for the owner of '" + (dir / "none").string() +
                                             "': No such file or directory"));
}

TEST(GiveTo, NamesWhatIsNotOpen) {
  EXPECT_THAT(give_to(-1, {}, "gone"),
              FailsWith(Code::io, "looking for the owner of 'gone': Bad file descriptor"));
}

}  // namespace
}  // namespace imprint
