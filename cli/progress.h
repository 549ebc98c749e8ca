// The live line of `trawl run`: done, running, failed, best value, rate, time left. In a terminal one line that changes; elsewhere
// plain lines, at growing intervals. On stderr.
#pragma once

#include "controller/core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct progress;

// `total` trials expected, 0 when that is not known.
struct progress *progress_new(uint64_t total, bool quiet);
void progress_free(struct progress *progress); // removes the live line

// Show what is so now. Cheap to call at every turn: it draws at most ten times a second.
void progress_update(struct progress *progress, const struct core *core, uint64_t sweep,
                     const char *note, uint64_t now_ms);

// Take the live line away so that something else can be printed; the next update brings it back.
void progress_clear(struct progress *progress);
