// The real agent and real runs under a controller that does what the test says.

#define _GNU_SOURCE // kill

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_controller.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct fake_controller fake;
static pid_t agent_pid; // 0: none runs
static int exit_status;

// ---- The agent

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", fake.dir, name);
}

static void start_with(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    char *log = path_of("stderr");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_int_equal(posix_spawn(&agent_pid, TRAWL_AGENT, &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    free(log);
}

static void start_agent(void)
{
    const char *argv[] = {"trawl-agent", "--data", fake.data, "--name",        "t",      "--slots", "2",
                          "--cpus",      "2",      "--gpus",  "none", "--working-dir", fake.dir, NULL};
    start_with(argv);
}

static bool has_ended(const struct fake_controller *unused)
{
    (void)unused;
    if (agent_pid && waitpid(agent_pid, &exit_status, WNOHANG) == agent_pid)
        agent_pid = 0;
    return agent_pid == 0;
}

// Wait for the end of the agent; returns its exit code.
static int agent_code(void)
{
    fake_wait(&fake, has_ended, "the agent ends");
    return WIFEXITED(exit_status) ? WEXITSTATUS(exit_status) : -1;
}

static void kill_agent(void)
{
    kill(agent_pid, SIGKILL);
    agent_code();
}

static char *said(void)
{
    struct str text = STR_INIT;
    char *log = path_of("stderr");
    file_read(log, 1 << 20, &text, NULL);
    free(log);
    return str_detach(&text);
}

static void assert_said(const char *words)
{
    char *text = said();
    if (!strstr(text, words))
        fail_msg("'%s' is missing in: %s", words, text);
    free(text);
}

static void touch(const char *name)
{
    char *path = path_of(name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    free(path);
}

static bool exists(const char *name)
{
    char *path = path_of(name);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

// Processes of the test end by themselves when their directory is gone (their scripts wait for files in it); the shims' runs are killed.
static int teardown(void **state)
{
    (void)state;
    if (agent_pid) {
        kill(agent_pid, SIGKILL);
        waitpid(agent_pid, NULL, 0);
        agent_pid = 0;
    }
    char *command = xasprintf("for f in %s/agents/t/runs/*/lock %s/alone/runs/*/lock; do [ -f $f ] && read shim run rest <$f && [ $shim -gt 1 ] && "
                              "kill -9 $shim; done 2>/dev/null; true", fake.data, fake.dir);
    assert_int_equal(system(command), 0);
    free(command);
    fake_release(&fake);
    return 0;
}

// ---- What is waited for

static bool connected(const struct fake_controller *at)
{
    return at->hellos > 0;
}
static bool connected_twice(const struct fake_controller *at)
{
    return at->hellos > 1;
}
static bool first_started(const struct fake_controller *at)
{
    return at->attempts[1].started;
}
static bool first_exited(const struct fake_controller *at)
{
    return at->attempts[1].exited;
}
static bool both_exited(const struct fake_controller *at)
{
    return at->attempts[1].exited && at->attempts[2].exited;
}
static bool first_refused(const struct fake_controller *at)
{
    return at->attempts[1].refused;
}
static bool first_printed(const struct fake_controller *at)
{
    return at->attempts[1].streams[STREAM_STDOUT].len > 0;
}
static bool first_directory_gone(const struct fake_controller *at)
{
    (void)at;
    return !exists(".trawl/agents/t/runs/1");
}
static bool first_has_exit(const struct fake_controller *at)
{
    (void)at;
    return exists(".trawl/agents/t/runs/1/exit.json");
}
static bool said_bye(const struct fake_controller *at)
{
    return at->byes;
}

static const char *text_of(uint64_t attempt, enum stream stream)
{
    return str_get(&fake.attempts[attempt].streams[stream]);
}

static void start_and_connect(void)
{
    start_agent();
    fake_wait(&fake, connected, "the agent connects");
}

// One run that lasts until the file "go" is there.
static void start_long_run(void)
{
    start_and_connect();
    fake_launch(&fake, 1, "echo begun; while [ -d .trawl ] && [ ! -e go ]; do sleep 0.02; done; echo done", NULL);
    fake_wait(&fake, first_started, "the run starts");
}

// ---- The life of a run

static void test_agent_reports_a_run_to_its_end_when_it_is_launched(void **state)
{
    (void)state;
    start_and_connect();
    assert_int_equal(fake.hello.slots, 2);
    assert_int_equal(fake.hello.incarnation, 1);
    assert_string_equal(fake.name, "t");
    fake_launch(&fake, 1, "echo out; echo err >&2; echo '{\"loss\": 1}' >>$TRAWL_METRICS; exit 3", NULL);
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(text_of(1, STREAM_STDOUT), "out\n");
    assert_string_equal(text_of(1, STREAM_STDERR), "err\n");
    assert_string_equal(text_of(1, STREAM_METRICS), "{\"loss\": 1}\n");
    assert_string_equal(fake.attempts[1].class_word, "failed");
    assert_int_equal(fake.attempts[1].code, 3);
    fake_wait(&fake, first_directory_gone, "the run directory goes");
    assert_said("connected to the controller of ");
    assert_said(" with 2 slots");
}

static void test_agent_sends_what_a_run_writes_while_it_runs(void **state)
{
    (void)state;
    start_long_run();
    fake_wait(&fake, first_printed, "its output comes");
    assert_string_equal(text_of(1, STREAM_STDOUT), "begun\n");
    assert_false(fake.attempts[1].exited);
    touch("go");
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(text_of(1, STREAM_STDOUT), "begun\ndone\n");
}

static void test_agent_gives_a_run_its_environment(void **state)
{
    (void)state;
    setenv("OUTER", "inherited", 1);
    setenv("TRAWL_TOKEN", "secret", 1);
    start_and_connect();
    fake_launch(&fake, 1, "env; pwd; cat $TRAWL_CONFIG", NULL);
    fake_wait(&fake, first_exited, "the run ends");
    unsetenv("TRAWL_TOKEN");
    char *run_dir = path_of(".trawl/agents/t/runs/1");
    const char *text = text_of(1, STREAM_STDOUT);
    static const char *const lines[] = {"TRAWL_TRIAL=17\n", "TRAWL_ATTEMPT=1\n", "TRAWL_SEED=99\n",     "TRAWL_SWEEP=k3x9\n",
                                        "FROM_SPEC=yes\n",  "OUTER=inherited\n", "PYTHONUNBUFFERED=1\n", "{\"lr\":0.1}"};
    static const char *const names[] = {"TRAWL_RUN_DIR=%s\n", "TRAWL_CONFIG=%s/config.json\n", "TRAWL_METRICS=%s/metrics.jsonl\n",
                                        "WANDB_SWEEP_PARAM_PATH=%s/config.yaml\n", "WANDB_DIR=%s\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!strstr(text, lines[i]))
            fail_msg("'%s' is missing in: %s", lines[i], text);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str line = STR_INIT;
        size_t head = strcspn(names[i], "%");
        str_addn(&line, names[i], head);
        str_addf(&line, "%s%s", run_dir, names[i] + head + 2);
        if (!strstr(text, str_get(&line)))
            fail_msg("'%s' is missing in: %s", str_get(&line), text);
        str_release(&line);
    }
    assert_null(strstr(text, "TRAWL_TOKEN"));
    char *cwd = xasprintf("\n%s\n", fake.dir);
    assert_non_null(strstr(text, cwd));
    free(cwd);
    free(run_dir);
}

static void use_no_program(struct msg_launch_item *item)
{
    item->argv[0].text = (char *)"no-such-program";
}

static void use_no_directory(struct msg_launch_item *item)
{
    item->working_dir = (char *)"not/there";
}

static void test_agent_says_why_when_a_run_cannot_start(void **state)
{
    (void)state;
    start_and_connect();
    fake_launch(&fake, 1, "true", use_no_program);
    fake_launch(&fake, 2, "true", use_no_directory);
    fake_wait(&fake, both_exited, "both end");
    assert_string_equal(fake.attempts[1].class_word, "start_failed");
    assert_non_null(strstr(fake.attempts[1].message, "cannot start 'no-such-program'"));
    assert_string_equal(fake.attempts[2].class_word, "start_failed");
    assert_non_null(strstr(fake.attempts[2].message, "cannot enter the working directory"));
}

static void test_agent_refuses_when_the_run_directory_is_there_already(void **state)
{
    (void)state;
    start_and_connect();
    char *dir = path_of(".trawl/agents/t/runs/1");
    assert_int_equal(mkdir(dir, 0700), 0);
    fake_launch(&fake, 1, "true", NULL);
    fake_wait(&fake, first_refused, "it is refused");
    free(dir);
}

// The one child of the agent.
static pid_t server_of_shims(void)
{
    struct str text = STR_INIT;
    char *path = xasprintf("/proc/%d/task/%d/children", (int)agent_pid, (int)agent_pid);
    assert_int_equal(file_read(path, 256, &text, NULL), 0);
    pid_t pid = (pid_t)strtol(str_get(&text), NULL, 10);
    assert_true(pid > 1);
    str_release(&text);
    free(path);
    return pid;
}

static pid_t server_pid;

// A zombie, until the agent asks it next.
static bool server_is_dead(const struct fake_controller *unused)
{
    (void)unused;
    struct str text = STR_INIT;
    char *path = xasprintf("/proc/%d/stat", (int)server_pid);
    bool dead = file_read(path, 4096, &text, NULL) != 0 || strstr(str_get(&text), ") Z") != NULL;
    str_release(&text);
    free(path);
    return dead;
}

static bool second_exited(const struct fake_controller *at)
{
    return at->attempts[2].exited;
}

static void test_agent_starts_runs_when_the_server_of_its_shims_was_killed(void **state)
{
    (void)state;
    start_long_run();
    server_pid = server_of_shims();
    kill(server_pid, SIGKILL);
    fake_wait(&fake, server_is_dead, "the server is dead");
    fake_launch(&fake, 2, "echo second", NULL);
    fake_wait(&fake, second_exited, "the second run ends");
    assert_string_equal(fake.attempts[2].class_word, "success");
    touch("go");
    fake_wait(&fake, first_exited, "the first run goes on to its end");
    assert_string_equal(fake.attempts[1].class_word, "success");
}

// ---- Ending runs

static void test_agent_ends_a_run_with_the_word_it_was_given_when_it_is_killed(void **state)
{
    (void)state;
    start_long_run();
    fake_kill(&fake, 1, "cancelled", 30000);
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "cancelled");
    assert_int_equal(fake.attempts[1].signal, SIGTERM);
}

static void test_agent_kills_a_run_that_ignores_sigterm_when_there_is_no_grace(void **state)
{
    (void)state;
    start_and_connect();
    fake_launch(&fake, 1, "trap '' TERM; echo ready; while [ -d .trawl ]; do sleep 0.02; done", NULL);
    fake_wait(&fake, first_printed, "the run is ready");
    fake_kill(&fake, 1, "stopped", 30000);
    fake_kill(&fake, 1, "stopped", 0);
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "stopped");
    assert_int_equal(fake.attempts[1].signal, SIGKILL);
}

// ---- Death and return

static void test_agent_finds_its_run_again_when_it_was_killed(void **state)
{
    (void)state;
    start_long_run();
    char *uid = xstrdup(fake.uid);
    kill_agent();
    fake.hellos = 0;
    start_and_connect();
    assert_string_equal(fake.uid, uid);
    assert_int_equal(fake.hello.incarnation, 2);
    assert_int_equal(fake.hello.held_count, 1);
    assert_int_equal(fake.held_attempt, 1);
    assert_string_equal(fake.held_state, "running");
    touch("go");
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "success");
    assert_string_equal(text_of(1, STREAM_STDOUT), "begun\ndone\n");
    free(uid);
}

static void test_agent_ends_an_adopted_run_when_it_is_killed_by_the_controller(void **state)
{
    (void)state;
    start_long_run();
    kill_agent();
    fake.hellos = 0;
    start_and_connect();
    fake_kill(&fake, 1, "cancelled", 30000);
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "cancelled");
}

static void test_agent_tells_the_end_it_slept_through_when_it_was_killed(void **state)
{
    (void)state;
    start_long_run();
    kill_agent();
    touch("go");
    fake_wait(&fake, first_has_exit, "the shim writes the end");
    fake.hellos = 0;
    start_and_connect();
    assert_string_equal(fake.held_state, "exited");
    fake_wait(&fake, first_exited, "the end is told");
    assert_string_equal(fake.attempts[1].class_word, "success");
    assert_string_equal(text_of(1, STREAM_STDOUT), "begun\ndone\n");
    fake_wait(&fake, first_directory_gone, "the run directory goes");
}

static pid_t shim_of_first(void)
{
    struct str text = STR_INIT;
    char *path = path_of(".trawl/agents/t/runs/1/lock");
    assert_int_equal(file_read(path, 256, &text, NULL), 0);
    pid_t pid = (pid_t)strtol(str_get(&text), NULL, 10);
    assert_true(pid > 1);
    str_release(&text);
    free(path);
    return pid;
}

static void test_agent_tells_a_run_as_lost_when_its_shim_is_killed(void **state)
{
    (void)state;
    start_long_run();
    kill(shim_of_first(), SIGKILL);
    fake_wait(&fake, first_exited, "the end is told");
    assert_string_equal(fake.attempts[1].class_word, "lost");
    assert_string_equal(fake.attempts[1].message, "its shim was killed");
}

static bool shim_is_gone(const struct fake_controller *unused)
{
    (void)unused;
    enum { LOCK_FREE = 0 };
    char *path = path_of(".trawl/agents/t/runs/1/lock"), *command = xasprintf("flock -n '%s' true", path);
    bool gone = system(command) == LOCK_FREE;
    free(command);
    free(path);
    return gone;
}

static void test_agent_tells_a_run_as_lost_when_it_and_the_shim_were_killed(void **state)
{
    (void)state;
    start_long_run();
    pid_t shim = shim_of_first();
    kill_agent();
    kill(shim, SIGKILL);
    fake_wait(&fake, shim_is_gone, "the shim is gone");
    fake.hellos = 0;
    start_and_connect();
    assert_string_equal(fake.held_state, "exited");
    fake_wait(&fake, first_exited, "the end is told");
    assert_string_equal(fake.attempts[1].class_word, "lost");
}

static void test_agent_kills_what_it_holds_when_the_controller_does_not_want_it(void **state)
{
    (void)state;
    start_long_run();
    kill_agent();
    memcpy(fake.verdict, "kill", 5);
    fake.hellos = 0;
    start_and_connect();
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "lost");
}

static void test_agent_says_hello_again_when_the_controller_restarts(void **state)
{
    (void)state;
    start_long_run();
    fake_stop(&fake);
    touch("go");
    fake_wait(&fake, first_has_exit, "the run ends meanwhile");
    fake_start(&fake);
    fake_wait(&fake, connected_twice, "the agent connects again");
    fake_wait(&fake, first_exited, "the end is told");
    assert_string_equal(fake.attempts[1].class_word, "success");
    assert_int_equal(fake.hello.incarnation, 1);
}

static bool told_twice(const struct fake_controller *at)
{
    return at->attempts[1].exits > 1;
}

static void test_agent_tells_an_end_again_when_it_is_not_acknowledged(void **state)
{
    (void)state;
    fake.forgets = false;
    start_and_connect();
    fake_launch(&fake, 1, "echo out", NULL);
    fake_wait(&fake, told_twice, "it is told again");
    assert_string_equal(text_of(1, STREAM_STDOUT), "out\n");
}

// ---- Leaving

static void test_agent_ends_its_runs_and_says_bye_when_it_gets_sigterm(void **state)
{
    (void)state;
    start_long_run();
    kill(agent_pid, SIGTERM);
    assert_int_equal(agent_code(), 0);
    fake_wait(&fake, said_bye, "it says bye");
    assert_string_equal(fake.attempts[1].class_word, "interrupted");
    assert_false(exists(".trawl/agents/t/runs/1"));
    assert_said("ending 1 run");
}

static void test_agent_kills_its_runs_when_it_gets_sigterm_twice(void **state)
{
    (void)state;
    start_and_connect();
    fake_launch(&fake, 1, "trap '' TERM; echo ready; while [ -d .trawl ]; do sleep 0.02; done", NULL);
    fake_wait(&fake, first_printed, "the run is ready");
    kill(agent_pid, SIGTERM);
    fake_wait(&fake, first_started, "it goes on");
    kill(agent_pid, SIGINT);
    assert_int_equal(agent_code(), 0);
    assert_string_equal(fake.attempts[1].class_word, "interrupted");
    assert_int_equal(fake.attempts[1].signal, SIGKILL);
}

static void test_agent_leaves_its_runs_alone_when_it_gets_sighup(void **state)
{
    (void)state;
    start_long_run();
    kill(agent_pid, SIGHUP);
    assert_int_equal(agent_code(), 0);
    fake.hellos = 0;
    start_and_connect();
    assert_string_equal(fake.held_state, "running");
    touch("go");
    fake_wait(&fake, first_exited, "the run ends");
    assert_string_equal(fake.attempts[1].class_word, "success");
}

static void test_agent_drains_when_the_controller_asks_for_it(void **state)
{
    (void)state;
    start_long_run();
    const struct msg msg = {.type = MSG_DRAIN, .drain = {.session = fake.session, .reason = (char *)"the sweep is over"}};
    fake_send(&fake, &msg);
    assert_int_equal(agent_code(), 0);
    fake_wait(&fake, said_bye, "it says bye");
    assert_said("the sweep is over: ending 1 run");
}

// ---- What cannot be

static void test_agent_gives_up_when_another_works_in_its_directory(void **state)
{
    (void)state;
    start_and_connect();
    pid_t first = agent_pid;
    start_agent();
    assert_int_equal(agent_code(), 8);
    assert_said("another agent works in ");
    agent_pid = first;
}

static void test_agent_gives_up_when_the_controller_speaks_another_version(void **state)
{
    (void)state;
    start_and_connect();
    const struct msg msg = {.type = MSG_ERROR, .error = {.code = ERR_VERSION, .text = (char *)"", .version_min = 2, .version_max = 3}};
    fake_send(&fake, &msg);
    assert_int_equal(agent_code(), 1);
    assert_said("the controller speaks protocol 2 to 3, this agent 1: use the same version of Trawl on both");
}

static void test_agent_gives_up_when_its_identity_is_damaged(void **state)
{
    (void)state;
    static const char *const names[] = {"uid", "incarnation"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        fake.hellos = 0;
        start_and_connect();
        kill_agent();
        char *path = xasprintf("%s/agents/t/%s", fake.data, names[i]);
        assert_int_equal(file_write_at(AT_FDCWD, path, "garbage", 7, 0600, NULL), 0);
        start_agent();
        assert_int_equal(agent_code(), 1);
        assert_said(" is damaged; remove that directory");
        assert_int_equal(unlink(path), 0);
        free(path);
    }
}

static void test_agent_gives_up_when_a_gpu_that_was_asked_for_is_not_there(void **state)
{
    (void)state;
    const char *argv[] = {"trawl-agent", "--data", fake.data, "--name", "t", "--gpus", "7777", NULL};
    start_with(argv);
    assert_int_equal(agent_code(), 3);
    assert_said("--gpus 7777 names 1 GPU, of which 0 are there");
}

// ---- GPUs

static uint32_t second_gpu[] = {1};

static void use_second_gpu(struct msg_launch_item *item)
{
    item->gpus = second_gpu;
    item->gpu_count = 1;
}

static void test_agent_shows_a_run_only_its_gpus(void **state)
{
    (void)state;
    char *dir = path_of("lib"), *library = path_of("lib/libnvidia-ml.so.1");
    const char *argv[] = {"trawl-agent", "--data", fake.data, "--name", "t", "--working-dir", fake.dir, NULL};
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(symlink(NVML_STUB_PATH, library), 0);
    setenv("LD_LIBRARY_PATH", dir, 1);
    setenv("NVML_STUB", "2", 1);
    unsetenv("CUDA_VISIBLE_DEVICES");
    start_with(argv);
    fake_wait(&fake, connected, "the agent connects");
    unsetenv("LD_LIBRARY_PATH");
    unsetenv("NVML_STUB");
    assert_int_equal(fake.hello.slots, 2);
    assert_int_equal(fake.hello.gpu_count, 2);
    fake_launch(&fake, 1, "echo =$CUDA_VISIBLE_DEVICES=", use_second_gpu);
    fake_launch(&fake, 2, "echo =$CUDA_VISIBLE_DEVICES=", NULL);
    fake_wait(&fake, both_exited, "both end");
    assert_string_equal(text_of(1, STREAM_STDOUT), "=GPU-00000001-aaaa-bbbb-cccc-0123456789ab=\n");
    assert_string_equal(text_of(2, STREAM_STDOUT), "==\n");
    free(library);
    free(dir);
}

// ---- Joining over the network

static void test_agent_joins_with_a_string_once_and_needs_none_afterwards(void **state)
{
    (void)state;
    char *join = fake_start_tcp(&fake, "00112233445566778899aabbccddeeff"), *dir = path_of("alone");
    const char *with_string[] = {"trawl-agent", join, "--name", "t", "--dir", dir, "--slots", "1", "--gpus", "none", "--working-dir", fake.dir, NULL};
    const char *without[] = {"trawl-agent", "--name", "t", "--dir", dir, "--slots", "1", "--gpus", "none", "--working-dir", fake.dir, NULL};
    start_with(with_string);
    fake_wait(&fake, connected, "the agent joins and connects");
    uint32_t joins = fake.joins;
    assert_in_range(joins, 1, 10); // once a second until the answer came
    kill_agent();
    fake.hellos = 0;
    start_with(without);
    fake_wait(&fake, connected, "the agent connects without a string");
    kill_agent();
    fake.hellos = 0;
    start_with(with_string);
    fake_wait(&fake, connected, "the agent connects with the same string");
    assert_int_equal(fake.joins, joins);
    fake_launch(&fake, 1, "env", NULL);
    fake_wait(&fake, first_exited, "a run ends");
    assert_null(strstr(text_of(1, STREAM_STDOUT), "00112233445566778899aabbccddeeff"));
    struct stat st;
    char *key = path_of("alone/agent.key");
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(key);
    free(dir);
    free(join);
}

static void test_agent_leaves_when_it_gets_sigterm_while_it_joins(void **state)
{
    (void)state;
    char *join = fake_start_tcp(&fake, "00112233445566778899aabbccddeeff"), *dir = path_of("alone");
    const char *argv[] = {"trawl-agent", join, "--name", "t", "--dir", dir, "--gpus", "none", NULL};
    fake_stop(&fake);
    start_with(argv);
    char *incarnation = path_of("alone/agent.key");
    while (access(incarnation, F_OK) != 0) // it is about to ask
        poll(NULL, 0, 5);
    kill(agent_pid, SIGTERM);
    assert_int_equal(agent_code(), 0);
    free(incarnation);
    free(dir);
    free(join);
}

static void test_agent_says_what_it_needs_when_it_has_no_controller(void **state)
{
    (void)state;
    char *dir = path_of("alone");
    static const char *const wrong[] = {"nonsense", "trawl://short@host:1/key"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *argv[] = {"trawl-agent", wrong[i], "--dir", dir, "--gpus", "none", NULL};
        start_with(argv);
        assert_int_equal(agent_code(), 1);
        assert_said("is no join string; copy it whole from the controller");
    }
    free(dir);
}

static void test_agent_says_what_is_wrong_when_an_option_is_bad(void **state)
{
    (void)state;
    char *nowhere = path_of("nowhere");
    const struct {
        const char *option, *value, *said;
        int code;
    } cases[] = {{"--slots", "0", "--slots needs a whole number from 1 to 2000", 2},
                 {"--slots", "2001", "--slots needs a whole number from 1 to 2000", 2},
                 {"--cpus", "many", "--cpus needs a whole number from 1 to 100000", 2},
                 {"--memory", "much", "--memory needs a size such as 16G", 2},
                 {"--label", "", "--label needs a short word", 2},
                 {"--name", "a/b", "--name needs a short name without '/'", 2},
                 {"--name", "\xff", "--name needs a short name without '/'", 2},
                 {"--unknown", "x", "wrong option", 2},
                 {"--data", nowhere, "there is no data directory ", 3},
                 {"--working-dir", nowhere, "cannot use the working directory ", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *argv[] = {"trawl-agent", cases[i].option, cases[i].value, NULL};
        char *log = path_of("stderr");
        unlink(log);
        free(log);
        start_with(argv);
        assert_int_equal(agent_code(), cases[i].code);
        assert_said(cases[i].said);
    }
    free(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_agent_reports_a_run_to_its_end_when_it_is_launched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_sends_what_a_run_writes_while_it_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_gives_a_run_its_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_says_why_when_a_run_cannot_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_refuses_when_the_run_directory_is_there_already, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_starts_runs_when_the_server_of_its_shims_was_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_ends_a_run_with_the_word_it_was_given_when_it_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_kills_a_run_that_ignores_sigterm_when_there_is_no_grace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_finds_its_run_again_when_it_was_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_ends_an_adopted_run_when_it_is_killed_by_the_controller, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_tells_the_end_it_slept_through_when_it_was_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_tells_a_run_as_lost_when_its_shim_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_tells_a_run_as_lost_when_it_and_the_shim_were_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_kills_what_it_holds_when_the_controller_does_not_want_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_says_hello_again_when_the_controller_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_tells_an_end_again_when_it_is_not_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_ends_its_runs_and_says_bye_when_it_gets_sigterm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_kills_its_runs_when_it_gets_sigterm_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_leaves_its_runs_alone_when_it_gets_sighup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_drains_when_the_controller_asks_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_gives_up_when_another_works_in_its_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_gives_up_when_the_controller_speaks_another_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_gives_up_when_its_identity_is_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_gives_up_when_a_gpu_that_was_asked_for_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_shows_a_run_only_its_gpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_joins_with_a_string_once_and_needs_none_afterwards, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_leaves_when_it_gets_sigterm_while_it_joins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_says_what_it_needs_when_it_has_no_controller, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_says_what_is_wrong_when_an_option_is_bad, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
