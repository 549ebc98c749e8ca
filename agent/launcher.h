// Starting shims: through a server that forks them (agent/shim/server.c), restarted when it is gone.
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct launcher;

// `program` is trawl-shim. The server starts with the first shim.
struct launcher *launcher_new(const char *program);
void launcher_free(struct launcher *launcher); // the server ends, its shims go on

// Start a shim for a run directory. It is not our child: *ret_fd, a pidfd that the caller owns, tells its end (-1 when no descriptor is
// left for it). ERR_IO: none was started. ERR_STATE: the server died meanwhile, and only the run directory tells whether one was.
int launcher_start(struct launcher *launcher, const char *directory, pid_t *ret_pid, int *ret_fd, struct err *err);
