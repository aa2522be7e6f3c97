#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "findings.hpp"
#include "open_image.hpp"

namespace imprint::verify {

/// Told of an ext file system of a kind that is not known here: another engine may know it.
using PassOver = std::function<void(const image::Partition& partition, const Error& why)>;

/// Every ext file system among the partitions that is known here is clean and consistent;
/// how many there are of these.
[[nodiscard]] Result<std::size_t> check_partitions(const image::ImageReader& bytes,
                                                   std::span<const image::Partition> partitions,
                                                   const PassOver& pass_over = {});

/// The image has a data partition, every ext file system in it is clean and consistent, and those
/// of data and roots can be opened by the engine that was chosen. False when nothing in it can be
/// looked at.
[[nodiscard]] bool check_file_systems(OpenImage& image, Findings& findings);

}  // namespace imprint::verify
