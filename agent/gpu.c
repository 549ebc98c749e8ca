// GPU discovery: NVML loaded at run time, else nvidia-smi, else none.

#include "agent/gpu.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define GPUS_MAX 256
#define NVML_TEXT 96
#define SMI_TIMEOUT_S 30   // a broken driver makes it hang
#define SMI_NO_DEVICE 6    // exit codes of nvidia-smi
#define SMI_NO_DRIVER 9
#define SMI_TIMED_OUT 124  // of timeout
#define SHELL_NOT_EXECUTABLE 126
#define SHELL_NOT_FOUND 127

// The few of NVML's functions that are needed; the library's own header is not, its calls are stable.
typedef void *nvml_device;
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*device)(unsigned, nvml_device *);
    int (*uuid)(nvml_device, char *, unsigned);
    int (*name)(nvml_device, char *, unsigned);
    int (*memory)(nvml_device, struct nvml_memory *);
};

void gpu_release(struct msg_gpu *gpus, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(gpus[i].id);
        free(gpus[i].name);
    }
    free(gpus);
}

static bool load(struct nvml *nvml, const char *path)
{
    static const char *const names[] = {"nvmlInit_v2", "nvmlShutdown", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2",
                                        "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo"};
    void *symbols[ARRAY_LEN(names)];
    nvml->library = dlopen(path ? path : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!nvml->library)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        symbols[i] = dlsym(nvml->library, names[i]);
        if (!symbols[i])
            return false;
    }
    // Objects to functions: what dlsym is for, though ISO C has no cast for it.
    memcpy(&nvml->init, &symbols[0], sizeof symbols[0]);
    memcpy(&nvml->shutdown, &symbols[1], sizeof symbols[1]);
    memcpy(&nvml->count, &symbols[2], sizeof symbols[2]);
    memcpy(&nvml->device, &symbols[3], sizeof symbols[3]);
    memcpy(&nvml->uuid, &symbols[4], sizeof symbols[4]);
    memcpy(&nvml->name, &symbols[5], sizeof symbols[5]);
    memcpy(&nvml->memory, &symbols[6], sizeof symbols[6]);
    return nvml->init() == 0;
}

static bool by_nvml(const char *path, struct msg_gpu **ret, size_t *ret_count)
{
    struct nvml nvml = {0};
    unsigned count = 0;
    bool good = load(&nvml, path) && nvml.count(&count) == 0 && count <= GPUS_MAX;
    struct msg_gpu *gpus = xcalloc(count, sizeof *gpus);
    for (unsigned i = 0; good && i < count; i++) {
        char uuid[NVML_TEXT] = "", name[NVML_TEXT] = "";
        nvml_device device;
        struct nvml_memory memory = {0};
        good = nvml.device(i, &device) == 0 && nvml.uuid(device, uuid, sizeof uuid) == 0;
        if (!good)
            break;
        nvml.name(device, name, sizeof name);
        nvml.memory(device, &memory);
        gpus[i] = (struct msg_gpu){.id = xstrdup(uuid), .name = xstrdup(name), .memory_bytes = memory.total};
    }
    if (nvml.shutdown && good)
        nvml.shutdown();
    if (nvml.library)
        dlclose(nvml.library);
    if (!good) {
        gpu_release(gpus, count);
        return false;
    }
    if (count == 0)
        gpu_release(gpus, 0);
    *ret = count ? gpus : NULL;
    *ret_count = count;
    return true;
}

static char *trimmed(char *text)
{
    while (*text == ' ')
        text++;
    size_t len = strlen(text);
    while (len > 0 && strchr(" \r\n", text[len - 1]))
        text[--len] = '\0';
    return text;
}

// One line of "uuid, name, memory in MiB". Machines whose GPU shares the host's memory give [N/A] for it.
static int parse_smi(char *line, struct msg_gpu *ret, struct err *err)
{
    char *name = strchr(line, ','), *memory = name ? strchr(name + 1, ',') : NULL;
    uint64_t mib = 0;
    if (!memory || !*trimmed(memory + 1) || (!num_parse_u64(trimmed(memory + 1), &mib) && strcmp(trimmed(memory + 1), "[N/A]") != 0))
        return err_set(err, ERR_PROTOCOL, "nvidia-smi said '%.100s', which is no GPU; use --gpus none to go without", trimmed(line));
    *name = *memory = '\0';
    *ret = (struct msg_gpu){.id = xstrdup(trimmed(line)), .name = xstrdup(trimmed(name + 1)), .memory_bytes = mib << 20};
    return 0;
}

// What nvidia-smi's exit code says when it listed nothing: that there is no GPU, or that something is wrong with one.
static int judge_smi(int status, const char *said, struct err *err)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    switch (code) {
    case 0:
    case SMI_NO_DEVICE:
    case SMI_NO_DRIVER:
    case SHELL_NOT_FOUND:
    case SHELL_NOT_EXECUTABLE:
        return 0;
    case SMI_TIMED_OUT:
        return err_set(err, ERR_TIMEOUT, "nvidia-smi did not answer within %d s; use --gpus none to go without", SMI_TIMEOUT_S);
    default:
        return err_set(err, ERR_IO, "nvidia-smi failed (exit code %d): %.200s; use --gpus none to go without", code,
                       *said ? said : "it said nothing");
    }
}

static int by_smi(const char *smi, struct msg_gpu **ret, size_t *ret_count, struct err *err)
{
    char *command = xasprintf("timeout %d '%s' --query-gpu=uuid,name,memory.total --format=csv,noheader,nounits 2>/dev/null",
                              SMI_TIMEOUT_S, smi ? smi : "nvidia-smi");
    FILE *pipe = popen(command, "re");
    struct msg_gpu *gpus = xcalloc(GPUS_MAX, sizeof *gpus);
    size_t count = 0;
    char line[512], said[512] = "";
    int rc = 0;
    free(command);
    while (pipe && rc == 0 && count < GPUS_MAX && fgets(line, sizeof line, pipe)) {
        if (!*said)
            snprintf(said, sizeof said, "%s", trimmed(line));
        if (!strchr(line, ','))
            continue; // "No devices were found", or why it fails
        rc = parse_smi(line, &gpus[count], err);
        count += rc == 0;
    }
    int status = pipe ? pclose(pipe) : 0;
    if (rc == 0 && count == 0)
        rc = judge_smi(status, said, err);
    if (rc != 0 || count == 0) {
        gpu_release(gpus, count);
        return rc;
    }
    *ret = gpus;
    *ret_count = count;
    return 0;
}

// Whether a word of CUDA_VISIBLE_DEVICES names this GPU: its index, or its UUID or the start of it.
static bool is_named(const struct msg_gpu *gpu, size_t index, const char *word)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", index);
    return strcmp(word, number) == 0 || (strlen(word) >= 8 && str_starts(gpu->id, word));
}

// The GPUs that `visible` names, in its order, each once. As CUDA does, it ends at the first word that names none ("-1"). A slice of
// a GPU ("MIG-...") is taken at its word: it counts as a GPU of its own.
static size_t pick_visible(struct msg_gpu *gpus, size_t count, const char *visible, struct msg_gpu *picked)
{
    size_t kept = 0;
    char *copy = xstrdup(visible), *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word && kept < GPUS_MAX; word = strtok_r(NULL, ",", &rest)) {
        char *name = trimmed(word);
        size_t i = 0;
        if (str_starts(name, "MIG-")) {
            picked[kept++] = (struct msg_gpu){.id = xstrdup(name), .name = xstrdup("MIG")};
            continue;
        }
        while (i < count && !(gpus[i].id && is_named(&gpus[i], i, name)))
            i++;
        if (i == count)
            break;
        picked[kept++] = gpus[i];
        gpus[i] = (struct msg_gpu){0};
    }
    free(copy);
    return kept;
}

int gpu_discover(const char *nvml, const char *smi, const char *visible_devices, struct msg_gpu **ret, size_t *ret_count,
                 struct err *err)
{
    struct msg_gpu *gpus = NULL;
    size_t count = 0;
    *ret = NULL;
    *ret_count = 0;
    if (visible_devices && (strcmp(visible_devices, "none") == 0 || !*visible_devices))
        return 0;
    int rc = by_nvml(nvml, &gpus, &count) ? 0 : by_smi(smi, &gpus, &count, err);
    if (rc != 0 || count == 0 || !visible_devices) {
        *ret = gpus;
        *ret_count = count;
        return rc;
    }
    *ret = xcalloc(GPUS_MAX, sizeof **ret);
    *ret_count = pick_visible(gpus, count, visible_devices, *ret);
    gpu_release(gpus, count);
    return 0;
}
