#include "curl.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace imprint::devauth {
namespace {

using test::FailsWith;
using test::IsOk;

TEST(LibCurl, IsLoadedWhenItIsNeeded) {
  ASSERT_THAT(load_libcurl(), IsOk());
  EXPECT_STREQ(libcurl().easy_strerror(CURLE_OK), "No error");
}

TEST(LibCurl, SaysWhatToInstallWhenItIsNotThere) {
  EXPECT_THAT(Curl::load_from("libcurl-of-no-machine.so.4"),
              FailsWith(Code::io, "install it with 'apt-get install libcurl4'"));
}

TEST(LibCurl, SaysWhatAnOldOneLacks) {
  EXPECT_THAT(Curl::load_from("libc.so.6"),
              FailsWith(Code::io,
                        "'libc.so.6' has no function 'curl_url_strerror': it is too old; "
                        "install libcurl 7.88 or newer"));
}

}  // namespace
}  // namespace imprint::devauth
