// The agent's shell: one thread, one poll loop on the link, signals, and the shims' ends.

#define _GNU_SOURCE // syscall
#include "agent/agent.h"

#include "agent/core.h"
#include "agent/environment.h"
#include "agent/gpu.h"
#include "agent/launcher.h"
#include "agent/machine.h"
#include "agent/rundir.h"
#include "agent/shim/launch.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "wire/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#define GROWTH_MS 250      // how often the streams of running runs are looked at
#define GROWTH_AFTER_MS 200
#define EPHEMERAL_MS 30000 // without a controller
#define JOIN_TIMEOUT_MS 20000

struct shim { // one that lives
    uint64_t attempt;
    pid_t pid;
    int pid_fd;
    uint64_t since_ms;
    UT_hash_handle hh;
};

struct agent {
    const struct agent_options *options;
    char uid[33];
    char boot[40];
    int dir_fd, lock_fd, spool_fd, signal_fd;
    char *spool_path, *shim_path, *bin_dir;
    struct msg_gpu *gpus;
    size_t gpu_count;
    uint64_t incarnation;
    struct keypair keys;
    struct join_string join;
    struct link_client *link;
    struct agent_core *core;
    struct launcher *launcher;
    struct shim *shims;
    struct pollfd *fds;
    size_t fd_capacity;
    uint64_t growth_ms;
    uint64_t connected_ms; // when we were connected last
    bool greeted, leaving;
    int signals;
    char *buffer;          // AGENT_READ_MAX
};

// ---- Identity

static int load_uid(struct agent *agent, struct err *err)
{
    struct str text = STR_INIT;
    if (file_read_at(agent->dir_fd, "uid", 64, &text, NULL) == 0 && text.len == 32) {
        memcpy(agent->uid, text.s, 33);
        str_release(&text);
        return 0;
    }
    str_release(&text);
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return err_set_errno(err, "no random numbers from the system");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(agent->uid + 2 * i, 3, "%02x", bytes[i]);
    return file_replace_at(agent->dir_fd, "uid", agent->uid, 32, 0600, true, err);
}

static int count_incarnation(struct agent *agent, struct err *err)
{
    struct str text = STR_INIT;
    uint64_t last = 0;
    if (file_read_at(agent->dir_fd, "incarnation", 32, &text, NULL) == 0)
        num_parse_u64(str_get(&text), &last);
    str_release(&text);
    char number[24];
    agent->incarnation = last + 1;
    rundir_name(agent->incarnation, number);
    return file_replace_at(agent->dir_fd, "incarnation", number, strlen(number), 0600, true, err);
}

static int open_dirs(struct agent *agent, struct err *err)
{
    const char *dir = agent->options->dir;
    char resolved[PATH_MAX];
    int rc = dir_make(dir, err);
    if (rc != 0)
        return rc;
    if (!realpath(dir, resolved))
        return err_set_errno(err, "cannot resolve %s", dir);
    agent->spool_path = xasprintf("%s/runs", resolved);
    agent->dir_fd = open(resolved, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (agent->dir_fd < 0)
        return err_set_errno(err, "cannot open %s", dir);
    rc = file_lock_at(agent->dir_fd, "lock", &agent->lock_fd, err);
    if (rc == ERR_BUSY)
        return err_set(err, rc, "another agent works in %s; end it, or start this one with another --name or --dir", dir);
    if (rc == 0)
        rc = dir_make(agent->spool_path, err);
    if (rc != 0)
        return rc;
    agent->spool_fd = open(agent->spool_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (agent->spool_fd < 0)
        return err_set_errno(err, "cannot open %s", agent->spool_path);
    rc = load_uid(agent, err);
    return rc == 0 ? count_incarnation(agent, err) : rc;
}

// trawl-shim lies beside this program; `trawl` two levels up in bin.
static int find_programs(struct agent *agent, struct err *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return err_set_errno(err, "cannot find this program");
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    agent->shim_path = xasprintf("%s/trawl-shim", path);
    char *bin = xasprintf("%s/../../bin", path), resolved[PATH_MAX];
    agent->bin_dir = xstrdup(realpath(bin, resolved) ? resolved : path);
    free(bin);
    if (access(agent->shim_path, X_OK) != 0)
        return err_set_errno(err, "cannot run %s", agent->shim_path);
    agent->launcher = launcher_new(agent->shim_path);
    return 0;
}

// ---- Shims

static int open_pid(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static struct shim *shim_add(struct agent *agent, uint64_t attempt, pid_t pid, int pid_fd)
{
    struct shim *shim = xcalloc(1, sizeof *shim);
    *shim = (struct shim){.attempt = attempt, .pid = pid, .pid_fd = pid_fd, .since_ms = clock_mono_ms()};
    HASH_ADD(hh, agent->shims, attempt, sizeof shim->attempt, shim);
    return shim;
}

static void shim_free(struct agent *agent, struct shim *shim)
{
    HASH_DEL(agent->shims, shim);
    if (shim->pid_fd >= 0)
        close(shim->pid_fd);
    free(shim);
}

static struct shim *shim_find(struct agent *agent, uint64_t attempt)
{
    struct shim *shim = NULL;
    HASH_FIND(hh, agent->shims, &attempt, sizeof attempt, shim);
    return shim;
}

static void signal_shim(const struct shim *shim, int number)
{
    if (shim->pid_fd >= 0)
        syscall(SYS_pidfd_send_signal, shim->pid_fd, number, NULL, 0);
}

static char *working_dir_of(const struct agent *agent, const struct msg_launch_item *item)
{
    const char *dir = item->working_dir ? item->working_dir : "";
    if (dir[0] == '/')
        return xstrdup(dir);
    return *dir ? xasprintf("%s/%s", agent->options->working_dir, dir) : xstrdup(agent->options->working_dir);
}

// No shim came of it, as far as the launcher knows: make sure, then take the directory back.
static void undo_run(struct agent *agent, uint64_t attempt)
{
    bool kept;
    rundir_sweep_processes(attempt, agent->uid);
    rundir_forget(agent->spool_fd, attempt, &kept, NULL);
}

static void start_run(struct agent *agent, uint64_t attempt, const struct msg_launch_item *item)
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
    struct err err = {0};
    pid_t pid = 0;
    int pid_fd = -1;
    int rc = rundir_make(agent->spool_fd, &run, &err);
    if (rc == 0) {
        char *dir = xasprintf("%s/%llu", agent->spool_path, (unsigned long long)attempt);
        rc = launcher_start(agent->launcher, dir, &pid, &pid_fd, &err);
        free(dir);
        if (rc != 0)
            undo_run(agent, attempt);
    }
    if (rc == 0)
        shim_add(agent, attempt, pid, pid_fd);
    agent_core_start_done(agent->core, clock_mono_ms(), attempt, pid, clock_wall_ms(), rc == 0 ? NULL : &err);
    environment_free(env);
    environment_free(argv);
    free(working_dir);
}

// A shim is gone: its exit.json tells how the run ended; without one the run is lost, and what it left is ended.
static void end_run(struct agent *agent, uint64_t attempt)
{
    enum rundir_state state = RUNDIR_NONE;
    struct msg_exited exited = {0};
    struct err err = {0};
    rundir_look(agent->spool_fd, attempt, &state, &exited, NULL, NULL, &err);
    if (state != RUNDIR_EXITED) {
        rundir_sweep_processes(attempt, agent->uid);
        if (rundir_mark_lost(agent->spool_fd, attempt, "its shim was killed", &err) == 0)
            rundir_look(agent->spool_fd, attempt, &state, &exited, NULL, NULL, &err);
    }
    if (state == RUNDIR_EXITED) {
        agent_core_exited(agent->core, clock_mono_ms(), &exited);
        rundir_exit_release(&exited);
        return;
    }
    log_error("run %llu cannot be read: %s", (unsigned long long)attempt, err.text);
    char class_word[] = "lost", message[] = "its run directory cannot be read";
    struct msg_exited lost = {.attempt = attempt, .class_word = class_word, .message = message, .code = -1};
    agent_core_exited(agent->core, clock_mono_ms(), &lost);
}

static void shim_ended(struct agent *agent, struct shim *shim)
{
    uint64_t attempt = shim->attempt;
    shim_free(agent, shim);
    end_run(agent, attempt);
}

// ---- Start: what lies in the spool

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
    enum rundir_state state = RUNDIR_NONE;
    struct msg_exited exited = {0};
    uint64_t lengths[STREAM_COUNT] = {0};
    pid_t pid = 0;
    bool kept;
    struct err err = {0};
    if (rundir_look(agent->spool_fd, attempt, &state, &exited, &pid, lengths, &err) != 0) {
        log_warn("%s", err.text);
        return;
    }
    if (state == RUNDIR_LOST) {
        rundir_sweep_processes(attempt, agent->uid);
        if (rundir_mark_lost(agent->spool_fd, attempt, "its shim was gone when the agent started", &err) == 0)
            rundir_look(agent->spool_fd, attempt, &state, &exited, NULL, lengths, &err);
    }
    if (state == RUNDIR_NONE) {
        rundir_forget(agent->spool_fd, attempt, &kept, NULL);
        return;
    }
    bool running = state == RUNDIR_RUNNING;
    agent_core_found(agent->core, attempt, running, running ? NULL : &exited, lengths, running ? lease_of(agent, attempt) : 0);
    if (running)
        shim_add(agent, attempt, pid, pid > 0 ? open_pid(pid) : -1);
    rundir_exit_release(&exited);
}

static int find_runs(struct agent *agent, struct err *err)
{
    uint64_t *attempts = NULL;
    size_t count = 0;
    int rc = rundir_list(agent->spool_fd, &attempts, &count, err);
    for (size_t i = 0; i < count; i++)
        find_run(agent, attempts[i]);
    if (HASH_COUNT(agent->shims) > 0)
        log_info("found %u running run%s", HASH_COUNT(agent->shims), HASH_COUNT(agent->shims) == 1 ? "" : "s");
    free(attempts);
    return rc;
}

static int make_core(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    int rc = gpu_discover(NULL, NULL, options->gpus ? options->gpus : getenv("CUDA_VISIBLE_DEVICES"), &agent->gpus,
                          &agent->gpu_count, err);
    if (rc != 0)
        return rc;
    machine_boot_id(agent->boot);
    uint32_t cpus = options->cpus ? options->cpus : machine_cpus();
    uint32_t slots = options->slots ? options->slots : agent->gpu_count ? (uint32_t)agent->gpu_count : cpus;
    struct agent_setup setup = {.uid = agent->uid,
                                .name = options->name,
                                .host = host,
                                .version = TRAWL_VERSION,
                                .boot = agent->boot,
                                .incarnation = agent->incarnation,
                                .slots = slots,
                                .cpus = cpus,
                                .memory_bytes = options->memory_bytes ? options->memory_bytes : machine_memory_bytes(),
                                .gpus = agent->gpus,
                                .gpu_count = agent->gpu_count,
                                .labels = options->labels,
                                .label_count = options->label_count,
                                .jitter_seed = hash64(agent->uid, sizeof agent->uid, agent->incarnation)};
    agent->core = agent_core_new(&setup);
    return 0;
}

// ---- Connecting

static int connect_local(struct agent *agent, struct err *err)
{
    char *endpoint = link_ipc_endpoint(agent->options->data_dir, "controller.sock");
    struct link_client_options options = {.endpoint = endpoint};
    int rc = link_client_new(&options, &agent->link, err);
    free(endpoint);
    return rc;
}

// Ask with the join key to have our own key admitted. Returns once the controller says so.
static int enrol(struct agent *agent, struct err *err)
{
    struct keypair join;
    struct link_client *link = NULL;
    int rc = keypair_from_token(agent->join.token, &join, err);
    struct link_client_options options = {
        .endpoint = agent->join.endpoint, .server_key = agent->join.server_key, .keys = &join};
    if (rc == 0)
        rc = link_client_new(&options, &link, err);
    uint64_t end = clock_mono_ms() + JOIN_TIMEOUT_MS;
    bool joined = false;
    while (rc == 0 && !joined) {
        struct msg ask = {.type = MSG_JOIN,
                          .join = {.public_key = agent->keys.public_key, .name = (char *)agent->options->name}};
        struct msg answer;
        link_client_send(link, &ask);
        struct pollfd fd = {.fd = link_client_fd(link), .events = POLLIN};
        poll(&fd, 1, 1000);
        int got;
        while ((got = link_client_receive(link, &answer)) != ERR_AGAIN) {
            if (got == ERR_VERSION)
                rc = err_set(err, ERR_VERSION, "the controller speaks another protocol version: use the same version of Trawl on both");
            if (got != 0)
                continue;
            joined = joined || answer.type == MSG_JOINED;
            if (answer.type == MSG_ERROR)
                rc = err_set(err, ERR_PERMISSION, "the controller refused: %s", answer.error.text);
            msg_release(&answer);
        }
        if (rc == 0 && !joined && clock_mono_ms() >= end)
            rc = err_set(err, ERR_UNREACHABLE, "no answer from %s: is the controller up, the port open, and the join string its current one "
                                               "(`trawl key join`)?", agent->join.endpoint);
    }
    link_client_free(link);
    return rc;
}

static int connect_remote(struct agent *agent, struct err *err)
{
    int rc = join_string_parse(agent->options->join, &agent->join, err);
    if (rc == 0)
        rc = keypair_load(agent->dir_fd, "agent.key", true, &agent->keys, err);
    // A key that was admitted before needs no token; asking again is harmless, so it is asked once a server key.
    struct str known = STR_INIT;
    bool enrolled = rc == 0 && file_read_at(agent->dir_fd, "controller", 64, &known, NULL) == 0 &&
                    strcmp(str_get(&known), agent->join.server_key) == 0;
    str_release(&known);
    if (rc == 0 && !enrolled) {
        rc = enrol(agent, err);
        if (rc == 0)
            rc = file_replace_at(agent->dir_fd, "controller", agent->join.server_key, strlen(agent->join.server_key), 0600, true, err);
    }
    struct link_client_options options = {
        .endpoint = agent->join.endpoint, .server_key = agent->join.server_key, .keys = &agent->keys};
    return rc == 0 ? link_client_new(&options, &agent->link, err) : rc;
}

// ---- The loop

static void kill_run(struct agent *agent, const struct agent_action *action)
{
    struct shim *shim = shim_find(agent, action->attempt);
    if (!shim)
        return;
    char *name = xasprintf("%llu/stop", (unsigned long long)action->attempt);
    file_write_at(agent->spool_fd, name, action->class_word, strlen(action->class_word), 0600, NULL);
    free(name);
    signal_shim(shim, action->grace_ms ? SIGTERM : SIGUSR1);
}

static void forget_run(struct agent *agent, uint64_t attempt)
{
    bool kept = false;
    struct err err = {0};
    if (rundir_forget(agent->spool_fd, attempt, &kept, &err) != 0)
        log_warn("%s", err.text);
}

static void read_stream(struct agent *agent, const struct agent_action *action)
{
    size_t len = 0;
    uint64_t skipped = 0;
    size_t max = action->max < AGENT_READ_MAX ? action->max : AGENT_READ_MAX;
    if (rundir_read(agent->spool_fd, action->attempt, action->stream, action->offset, action->last, agent->buffer, max, &len,
                    &skipped, NULL) == 0)
        agent_core_read_done(agent->core, clock_mono_ms(), action->attempt, action->stream, action->offset, agent->buffer, len,
                             skipped);
}

static void act(struct agent *agent, struct agent_action *action)
{
    const struct shim *shim;
    switch (action->kind) {
    case ACTION_SEND:
        link_client_send(agent->link, &action->msg); // what is lost is sent again by the core
        msg_release(&action->msg);
        return;
    case ACTION_START:
        start_run(agent, action->attempt, action->item);
        return;
    case ACTION_KILL:
        kill_run(agent, action);
        return;
    case ACTION_FORGET:
        forget_run(agent, action->attempt);
        return;
    case ACTION_READ:
        read_stream(agent, action);
        return;
    case ACTION_RENEW:
        if ((shim = shim_find(agent, action->attempt)))
            signal_shim(shim, SIGUSR2);
        return;
    case ACTION_RECONNECT:
        if (agent->greeted && !agent->options->ephemeral)
            log_info("no word from the controller; its runs go on, and it is tried again");
        agent->greeted = false;
        link_client_reconnect(agent->link, NULL);
        return;
    case ACTION_EXIT:
        agent->leaving = true;
        return;
    }
}

static void act_all(struct agent *agent)
{
    struct agent_action action;
    agent_core_tick(agent->core, clock_mono_ms());
    while (agent_core_next(agent->core, &action))
        act(agent, &action);
}

static void take_messages(struct agent *agent)
{
    struct msg msg;
    int rc;
    if (link_client_reconnected(agent->link))
        agent_core_reconnected(agent->core, clock_mono_ms());
    while ((rc = link_client_receive(agent->link, &msg)) != ERR_AGAIN) {
        if (rc == ERR_VERSION) {
            msg = (struct msg){.type = MSG_ERROR, .error = {.code = ERR_VERSION, .text = xstrdup("")}};
            rc = 0;
        }
        if (rc != 0)
            continue;
        agent_core_message(agent->core, clock_mono_ms(), &msg);
        msg_release(&msg);
    }
}

static void take_signals(struct agent *agent)
{
    struct signalfd_siginfo info;
    while (read(agent->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            log_info("leaving; the runs go on");
            agent_core_detach(agent->core, clock_mono_ms());
        } else if (info.ssi_signo != SIGCHLD) {
            size_t running = agent_core_running(agent->core);
            bool again = agent->signals++ > 0;
            if (running > 0)
                log_info("%s %zu run%s%s", again ? "killing" : "ending", running, running == 1 ? "" : "s", again ? "" : "; again: at once");
            agent_core_drain(agent->core, clock_mono_ms(), again);
        }
    }
}

static void look_at_growth(struct agent *agent, uint64_t now)
{
    struct shim *shim, *tmp;
    if (now < agent->growth_ms)
        return;
    agent->growth_ms = now + GROWTH_MS;
    HASH_ITER (hh, agent->shims, shim, tmp) {
        uint64_t lengths[STREAM_COUNT];
        enum rundir_state state;
        if (now - shim->since_ms < GROWTH_AFTER_MS)
            continue;
        if (rundir_look(agent->spool_fd, shim->attempt, &state, NULL, NULL, lengths, NULL) == 0)
            agent_core_grown(agent->core, now, shim->attempt, lengths);
        if (shim->pid_fd < 0 && state != RUNDIR_RUNNING) // an adopted one without a descriptor
            shim_ended(agent, shim);
    }
}

static int wait_time(const struct agent *agent)
{
    uint64_t now = clock_mono_ms(), deadline = agent_core_deadline(agent->core);
    if (agent->shims && agent->growth_ms < deadline)
        deadline = agent->growth_ms;
    uint64_t left = deadline <= now ? 0 : deadline - now;
    return left > 1000 ? 1000 : (int)left;
}

static void wait_and_take(struct agent *agent)
{
    size_t count = 2;
    struct shim *shim, *tmp;
    size_t need = HASH_COUNT(agent->shims) + 2;
    if (need > agent->fd_capacity) {
        agent->fd_capacity = need * 2;
        agent->fds = xreallocarray(agent->fds, agent->fd_capacity, sizeof *agent->fds);
    }
    agent->fds[0] = (struct pollfd){.fd = link_client_fd(agent->link), .events = POLLIN};
    agent->fds[1] = (struct pollfd){.fd = agent->signal_fd, .events = POLLIN};
    HASH_ITER (hh, agent->shims, shim, tmp)
        agent->fds[count++] = (struct pollfd){.fd = shim->pid_fd, .events = POLLIN};
    poll(agent->fds, count, wait_time(agent));
    size_t i = 2;
    HASH_ITER (hh, agent->shims, shim, tmp)
        if (agent->fds[i++].revents)
            shim_ended(agent, shim);
    take_messages(agent);
    take_signals(agent);
    look_at_growth(agent, clock_mono_ms());
}

// Tell about the connection when it changes; an ephemeral agent does not outlive its controller for long.
static void watch_connection(struct agent *agent)
{
    bool connected = agent_core_connected(agent->core);
    uint64_t now = clock_mono_ms();
    if (connected || agent->connected_ms == 0)
        agent->connected_ms = now;
    if (connected && !agent->greeted && !agent->options->ephemeral)
        log_info("agent %s is connected and takes runs", agent->options->name);
    agent->greeted = agent->greeted || connected;
    if (agent->options->ephemeral && now - agent->connected_ms >= EPHEMERAL_MS && agent_core_running(agent->core) == 0)
        agent_core_detach(agent->core, now);
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void release(struct agent *agent)
{
    struct shim *shim, *tmp;
    HASH_ITER (hh, agent->shims, shim, tmp)
        shim_free(agent, shim);
    launcher_free(agent->launcher);
    link_client_free(agent->link);
    agent_core_free(agent->core);
    gpu_release(agent->gpus, agent->gpu_count);
    join_string_release(&agent->join);
    fd_close(&agent->signal_fd);
    fd_close(&agent->spool_fd);
    fd_close(&agent->lock_fd);
    fd_close(&agent->dir_fd);
    free(agent->spool_path);
    free(agent->shim_path);
    free(agent->bin_dir);
    free(agent->fds);
    free(agent->buffer);
}

int agent_run(const struct agent_options *options, struct err *err)
{
    struct agent agent = {.options = options, .dir_fd = -1, .lock_fd = -1, .spool_fd = -1};
    agent.signal_fd = open_signals();
    agent.buffer = xmalloc(AGENT_READ_MAX);
    int rc = find_programs(&agent, err);
    if (rc == 0)
        rc = open_dirs(&agent, err);
    if (rc == 0)
        rc = make_core(&agent, err);
    if (rc == 0)
        rc = find_runs(&agent, err);
    if (rc == 0)
        rc = options->join ? connect_remote(&agent, err) : connect_local(&agent, err);
    while (rc == 0 && !agent.leaving) {
        act_all(&agent);
        if (agent.leaving)
            break;
        wait_and_take(&agent);
        watch_connection(&agent);
        if (agent_core_refused(agent.core))
            rc = err_set(err, ERR_PERMISSION, "%s", agent_core_refused(agent.core));
    }
    release(&agent);
    return rc;
}
