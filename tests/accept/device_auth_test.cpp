// The judge judges: the device-authentication server refuses what Mender's refuses, so that being
// accepted by it means something.

#include <gmock/gmock.h>

#include "accept/fleet.hpp"
#include "accept/new_client.hpp"
#include "support/image_oracle.hpp"
#include "support/in_memory.hpp"

namespace imprint::accept {
namespace {

namespace fs = std::filesystem;

using imprint::test::openssl;
using imprint::test::TempDir;
using testing::HasSubstr;

IMPRINT_TEMPORARIES_IN_MEMORY();

class Judge : public testing::Test {
 protected:
  void SetUp() override {
    IMPRINT_NEED_FLEET();
    fleet_.emplace(Fleet::Wish{.service_key = service_key_});
  }

  fs::path known_device(const std::string& key) {
    fs::path image = fleet_->provision({.id = "unit", .key = key});
    fleet_->preauthorize();
    return image;
  }

  std::string service_key_ = "ed25519";
  std::optional<Fleet> fleet_;
};

/// With the key that `imprint keygen` makes by default.
class JudgeWithRsa : public Judge {
 protected:
  JudgeWithRsa() { service_key_ = "rsa:3072"; }
};

TEST_F(Judge, RefusesASignatureThatIsNotOfTheKeyOrNotOfTheBody) {
  for (const char* key : {"ec:P-256", "rsa:2048", "ed25519"}) {
    const fs::path image =
        fleet_->provision({.id = std::string("unit-") + key[0] + key[1], .key = key});
    fleet_->preauthorize();
    for (const char* how : {"body", "signature", "unsigned"}) {
      const Authorization answer = authorize_as_new_client(image, {"--tamper", how});
      EXPECT_EQ(answer.status, 401) << key << how;
      EXPECT_THAT(answer.said, HasSubstr("X-MEN-Signature is not valid")) << key << how;
    }
    EXPECT_EQ(authorize_as_new_client(image).status, 200) << key;
  }
}

TEST_F(Judge, ComparesKeysNotTheirTexts) {
  const Authorization answer =
      authorize_as_new_client(known_device("ec:P-256"), {"--tamper", "text"});
  EXPECT_EQ(answer.status, 200) << answer.said;
}

TEST_F(Judge, RefusesATokenThatItHasNotMade) {
  const Authorization answer =
      authorize_as_new_client(known_device("ec:P-256"), {"--spoil-token", "AAAA"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.work, 401);
  EXPECT_THAT(answer.said, HasSubstr("the token is not of this server"));
}

/// base64url, without padding, as it stands in tokens.
std::string decoded(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  while (text.size() % 4 != 0)
    text += '=';
  return openssl({"base64", "-d", "-A"}, text);
}

TEST_F(JudgeWithRsa, ItsTokensAreSignedWithTheKeyThatKeygenMade) {
  IMPRINT_NEED_COMMAND("openssl");
  const Authorization answer = authorize_as_new_client(known_device("ec:P-256"));
  const std::size_t end = answer.token.rfind('.');
  ASSERT_NE(end, std::string::npos) << answer.said;
  const TempDir dir;
  const std::string signature = dir.write("signature", decoded(answer.token.substr(end + 1)));
  const std::string text = dir.write("text", answer.token.substr(0, end));
  openssl({"pkey", "-in", "keys/keys/deviceauth/private.key", "-pubout", "-out", dir / "public"});
  EXPECT_EQ(openssl({"dgst", "-sha256", "-verify", dir / "public", "-signature", signature, text}),
            "Verified OK\n");
  EXPECT_EQ(fleet_->server().log(), "");
}

}  // namespace
}  // namespace imprint::accept
