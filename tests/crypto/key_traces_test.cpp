#include "imprint/crypto/key_traces.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "crypto/oracles.hpp"
#include "imprint/image/search.hpp"

namespace imprint::crypto {
namespace {

using namespace test;

constexpr std::size_t kBlock = 4096;

/// A key that openssl made, and copies of it in forms that other programs write.
struct Sample {
  std::string name;
  PrivateKey key;

  struct Copy {
    std::string form;
    std::string content;
  };

  std::vector<Copy> copies;
};

std::string run(const std::vector<std::string>& argv, std::string_view input) {
  const CommandResult result = run_command(argv, input);
  EXPECT_EQ(result.status, 0) << argv[0] << ": " << result.err;
  return result.out;
}

void add_text_forms(Sample& sample, const std::string& form, const std::string& bytes) {
  const auto add = [&](const std::string& how, std::string content) {
    sample.copies.push_back({form + ", " + how, std::move(content)});
  };
  add("base64 -w 0", run({"base64", "-w", "0"}, bytes));
  add("base64 -w 76", run({"base64", "-w", "76"}, bytes));
  add("basenc --base64url", run({"basenc", "--base64url"}, bytes));
}

void add_hex_forms(Sample& sample, const std::string& der) {
  const auto add = [&](const std::string& how, std::string content) {
    sample.copies.push_back({"DER, " + how, std::move(content)});
  };
  add("xxd -p", run({"xxd", "-p"}, der));
  add("xxd -p -u", run({"xxd", "-p", "-u"}, der));
  add("xxd -p -c 0", run({"xxd", "-p", "-c", "0"}, der));
  add("basenc --base16", run({"basenc", "--base16", "-w", "0"}, der));
}

void add_forms(Sample& sample, const std::string& form, const std::string& pem,
               const std::string& der) {
  sample.copies.push_back({form + " PEM", pem});
  sample.copies.push_back({form + " DER", der});
  sample.copies.push_back({form + " PEM, jq", run({"jq", "-Rs", "{key: .}"}, pem)});
  std::string crlf;
  for (const char c : pem)
    crlf += c == '\n' ? "\r\n" : std::string(1, c);
  sample.copies.push_back({form + " PEM, CRLF", crlf});
  add_text_forms(sample, form + " DER", der);
  add_text_forms(sample, form + " PEM", pem);
  add_hex_forms(sample, der);
}

[[nodiscard]] Sample make_sample(const std::string& name, std::vector<std::string> genpkey) {
  genpkey.insert(genpkey.begin(), "genpkey");
  const std::string pem = openssl(std::move(genpkey));
  Sample sample{name, PrivateKey::from_pem(bytes_of(pem)).value(), {}};
  add_forms(sample, "PKCS#8", pem, openssl({"pkey", "-outform", "DER"}, pem));
  sample.copies.push_back({"openssl pkey -text", openssl({"pkey", "-text", "-noout"}, pem)});
  sample.copies.push_back({"certtool --key-info", run({"certtool", "--key-info"}, pem)});
  if (name == "Ed25519") return sample;
  add_forms(sample, "traditional", openssl({"pkey", "-traditional"}, pem),
            openssl({"pkey", "-traditional", "-outform", "DER"}, pem));
  return sample;
}

/// Made once for all tests.
[[nodiscard]] const std::vector<Sample>& samples() {
  static const std::vector<Sample> made = [] {
    std::vector<Sample> list;
    for (const std::string curve : {"P-256", "P-384", "P-521"}) {
      list.push_back(
          make_sample(curve, {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve}));
    }
    list.push_back(
        make_sample("RSA-2048", {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}));
    list.push_back(make_sample("Ed25519", {"-algorithm", "ED25519"}));
    return list;
  }();
  return made;
}

[[nodiscard]] image::PatternSet patterns_of(const KeyTraces& traces) {
  std::vector<ByteView> patterns;
  for (std::size_t i = 0; i < traces.size(); ++i)
    patterns.push_back(traces[i].bytes);
  return image::PatternSet::compile(patterns).value();
}

[[nodiscard]] image::PatternSet patterns_of(const PrivateKey& key) {
  return patterns_of(KeyTraces::of(key).value());
}

[[nodiscard]] bool holds_any(ByteView data, const image::PatternSet& patterns) {
  return !image::search(data, patterns, {.max_hits = 1}).hits.empty();
}

[[nodiscard]] Bytes noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  Bytes bytes(size);
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(generator());
  return bytes;
}

void put(Bytes& data, std::size_t offset, ByteView part) {
  std::ranges::copy(part, data.begin() + static_cast<std::ptrdiff_t>(offset));
}

#define NEED_THE_TOOLS()            \
  IMPRINT_NEED_COMMAND("openssl");  \
  IMPRINT_NEED_COMMAND("certtool"); \
  IMPRINT_NEED_COMMAND("jq");       \
  IMPRINT_NEED_COMMAND("basenc");   \
  IMPRINT_NEED_COMMAND("xxd")

TEST(KeyTraces, FindCopiesAtEveryAlignment) {
  NEED_THE_TOOLS();
  for (const Sample& sample : samples()) {
    const image::PatternSet patterns = patterns_of(sample.key);
    for (const Sample::Copy& copy : sample.copies) {
      for (std::size_t at = 100; at < 108; ++at) {
        Bytes data = noise(copy.content.size() + 200, at);
        put(data, at, bytes_of(copy.content));
        EXPECT_TRUE(holds_any(data, patterns)) << sample.name << ", " << copy.form << " at " << at;
      }
    }
  }
}

TEST(KeyTraces, FindEncodedCopiesWhateverPrecedesThem) {
  NEED_THE_TOOLS();
  for (const Sample& sample : samples()) {
    const image::PatternSet patterns = patterns_of(sample.key);
    const std::string& der = sample.copies[1].content;
    ASSERT_EQ(sample.copies[1].form, "PKCS#8 DER");
    for (std::size_t before = 0; before < 6; ++before) {
      const std::string shifted = std::string(before, 'x') + der;
      const std::string once = run({"base64", "-w", "0"}, shifted);
      const std::string twice = run({"base64"}, std::string(before / 2, ' ') + once);
      const std::string url = run({"basenc", "--base64url", "-w", "0"}, shifted);
      for (const std::string& text : {once, twice, url})
        EXPECT_TRUE(holds_any(bytes_of(text), patterns)) << sample.name << ": " << before;
    }
  }
}

TEST(KeyTraces, FindCopiesThatABlockEndsInTheMiddleOf) {
  NEED_THE_TOOLS();
  for (const Sample& sample : samples()) {
    const image::PatternSet patterns = patterns_of(sample.key);
    for (const Sample::Copy& copy : sample.copies) {
      // What comes before the cut is at the end of one block, the rest at the start of the next but
      // one.
      const ByteView content = bytes_of(copy.content);
      const Bytes clean = noise(5 * kBlock, 1);
      ASSERT_FALSE(holds_any(clean, patterns));
      for (std::size_t cut = 0; cut <= content.size(); ++cut) {
        if (cut > kBlock || content.size() - cut > 2 * kBlock) continue;
        Bytes data = clean;
        put(data, kBlock - cut, content.first(cut));
        put(data, 2 * kBlock, content.subspan(cut));
        const std::size_t begin = kBlock - cut;
        const std::size_t end = 2 * kBlock + content.size() - cut;
        EXPECT_TRUE(holds_any(ByteView(data).subspan(begin, end - begin), patterns))
            << sample.name << ", " << copy.form << " cut at " << cut;
      }
    }
  }
}

TEST(KeyTraces, FindNoOtherKey) {
  NEED_THE_TOOLS();
  for (const Sample& sample : samples()) {
    const image::PatternSet patterns = patterns_of(sample.key);
    for (const Sample& other : samples()) {
      if (other.name == sample.name) continue;
      for (const Sample::Copy& copy : other.copies)
        EXPECT_FALSE(holds_any(bytes_of(copy.content), patterns))
            << sample.name << " in " << other.name << ", " << copy.form;
    }
    const PrivateKey other = PrivateKey::generate(sample.key.kind().value()).value();
    EXPECT_FALSE(holds_any(other.to_pem().value().view(), patterns)) << sample.name;
    EXPECT_FALSE(
        holds_any(bytes_of(openssl({"pkey", "-pubout"}, sample.copies[0].content)), patterns))
        << sample.name << ": public";
  }
}

TEST(KeyTraces, FindNothingInMuchOtherData) {
  NEED_THE_TOOLS();
  const std::string random = openssl({"rand", "10485760"});
  const std::string base64 = openssl({"rand", "-base64", "7864320"});
  const std::string hex = openssl({"rand", "-hex", "5242880"});
  std::vector<ByteView> all;
  std::vector<KeyTraces> traces;
  for (const Sample& sample : samples())
    traces.push_back(KeyTraces::of(sample.key).value());
  for (const KeyTraces& one : traces) {
    for (std::size_t i = 0; i < one.size(); ++i)
      all.push_back(one[i].bytes);
  }
  const image::PatternSet patterns = image::PatternSet::compile(all).value();
  for (const std::string& data : {random, base64, hex})
    EXPECT_FALSE(holds_any(bytes_of(data), patterns));
}

TEST(KeyTraces, SayTheFormOfACopy) {
  NEED_THE_TOOLS();
  const Sample& sample = samples().front();
  const KeyTraces traces = KeyTraces::of(sample.key).value();
  const image::PatternSet patterns = patterns_of(traces);
  const auto forms_in = [&](ByteView data) {
    std::set<std::string_view> forms;
    for (const image::Hit& hit : image::search(data, patterns).hits)
      forms.insert(name(traces[hit.pattern].form));
    return forms;
  };
  using Forms = std::set<std::string_view>;
  const std::string& pem = sample.copies[0].content;
  const std::string& der = sample.copies[1].content;
  EXPECT_EQ(forms_in(bytes_of(pem)), Forms{"base64"});
  EXPECT_EQ(forms_in(bytes_of(der)), Forms{"the number itself"});
  EXPECT_EQ(forms_in(bytes_of(std::string(der.rbegin(), der.rend()))),
            Forms{"the number backwards"});
  EXPECT_EQ(forms_in(bytes_of(run({"base64"}, pem))), Forms{"base64 of base64"});
  EXPECT_EQ(forms_in(bytes_of(run({"xxd", "-p"}, der))), Forms{"hex"});
  EXPECT_EQ(forms_in(bytes_of(openssl({"pkey", "-text", "-noout"}, pem))), Forms{"hex"});
}

TEST(KeyTraces, AreLongEnoughForTheFastestSearch) {
  NEED_THE_TOOLS();
  for (const Sample& sample : samples()) {
    const KeyTraces traces = KeyTraces::of(sample.key).value();
    EXPECT_GE(traces.size(), 50U) << sample.name;
    EXPECT_LE(traces.size(), 200U) << sample.name;
    for (std::size_t i = 0; i < traces.size(); ++i) {
      EXPECT_GE(traces[i].bytes.size(), 15U);
      EXPECT_LE(traces[i].bytes.size(), 40U);
    }
  }
}

/// A P-256 key with this scalar (hex), as openssl completes it.
[[nodiscard]] PrivateKey key_of_scalar(const std::string& scalar) {
  const TempDir dir;
  const std::string config =
      "asn1=SEQUENCE:key\n[key]\nversion=INTEGER:1\nscalar=FORMAT:HEX,OCT:" + scalar +
      "\ncurve=EXPLICIT:0,OID:prime256v1\n";
  EXPECT_THAT(write_file_atomic(dir / "key.cnf", bytes_of(config), 0600), IsOk());
  const std::string der = (dir / "key.der").native();
  openssl({"asn1parse", "-genconf", (dir / "key.cnf").native(), "-out", der, "-noout"});
  const std::string pem = openssl({"pkey", "-inform", "DER", "-in", der});
  return PrivateKey::from_pem(bytes_of(pem)).value();
}

TEST(KeyTraces, OfANumberThatIsNotRandomAreNone) {
  IMPRINT_NEED_COMMAND("openssl");
  EXPECT_EQ(KeyTraces::of(key_of_scalar(std::string(62, '0') + "01")).value().size(), 0U);
  EXPECT_EQ(KeyTraces::of(key_of_scalar(std::string(64, '1'))).value().size(), 0U);
  // Half of it is.
  const std::string random = "8c1f05d3a97e42b6700ee9f3c8551d2a";
  const KeyTraces half = KeyTraces::of(key_of_scalar(random + std::string(32, '0'))).value();
  EXPECT_GT(half.size(), 5U);
  EXPECT_FALSE(holds_any(Bytes(10'000), patterns_of(half)));
  EXPECT_FALSE(holds_any(bytes_of(std::string(10'000, '0')), patterns_of(half)));
  EXPECT_FALSE(holds_any(bytes_of(std::string(10'000, 'A')), patterns_of(half)));
}

TEST(KeyTraces, FindANumberThatBeginsWithZeros) {
  IMPRINT_NEED_COMMAND("openssl");
  for (const std::string zeros : {"00", "0000"}) {
    const std::string digits = "8c1f05d3a97e42b6700ee9f3c8551d2a69b204fe13d7885c21a06bf49e37dc50";
    const PrivateKey key = key_of_scalar(zeros + digits.substr(zeros.size()));
    const image::PatternSet patterns = patterns_of(key);
    const std::string pem = text(key.to_pem().value());
    EXPECT_TRUE(holds_any(bytes_of(pem), patterns));
    EXPECT_TRUE(holds_any(bytes_of(openssl({"pkey", "-outform", "DER"}, pem)), patterns));
    EXPECT_TRUE(holds_any(bytes_of(openssl({"pkey", "-text"}, pem)), patterns));
  }
}

TEST(KeyTraces, OfAKindThatIsNotHandledAreRefused) {
  IMPRINT_NEED_COMMAND("openssl");
  const std::string pem = openssl({"genpkey", "-algorithm", "ED448"});
  const auto key = PrivateKey::from_pem(bytes_of(pem));
  ASSERT_THAT(key, IsOk());
  EXPECT_THAT(KeyTraces::of(*key), FailsWith(Code::unsupported, "ED448"));
}

TEST(PrivateKeyMarks, AreTheFirstLinesThatOtherProgramsWrite) {
  IMPRINT_NEED_COMMAND("openssl");
  IMPRINT_NEED_COMMAND("ssh-keygen");
  const TempDir dir;
  const std::string ec =
      openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
  const std::string rsa =
      openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  const std::string ssh = (dir / "ssh").native();
  run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh}, "");
  std::set<std::string> lines;
  for (const std::string& pem :
       {ec, openssl({"pkey", "-traditional"}, ec), openssl({"pkey", "-traditional"}, rsa),
        openssl({"dsaparam", "-genkey", "-noout", "1024"}),
        openssl({"pkey", "-aes256", "-passout", "pass:secret"}, ec),
        text(SecretBytes(read_file(ssh).value()))})
    lines.insert(pem.substr(0, pem.find('\n')));
  const auto marks = private_key_marks();
  // openssl 3 writes DSA keys as PKCS#8 unless asked otherwise.
  lines.insert("-----BEGIN DSA PRIVATE KEY-----");
  EXPECT_EQ(lines, (std::set<std::string>(marks.begin(), marks.end())));
}

}  // namespace
}  // namespace imprint::crypto
