// Processes and signals of the long-running commands.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

// SIGINT, SIGTERM, SIGHUP and SIGCHLD, blocked, as a non-blocking descriptor (before any thread starts).
int signals_to_fd(void);

// Start argv[0] in a session of its own, with default signals.
int spawn_session(const char *const *argv, pid_t *ret, struct err *err);

// Whether an agent of that name holds its directory under the data directory.
bool agent_dir_locked(const char *data_dir, const char *name);

void usleep_ms(int ms);
