// CRLs, by the judgement of openssl and certtool.

#include "imprint/crypto/crl.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "imprint/crypto/crl_reader.hpp"
#include "oracles.hpp"

namespace imprint::crypto::test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// An entry that owns its serial.
struct Entry {
  Bytes serial;
  TimePoint at = kNow;
  RevocationReason reason = RevocationReason::unspecified;
};

Bytes serial_of(std::initializer_list<int> octets) {
  Bytes serial;
  for (const int octet : octets)
    serial.push_back(static_cast<std::byte>(octet));
  return serial;
}

CrlEntries walk(const std::vector<Entry>& entries) {
  return [&entries](const std::function<Result<>(const CrlEntry&)>& take) -> Result<> {
    for (const Entry& entry : entries)
      IMPRINT_TRY(take({.serial = entry.serial, .revoked_at = entry.at, .reason = entry.reason}));
    return {};
  };
}

CrlSpec spec(TimePoint now = kNow) {
  return {.number = 7, .this_update = now, .next_update = now + 30 * kDay};
}

/// A CRL in a folder, as DER and as PEM, with its CA.
class Made {
 public:
  Made(KeyKind kind, const std::vector<Entry>& entries, const CrlSpec& of = spec())
      : ca_(make_ca(kind, of.this_update - kDay)) {
    Bytes der;
    Bytes pem;
    const auto into = [](Bytes& bytes) {
      return [&bytes](ByteView more) -> Result<> {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return {};
      };
    };
    PemStream stream("X509 CRL", into(pem));
    const ByteSink to_der = into(der);
    const auto size =
        write_crl(of, ca_.certificate, *ca_.signer, walk(entries), [&](ByteView more) -> Result<> {
          IMPRINT_TRY(to_der(more));
          return stream.write(more);
        });
    EXPECT_THAT(size, IsOk());
    EXPECT_THAT(stream.finish(), IsOk());
    EXPECT_EQ(size->entries, entries.size());
    EXPECT_EQ(size->bytes, der.size());
    dir_.write("crl.der", text_of(der));
    dir_.write("crl.pem", text_of(pem));
    dir_.write("ca.pem", ca_.certificate.to_pem());
  }

  [[nodiscard]] std::string path(const char* name) const { return (dir_ / name).string(); }

  [[nodiscard]] const TestCa& ca() const { return ca_; }

  [[nodiscard]] const TempDir& dir() const { return dir_; }

  [[nodiscard]] std::string text() const {
    return openssl({"crl", "-in", path("crl.pem"), "-noout", "-text", "-nameopt", "RFC2253"});
  }

  [[nodiscard]] Result<CrlFacts> read(const char* name) const {
    const File file = File::open_read(dir_ / name).value();
    return read_crl(file, ca_.certificate);
  }

 private:
  TempDir dir_;
  TestCa ca_;
};

std::vector<Entry> some_entries(TimePoint now = kNow) {
  return {{serial_of({0x40, 1, 2, 3}), now - kDay, RevocationReason::key_compromise},
          {serial_of({0x80}), now - 2 * kDay, RevocationReason::unspecified},
          {serial_of({0, 0x7f}), now, RevocationReason::cessation_of_operation}};
}

class CrlOfEveryKey : public testing::TestWithParam<KeyKind> {};

TEST_P(CrlOfEveryKey, OpensslAndCerttoolVerifyIt) {
  const TimePoint now = an_hour_ago();
  const Made made(GetParam(), some_entries(now), spec(now));
  const auto verified = run_command(
      {"openssl", "crl", "-in", made.path("crl.pem"), "-CAfile", made.path("ca.pem"), "-noout"});
  EXPECT_THAT(verified.err, HasSubstr("verify OK"));
  // The PEM is that of OpenSSL's own writer.
  EXPECT_EQ(openssl({"crl", "-inform", "DER", "-in", made.path("crl.der")}),
            imprint::test::slurp(made.path("crl.pem")));
  if (imprint::test::has_command("certtool")) {
    const auto judged = run_command({"certtool", "--verify-crl", "--infile", made.path("crl.pem"),
                                     "--load-ca-certificate", made.path("ca.pem")});
    EXPECT_THAT(judged.out + judged.err, Not(HasSubstr("Not verified"))) << judged.out;
    EXPECT_THAT(judged.out, HasSubstr("Verified")) << judged.out << judged.err;
  }
}

TEST_P(CrlOfEveryKey, IsReadBackFromBothForms) {
  const Made made(GetParam(), some_entries());
  for (const char* name : {"crl.der", "crl.pem"}) {
    const auto facts = made.read(name);
    ASSERT_THAT(facts, IsOk());
    EXPECT_TRUE(facts->is_signed);
    EXPECT_EQ(facts->entries, 3U);
    EXPECT_EQ(to_hex(facts->number.value()), "07");
    EXPECT_EQ(facts->issuer, subject_der(made.ca().certificate));
  }
}

TEST_P(CrlOfEveryKey, ByAnotherKeyIsNotSigned) {
  const Made made(GetParam(), some_entries());
  const TestCa other = make_ca(GetParam());
  const auto facts = read_crl(File::open_read(made.dir() / "crl.der").value(), other.certificate);
  ASSERT_THAT(facts, IsOk());
  EXPECT_FALSE(facts->is_signed);
}

INSTANTIATE_TEST_SUITE_P(Keys, CrlOfEveryKey,
                         testing::Values(KeyKind::ec_p256, KeyKind::ec_p384, KeyKind::ec_p521,
                                         KeyKind::rsa_2048, KeyKind::ed25519),
                         [](const auto& kind) {
                           std::string word(name(kind.param));
                           std::erase_if(word, [](char c) { return c == ':' || c == '-'; });
                           return word;
                         });

TEST(Crl, SaysWhatItWasGiven) {
  const Made made(KeyKind::ec_p256, some_entries());
  const std::string text = made.text();
  EXPECT_THAT(text, HasSubstr("Version 2 (0x1)"));
  EXPECT_THAT(text, HasSubstr("Last Update: Nov 20 12:00:00 2026 GMT"));
  EXPECT_THAT(text, HasSubstr("Next Update: Dec 20 12:00:00 2026 GMT"));
  EXPECT_THAT(text, HasSubstr("X509v3 CRL Number: \n                7\n"));
  EXPECT_THAT(text, HasSubstr("Serial Number: 40010203\n"
                              "        Revocation Date: Nov 19 12:00:00 2026 GMT\n"
                              "        CRL entry extensions:\n"
                              "            X509v3 CRL Reason Code: \n"
                              "                Key Compromise\n"));
  // Without a reason there is no extension; the high bit of a serial is no sign.
  EXPECT_THAT(text, HasSubstr("Serial Number: 80\n"
                              "        Revocation Date: Nov 18 12:00:00 2026 GMT\n"
                              "    Serial Number: 7F\n"));
  EXPECT_THAT(text, HasSubstr("Cessation Of Operation"));
  const std::string id =
      openssl({"x509", "-in", made.path("ca.pem"), "-noout", "-ext", "subjectKeyIdentifier"});
  const std::string value = id.substr(id.find('\n') + 1);
  EXPECT_THAT(text, HasSubstr(value.substr(value.find_first_not_of(' '))));
}

TEST(Crl, WithoutEntriesHasNoListOfThem) {
  const Made made(KeyKind::ec_p256, {});
  EXPECT_THAT(made.text(), HasSubstr("No Revoked Certificates."));
  const std::string structure =
      openssl({"asn1parse", "-inform", "DER", "-in", made.path("crl.der")});
  // RFC 5280 5.1.2.6: absent, not empty. After the two dates come the extensions.
  EXPECT_THAT(structure,
              testing::ContainsRegex("UTCTIME[^\n]*\n[^\n]*UTCTIME[^\n]*\n[^\n]*cont \\[ 0 \\]"));
  EXPECT_EQ(made.read("crl.pem")->entries, 0U);
}

TEST(Crl, DatesChangeTheirFormIn2050) {
  const TimePoint last{std::chrono::sys_days(std::chrono::year(2049) / 12 / 31) +
                       std::chrono::hours(23)};
  const Made made(KeyKind::ed25519, {{serial_of({5}), last}},
                  {.number = 1, .this_update = last, .next_update = last + std::chrono::hours(1)});
  const std::string structure =
      openssl({"asn1parse", "-inform", "DER", "-in", made.path("crl.der")});
  EXPECT_THAT(structure, HasSubstr("UTCTIME           :491231230000Z"));
  EXPECT_THAT(structure, HasSubstr("GENERALIZEDTIME   :20500101000000Z"));
}

TEST(Crl, NumberIsAPositiveIntegerOfAnySize) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                     std::uint64_t{0x7fffffffffffffff}, ~std::uint64_t{0}}) {
    CrlSpec of = spec();
    of.number = number;
    const Made made(KeyKind::ed25519, {}, of);
    EXPECT_EQ(openssl({"crl", "-in", made.path("crl.pem"), "-noout", "-crlnumber"}),
              fmt::format("crlNumber=0x{:02X}\n", number));
  }
}

TEST(Crl, LengthsAreRightAroundEveryBoundary) {
  // The header of the list grows at 128, 256, 65,536 and 16 Mi octets; an entry here takes 20.
  for (const std::size_t count : {1U, 3U, 6U, 7U, 12U, 13U, 3'270U, 3'276U, 3'277U}) {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < count; ++i)
      entries.push_back({serial_of({0x40, static_cast<int>(i >> 8), static_cast<int>(i & 0xff)})});
    const Made made(KeyKind::ec_p256, entries);
    const auto facts = made.read("crl.der");
    ASSERT_THAT(facts, IsOk());
    EXPECT_TRUE(facts->is_signed);
    EXPECT_EQ(facts->entries, count);
    EXPECT_THAT(
        check_crl(bytes_of(imprint::test::slurp(made.path("crl.der"))), made.ca().certificate),
        IsOk());
  }
}

TEST(Crl, RefusesDatesThatVerifiersWould) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const auto nowhere = [](ByteView) -> Result<> {
    ADD_FAILURE() << "nothing should be written";
    return {};
  };
  CrlSpec backwards = spec();
  backwards.next_update = backwards.this_update;
  EXPECT_THAT(write_crl(backwards, ca.certificate, *ca.signer, walk({}), nowhere),
              FailsWith(Code::invalid_input, "next update is not after this one"));
  const std::vector<Entry> future = {{serial_of({0x40, 1}), kNow + kDay}};
  EXPECT_THAT(write_crl(spec(), ca.certificate, *ca.signer, walk(future), nowhere),
              FailsWith(Code::invalid_input, "certificate 4001 was revoked on 2026-11-21"));
}

TEST(Crl, EntriesThatChangeMeanwhileAreNoticed) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  int walks = 0;
  const CrlEntries changing =
      [&](const std::function<Result<>(const CrlEntry&)>& take) -> Result<> {
    const Bytes serial = serial_of({1});
    for (int i = 0; i <= walks; ++i)
      IMPRINT_TRY(take({.serial = serial, .revoked_at = kNow}));
    ++walks;
    return {};
  };
  EXPECT_THAT(write_crl(spec(), ca.certificate, *ca.signer, changing,
                        [](ByteView) -> Result<> { return {}; }),
              FailsWith(Code::internal, "changed while it was made"));
}

TEST(Crl, SignatureOfAnotherKeyIsNotWritten) {
  const TestCa ca = make_ca(KeyKind::ec_p256);
  const TestCa other = make_ca(KeyKind::ec_p256);
  bool written = false;
  EXPECT_THAT(write_crl(spec(), ca.certificate, *other.signer, walk({}),
                        [&](ByteView) -> Result<> {
                          written = true;
                          return {};
                        }),
              FailsWith(Code::check_failed, "does not verify"));
  EXPECT_FALSE(written);
}

TEST(CrlReader, ReadsWhatOpensslMade) {
  const TempDir dir;
  const TestCa ca = make_ca(KeyKind::rsa_2048, an_hour_ago());
  dir.write("ca.pem", ca.certificate.to_pem());
  dir.write("ca.key", test::text(ca.key.to_pem().value()));
  dir.write("index.txt",
            "R\t361117194603Z\t261120120000Z,keyCompromise\t4A\tunknown\t/CN=one\n"
            "R\t361117194603Z\t261120120000Z\t4B\tunknown\t/CN=two\n");
  dir.write("number", "0123456789ABCDEF01\n");
  dir.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=" + (dir / "index.txt").string() +
                          "\ncrlnumber=" + (dir / "number").string() +
                          "\ndefault_md=sha256\ncrl_extensions=e\n[e]\n"
                          "authorityKeyIdentifier=keyid\n");
  openssl({"ca", "-config", (dir / "ca.cnf").string(), "-gencrl", "-crldays", "30", "-cert",
           (dir / "ca.pem").string(), "-keyfile", (dir / "ca.key").string(), "-out",
           (dir / "crl.pem").string()});
  const auto facts = read_crl(File::open_read(dir / "crl.pem").value(), ca.certificate);
  ASSERT_THAT(facts, IsOk());
  EXPECT_TRUE(facts->is_signed);
  EXPECT_EQ(facts->entries, 2U);
  EXPECT_EQ(to_hex(facts->number.value()), "0123456789abcdef01");
  EXPECT_EQ(facts->issuer, subject_der(ca.certificate));
}

TEST(CrlReader, EveryDamageIsNoticed) {
  // Each octet changed once: the CRL does not parse any more, or its signature does not verify.
  const Made made(KeyKind::ec_p256, some_entries());
  const std::string sound = imprint::test::slurp(made.path("crl.der"));
  const TempDir dir;
  for (std::size_t i = 0; i < sound.size(); ++i) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    const auto facts =
        read_crl(File::open_read(dir.write("crl", damaged)).value(), made.ca().certificate);
    EXPECT_FALSE(facts && facts->is_signed) << "octet " << i;
  }
}

TEST(CrlReader, SaysWhatIsNoCrl) {
  const Made made(KeyKind::ec_p256, some_entries());
  const std::string sound = imprint::test::slurp(made.path("crl.der"));
  const std::string pem = imprint::test::slurp(made.path("crl.pem"));
  const auto said = [&](const std::string& content) {
    return read_crl(File::open_read(made.dir().write("odd", content)).value(),
                    made.ca().certificate);
  };
  EXPECT_THAT(said(""), FailsWith(Code::corrupt, "is no CRL: it ends early"));
  for (std::size_t size = 1; size < sound.size(); size += 7)
    EXPECT_THAT(said(sound.substr(0, size)), FailsWith(Code::corrupt, "is no CRL"));
  EXPECT_THAT(said("hello, world"), FailsWith(Code::corrupt, "is no CRL: it is built otherwise"));
  EXPECT_THAT(said(made.ca().certificate.to_pem()), FailsWith(Code::corrupt, "is no CRL"));
  EXPECT_THAT(said(pem.substr(0, 200)), FailsWith(Code::corrupt, "is no CRL: it ends early"));
  std::string stained = pem;
  stained[100] = '!';
  EXPECT_THAT(said(stained), FailsWith(Code::corrupt, "is no CRL: its base64 is damaged"));
}

TEST(RevocationReasons, AreTheStandardsWordsInAnyCase) {
  EXPECT_EQ(parse_revocation_reason("KEYCOMPROMISE").value(), RevocationReason::key_compromise);
  EXPECT_EQ(parse_revocation_reason("cessationofoperation").value(),
            RevocationReason::cessation_of_operation);
  EXPECT_EQ(word(RevocationReason::privilege_withdrawn), "privilegeWithdrawn");
  EXPECT_THAT(parse_revocation_reason("keyCompromised"),
              FailsWith(Code::invalid_input, "did you mean 'keyCompromise'?"));
  EXPECT_THAT(parse_revocation_reason("because"), FailsWith(Code::invalid_input, "known are "));
}

}  // namespace
}  // namespace imprint::crypto::test
