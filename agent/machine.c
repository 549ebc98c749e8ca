// What this machine offers: the least of what hardware, affinity and control groups allow.

#define _GNU_SOURCE // sched_getaffinity
#include "agent/machine.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_FILE_MAX 65536

// Our group in a hierarchy: of version 2 ("" as controller), or of a controller of version 1. The caller frees; NULL: none.
static char *group_of(const char *controller)
{
    struct str text = STR_INIT;
    char *rest = NULL, *line, *found = NULL;
    file_read("/proc/self/cgroup", CGROUP_FILE_MAX, &text, NULL);
    str_addch(&text, '\n'); // text.s is there now
    for (line = strtok_r(text.s, "\n", &rest); line && !found; line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *more = NULL;
        if (!path)
            continue;
        *path++ = '\0';
        names++;
        if (!*controller)
            found = *names ? NULL : xstrdup(path);
        for (char *name = strtok_r(names, ",", &more); *controller && name && !found; name = strtok_r(NULL, ",", &more))
            found = strcmp(name, controller) == 0 ? xstrdup(path) : NULL;
    }
    str_release(&text);
    return found;
}

// Call `each` with the text of `file` in our group and every group above it.
static void walk_groups(const char *controller, const char *file, void (*each)(const char *text, void *context), void *context)
{
    char *group = group_of(controller);
    bool more = group && group[0] == '/';
    while (more) {
        struct str text = STR_INIT;
        char *path = xasprintf(CGROUP_ROOT "%s%s%s/%s", *controller ? "/" : "", controller, group, file);
        if (file_read(path, CGROUP_FILE_MAX, &text, NULL) == 0)
            each(str_get(&text), context);
        free(path);
        str_release(&text);
        more = *group != '\0';
        if (more)
            *strrchr(group, '/') = '\0';
    }
    free(group);
}

// ---- Cores

struct quota {
    double cpus; // the least so far
    long long period;
};

static void take_quota(struct quota *quota, long long us, long long period)
{
    if (us > 0 && period > 0 && (double)us / (double)period < quota->cpus)
        quota->cpus = (double)us / (double)period;
}

static void take_cpu_max(const char *text, void *context)
{
    long long us, period;
    if (sscanf(text, "%lld %lld", &us, &period) == 2) // "max 100000" is no limit
        take_quota(context, us, period);
}

static void take_period(const char *text, void *context)
{
    struct quota *quota = context;
    quota->period = strtoll(text, NULL, 10);
}

static void take_quota_us(const char *text, void *context)
{
    struct quota *quota = context;
    take_quota(quota, strtoll(text, NULL, 10), quota->period);
}

uint32_t machine_cpus(void)
{
    cpu_set_t set;
    long usable = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    struct quota quota = {.cpus = (double)usable};
    walk_groups("", "cpu.max", take_cpu_max, &quota);
    walk_groups("cpu", "cpu.cfs_period_us", take_period, &quota); // the same all the way up, in practice
    walk_groups("cpu", "cpu.cfs_quota_us", take_quota_us, &quota);
    return quota.cpus < 1 ? 1 : (uint32_t)quota.cpus;
}

// ---- Memory

static void take_limit(const char *text, void *context)
{
    uint64_t *least = context, limit;
    char number[32];
    snprintf(number, sizeof number, "%.*s", (int)strcspn(text, "\n"), text);
    if (num_parse_u64(number, &limit) && limit < *least) // "max" is no limit
        *least = limit;
}

uint64_t machine_memory_bytes(void)
{
    uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    walk_groups("", "memory.max", take_limit, &bytes);
    walk_groups("memory", "memory.limit_in_bytes", take_limit, &bytes);
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
