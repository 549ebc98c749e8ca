// Many agents on one controller: sessions of the real agent core in one process, over real sockets with CURVE, against `trawl controller`.
//
// usage: bench_agents [AGENTS [SECONDS]]
//
// Each agent has one slot and runs that take one to three seconds of pretended time. Prints how long it took until every agent was served, and
// the quantiles of the time from a result to the next assignment; first with one agent (the baseline), then with all.

#include "agent/core.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "wire/link.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MIN_MS 1500
#define RUN_SPREAD_MS 1500
#define SERVE_TIMEOUT_MS 120000

struct session {
    struct agent_core *core;
    struct link_client *link;
    struct keypair keys;
    uint64_t attempt;    // 0: idle
    uint64_t ends_ms;    // when the pretended run is over
    uint64_t result_ns;  // when the last result was sent
    bool served;
};

struct bench {
    struct session *sessions;
    size_t count;
    struct pollfd *fds;
    double *latencies_ms;
    size_t latency_count, latency_capacity;
    struct rng rng;
    size_t served;
};

static const char spec[] = "method: random\nparameters: {x: {min: 0.0, max: 1.0}}\ncommand: ['true']\n";

static void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_agents: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

// ---- The controller, a process of its own

struct controller_process {
    pid_t pid;
    char directory[64];
    char join[256];
};

static void run_trawl(const char *trawl, const char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        execv(trawl, (char *const *)argv);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        fail("cannot run trawl", NULL);
}

static void start_controller(const char *trawl, struct controller_process *ret)
{
    int out[2];
    char path[128];
    snprintf(ret->directory, sizeof ret->directory, "/tmp/trawl-bench-XXXXXX");
    if (!mkdtemp(ret->directory) || pipe(out) != 0)
        fail("cannot make a directory", NULL);
    snprintf(path, sizeof path, "%s/sweep.yaml", ret->directory);
    FILE *file = fopen(path, "w");
    if (!file || fputs(spec, file) < 0 || fclose(file) != 0)
        fail("cannot write the spec", NULL);
    const char *submit[] = {trawl, "submit", path, "--data", ret->directory, "--quiet", NULL};
    run_trawl(trawl, submit);
    ret->pid = fork();
    if (ret->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(trawl, trawl, "controller", "--data", ret->directory, "--listen", "127.0.0.1:*", "--public-host", "127.0.0.1", "--quiet", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    if (!from || !fgets(ret->join, sizeof ret->join, from))
        fail("the controller did not start", NULL);
    ret->join[strcspn(ret->join, "\n")] = '\0';
    fclose(from);
}

static void stop_controller(const struct controller_process *controller)
{
    char command[160];
    kill(controller->pid, SIGTERM);
    waitpid(controller->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", controller->directory);
    if (system(command) != 0)
        fprintf(stderr, "bench_agents: %s is left\n", controller->directory);
}

// ---- Sessions

// Every key is enrolled over one connection that knows the join token.
static void enrol(struct bench *bench, const struct join_string *join)
{
    struct keypair token;
    struct link_client *link;
    struct err err = {0};
    if (keypair_from_token(join->token, &token, &err) != 0)
        fail("token", &err);
    struct link_client_options options = {.endpoint = join->endpoint, .server_key = join->server_key, .keys = &token};
    if (link_client_new(&options, &link, &err) != 0)
        fail("connect", &err);
    char name[] = "bench";
    size_t asked = 0, joined = 0;
    while (joined < bench->count) {
        for (; asked < bench->count && asked < joined + 100; asked++) {
            struct msg msg = {.type = MSG_JOIN, .join = {.public_key = bench->sessions[asked].keys.public_key, .name = name}};
            if (link_client_send(link, &msg) != 0)
                break;
        }
        struct msg answer;
        struct pollfd fd = {.fd = link_client_fd(link), .events = POLLIN};
        poll(&fd, 1, 100);
        int rc;
        while ((rc = link_client_receive(link, &answer)) != ERR_AGAIN) {
            joined += rc == 0 && answer.type == MSG_JOINED;
            if (rc == 0)
                msg_release(&answer);
        }
    }
    link_client_free(link);
}

static void open_session(struct bench *bench, size_t index, const struct join_string *join)
{
    struct session *session = &bench->sessions[index];
    char uid[33], name[32];
    struct err err = {0};
    snprintf(uid, sizeof uid, "%032zx", index + 1);
    snprintf(name, sizeof name, "bench%zu", index);
    struct agent_setup setup = {.uid = uid, .name = name, .host = "bench", .version = "bench", .boot = "bench", .incarnation = 1,
                                .slots = 1, .cpus = 1, .memory_bytes = 1u << 30, .jitter_seed = index};
    session->core = agent_core_new(&setup);
    struct link_client_options options = {.endpoint = join->endpoint, .server_key = join->server_key, .keys = &session->keys};
    if (link_client_new(&options, &session->link, &err) != 0)
        fail("connect", &err);
}

static void on_start(struct bench *bench, struct session *session, const struct agent_action *action, uint64_t now)
{
    if (session->result_ns) {
        ARRAY_GROW(bench->latencies_ms, bench->latency_count, bench->latency_capacity);
        bench->latencies_ms[bench->latency_count++] = (double)(clock_mono_ns() - session->result_ns) / 1e6;
        session->result_ns = 0;
    }
    bench->served += !session->served;
    session->served = true;
    session->attempt = action->attempt;
    session->ends_ms = now + RUN_MIN_MS + rng_below(&bench->rng, RUN_SPREAD_MS);
    agent_core_start_done(session->core, now, action->attempt, 1, clock_wall_ms(), NULL);
}

static void step(struct bench *bench, struct session *session, uint64_t now)
{
    struct msg msg;
    struct agent_action action;
    while (link_client_receive(session->link, &msg) == 0) {
        agent_core_message(session->core, now, &msg);
        msg_release(&msg);
    }
    if (session->attempt && now >= session->ends_ms) {
        char success[] = "success", empty[] = "";
        int64_t wall = clock_wall_ms();
        struct msg_exited exited = {.attempt = session->attempt, .class_word = success, .message = empty,
                                    .started_ms = wall - RUN_MIN_MS, .ended_ms = wall};
        agent_core_exited(session->core, now, &exited);
        session->attempt = 0;
        session->result_ns = clock_mono_ns();
    }
    agent_core_tick(session->core, now);
    while (agent_core_next(session->core, &action)) {
        if (action.kind == ACTION_START)
            on_start(bench, session, &action, now);
        if (action.kind == ACTION_SEND) {
            link_client_send(session->link, &action.msg);
            msg_release(&action.msg);
        }
    }
}

static void turn(struct bench *bench)
{
    uint64_t now = clock_mono_ms(), deadline = now + 20;
    for (size_t i = 0; i < bench->count; i++) {
        bench->fds[i] = (struct pollfd){.fd = link_client_fd(bench->sessions[i].link), .events = POLLIN};
        uint64_t at = agent_core_deadline(bench->sessions[i].core);
        if (bench->sessions[i].attempt && bench->sessions[i].ends_ms < at)
            at = bench->sessions[i].ends_ms;
        deadline = at < deadline ? at : deadline;
    }
    poll(bench->fds, bench->count, deadline > now ? (int)(deadline - now) : 0);
    now = clock_mono_ms();
    for (size_t i = 0; i < bench->count; i++) {
        const struct session *session = &bench->sessions[i];
        if (bench->fds[i].revents || now >= agent_core_deadline(session->core) || (session->attempt && now >= session->ends_ms))
            step(bench, &bench->sessions[i], now);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double run_bench(const char *trawl, size_t count, uint64_t seconds)
{
    struct controller_process controller;
    struct join_string join = {0};
    struct err err = {0};
    struct bench bench = {.count = count};
    bench.sessions = xcalloc(count, sizeof *bench.sessions);
    bench.fds = xcalloc(count, sizeof *bench.fds);
    rng_stream(&bench.rng, 1, "bench agents", count);
    start_controller(trawl, &controller);
    if (join_string_parse(controller.join, &join, &err) != 0)
        fail("join string", &err);
    for (size_t i = 0; i < count; i++)
        if (keypair_new(&bench.sessions[i].keys, &err) != 0)
            fail("keys", &err);
    enrol(&bench, &join);
    uint64_t start = clock_mono_ms();
    for (size_t i = 0; i < count; i++)
        open_session(&bench, i, &join);
    for (size_t i = 0; i < count; i++)
        step(&bench, &bench.sessions[i], clock_mono_ms());
    while (bench.served < count && clock_mono_ms() - start < SERVE_TIMEOUT_MS)
        turn(&bench);
    uint64_t served_ms = clock_mono_ms() - start, end = clock_mono_ms() + seconds * 1000;
    bench.latency_count = 0;
    while (clock_mono_ms() < end)
        turn(&bench);
    qsort(bench.latencies_ms, bench.latency_count, sizeof *bench.latencies_ms, by_value);
    size_t n = bench.latency_count;
    double p99 = n ? bench.latencies_ms[n * 99 / 100] : 0;
    printf("%5zu agents: all %zu served after %.2f s; %zu results, result -> next assignment: median %.2f ms, p99 %.2f ms, max %.2f ms\n", count,
           bench.served, (double)served_ms / 1000, n, n ? bench.latencies_ms[n / 2] : 0, p99, n ? bench.latencies_ms[n - 1] : 0);
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        link_client_free(bench.sessions[i].link);
        agent_core_free(bench.sessions[i].core);
    }
    stop_controller(&controller);
    join_string_release(&join);
    free(bench.sessions);
    free(bench.fds);
    free(bench.latencies_ms);
    return p99;
}

int main(int argc, char **argv)
{
    uint64_t agents = 1000, seconds = 15;
    struct rlimit limit;
    if ((argc > 1 && !num_parse_u64(argv[1], &agents)) || (argc > 2 && !num_parse_u64(argv[2], &seconds)) || agents == 0) {
        fputs("usage: bench_agents [AGENTS [SECONDS]]\n", stderr);
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    double one = run_bench(TRAWL_PROGRAM, 1, seconds), all = run_bench(TRAWL_PROGRAM, agents, seconds);
    printf("p99 with %llu agents is %.1f times that of one (goal: under 50 ms)\n", (unsigned long long)agents, one > 0 ? all / one : 0);
    return 0;
}
