// A library that answers as NVML does. NVML_STUB says how many GPUs it has, or what goes wrong: "no-driver", "lost" (the second GPU does
// not answer), "shared-memory" (one GPU, without memory of its own).

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define NOT_SUPPORTED 3
#define NOT_LOADED 9
#define GPU_IS_LOST 15

struct memory {
    unsigned long long total, free, used;
};

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
EXPORT int nvmlDeviceGetUUID(void *device, char *text, unsigned size);
EXPORT int nvmlDeviceGetName(void *device, char *text, unsigned size);
EXPORT int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory);

static int is(const char *word)
{
    const char *text = getenv("NVML_STUB");
    return text && strcmp(text, word) == 0;
}

int nvmlInit_v2(void)
{
    return is("no-driver") ? NOT_LOADED : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    const char *text = getenv("NVML_STUB");
    *count = is("lost") ? 2 : is("shared-memory") ? 1 : text ? (unsigned)atoi(text) : 0;
    return 0;
}

static size_t slots[64];

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    slots[index] = index;
    *device = &slots[index];
    return is("lost") && index == 1 ? GPU_IS_LOST : 0;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned size)
{
    snprintf(text, size, "GPU-%08zu-aaaa-bbbb-cccc-0123456789ab", *(size_t *)device);
    return 0;
}

int nvmlDeviceGetName(void *device, char *text, unsigned size)
{
    (void)device;
    snprintf(text, size, "NVIDIA Stub 80GB");
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *memory)
{
    (void)device;
    if (is("shared-memory"))
        return NOT_SUPPORTED;
    *memory = (struct memory){.total = 80ull << 30};
    return 0;
}
