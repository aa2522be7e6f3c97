#include "accept/edge.hpp"

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/batch_fixture.hpp"
#include "support/loopback.hpp"

namespace imprint::accept {

using imprint::cli::test::imprint;
using imprint::test::answers;
using imprint::test::CommandResult;
using imprint::test::free_port;
using imprint::test::Process;
using imprint::test::slurp;
using imprint::test::wait_until;

namespace {

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
    ++found;
  return found;
}

}  // namespace

Edge::Edge(const Wish& wish)
    : authority_(wish.authority),
      host_(wish.host),
      folder_(std::filesystem::current_path() / "edge") {
  constexpr int kAttempts = 3;  // when others took the port
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    make_bundle(wish);
    if (start()) return;
  }
  ADD_FAILURE() << "nginx does not start: " << log();
}

Edge::~Edge() {
  stop();
}

void Edge::make_bundle(const Wish& wish) {
  port_ = free_port();
  std::vector<std::string> command = {"edge",
                                      "--ca",
                                      wish.authority,
                                      "--cn",
                                      wish.host,
                                      "--listen",
                                      fmt::format("127.0.0.1:{}", port_),
                                      "--backend",
                                      fmt::format("http://127.0.0.1:{}", wish.backend_port),
                                      "--out",
                                      folder_,
                                      "--force"};
  if (!wish.address.empty()) {
    command.emplace_back("--san");
    command.push_back("IP:" + wish.address);
  }
  const CommandResult made = imprint(command);
  EXPECT_EQ(made.status, 0) << made.err;
}

bool Edge::start() {
  // Beyond errors it is to say whom it refuses, and when it has done what it was told.
  process_ =
      std::make_unique<Process>(std::vector<std::string>{(folder_ / "run-nginx.sh").string(), "-g",
                                                         "daemon off; error_log stderr info;"},
                                folder_.parent_path() / "nginx.log");
  return wait_until([this] { return !process_->running() || answers(port_); }) &&
         process_->running();
}

// The master ends its workers, which a kill would leave behind.
void Edge::stop() {
  if (process_ == nullptr || !process_->running()) return;
  process_->signal(SIGTERM);
  process_->wait();
}

std::string Edge::url() const {
  return fmt::format("https://{}:{}", host_, port_);
}

void Edge::refresh(const std::filesystem::path& ledger) {
  const CommandResult made =
      imprint({"edge", "--ca", authority_, "--ledger", ledger, "--out", folder_, "--refresh"});
  EXPECT_EQ(made.status, 0) << made.err;
  reload();
}

void Edge::reload() {
  constexpr std::string_view kWorkerEnded = " exited with code 0";
  const std::size_t before = count(log(), kWorkerEnded);
  process_->signal(SIGHUP);
  // A worker that was told to go serves the connections that it has.
  EXPECT_TRUE(wait_until([&] {
    return !process_->running() || count(log(), kWorkerEnded) > before;
  })) << log();
  EXPECT_TRUE(process_->running()) << log();
}

std::string Edge::log() const {
  return slurp(folder_.parent_path() / "nginx.log");
}

}  // namespace imprint::accept
