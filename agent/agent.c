// The agent's shell: one thread, one poll loop on the link, signals, and the shims' ends.

#define _GNU_SOURCE // signalfd
#include "agent/agent_impl.h"

#include "agent/gpu.h"
#include "agent/machine.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define EPHEMERAL_MS 30000 // without a controller
#define WAIT_MAX_MS 5000
#define WAITING_SAID_MS 10000
#define FDS_BESIDE_SHIMS 64

// ---- Making

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

// A GPU that was asked for by name and is not there is an error; one that CUDA_VISIBLE_DEVICES names is nobody's business.
static int find_gpus(struct agent *agent, struct err *err)
{
    const char *asked = agent->options->gpus;
    int rc = gpu_discover(NULL, NULL, asked ? asked : getenv("CUDA_VISIBLE_DEVICES"), &agent->gpus, &agent->gpu_count, err);
    size_t named = asked && *asked && strcmp(asked, "none") != 0;
    for (const char *p = asked; named && (p = strchr(p, ',')); p++)
        named++;
    if (rc == 0 && named > agent->gpu_count)
        return err_set(err, ERR_NOT_FOUND, "--gpus %s names %zu GPU%s, of which %zu %s there; `nvidia-smi -L` lists them", asked, named,
                       named == 1 ? "" : "s", agent->gpu_count, agent->gpu_count == 1 ? "is" : "are");
    return rc;
}

// A descriptor a run: the usual limit of 1,024 is too low for machines with many slots.
static void raise_fd_limit(uint32_t slots)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)slots * 2 + FDS_BESIDE_SHIMS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int make_core(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    int rc = find_gpus(agent, err);
    if (rc != 0)
        return rc;
    machine_boot_id(agent->boot);
    uint32_t cpus = options->cpus ? options->cpus : machine_cpus();
    agent->slots = options->slots ? options->slots : agent->gpu_count ? (uint32_t)agent->gpu_count : cpus;
    raise_fd_limit(agent->slots);
    struct agent_setup setup = {.uid = agent->uid,
                                .name = options->name,
                                .host = host,
                                .version = TRAWL_VERSION,
                                .boot = agent->boot,
                                .incarnation = agent->incarnation,
                                .slots = agent->slots,
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

// ---- Acting

static void send_out(struct agent *agent, struct msg *msg)
{
    struct statvfs disk;
    if (msg->type == MSG_BEAT && fstatvfs(agent->spool_fd, &disk) == 0)
        msg->beat.disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    link_client_send(agent->link, msg); // what is lost is sent again by the core
    msg_release(msg);
}

static void reconnect(struct agent *agent)
{
    struct err err = {0};
    if (agent->said_connected)
        log_warn("no word from %s; runs go on, and it is tried again", agent->where);
    agent->said_connected = false;
    if (link_client_reconnect(agent->link, &err) != 0)
        log_warn("%s", err.text);
}

static void act(struct agent *agent, struct agent_action *action)
{
    switch (action->kind) {
    case ACTION_SEND:
        send_out(agent, &action->msg);
        return;
    case ACTION_START:
        runs_start(agent, action->attempt, action->item);
        return;
    case ACTION_KILL:
        runs_kill(agent, action);
        return;
    case ACTION_FORGET:
        runs_forget(agent, action->attempt);
        return;
    case ACTION_READ:
        runs_read(agent, action);
        return;
    case ACTION_RENEW:
        runs_renew(agent, action->attempt);
        return;
    case ACTION_RECONNECT:
        reconnect(agent);
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

// ---- Taking in

static void say_leaving(struct agent *agent, const char *why, bool at_once)
{
    size_t running = agent_core_running(agent->core);
    log_info("%s: %s %zu run%s", why, at_once ? "killing" : "ending", running, running == 1 ? "" : "s");
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
        if (msg.type == MSG_ERROR)
            agent->refused_code = (int)msg.error.code;
        if (msg.type == MSG_DRAIN && !agent->options->ephemeral)
            say_leaving(agent, msg.drain.reason, false);
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
            continue;
        }
        bool again = agent->signals++ > 0;
        if (agent_core_running(agent->core) > 0)
            say_leaving(agent, again ? "asked twice" : "asked to end (again: at once)", again);
        agent_core_drain(agent->core, clock_mono_ms(), again);
    }
}

static int wait_time(const struct agent *agent)
{
    uint64_t now = clock_mono_ms(), deadline = agent_core_deadline(agent->core);
    if (agent->shims && agent->growth_ms < deadline)
        deadline = agent->growth_ms;
    uint64_t left = deadline <= now ? 0 : deadline - now;
    return left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
}

static void wait_and_take(struct agent *agent)
{
    struct shim *shim, *tmp;
    size_t count = 2, i = 2, need = HASH_COUNT(agent->shims) + 2;
    if (need > agent->fd_capacity) {
        agent->fd_capacity = need * 2;
        agent->fds = xreallocarray(agent->fds, agent->fd_capacity, sizeof *agent->fds);
    }
    agent->fds[0] = (struct pollfd){.fd = link_client_fd(agent->link), .events = POLLIN};
    agent->fds[1] = (struct pollfd){.fd = agent->signal_fd, .events = POLLIN};
    HASH_ITER (hh, agent->shims, shim, tmp)
        agent->fds[count++] = (struct pollfd){.fd = shim->pid_fd, .events = POLLIN};
    if (poll(agent->fds, count, wait_time(agent)) > 0) {
        HASH_ITER (hh, agent->shims, shim, tmp) {
            if (i == count)
                break; // one that was adopted just now
            if (agent->fds[i++].revents)
                runs_shim_ended(agent, shim);
        }
    }
    take_messages(agent);
    take_signals(agent);
    runs_look_at_growth(agent, clock_mono_ms());
}

// Tell about the connection when it changes; an ephemeral agent, whose caller talks for it, does not outlive its controller for long.
static void watch_connection(struct agent *agent)
{
    uint64_t now = clock_mono_ms();
    bool connected = agent_core_connected(agent->core), quiet = agent->options->ephemeral;
    if (connected)
        agent->connected_ms = now;
    if (connected && !agent->said_connected && !quiet) {
        log_info("connected to %s with %u slot%s", agent->where, agent->slots, agent->slots == 1 ? "" : "s");
        agent->said_connected = agent->said_waiting = true;
    }
    if (!connected && !agent->said_waiting && !quiet && now - agent->started_ms >= WAITING_SAID_MS) {
        log_info("no answer yet from %s; waiting for it", agent->where);
        agent->said_waiting = true;
    }
    if (quiet && now - agent->connected_ms >= EPHEMERAL_MS && agent_core_running(agent->core) == 0)
        agent_core_detach(agent->core, now);
}

// ---- The whole

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
    runs_release(agent);
    launcher_free(agent->launcher);
    link_client_free(agent->link);
    agent_core_free(agent->core);
    gpu_release(agent->gpus, agent->gpu_count);
    fd_close(&agent->signal_fd);
    fd_close(&agent->spool_fd);
    fd_close(&agent->lock_fd);
    fd_close(&agent->dir_fd);
    free(agent->where);
    free(agent->spool_path);
    free(agent->shim_path);
    free(agent->bin_dir);
    free(agent->fds);
    free(agent->buffer);
}

static int loop(struct agent *agent, struct err *err)
{
    agent->started_ms = agent->connected_ms = clock_mono_ms();
    while (!agent->leaving) {
        act_all(agent);
        if (agent->leaving)
            break;
        wait_and_take(agent);
        watch_connection(agent);
        if (agent_core_refused(agent->core))
            return err_set(err, agent->refused_code, "%s", agent_core_refused(agent->core));
    }
    return 0;
}

int agent_run(const struct agent_options *options, struct err *err)
{
    struct agent agent = {.options = options, .dir_fd = -1, .lock_fd = -1, .spool_fd = -1};
    agent.signal_fd = open_signals();
    agent.buffer = xmalloc(AGENT_READ_MAX);
    int rc = agent.signal_fd >= 0 ? 0 : err_set_errno(err, "cannot watch signals");
    if (rc == 0)
        rc = find_programs(&agent, err);
    if (rc == 0)
        rc = join_open_dirs(&agent, err);
    if (rc == 0)
        rc = make_core(&agent, err);
    if (rc == 0)
        rc = runs_find(&agent, err);
    if (rc == 0)
        rc = join_connect(&agent, err);
    if (rc == 0)
        rc = loop(&agent, err);
    release(&agent);
    return rc;
}
