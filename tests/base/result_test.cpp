#include "imprint/base/result.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "imprint/base/text.hpp"
#include "support/matchers.hpp"

namespace imprint {
namespace {

using test::FailsWith;
using test::IsOk;

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Code::invalid_input, std::to_string(number) + " is odd");
  return number / 2;
}

Result<int> quarter(int number) {
  const int once = IMPRINT_TRY(half(number));
  return IMPRINT_TRY(half(once));
}

Result<> must_be_even(int number) {
  IMPRINT_TRY(half(number));
  return {};
}

Result<int> one_if_even(int number) {
  IMPRINT_TRY(must_be_even(number));
  return 1;
}

Result<std::unique_ptr<int>> boxed(int number) {
  return std::make_unique<int>(number);
}

Result<int> unboxed(int number) {
  const std::unique_ptr<int> box = IMPRINT_TRY(boxed(number));
  return *box;
}

TEST(Error, MessageReadsOutermostFirst) {
  const Error error = Error(Code::no_space, "no space")
                          .context("writing '/etc/id'")
                          .context("stamping device 'u-42'");
  EXPECT_EQ(error.message(), "stamping device 'u-42': writing '/etc/id': no space");
}

TEST(Error, MessageStaysOneLineWhateverIsInIt) {
  const Error error = Error(Code::io, "bad\nline\x1b[31m\xff").context("reading\r\xe2\x80\xae'x'");
  EXPECT_EQ(error.message(), R"(reading\r\u{202e}'x': bad\nline\x1b[31m\xff)");
}

TEST(Error, MessageLeavesQuotedNamesAsTheyAre) {
  const Error error(Code::io, quoted("it's\n"));
  EXPECT_EQ(error.message(), R"('it\'s\n')");
}

TEST(Error, SystemErrorNamesTheReason) {
  const Error error = system_error("opening 'x'", ENOENT);
  EXPECT_EQ(error.message(), "opening 'x': No such file or directory");
}

TEST(Error, SystemErrorTellsKindsApart) {
  struct Row {
    int error_number;
    Code code;
  };

  for (const Row row :
       {Row{ENOENT, Code::not_found}, Row{ENOTDIR, Code::not_found}, Row{EEXIST, Code::exists},
        Row{ENOSPC, Code::no_space}, Row{EDQUOT, Code::no_space}, Row{ELOOP, Code::invalid_input},
        Row{ENAMETOOLONG, Code::invalid_input}, Row{EACCES, Code::io}, Row{EROFS, Code::io}}) {
    EXPECT_EQ(system_error("x", row.error_number).code, row.code) << row.error_number;
  }
}

TEST(Error, EveryCodeHasItsOwnName) {
  std::vector<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code) {
    const std::string_view one = name(static_cast<Code>(code));
    EXPECT_EQ(std::count(names.begin(), names.end(), one), 0) << one;
    names.push_back(one);
  }
}

TEST(Result, TryGivesTheValueOrLeavesWithTheError) {
  EXPECT_THAT(quarter(8), IsOk());
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_THAT(quarter(3), FailsWith(Code::invalid_input, "3 is odd"));
  EXPECT_THAT(quarter(6), FailsWith(Code::invalid_input, "3 is odd"));
}

TEST(Result, TryWorksWithoutAValue) {
  EXPECT_EQ(one_if_even(2).value(), 1);
  EXPECT_THAT(one_if_even(5), FailsWith(Code::invalid_input, "5 is odd"));
}

TEST(Result, TryMovesWhatCannotBeCopied) {
  EXPECT_EQ(unboxed(7).value(), 7);
}

TEST(Result, ContextIsAddedToFailuresOnly) {
  EXPECT_EQ(half(4).context("halving").value(), 2);
  EXPECT_EQ(half(5).context("halving").error().message(), "halving: 5 is odd");
  EXPECT_THAT(must_be_even(2).context("checking"), IsOk());
}

}  // namespace
}  // namespace imprint
