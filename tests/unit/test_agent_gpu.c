// GPU discovery against stubs of NVML and nvidia-smi, and what the machine offers.

#define _GNU_SOURCE // sched_setaffinity

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/gpu.h"
#include "agent/machine.h"
#include "base/mem.h"
#include "base/str.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMI TRAWL_SOURCE_DIR "/tests/support/nvidia-smi-stub"
#define NO_NVML "/nonexistent/libnvidia-ml.so"
#define NO_SMI "/nonexistent/nvidia-smi"

// The ids found, with commas between; "error: ..." when it failed.
static const char *discover(const char *nvml, const char *smi, const char *visible)
{
    static struct str text;
    struct msg_gpu *gpus = NULL;
    size_t count = 0;
    struct err err = {0};
    int rc = gpu_discover(nvml, smi, visible, &gpus, &count, &err);
    str_clear(&text);
    if (rc != 0)
        str_addf(&text, "error: %s", err.text);
    for (size_t i = 0; i < count; i++)
        str_addf(&text, "%s%s", i ? "," : "", gpus[i].id);
    gpu_release(gpus, count);
    return str_get(&text);
}

#define GPU0 "GPU-00000000-aaaa-bbbb-cccc-0123456789ab"
#define GPU1 "GPU-00000001-aaaa-bbbb-cccc-0123456789ab"
#define GPU2 "GPU-00000002-aaaa-bbbb-cccc-0123456789ab"

static void test_gpu_lists_what_nvml_has_when_it_loads(void **state)
{
    (void)state;
    struct msg_gpu *gpus = NULL;
    size_t count = 0;
    setenv("NVML_STUB", "2", 1);
    assert_int_equal(gpu_discover(NVML_STUB_PATH, NO_SMI, NULL, &gpus, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(gpus[1].id, GPU1);
    assert_string_equal(gpus[1].name, "NVIDIA Stub 80GB");
    assert_true(gpus[1].memory_bytes == 80ull << 30);
    gpu_release(gpus, count);
    setenv("NVML_STUB", "0", 1);
    assert_string_equal(discover(NVML_STUB_PATH, NO_SMI, NULL), "");
}

static void test_gpu_counts_a_gpu_without_memory_of_its_own_when_nvml_has_one(void **state)
{
    (void)state;
    setenv("NVML_STUB", "shared-memory", 1);
    assert_string_equal(discover(NVML_STUB_PATH, NO_SMI, NULL), GPU0);
}

static void test_gpu_asks_nvidia_smi_when_nvml_fails(void **state)
{
    (void)state;
    static const char *const libraries[][2] = {{NO_NVML, "2"}, {NVML_STUB_PATH, "no-driver"}, {NVML_STUB_PATH, "lost"}};
    setenv("SMI_STUB", "GPU-a, NVIDIA A100-SXM4-40GB, 40960\\nGPU-b, NVIDIA GH200, [N/A]\\n", 1);
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        struct msg_gpu *gpus = NULL;
        size_t count = 0;
        setenv("NVML_STUB", libraries[i][1], 1);
        assert_int_equal(gpu_discover(libraries[i][0], SMI, NULL, &gpus, &count, NULL), 0);
        assert_int_equal(count, 2);
        assert_string_equal(gpus[0].id, "GPU-a");
        assert_string_equal(gpus[0].name, "NVIDIA A100-SXM4-40GB");
        assert_true(gpus[0].memory_bytes == 40960ull << 20);
        assert_string_equal(gpus[1].id, "GPU-b");
        gpu_release(gpus, count);
    }
}

static void test_gpu_finds_none_when_nvidia_smi_says_so(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"No devices were found\\n", "6"},
                                           {"", "0"},
                                           {"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\\n", "9"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setenv("SMI_STUB", cases[i][0], 1);
        setenv("SMI_STUB_CODE", cases[i][1], 1);
        assert_string_equal(discover(NO_NVML, SMI, NULL), "");
    }
    unsetenv("SMI_STUB_CODE");
    assert_string_equal(discover(NO_NVML, NO_SMI, NULL), "");
}

static void test_gpu_fails_with_what_was_said_when_nvidia_smi_is_broken(void **state)
{
    (void)state;
    setenv("SMI_STUB", "Failed to initialize NVML: Driver/library version mismatch\\n", 1);
    setenv("SMI_STUB_CODE", "18", 1);
    assert_string_equal(discover(NO_NVML, SMI, NULL), "error: nvidia-smi failed (exit code 18): Failed to initialize NVML: "
                                                      "Driver/library version mismatch; use --gpus none to go without");
    unsetenv("SMI_STUB_CODE");
    setenv("SMI_STUB", "GPU-a, NVIDIA A100, lots\\n", 1);
    assert_string_equal(discover(NO_NVML, SMI, NULL),
                        "error: nvidia-smi said 'GPU-a, NVIDIA A100, lots', which is no GPU; use --gpus none to go without");
    setenv("SMI_STUB", "GPU-a, NVIDIA A100\\n", 1);
    assert_non_null(strstr(discover(NO_NVML, SMI, NULL), "error: nvidia-smi said"));
}

static void test_gpu_keeps_those_that_are_visible_when_some_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"0,2", GPU0 "," GPU2},
                                           {" 2 , 0 ", GPU2 "," GPU0},
                                           {GPU1, GPU1},
                                           {"GPU-00000001", GPU1},
                                           {"GPU-", ""},
                                           {"1,7,0", GPU1},
                                           {"-1", ""},
                                           {"0,-1,1", GPU0},
                                           {"1,1", GPU1},
                                           {"", ""},
                                           {"none", ""},
                                           {"NoDevFiles", ""},
                                           {"MIG-1-2-3,0", "MIG-1-2-3," GPU0}};
    setenv("NVML_STUB", "3", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(discover(NVML_STUB_PATH, NO_SMI, cases[i][0]), cases[i][1]);
}

static void test_gpu_asks_nobody_when_none_is_wanted(void **state)
{
    (void)state;
    setenv("SMI_STUB", "garbage, that, fails\\n", 1);
    assert_string_equal(discover(NO_NVML, SMI, "none"), "");
}

static void test_machine_offers_only_the_cores_of_its_affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(machine_cpus(), 1, (unsigned)CPU_COUNT(&before));
    size_t first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(machine_cpus(), 1);
    sched_setaffinity(0, sizeof before, &before);
}

static void test_machine_offers_no_more_memory_than_there_is(void **state)
{
    (void)state;
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    assert_in_range(machine_memory_bytes(), 1u << 20, all);
}

static void test_machine_knows_its_boot(void **state)
{
    (void)state;
    char id[40];
    machine_boot_id(id);
    assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
    assert_int_equal(strlen(id), 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpu_lists_what_nvml_has_when_it_loads),
        cmocka_unit_test(test_gpu_counts_a_gpu_without_memory_of_its_own_when_nvml_has_one),
        cmocka_unit_test(test_gpu_asks_nvidia_smi_when_nvml_fails),
        cmocka_unit_test(test_gpu_finds_none_when_nvidia_smi_says_so),
        cmocka_unit_test(test_gpu_fails_with_what_was_said_when_nvidia_smi_is_broken),
        cmocka_unit_test(test_gpu_keeps_those_that_are_visible_when_some_are_named),
        cmocka_unit_test(test_gpu_asks_nobody_when_none_is_wanted),
        cmocka_unit_test(test_machine_offers_only_the_cores_of_its_affinity),
        cmocka_unit_test(test_machine_offers_no_more_memory_than_there_is),
        cmocka_unit_test(test_machine_knows_its_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
