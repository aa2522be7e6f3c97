#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace imprint::guestfs {

/// Children that one thread has started and that have not been collected yet, by /proc.
[[nodiscard]] std::vector<pid_t> children_of_thread(pid_t process, pid_t thread);

/// The name the kernel shows for a process ("qemu-system-x86"); empty when there is none.
[[nodiscard]] std::string process_name(pid_t process);

/// Kills a process and all that it has started, if it is a child of ours. Nothing else is ever
/// signalled: a number that has come to stand for somebody else is left alone.
void kill_child_tree(pid_t child);

}  // namespace imprint::guestfs
