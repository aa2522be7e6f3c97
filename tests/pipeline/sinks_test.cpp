// One device through both sinks: the image that the image sink writes, and the one that materialize
// makes of the overlay store, have to be the same to the last byte.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../cli/batch_fixture.hpp"
#include "batch_plan.hpp"
#include "image_sink.hpp"
#include "imprint/pipeline/materialize.hpp"
#include "overlay_sink.hpp"
#include "support/matchers.hpp"
#include "worker.hpp"

namespace imprint::pipeline {
namespace {

using cli::test::BatchFolder;
using cli::test::Variant;
using imprint::test::IsOk;
using imprint::test::run_command;

struct Case {
  Variant variant;
  std::string key;
};

void PrintTo(const Case& test_case, std::ostream* out) {
  *out << (test_case.variant == Variant::populated ? "populated " : "empty-b ") << test_case.key;
}

class BothSinks : public testing::TestWithParam<Case> {};

/// Minted, placed and published by the image sink as it is in a batch: golden file first.
void place_as_image(const BatchPlan::Impl& plan, Device& device, const fs::path& directory) {
  const fs::path golden_file = directory / "golden.img";
  ASSERT_THAT(golden::write_golden_file(*plan.base, plan.golden->patch(), golden_file), IsOk());
  auto sink = ImageSink::open({.directory = directory,
                               .golden_file = golden_file,
                               .base = *plan.base,
                               .golden = *plan.golden,
                               .layout = plan.layout,
                               .device_files = plan.device_files,
                               .reflink = false,
                               .bmap = true});
  ASSERT_THAT(sink, IsOk());
  ASSERT_THAT((*sink)->place(device), IsOk());
  Device* placed[] = {&device};
  ASSERT_THAT((*sink)->publish(placed), IsOk());
  ASSERT_FALSE(device.error.has_value()) << device.error->message();
}

void place_as_overlay(const BatchPlan::Impl& plan, Device& device, const fs::path& store) {
  auto sink = OverlaySink::open(store, plan.store_header(),
                                {*plan.base, plan.layout, *plan.golden, plan.device_files});
  ASSERT_THAT(sink, IsOk());
  ASSERT_THAT((*sink)->place(device), IsOk());
  Device* placed[] = {&device};
  ASSERT_THAT((*sink)->publish(placed), IsOk());
}

TEST_P(BothSinks, MakeTheSameImage) {
  IMPRINT_NEED_IMAGES();
  BatchFolder folder(GetParam().variant, 3);
  folder.manifest["identity"]["key"] = GetParam().key;
  folder.manifest["mender_conf"]["target"] = "both";
  // A file that fills another number of blocks on the second device: an overlay of a variant.
  folder.manifest["files"].push_back({{"text", "{notes}"}, {"to", "/data/notes"}});
  folder.save();
  folder.write("devices.csv", fmt::format("id,serial,psk,notes\nunit-1,1,a,short\nunit-2,2,b,{}\n",
                                          std::string(5000, 'n')));
  const auto plan = BatchPlan::make(
      {.manifest = "manifest.json", .overrides = {}, .jobs = 1, .limit = {}}, system_clock());
  ASSERT_THAT(plan, IsOk());
  auto worker = Worker::create(plan->impl());
  ASSERT_THAT(worker, IsOk());
  fs::create_directory("images");
  for (std::size_t row = 0; row < 2; ++row) {
    Device device;
    device.row = row;
    ASSERT_THAT(worker->make(device), IsOk());
    place_as_image(plan->impl(), device, "images");
    place_as_overlay(plan->impl(), device, "overlays.db");
    const auto made =
        materialize({.store = "overlays.db", .id = device.id, .output = ".", .base = {}});
    ASSERT_THAT(made, IsOk());
    EXPECT_EQ(made->image, "./" + device.name);
    const auto same = run_command({"cmp", "images/" + device.name, device.name});
    EXPECT_EQ(same.status, 0) << same.out << same.err;
    EXPECT_EQ(imprint::test::slurp("images/" + device.name + ".bmap"),
              imprint::test::slurp(device.name + ".bmap"));
  }
}

INSTANTIATE_TEST_SUITE_P(Sinks, BothSinks,
                         testing::Values(Case{Variant::populated, "ec:P-256"},
                                         Case{Variant::empty_b, "ed25519"}),
                         [](const auto& test) {
                           return test.param.variant == Variant::populated
                                      ? std::string("Populated")
                                      : std::string("EmptyB");
                         });

TEST(Materialize, RefusesAnotherBaseImage) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::populated, 1);
  ASSERT_EQ(cli::test::imprint({"batch", "manifest.json", "--format", "overlay"}).status, 0);
  const auto made = materialize({.store = "out/overlays.db",
                                 .id = "unit-1",
                                 .output = "one.sdimg",
                                 .base = cli::test::base_image(Variant::empty_b)});
  EXPECT_THAT(
      made, imprint::test::FailsWith(Code::invalid_input,
                                     "is not the base image that 'out/overlays.db' was made from"));
  EXPECT_FALSE(fs::exists("one.sdimg"));
}

TEST(Materialize, NamesTheNearestKnownDevice) {
  IMPRINT_NEED_IMAGES();
  const BatchFolder folder(Variant::empty_b, 2);
  ASSERT_EQ(cli::test::imprint({"batch", "manifest.json", "--format", "overlay"}).status, 0);
  const auto unknown = cli::test::imprint({"materialize", "out/overlays.db", "--id", "unit-l"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, testing::HasSubstr("'unit-1'"));
}

}  // namespace
}  // namespace imprint::pipeline
