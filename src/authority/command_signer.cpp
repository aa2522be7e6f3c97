// The key is behind a program: a cloud KMS, a vendor's tool, a colleague's script. It is asked one
// signature at a time, in one line of JSON, and answers in one line.
//
// A signature that fails fails its device and nothing else: the same request is never sent twice,
// because nobody knows whether the program has counted, billed or logged it. A co-process that
// cannot be understood any more is ended, and the next request gets a new one; but a program that
// has let down kMaxFailures requests in a row is not asked again, or a hanging one would cost its
// timeout for every device of a batch.

#include "command_signer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "imprint/base/base64.hpp"
#include "imprint/base/process.hpp"
#include "imprint/base/text.hpp"

namespace imprint::authority {

namespace {

using crypto::SignatureAlgorithm;
using Json = nlohmann::ordered_json;

constexpr int kProtocolVersion = 1;
constexpr std::size_t kMaxAnswerBytes = 16384;
constexpr std::size_t kMaxErrorBytes = 1000;
constexpr int kMaxFailures = 3;

std::string make_request(std::uint64_t id, SignatureAlgorithm algorithm, ByteView input) {
  const bool whole = !crypto::hash_of(algorithm).has_value();
  const Json request = {{"version", kProtocolVersion},
                        {"id", id},
                        {"algorithm", crypto::name(algorithm)},
                        {whole ? "message" : "digest", to_base64(input)}};
  return request.dump() + "\n";
}

/// What a program said, short enough for an error.
std::string excerpt(const std::string& text) {
  return text.size() <= kMaxErrorBytes ? text : text.substr(0, kMaxErrorBytes) + "...";
}

struct Answer {
  Bytes signature;
  std::optional<std::string> refusal;
};

Unexpected no_answer(std::string_view why) {
  return fail(Code::corrupt, fmt::format("its answer {}; docs/signers.md has the form", why));
}

Result<Answer> parse_answer(std::string_view line, std::uint64_t id) {
  const Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded() || !answer.is_object()) return no_answer("is no JSON object");
  const auto answered = answer.find("id");
  if (answered == answer.end() || !answered->is_number_unsigned()) return no_answer("has no 'id'");
  if (*answered != id) {
    return no_answer(fmt::format("has the id {} where {} was asked", answered->dump(), id));
  }
  const auto refusal = answer.find("error");
  const auto signature = answer.find("signature");
  if ((refusal == answer.end()) == (signature == answer.end())) {
    return no_answer("has to have exactly one of 'signature' and 'error'");
  }
  if (refusal != answer.end()) {
    if (!refusal->is_string()) return no_answer("has an 'error' that is no text");
    return Answer{{}, excerpt(refusal->get<std::string>())};
  }
  if (!signature->is_string()) return no_answer("has a 'signature' that is no text");
  auto decoded = from_base64(signature->get_ref<const std::string&>());
  if (!decoded) return no_answer("has a 'signature' that is not base64");
  return Answer{std::move(*decoded), std::nullopt};
}

class CommandSigner final : public crypto::Signer {
 public:
  CommandSigner(CommandKey key, crypto::Certificate ca, SignatureAlgorithm algorithm)
      : key_(std::move(key)),
        ca_(std::move(ca)),
        algorithm_(algorithm) {}

  [[nodiscard]] SignatureAlgorithm algorithm() const noexcept override { return algorithm_; }

  [[nodiscard]] std::size_t max_signature_bytes() const noexcept override {
    return crypto::max_signature_bytes(ca_);
  }

  Result<std::size_t> sign(ByteView input, MutableBytes signature) override;

  [[nodiscard]] Result<std::unique_ptr<Signer>> clone() const override {
    return std::unique_ptr<Signer>(std::make_unique<CommandSigner>(key_, ca_, algorithm_));
  }

 private:
  Result<Answer> ask(ByteView input);
  Result<Answer> ask_coprocess(const std::string& request, std::uint64_t id);
  Result<Answer> ask_new_process(const std::string& request, std::uint64_t id);
  [[nodiscard]] Error blame(Error error);

  [[nodiscard]] CommandProcess::Deadline deadline() const {
    return std::chrono::steady_clock::now() + key_.timeout;
  }

  CommandKey key_;
  crypto::Certificate ca_;
  SignatureAlgorithm algorithm_;
  std::optional<CommandProcess> process_;  // the co-process
  std::uint64_t last_id_ = 0;
  int failures_ = 0;  // in a row
};

Result<std::size_t> CommandSigner::sign(ByteView input, MutableBytes signature) {
  const std::string doing = "signing with the command " + quoted(key_.command.front());
  if (failures_ >= kMaxFailures) {
    return fail(Error(Code::crypto, fmt::format("it has failed {} times in a row and is not asked "
                                                "again; see to it and run this again",
                                                kMaxFailures))
                    .context(doing));
  }
  auto asked = ask(input);
  if (!asked) return fail(blame(std::move(asked).error()).context(doing));
  failures_ = 0;
  if (asked->refusal) {
    return fail(Error(Code::crypto, "it refused: " + *asked->refusal).context(doing));
  }
  const Bytes& made = asked->signature;
  if (made.size() > signature.size() ||
      !crypto::verify_signed_input(ca_, algorithm_, input, made)) {
    return fail(Error(Code::crypto,
                      fmt::format("its signature is not one by the CA certificate's key ({} was "
                                  "asked for); let it sign with that key, and the digest as it is",
                                  crypto::name(algorithm_)))
                    .context(doing));
  }
  std::memcpy(signature.data(), made.data(), made.size());
  return made.size();
}

/// Whether a failure counts against the program was decided by where it came from: an exit status
/// of a single call is a refusal in other words.
Error CommandSigner::blame(Error error) {
  if (error.code != Code::crypto) ++failures_;
  if (error.code == Code::busy) {
    error.what += fmt::format(" ({} s) and was ended", key_.timeout.count());
  }
  // What a hanging or babbling program means for a device is a failed signature, not a state of the
  // machine; a program that cannot be started is the machine's.
  if (error.code == Code::busy || error.code == Code::corrupt) error.code = Code::crypto;
  return error;
}

Result<Answer> CommandSigner::ask(ByteView input) {
  const std::uint64_t id = ++last_id_;
  const std::string request = make_request(id, algorithm_, input);
  if (key_.mode == CommandKey::Mode::call) return ask_new_process(request, id);
  auto answer = ask_coprocess(request, id);
  // Its next line could be the answer to this request: nothing it says can be trusted now.
  if (!answer && process_) {
    process_->kill();
    process_.reset();
  }
  return answer;
}

/// How a co-process ended, when it did: that says more than the end of its output.
Result<std::string> with_exit_status(CommandProcess& process, Result<std::string> line) {
  if (line || line.error().code != Code::io) return line;
  const auto status = process.wait(std::chrono::steady_clock::now() + std::chrono::seconds(1));
  if (!status) return line;
  line.error().what += fmt::format(" (exit status {})", *status);
  return line;
}

Result<Answer> CommandSigner::ask_coprocess(const std::string& request, std::uint64_t id) {
  if (!process_) process_.emplace(IMPRINT_TRY(CommandProcess::start(key_.command)));
  const auto until = deadline();
  if (process_->has_more()) return no_answer("came before the question");
  auto written = process_->write(request, until);
  auto line = written ? process_->read_line(kMaxAnswerBytes, until)
                      : Result<std::string>(fail(std::move(written).error()));
  const std::string answer = IMPRINT_TRY(with_exit_status(*process_, std::move(line)));
  if (process_->has_more()) return no_answer("has more than one line");
  return parse_answer(answer, id);
}

Result<Answer> CommandSigner::ask_new_process(const std::string& request, std::uint64_t id) {
  CommandProcess process = IMPRINT_TRY(CommandProcess::start(key_.command));
  const auto until = deadline();
  // Whether a program that does not read ends before or after our writing is luck. Its exit status
  // and what it wrote are better reasons than a broken pipe, and one that hangs is found by
  // reading.
  static_cast<void>(process.write(request, until));
  process.close_input();
  auto line = process.read_line(kMaxAnswerBytes, until);
  auto end = line ? process.expect_end(until) : Result<>{};
  const bool hangs = !line && line.error().code != Code::io;
  const auto status = hangs || !end ? Result<int>(0) : process.wait(until);
  if (hangs || !end || !status) process.kill();
  if (hangs) return fail(std::move(line).error());
  if (!end) return fail(std::move(end).error());
  const int exit_status = IMPRINT_TRY(status);
  if (exit_status != 0) {
    const auto answer = line ? parse_answer(*line, id) : Result<Answer>(fail(line.error()));
    if (answer && answer->refusal) return answer;
    return fail(Code::crypto, fmt::format("it ended with exit status {}", exit_status));
  }
  if (!line) return fail(Code::corrupt, line.error().what);
  return parse_answer(*line, id);
}

}  // namespace

Result<std::unique_ptr<crypto::Signer>> make_command_signer(const CommandKey& key,
                                                            const crypto::Certificate& ca) {
  if (key.command.empty()) return fail(Code::invalid_input, "the signing command is empty");
  const SignatureAlgorithm algorithm = IMPRINT_TRY(crypto::signature_algorithm_of(ca));
  return std::unique_ptr<crypto::Signer>(std::make_unique<CommandSigner>(key, ca, algorithm));
}

}  // namespace imprint::authority
