// A run's environment and command line.

#define _GNU_SOURCE // setenv, unsetenv

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "agent/environment.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct msg_gpu gpus[] = {{.id = (char *)"GPU-aaaa"}, {.id = (char *)"GPU-bbbb"}, {.id = (char *)"GPU-cccc"}};

static struct environment_setup setup_with(size_t gpu_count)
{
    return (struct environment_setup){.uid = "uid1", .spool_path = "/spool", .bin_dir = "/opt/trawl/bin", .gpus = gpus, .gpu_count = gpu_count};
}

static struct msg_launch_item plain_item(void)
{
    return (struct msg_launch_item){.attempt = 12, .sweep = (char *)"k3x9", .sweep_name = (char *)"my sweep", .trial = 7, .seed = 18446744073709551615u,
                                    .config = (char *)"{}"};
}

// The value of a variable, which is there once; NULL when it is not.
static const char *value(char **env, const char *name)
{
    const char *found = NULL;
    size_t len = strlen(name);
    for (; *env; env++) {
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') {
            assert_null(found);
            found = *env + len + 1;
        }
    }
    return found;
}

static void assert_value(char **env, const char *name, const char *wanted)
{
    const char *got = value(env, name);
    if (!got || strcmp(got, wanted) != 0)
        fail_msg("%s is '%s', not '%s'", name, got ? got : "(unset)", wanted);
}

static void test_environment_names_the_run_in_every_variable(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } wanted[] = {
        {"TRAWL_RUN_DIR", "/spool/12"},  {"TRAWL_CONFIG", "/spool/12/config.json"},          {"TRAWL_METRICS", "/spool/12/metrics.jsonl"},
        {"TRAWL_SWEEP", "k3x9"},         {"TRAWL_SWEEP_NAME", "my sweep"},                   {"TRAWL_TRIAL", "7"},
        {"TRAWL_ATTEMPT", "12"},         {"TRAWL_SEED", "18446744073709551615"},             {"TRAWL_AGENT", "uid1"},
        {"WANDB_DIR", "/spool/12"},      {"WANDB_SWEEP_PARAM_PATH", "/spool/12/config.yaml"}, {"PYTHONUNBUFFERED", "1"},
    };
    unsetenv("WANDB_DIR");
    unsetenv("PYTHONUNBUFFERED");
    const struct environment_setup setup = setup_with(0);
    const struct msg_launch_item item = plain_item();
    char **env = environment_of(&setup, &item);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_value(env, wanted[i].name, wanted[i].value);
    environment_free(env);
}

static void test_environment_passes_on_what_the_user_set_and_not_what_steers_trawl(void **state)
{
    (void)state;
    setenv("HF_HOME", "/models", 1);
    setenv("WANDB_DIR", "/mine", 1);
    setenv("PYTHONUNBUFFERED", "", 1);
    setenv("TRAWL_DATA", "/elsewhere", 1);
    setenv("TRAWL_RUN_DIR", "/outer/run", 1); // an agent inside a run
    setenv("WANDB_SERVICE", "2-123-tcp", 1);
    const struct environment_setup setup = setup_with(0);
    const struct msg_launch_item item = plain_item();
    char **env = environment_of(&setup, &item);
    assert_value(env, "HF_HOME", "/models");
    assert_value(env, "WANDB_DIR", "/mine");
    assert_value(env, "PYTHONUNBUFFERED", "");
    assert_value(env, "TRAWL_RUN_DIR", "/spool/12");
    assert_null(value(env, "TRAWL_DATA"));
    assert_null(value(env, "WANDB_SERVICE"));
    environment_free(env);
    unsetenv("WANDB_DIR");
    unsetenv("TRAWL_DATA");
    unsetenv("TRAWL_RUN_DIR");
    unsetenv("WANDB_SERVICE");
    unsetenv("PYTHONUNBUFFERED");
}

static void test_environment_names_the_parent_and_its_files_when_a_run_goes_on_from_another(void **state)
{
    (void)state;
    char spool[] = "/tmp/trawl-env-XXXXXX", kept[64], plain[64];
    assert_non_null(mkdtemp(spool));
    struct environment_setup setup = setup_with(0);
    struct msg_launch_item item = plain_item();
    setup.spool_path = spool;
    item.parent_trial = 3;
    item.parent_attempt = 9;
    snprintf(kept, sizeof kept, "%s/kept-9", spool);
    snprintf(plain, sizeof plain, "%s/9", spool);
    assert_int_equal(mkdir(plain, 0700), 0); // still looked after: it will be renamed
    char **env = environment_of(&setup, &item);
    assert_value(env, "TRAWL_PARENT_TRIAL", "3");
    assert_null(value(env, "TRAWL_PARENT_RUN_DIR"));
    environment_free(env);
    assert_int_equal(rename(plain, kept), 0);
    env = environment_of(&setup, &item);
    assert_value(env, "TRAWL_PARENT_RUN_DIR", kept);
    environment_free(env);
    item.parent_trial = 0;
    env = environment_of(&setup, &item);
    assert_null(value(env, "TRAWL_PARENT_TRIAL"));
    assert_null(value(env, "TRAWL_PARENT_RUN_DIR"));
    environment_free(env);
    rmdir(kept);
    rmdir(spool);
}

static void test_environment_appends_trawl_to_the_path(void **state)
{
    (void)state;
    char *old = xstrdup(getenv("PATH"));
    struct environment_setup setup = setup_with(0);
    const struct msg_launch_item item = plain_item();
    setenv("PATH", "/venv/bin:/bin", 1);
    char **env = environment_of(&setup, &item);
    assert_value(env, "PATH", "/venv/bin:/bin:/opt/trawl/bin");
    environment_free(env);
    setup.bin_dir = NULL;
    env = environment_of(&setup, &item);
    assert_value(env, "PATH", "/venv/bin:/bin");
    environment_free(env);
    unsetenv("PATH");
    env = environment_of(&setup, &item);
    assert_non_null(strstr(value(env, "PATH"), "/usr/bin"));
    environment_free(env);
    setenv("PATH", old, 1);
    free(old);
}

static void test_environment_gives_the_run_its_gpus_and_no_others(void **state)
{
    (void)state;
    uint32_t two[] = {2, 0}, wrong[] = {1, 9};
    setenv("CUDA_VISIBLE_DEVICES", "0,1,2", 1);
    struct environment_setup setup = setup_with(3);
    struct msg_launch_item item = plain_item();
    item.gpus = two;
    item.gpu_count = 2;
    char **env = environment_of(&setup, &item);
    assert_value(env, "CUDA_VISIBLE_DEVICES", "GPU-cccc,GPU-aaaa");
    environment_free(env);
    item.gpus = wrong; // an index that the hello never had
    env = environment_of(&setup, &item);
    assert_value(env, "CUDA_VISIBLE_DEVICES", "GPU-bbbb");
    environment_free(env);
    item.gpu_count = 0; // a run without GPUs sees none
    env = environment_of(&setup, &item);
    assert_value(env, "CUDA_VISIBLE_DEVICES", "");
    environment_free(env);
    setup.gpu_count = 0; // an agent that manages none leaves what the user set
    env = environment_of(&setup, &item);
    assert_value(env, "CUDA_VISIBLE_DEVICES", "0,1,2");
    environment_free(env);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

static void test_environment_lets_the_spec_win(void **state)
{
    (void)state;
    struct msg_env own[] = {{(char *)"OMP_NUM_THREADS", (char *)"4"}, {(char *)"PYTHONUNBUFFERED", (char *)"0"}, {(char *)"HF_HOME", (char *)"a=b"}};
    setenv("HF_HOME", "/models", 1);
    const struct environment_setup setup = setup_with(0);
    struct msg_launch_item item = plain_item();
    item.env = own;
    item.env_count = 3;
    char **env = environment_of(&setup, &item);
    assert_value(env, "OMP_NUM_THREADS", "4");
    assert_value(env, "PYTHONUNBUFFERED", "0");
    assert_value(env, "HF_HOME", "a=b");
    environment_free(env);
    unsetenv("HF_HOME");
}

static void test_argv_is_finished_where_only_the_agent_knows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool local;
        const char *wanted;
    } cases[] = {
        {"plain", false, "plain"},
        {"${run_dir}", false, "${run_dir}"}, // the controller finished it: a value that looks like a macro
        {"--out=${run_dir}/model", true, "--out=/spool/12/model"},
        {"${args_json_file}", true, "/spool/12/config.json"},
        {"${envvar:TRAWL_TEST_HOME}/data", true, "/users/me/data"},
        {"${envvar:TRAWL_TEST_UNSET}", true, "TRAWL_TEST_UNSET"}, // as W&B's agent does
        {"${unknown}", true, "${unknown}"},
        {"", true, ""},
    };
    enum { COUNT = sizeof cases / sizeof cases[0] };
    struct msg_arg args[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        args[i] = (struct msg_arg){.text = (char *)cases[i].text, .local = cases[i].local};
    setenv("TRAWL_TEST_HOME", "/users/me", 1);
    unsetenv("TRAWL_TEST_UNSET");
    const struct environment_setup setup = setup_with(0);
    struct msg_launch_item item = plain_item();
    item.argv = args;
    item.argc = COUNT;
    char **argv = environment_argv(&setup, &item);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(argv[i], cases[i].wanted);
    assert_null(argv[COUNT]);
    environment_free(argv);
    unsetenv("TRAWL_TEST_HOME");
}

static void test_argv_names_an_interpreter_that_is_there(void **state)
{
    (void)state;
    char dir[] = "/tmp/trawl-env-XXXXXX", *old = xstrdup(getenv("PATH"));
    assert_non_null(mkdtemp(dir));
    char *python = xasprintf("%s/python3", dir);
    int fd = open(python, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    close(fd);
    setenv("PATH", dir, 1); // there is no `python`, as on Debian
    struct msg_arg arg = {.text = (char *)"${interpreter}", .local = true};
    const struct environment_setup setup = setup_with(0);
    struct msg_launch_item item = plain_item();
    item.argv = &arg;
    item.argc = 1;
    char **argv = environment_argv(&setup, &item);
    assert_string_equal(argv[0], "python3");
    environment_free(argv);
    setenv("PATH", old, 1);
    unlink(python);
    rmdir(dir);
    free(python);
    free(old);
}

static void test_environment_free_does_nothing_when_null(void **state)
{
    (void)state;
    environment_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_names_the_run_in_every_variable),
        cmocka_unit_test(test_environment_passes_on_what_the_user_set_and_not_what_steers_trawl),
        cmocka_unit_test(test_environment_names_the_parent_and_its_files_when_a_run_goes_on_from_another),
        cmocka_unit_test(test_environment_appends_trawl_to_the_path),
        cmocka_unit_test(test_environment_gives_the_run_its_gpus_and_no_others),
        cmocka_unit_test(test_environment_lets_the_spec_win),
        cmocka_unit_test(test_argv_is_finished_where_only_the_agent_knows),
        cmocka_unit_test(test_argv_names_an_interpreter_that_is_there),
        cmocka_unit_test(test_environment_free_does_nothing_when_null),
    };
    return cmocka_run_group_tests_name("agent environment", tests, NULL, NULL);
}
