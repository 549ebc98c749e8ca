// Faults in what the store asks of the disk: SQLite's calls through a VFS, its own through the
// linker's --wrap.
//
// Calls are counted from fault_arm on. The one numbered `at` (from 1), and with `lasting` every one
// after it, fails as `kind` says; a process that is to crash ends there with FAULT_CRASHED.
#pragma once

#include <stdbool.h>

#define FAULT_CRASHED 99 // exit status

enum fault_kind { FAULT_IO, FAULT_FULL, FAULT_SHORT, FAULT_CRASH };

void fault_install(void); // makes the VFS the default; once a process
void fault_arm(enum fault_kind kind, unsigned at, bool lasting);
void fault_disarm(void);
unsigned fault_count(void); // calls since fault_arm
bool fault_happened(void);
