#pragma once

#include <exception>
#include <type_traits>

#include "imprint/base/file.hpp"
#include "imprint/base/result.hpp"

namespace imprint::golden {

/// The Error for an exception of SQLiteCpp about the store at `path`.
[[nodiscard]] Error sqlite_error(const std::exception& exception, const fs::path& path);

/// Runs `work` (which returns a Result) and ends SQLiteCpp's exceptions here, as Errors.
template <class Work>
std::invoke_result_t<Work> without_exceptions(const fs::path& path, Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& exception) {
    return fail(sqlite_error(exception, path));
  }
}

}  // namespace imprint::golden
