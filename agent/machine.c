// What this machine offers.

#define _GNU_SOURCE // sched_getaffinity
#include "agent/machine.h"

#include "base/file.h"
#include "base/num.h"
#include "base/str.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static double cgroup_quota(void)
{
    struct str text = STR_INIT;
    long long quota = 0, period = 0;
    double cpus = 0;
    if (file_read("/sys/fs/cgroup/cpu.max", 256, &text, NULL) == 0 &&
        sscanf(str_get(&text), "%lld %lld", &quota, &period) == 2 && period > 0)
        cpus = (double)quota / (double)period;
    str_release(&text);
    return cpus;
}

uint32_t machine_cpus(void)
{
    cpu_set_t set;
    uint32_t cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    double quota = cgroup_quota();
    if (quota > 0 && quota < cpus)
        cpus = quota < 1 ? 1 : (uint32_t)quota;
    return cpus;
}

uint64_t machine_memory_bytes(void)
{
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), limit;
    struct str text = STR_INIT;
    if (file_read("/sys/fs/cgroup/memory.max", 64, &text, NULL) == 0 && text.len > 0) {
        if (text.s[text.len - 1] == '\n')
            text.s[text.len - 1] = '\0';
        if (num_parse_u64(text.s, &limit) && limit < bytes)
            bytes = limit;
    }
    str_release(&text);
    return bytes;
}

void machine_boot_id(char id[static 40])
{
    struct str text = STR_INIT;
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, NULL) != 0)
        str_add(&text, "unknown");
    snprintf(id, 40, "%s", str_get(&text));
    id[strcspn(id, "\n")] = '\0';
    str_release(&text);
}
