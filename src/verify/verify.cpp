#include "imprint/verify/verify.hpp"

#include <algorithm>

#include "image_checks.hpp"
#include "imprint/base/parallel.hpp"
#include "targets.hpp"
#include "unique.hpp"

namespace imprint::verify {

namespace {

/// An appliance takes hundreds of megabytes, so they are started one after the other.
unsigned threads_for(const Request& request) {
  if (request.engine.engine == pipeline::Engine::guestfs) return 1;
  return request.jobs == 0 ? usable_cpus() : request.jobs;
}

/// What says nothing of the image, and may pass later.
bool is_environment(Code code) {
  return code == Code::io || code == Code::no_space || code == Code::busy ||
         code == Code::database || code == Code::internal;
}

Result<Against> load(const Request& request, const std::atomic<bool>& stop) {
  Against against{.request = request,
                  .trust = IMPRINT_TRY(load_trust(request.authorities, request.crls)),
                  .manifest = std::nullopt,
                  .golden = std::nullopt,
                  .stop = stop};
  if (request.manifest)
    against.manifest = IMPRINT_TRY(ManifestRecord::load(*request.manifest).context("--manifest"));
  if (request.golden)
    against.golden = IMPRINT_TRY(image::FileImage::open(*request.golden).context("--golden"));
  return against;
}

}  // namespace

Result<Summary> verify(const std::vector<fs::path>& places, const Request& request,
                       const Visitor& visit, const std::atomic<bool>& stop) {
  const Against against = IMPRINT_TRY(load(request, stop));
  const Targets targets = IMPRINT_TRY(Targets::find(places, request));
  const std::vector<Target>& all = targets.all();
  if (request.bmap && all.size() != 1)
    return fail(Code::invalid_input,
                "--bmap is of one image; leave it out, and each image's own "
                ".bmap is taken");

  const unsigned threads = threads_for(request);
  std::vector<Judged> slots(std::size_t{threads} * 4);
  Summary summary;
  Unique unique;
  const OrderedWork work{
      .slots = slots.size(),
      .work = [&](std::size_t item,
                  std::size_t slot) { slots[slot] = judge_image(all[item], against); },
      .take =
          [&](std::size_t /*item*/, std::size_t slot) {
            // What was broken off is no verdict.
            if (stop.load()) return;
            Judged& judged = slots[slot];
            Findings findings(judged.verdict.checks);
            if (judged.certificate && all.size() > 1)
              unique.check(judged.verdict, *judged.certificate, findings);
            ++summary.images;
            if (!judged.verdict.passed()) ++summary.failed;
            if (judged.trouble && is_environment(*judged.trouble)) ++summary.unreadable;
            visit(judged.verdict);
          }};
  if (!run_in_order(all.size(), threads, work, stop) || stop.load())
    return fail(Code::cancelled, "interrupted");
  return summary;
}

}  // namespace imprint::verify
