#include "fat_mtools.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "fat_directory.hpp"
#include "imprint/base/process.hpp"
#include "imprint/base/text.hpp"
#include "imprint/crypto/secret.hpp"

namespace imprint::image {
namespace {

using Deadline = CommandProcess::Deadline;

constexpr std::size_t kPieceBytes = 64U << 10;
constexpr std::size_t kMessageBytes = 1000;

/// Everything that mtools asks the environment for. /etc/mtools.conf is read all the same, but what
/// is said here stands above it.
[[nodiscard]] std::vector<std::string> environment(TimePoint now) {
  return {"MTOOLSRC=/dev/null",
          // Some builders write a geometry of heads and sectors that mtools does not like.
          "MTOOLS_SKIP_CHECK=1", "MTOOLS_FAT_COMPATIBILITY=0", "MTOOLS_LOWER_CASE=0",
          "MTOOLS_NO_VFAT=0", "MTOOLS_NAME_NUMERIC_TAIL=1", "DEFAULT_CODEPAGE=437",
          "LC_ALL=C.UTF-8", "TZ=UTC",
          fmt::format("SOURCE_DATE_EPOCH={}", within_fat_times(now).time_since_epoch().count())};
}

/// A minute, and more for what is large: this is about tools that hang, not about slow machines.
[[nodiscard]] Deadline deadline_for(const Content* input) {
  constexpr std::uint64_t kBytesPerSecond = 1U << 20;
  const std::uint64_t bytes = input != nullptr ? input->size_bytes() : 0;
  return std::chrono::steady_clock::now() + std::chrono::seconds(60 + bytes / kBytesPerSecond);
}

Result<> feed_range(CommandProcess& process, const Content& content, DataRange range,
                    MutableBytes buffer, Deadline deadline) {
  while (range.length_bytes > 0) {
    const auto part = buffer.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(range.length_bytes, buffer.size())));
    IMPRINT_TRY(content.read(range.offset, part));
    IMPRINT_TRY(process.write(text_of(part), deadline));
    range.offset += part.size();
    range.length_bytes -= part.size();
  }
  return {};
}

Result<> feed_zeros(CommandProcess& process, std::uint64_t count, Deadline deadline) {
  static constexpr std::array<char, kPieceBytes> kZeros{};
  while (count > 0) {
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(count, kPieceBytes));
    IMPRINT_TRY(process.write({kZeros.data(), part}, deadline));
    count -= part;
  }
  return {};
}

Result<> feed(CommandProcess& process, const Content& content, Deadline deadline) {
  crypto::WipedBytes buffer(kPieceBytes);
  const auto ranges = IMPRINT_TRY(content.data_ranges());
  std::uint64_t done = 0;
  for (const DataRange& range : ranges) {
    IMPRINT_TRY(feed_zeros(process, range.offset - done, deadline));
    IMPRINT_TRY(feed_range(process, content, range, buffer, deadline));
    done = range.offset + range.length_bytes;
  }
  return feed_zeros(process, content.size_bytes() - done, deadline);
}

[[nodiscard]] std::string first_line(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find('\n'), text.size())));
}

}  // namespace

Result<> run_mtools(int image, std::string_view tool, const std::vector<std::string>& arguments,
                    TimePoint now, const Content* input) {
  std::vector<std::string> command{std::string(tool), "-i", "/proc/self/fd/3"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto started = CommandProcess::start(command, {.environment = environment(now),
                                                 .descriptor_3 = image,
                                                 .errors_in_output = true,
                                                 .without_terminal = true});
  if (!started && started.error().code == Code::not_found) {
    return fail(Code::io, "mtools is needed for FAT partitions: install the package mtools");
  }
  CommandProcess process = IMPRINT_TRY(std::move(started));
  const Deadline deadline = deadline_for(input);
  // What the tool says when it gives up is a better reason than that it reads no more.
  Result<> fed;
  if (input != nullptr) fed = feed(process, *input, deadline);
  process.close_input();
  const auto doing = [&] { return fmt::format("running {} of mtools", quoted(tool)); };
  const std::string said = IMPRINT_TRY(process.read_rest(kMessageBytes, deadline).context(doing()));
  const int status = IMPRINT_TRY(process.wait(deadline).context(doing()));
  if (status != 0) {
    return fail(Error(Code::io, said.empty() ? fmt::format("it ended with status {}", status)
                                             : printable(first_line(said)))
                    .context(doing()));
  }
  return std::move(fed).context(doing());
}

}  // namespace imprint::image
