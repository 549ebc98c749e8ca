// What this machine offers.
#pragma once

#include <stdint.h>

uint32_t machine_cpus(void);         // cores this process may use: affinity and cgroup quota
uint64_t machine_memory_bytes(void); // of the machine or the cgroup, whichever is less
void machine_boot_id(char id[static 40]);
