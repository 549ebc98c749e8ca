// GPU discovery: NVML loaded at run time, else nvidia-smi, else none. Honours CUDA_VISIBLE_DEVICES of the agent.
#pragma once

#include "base/err.h"
#include "wire/msg.h"

#include <stddef.h>

// `smi` is the nvidia-smi to call (NULL: from PATH), `nvml` the library to load (NULL: libnvidia-ml.so.1); tests give stubs.
// No GPU or no driver is 0 with *ret_count 0; a driver that answers nonsense is an error with what it said. The caller releases.
int gpu_discover(const char *nvml, const char *smi, const char *visible_devices, struct msg_gpu **ret, size_t *ret_count,
                 struct err *err);
void gpu_release(struct msg_gpu *gpus, size_t count);
