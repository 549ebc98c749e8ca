// Run directories and shims of the agent: started, watched by pidfd, adopted after a restart.
//
// A run directory without exit.json whose lock nobody holds is lost, and is marked so under that lock: a shim that was forked and has not
// taken it yet finds the mark and starts nothing.

#define _GNU_SOURCE // syscall
#include "agent/agent_impl.h"

#include "agent/environment.h"
#include "agent/rundir.h"
#include "agent/shim/launch.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROWTH_MS 250 // how often the streams of running runs are looked at
#define GROWTH_AFTER_MS 200

// ---- Shims

static int open_pid(pid_t pid)
{
    int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static void shim_add(struct agent *agent, uint64_t attempt, pid_t pid, int pid_fd)
{
    struct shim *shim = xcalloc(1, sizeof *shim);
    *shim = (struct shim){.attempt = attempt, .pid = pid, .pid_fd = pid_fd, .since_ms = clock_mono_ms()};
    HASH_ADD(hh, agent->shims, attempt, sizeof shim->attempt, shim);
}

static void shim_free(struct agent *agent, struct shim *shim)
{
    HASH_DEL(agent->shims, shim);
    fd_close(&shim->pid_fd);
    free(shim);
}

static struct shim *shim_find(struct agent *agent, uint64_t attempt)
{
    struct shim *shim = NULL;
    HASH_FIND(hh, agent->shims, &attempt, sizeof attempt, shim);
    return shim;
}

// Without a descriptor the number in the lock is good while the lock is held.
static void signal_shim(struct agent *agent, struct shim *shim, int number)
{
    enum rundir_state state = RUNDIR_NONE;
    pid_t pid = 0;
    if (shim->pid_fd >= 0)
        syscall(SYS_pidfd_send_signal, shim->pid_fd, number, NULL, 0);
    else if (rundir_look(agent->spool_fd, shim->attempt, &state, NULL, &pid, NULL, NULL) == 0 && state == RUNDIR_RUNNING && pid > 0)
        kill(pid, number);
}

void runs_release(struct agent *agent)
{
    struct shim *shim, *tmp;
    HASH_ITER (hh, agent->shims, shim, tmp)
        shim_free(agent, shim);
}

// ---- The end of a run

// How a run stands whose shim is gone, or may be. RUNDIR_RUNNING: it is not; *ret_pid is its pid. RUNDIR_EXITED: *ret_exit is the caller's.
static enum rundir_state settle(struct agent *agent, uint64_t attempt, const char *why, struct msg_exited *ret_exit, pid_t *ret_pid,
                                uint64_t lengths[STREAM_COUNT], struct err *err)
{
    enum rundir_state state = RUNDIR_NONE;
    for (int round = 0; round < 3; round++) {
        if (rundir_look(agent->spool_fd, attempt, &state, ret_exit, ret_pid, lengths, err) != 0)
            return RUNDIR_LOST;
        if (state != RUNDIR_LOST)
            return state;
        rundir_sweep_processes(attempt, agent->uid);
        int rc = rundir_mark_lost(agent->spool_fd, attempt, why, err);
        if (rc != 0 && rc != ERR_BUSY) // busy: its shim has just taken the lock
            return RUNDIR_LOST;
    }
    return state;
}

// A pid that was read from a lock and is opened now may be another process: it is the shim's if the lock is still held.
static void adopt(struct agent *agent, uint64_t attempt, pid_t pid)
{
    enum rundir_state state = RUNDIR_NONE;
    int pid_fd = open_pid(pid);
    if (rundir_look(agent->spool_fd, attempt, &state, NULL, NULL, NULL, NULL) != 0 || state != RUNDIR_RUNNING)
        fd_close(&pid_fd);
    shim_add(agent, attempt, pid, pid_fd);
}

static void end_run(struct agent *agent, uint64_t attempt, const char *why)
{
    struct msg_exited exited = {0};
    struct err err = {0};
    pid_t pid = 0;
    enum rundir_state state = settle(agent, attempt, why, &exited, &pid, NULL, &err);
    if (state == RUNDIR_RUNNING) {
        adopt(agent, attempt, pid);
    } else if (state == RUNDIR_EXITED) {
        agent_core_exited(agent->core, clock_mono_ms(), &exited);
        rundir_exit_release(&exited);
    } else {
        char class_word[] = "lost", message[] = "its run directory cannot be read";
        struct msg_exited lost = {.attempt = attempt, .class_word = class_word, .message = message, .code = -1};
        log_error("run %llu cannot be read: %s", (unsigned long long)attempt, err.text[0] ? err.text : "its directory is gone");
        agent_core_exited(agent->core, clock_mono_ms(), &lost);
    }
}

void runs_shim_ended(struct agent *agent, struct shim *shim)
{
    uint64_t attempt = shim->attempt;
    shim_free(agent, shim);
    end_run(agent, attempt, "its shim was killed");
}

// ---- The start of a run

static char *working_dir_of(const struct agent *agent, const struct msg_launch_item *item)
{
    const char *dir = item->working_dir ? item->working_dir : "";
    if (dir[0] == '/')
        return xstrdup(dir);
    return *dir ? xasprintf("%s/%s", agent->options->working_dir, dir) : xstrdup(agent->options->working_dir);
}

static int make_run(struct agent *agent, const struct msg_launch_item *item, struct err *err)
{
    struct environment_setup setup = {.uid = agent->uid,
                                      .spool_path = agent->spool_path,
                                      .bin_dir = agent->bin_dir,
                                      .gpus = agent->gpus,
                                      .gpu_count = agent->gpu_count};
    char **env = environment_of(&setup, item), **argv = environment_argv(&setup, item);
    char *working_dir = working_dir_of(agent, item);
    struct rundir_run run = {.item = item,
                             .argv = (const char *const *)argv,
                             .env = (const char *const *)env,
                             .working_dir = working_dir};
    int rc = rundir_make(agent->spool_fd, &run, err);
    environment_free(env);
    environment_free(argv);
    free(working_dir);
    return rc;
}

void runs_start(struct agent *agent, uint64_t attempt, const struct msg_launch_item *item)
{
    struct err err = {0};
    pid_t pid = 0;
    int pid_fd = -1, rc = 0;
    bool kept, made = make_run(agent, item, &err) == 0;
    if (made) {
        char *dir = xasprintf("%s/%llu", agent->spool_path, (unsigned long long)attempt);
        rc = launcher_start(agent->launcher, dir, &pid, &pid_fd, &err);
        free(dir);
    }
    bool unsure = made && rc == ERR_STATE, started = made && rc == 0;
    if (started)
        shim_add(agent, attempt, pid, pid_fd);
    else if (made && !unsure)
        rundir_forget(agent->spool_fd, attempt, &kept, NULL);
    agent_core_start_done(agent->core, clock_mono_ms(), attempt, pid, clock_wall_ms(), started || unsure ? NULL : &err);
    if (unsure) // whether a shim came of it, its directory tells
        end_run(agent, attempt, "the server that starts shims was killed");
}

// ---- While it runs

void runs_kill(struct agent *agent, const struct agent_action *action)
{
    struct shim *shim = shim_find(agent, action->attempt);
    if (!shim)
        return;
    char *name = xasprintf("%llu/stop", (unsigned long long)action->attempt);
    char *text = xasprintf("%s\n", action->class_word);
    file_write_at(agent->spool_fd, name, text, strlen(text), 0600, NULL);
    free(text);
    free(name);
    signal_shim(agent, shim, action->grace_ms ? SIGTERM : SIGUSR1);
}

void runs_renew(struct agent *agent, uint64_t attempt)
{
    struct shim *shim = shim_find(agent, attempt);
    if (shim)
        signal_shim(agent, shim, SIGUSR2);
}

void runs_forget(struct agent *agent, uint64_t attempt)
{
    bool kept = false;
    struct err err = {0};
    if (rundir_forget(agent->spool_fd, attempt, &kept, &err) != 0)
        log_warn("%s", err.text);
}

void runs_read(struct agent *agent, const struct agent_action *action)
{
    size_t len = 0, max = action->max < AGENT_READ_MAX ? action->max : AGENT_READ_MAX;
    uint64_t skipped = 0, lengths[STREAM_COUNT];
    if (rundir_read(agent->spool_fd, action->attempt, action->stream, action->offset, action->last, agent->buffer, max, &len,
                    &skipped, NULL) != 0)
        return;
    if (len + skipped > 0)
        agent_core_read_done(agent->core, clock_mono_ms(), action->attempt, action->stream, action->offset, agent->buffer, len,
                             skipped);
    else if (action->last && rundir_lengths(agent->spool_fd, action->attempt, lengths, NULL) == 0)
        agent_core_shrunk(agent->core, clock_mono_ms(), action->attempt, lengths);
}

void runs_look_at_growth(struct agent *agent, uint64_t now_ms)
{
    struct shim *shim, *tmp;
    if (now_ms < agent->growth_ms)
        return;
    agent->growth_ms = now_ms + GROWTH_MS;
    HASH_ITER (hh, agent->shims, shim, tmp) {
        uint64_t lengths[STREAM_COUNT];
        enum rundir_state state = RUNDIR_RUNNING;
        if (now_ms - shim->since_ms < GROWTH_AFTER_MS)
            continue;
        if (rundir_lengths(agent->spool_fd, shim->attempt, lengths, NULL) == 0)
            agent_core_grown(agent->core, now_ms, shim->attempt, lengths);
        if (shim->pid_fd < 0 && (rundir_look(agent->spool_fd, shim->attempt, &state, NULL, NULL, NULL, NULL) != 0 || state != RUNDIR_RUNNING))
            runs_shim_ended(agent, shim);
    }
}

// ---- What lies in the spool at the start

static uint64_t lease_of(struct agent *agent, uint64_t attempt)
{
    struct str text = STR_INIT;
    struct launch launch;
    uint64_t lease = 0;
    char *name = xasprintf("%llu/%s", (unsigned long long)attempt, LAUNCH_FILE);
    if (file_read_at(agent->spool_fd, name, LAUNCH_BYTES_MAX, &text, NULL) == 0) {
        size_t len = text.len;
        if (launch_parse(str_detach(&text), len, &launch) == 0) {
            lease = launch.lease_ms;
            launch_release(&launch);
        }
    }
    str_release(&text);
    free(name);
    return lease;
}

static void find_run(struct agent *agent, uint64_t attempt)
{
    struct msg_exited exited = {0};
    uint64_t lengths[STREAM_COUNT] = {0};
    pid_t pid = 0;
    bool kept;
    struct err err = {0};
    switch (settle(agent, attempt, "its shim was gone when the agent started", &exited, &pid, lengths, &err)) {
    case RUNDIR_NONE:
        rundir_forget(agent->spool_fd, attempt, &kept, NULL);
        return;
    case RUNDIR_RUNNING:
        agent_core_found(agent->core, attempt, true, NULL, lengths, lease_of(agent, attempt));
        adopt(agent, attempt, pid);
        return;
    case RUNDIR_EXITED:
        agent_core_found(agent->core, attempt, false, &exited, lengths, 0);
        rundir_exit_release(&exited);
        return;
    case RUNDIR_LOST:
        log_warn("run %llu cannot be read and is left where it lies: %s", (unsigned long long)attempt, err.text);
        return;
    }
}

int runs_find(struct agent *agent, struct err *err)
{
    uint64_t *attempts = NULL;
    size_t count = 0;
    int rc = rundir_list(agent->spool_fd, &attempts, &count, err);
    for (size_t i = 0; i < count; i++)
        find_run(agent, attempts[i]);
    unsigned running = HASH_COUNT(agent->shims);
    if (running > 0)
        log_info("found %u running run%s", running, running == 1 ? "" : "s");
    free(attempts);
    return rc;
}
