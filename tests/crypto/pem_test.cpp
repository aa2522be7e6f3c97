#include "pem.hpp"

#include "oracles.hpp"

namespace imprint::crypto {
namespace {

using test::FailsWith;
using test::IsOk;

std::string pem_of(ByteView der) {
  std::string pem(pem_size("DATA", der.size()), '?');
  write_pem("DATA", der, std::as_writable_bytes(std::span(pem)));
  return pem;
}

// Every length around the line breaks and paddings, read back by OpenSSL's decoder.
TEST(Pem, IsReadBackByOpensslAtEveryLength) {
  for (std::size_t size = 1; size < 200; ++size) {
    Bytes der(size);
    for (std::size_t i = 0; i < size; ++i)
      der[i] = static_cast<std::byte>(i * 37 + size);
    int objects = 0;
    ASSERT_THAT(for_each_pem_object(bytes_of(pem_of(der)),
                                    [&](PemObject object) {
                                      ++objects;
                                      EXPECT_EQ(object.label, "DATA");
                                      EXPECT_TRUE(std::ranges::equal(object.der.view(), der))
                                          << size;
                                      return true;
                                    }),
                IsOk());
    EXPECT_EQ(objects, 1);
  }
}

TEST(Pem, IsWrittenInLinesOf64) {
  const Bytes der(49, std::byte{0xff});
  EXPECT_EQ(pem_of(der),
            "-----BEGIN DATA-----\n" + std::string(64, '/') + "\n/w==\n-----END DATA-----\n");
}

TEST(Pem, SkipsTextAroundObjects) {
  const std::string pem =
      "Bag Attributes\n" + pem_of(bytes_of("one")) + "\nsubject=x\n" + pem_of(bytes_of("two"));
  std::string seen;
  ASSERT_THAT(for_each_pem_object(bytes_of(pem),
                                  [&](PemObject object) {
                                    seen += text_of(object.der.view());
                                    return true;
                                  }),
              IsOk());
  EXPECT_EQ(seen, "onetwo");
}

TEST(Pem, TellsADamagedObject) {
  std::string pem = pem_of(bytes_of("damaged"));
  pem[25] = '*';
  const auto ignore = [](const PemObject& /*object*/) { return true; };
  EXPECT_THAT(for_each_pem_object(bytes_of(pem), ignore), FailsWith(Code::corrupt, "damaged PEM"));
  const std::string cut = pem_of(bytes_of("cut")).substr(0, 30);
  EXPECT_THAT(for_each_pem_object(bytes_of(cut), ignore), FailsWith(Code::corrupt, "damaged PEM"));
}

}  // namespace
}  // namespace imprint::crypto
