// Time. Only shells call these; pure code is given `now`.
#pragma once

#include <stdint.h>

// Milliseconds that never step and count suspended time (CLOCK_BOOTTIME). For leases and timers.
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);

// Milliseconds since 1970-01-01 UTC. For what a person reads.
int64_t clock_wall_ms(void);
