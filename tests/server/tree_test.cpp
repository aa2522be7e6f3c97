#include "imprint/server/tree.hpp"

#include <unistd.h>

#include <gmock/gmock.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace imprint::server {
namespace {

using imprint::test::FailsWith;
using imprint::test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Tree, NumberedKeysAreFoundByTheirNames) {
  const TempDir dir;
  EXPECT_THAT(service_key_ids(dir.path(), Service::useradm).value(), IsEmpty());
  fs::create_directories(dir / "keys/useradm");
  for (const char* const name :
       {"private.id.10.pem", "private.id.2.pem", "private.key", "private.id.03.pem",
        "private.id.0.pem", "private.id.-1.pem", "private.id.4.pem.bak", "private.id..pem",
        "private.id.99999999999.pem", "public.id.5.pem"}) {
    dir.write(std::string("keys/useradm/") + name, "");
  }
  EXPECT_THAT(service_key_ids(dir.path(), Service::useradm).value(), ElementsAre(0U, 2U, 10U));
}

// Root may read everything, but a link to itself leads nobody anywhere.
TEST(Tree, WhatCannotBeLookedAtIsNotMissing) {
  const TempDir dir;
  fs::create_directory_symlink("cert", dir / "cert");
  EXPECT_THAT(read_tree(dir.path()),
              FailsWith(Code::invalid_input, "looking for '" + (dir / "cert/cert.crt").string() +
                                                 "': Too many levels of symbolic links"));
  if (::geteuid() == 0) return;
  fs::remove(dir / "cert");
  fs::create_directory(dir / "cert");
  fs::permissions(dir / "cert", fs::perms::none);
  EXPECT_THAT(read_tree(dir.path()),
              FailsWith(Code::io, "looking for '" + (dir / "cert/cert.crt").string() +
                                      "': Permission denied"));
  fs::permissions(dir / "cert", fs::perms::owner_all);
}

TEST(Tree, VersionsOfServers) {
  EXPECT_EQ(parse_server_version("1.7"), ServerVersion::v1);
  EXPECT_EQ(parse_server_version("2.6.1"), ServerVersion::v1);
  EXPECT_EQ(parse_server_version("2.7"), ServerVersion::v2_7);
  EXPECT_EQ(parse_server_version("3.0"), ServerVersion::v3_0);
  EXPECT_EQ(parse_server_version("3.7.4"), ServerVersion::v3_1);
  EXPECT_EQ(parse_server_version("4"), ServerVersion::v4);
  EXPECT_EQ(parse_server_version("5.2"), ServerVersion::v4);
  for (const char* const text : {"", "3", "0.9", "v4", "4.", "4.0.0.1", "4.x", "-4"}) {
    EXPECT_THAT(parse_server_version(text),
                FailsWith(Code::invalid_input,
                          "is no version of a Mender server; write it like 3.7 or 4.0"))
        << text;
  }
}

}  // namespace
}  // namespace imprint::server
