#pragma once

#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "devauth/mender_server.hpp"
#include "imprint/base/file.hpp"
#include "imprint/devauth/preauthorize.hpp"
#include "support/command.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

#define NEED_SERVER() IMPRINT_NEED_MENDER_SERVER()

namespace imprint::devauth {

using namespace std::chrono_literals;
using test::body_line;
using test::FailsWith;
using test::IsOk;
using test::MenderServer;
using test::TempDir;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Tls = MenderServer::Tls;

/// What came of each device, by its label; the latest device id.
struct Heard final : Listener {
  Result<> answered(const Answer& answer) override {
    const bool is_new =
        outcomes.emplace(answer.device.label, std::string(name(answer.outcome))).second;
    EXPECT_TRUE(is_new) << answer.device.label << " is told twice";
    ids[answer.device.label] = answer.device_id;
    reason = answer.reason;
    if (stop_after == outcomes.size()) stop = true;
    return fails ? Result<>(fail(Code::no_space, "the listener is full")) : Result<>();
  }

  Result<> tick() override {
    ++ticks;
    return {};
  }

  std::map<std::string, std::string> outcomes;
  std::map<std::string, std::string> ids;
  std::string reason;
  std::size_t ticks = 0;
  std::size_t stop_after = 0;
  bool fails = false;
  std::atomic<bool> stop = false;
};

struct Settings {
  unsigned jobs = 8;
  unsigned retries = 2;
  std::chrono::milliseconds timeout = 10s;
  bool force = false;
  bool trust = true;
  std::string token = MenderServer::kToken;
};

inline Result<Summary> run(const std::string& url, const Bytes& ca_pem, const std::string& bodies,
                           Heard& heard, const Settings& settings = {}) {
  const auto devices = parse_bodies(bodies);
  EXPECT_THAT(devices, IsOk());
  const auto server = ServerUrl::parse(url);
  EXPECT_THAT(server, IsOk());
  const crypto::SecretBytes token(bytes_of(settings.token));
  const Options options{.server = *server,
                        .token = token,
                        .ca_pem = ca_pem,
                        .jobs = settings.jobs,
                        .retries = settings.retries,
                        .timeout = settings.timeout,
                        .force = settings.force,
                        .first_pause = 20ms};
  auto summary = preauthorize(*devices, options, heard, heard.stop);
  if (summary) {
    EXPECT_EQ(summary->accepted + summary->known + summary->conflicts + summary->failed +
                  summary->not_sent,
              devices->size());
    if (summary->stopped) {
      EXPECT_THAT(summary->stopped->message(), Not(HasSubstr(settings.token)));
    }
  }
  EXPECT_THAT(heard.reason, Not(HasSubstr(settings.token)));
  return summary;
}

inline Result<Summary> run(const MenderServer& server, const std::string& bodies, Heard& heard,
                           const Settings& settings = {}) {
  const bool trust = settings.trust && server.url().starts_with("https");
  const Bytes ca = trust ? read_file(server.certificate()).value() : Bytes();
  return run(server.url(), ca, bodies, heard, settings);
}

inline std::string many(int devices) {
  std::string bodies;
  for (int i = 0; i < devices; ++i)
    bodies += body_line(fmt::format("mac-{}", i), 1);
  return bodies;
}

/// A device that the server has already.
inline fs::path known_file(const TempDir& dir, int key, const std::string& more = {}) {
  std::string line = body_line("mac-0", key);
  line.insert(1, R"("id":"known-1",)" + more);
  return dir.write("known", line);
}

inline std::string stopped(const Result<Summary>& summary) {
  if (!summary || !summary->stopped) return "(went on)";
  return summary->stopped->message();
}

}  // namespace imprint::devauth
