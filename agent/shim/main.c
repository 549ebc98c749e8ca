// trawl-shim RUNDIR: supervises one run and outlives the agent. trawl-shim --server: forks a shim for each directory it is told
// (server.c).
//
// Starts what `launch` says, bounds its output, ends it when it is asked to (signals of launch.h), when its time is over or when its lease
// ran out, leaves no process of it behind, and writes exit.json last. Signals arrive through a descriptor: one loop, no handlers.

#define _GNU_SOURCE // pipe2, CLOCK_BOOTTIME, wait4
#include "agent/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define MEMORY_CHECK_MS 500
#define DRAIN_AFTER_END_MS 1000 // output of a run that is over is awaited
#define LOCK_TRIES 500
#define LOCK_PAUSE_MS 2

struct shim {
    int dir_fd, lock_fd, signal_fd;
    struct launch launch;
    struct output out, err;
    struct pattern *pattern;
    pid_t pid;
    bool run_over;
    int status;               // of wait
    struct rusage usage;
    const char *class_word;   // set when we ended it: stop word, timeout, oom, lost
    char stop_word[32];
    char message[MESSAGE_MAX];
    int64_t started_ms, ended_ms; // wall
    uint64_t start_ms;        // monotonic
    uint64_t kill_at_ms;      // when TERM turns into KILL, 0: not asked
    uint64_t lease_end_ms;    // 0: no lease
    uint64_t memory_at_ms;
    uint64_t peak_rss;
};

static uint64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct shim *shim, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct shim *shim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(shim->message, sizeof shim->message, format, args);
    va_end(args);
}

// ---- Files

static size_t read_small(int dir_fd, const char *name, char *buffer, size_t size)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, buffer, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    size_t len = n > 0 ? (size_t)n : 0;
    buffer[len] = '\0';
    return len;
}

static int load_launch(struct shim *shim)
{
    struct stat st;
    int fd = openat(shim->dir_fd, LAUNCH_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > LAUNCH_BYTES_MAX) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    char *data = malloc((size_t)st.st_size);
    size_t len = 0;
    while (data && len < (size_t)st.st_size) {
        ssize_t n = read(fd, data + len, (size_t)st.st_size - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    return data ? launch_parse(data, len, &shim->launch) : -1;
}

// The lock is proof of life; its text names who lives. The agent holds it for moments, to see whether anybody lives here.
static int take_lock(struct shim *shim)
{
    shim->lock_fd = openat(shim->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    for (int i = 0; i < LOCK_TRIES && shim->lock_fd >= 0; i++) {
        if (flock(shim->lock_fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return -1;
}

static void write_lock(const struct shim *shim)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%d %d %lld\n", (int)getpid(), (int)shim->pid, (long long)shim->started_ms);
    ssize_t n = pwrite(shim->lock_fd, text, (size_t)len, 0);
    (void)n; // without it the run is found by its environment
}

// The length of the UTF-8 sequence at `text`, 0 when it is none: the controller's reader takes no other bytes.
static size_t utf8_len(const unsigned char *text)
{
    size_t len = *text >= 0xC2 && *text <= 0xDF ? 2 : (*text & 0xF0) == 0xE0 ? 3 : *text >= 0xF0 && *text <= 0xF4 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    // Overlong forms, surrogates, beyond U+10FFFF.
    if ((*text == 0xE0 && text[1] < 0xA0) || (*text == 0xED && text[1] > 0x9F) || (*text == 0xF0 && text[1] < 0x90) ||
        (*text == 0xF4 && text[1] > 0x8F))
        return 0;
    return len;
}

static void json_string(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        size_t len = c >= 0x80 ? utf8_len((const unsigned char *)text) : 1;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else if (len == 0)
            fputc('?', out);
        else
            fwrite(text, 1, len, out);
        text += len > 1 ? len - 1 : 0;
    }
}

static unsigned long long size_of(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? (unsigned long long)st.st_size : 0;
}

static void sync_file(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static void write_exit(struct shim *shim, const char *class_word, int code, int signal_number, bool sync)
{
    char text[MESSAGE_MAX * 6 + 1024]; // a character takes up to six
    FILE *out = fmemopen(text, sizeof text, "w");
    if (!out)
        return;
    int64_t cpu = (shim->usage.ru_utime.tv_sec + shim->usage.ru_stime.tv_sec) * 1000 +
                  (shim->usage.ru_utime.tv_usec + shim->usage.ru_stime.tv_usec) / 1000;
    uint64_t rss = (uint64_t)shim->usage.ru_maxrss * 1024;
    fprintf(out, "{\"class\":\"%s\",\"code\":%d,\"signal\":%d,\"message\":\"", class_word, code, signal_number);
    json_string(out, shim->message);
    fprintf(out, "\",\"started_ms\":%lld,\"ended_ms\":%lld,\"cpu_ms\":%lld,\"max_rss_bytes\":%llu,\"dropped_bytes\":%llu,",
            (long long)shim->started_ms, (long long)shim->ended_ms, (long long)cpu,
            (unsigned long long)(rss > shim->peak_rss ? rss : shim->peak_rss),
            (unsigned long long)(shim->out.dropped + shim->err.dropped));
    fprintf(out, "\"lengths\":{\"metrics\":%llu,\"stdout\":%llu,\"stderr\":%llu}}\n", size_of(shim->dir_fd, "metrics.jsonl"),
            (unsigned long long)shim->out.written, (unsigned long long)shim->err.written);
    long len = ftell(out);
    fclose(out);
    // Not truncated first: it may be a spare's, and ext4 flushes a file that was truncated to nothing when it is closed.
    int fd = openat(shim->dir_fd, "exit.json.tmp", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, text, (size_t)len) == len && ftruncate(fd, len) == 0;
    if (ok && sync) {
        sync_file(shim->dir_fd, "metrics.jsonl");
        fsync(fd);
    }
    if (fd >= 0)
        close(fd);
    if (ok && renameat(shim->dir_fd, "exit.json.tmp", shim->dir_fd, "exit.json") == 0 && sync)
        fsync(shim->dir_fd);
}

// ---- Ending the run

// Ask the run to end: TERM to all of it, KILL after `grace_ms`. A later, shorter grace wins.
static void end_run(struct shim *shim, const char *class_word, uint64_t grace_ms)
{
    siginfo_t info = {0};
    // A run that ended by itself before this keeps its own end.
    if (!shim->class_word && (shim->run_over || (waitid(P_PID, (id_t)shim->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                                                 info.si_pid == shim->pid)))
        return;
    uint64_t at = mono_ms() + grace_ms;
    if (!shim->class_word) {
        shim->class_word = class_word;
        if (grace_ms > 0)
            tree_signal(SIGTERM);
    }
    if (shim->kill_at_ms == 0 || at < shim->kill_at_ms)
        shim->kill_at_ms = at;
}

// A later word replaces an earlier one: who cancels a run that is being stopped means it.
static const char *read_stop(struct shim *shim)
{
    read_small(shim->dir_fd, "stop", shim->stop_word, sizeof shim->stop_word);
    shim->stop_word[strcspn(shim->stop_word, " \n")] = '\0';
    return shim->stop_word[0] ? shim->stop_word : "interrupted";
}

static void reap(struct shim *shim)
{
    int status;
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        if (pid != shim->pid)
            continue;
        shim->run_over = true;
        shim->status = status;
        shim->ended_ms = wall_ms();
    }
}

static void take_signals(struct shim *shim)
{
    struct signalfd_siginfo info;
    while (read(shim->signal_fd, &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
        case SIGTERM:
            end_run(shim, read_stop(shim), shim->launch.grace_ms);
            break;
        case SIGUSR1:
            end_run(shim, read_stop(shim), 0);
            break;
        case SIGUSR2:
            if (shim->launch.lease_ms)
                shim->lease_end_ms = mono_ms() + shim->launch.lease_ms;
            break;
        default:
            break;
        }
    }
    reap(shim);
}

static void check_memory(struct shim *shim, uint64_t now)
{
    if (!shim->launch.memory_bytes || now < shim->memory_at_ms)
        return;
    shim->memory_at_ms = now + MEMORY_CHECK_MS;
    uint64_t rss = tree_rss();
    shim->peak_rss = rss > shim->peak_rss ? rss : shim->peak_rss;
    if (rss <= shim->launch.memory_bytes || shim->class_word)
        return;
    say(shim, "used %llu MiB, more than the %llu MiB that `resources.memory` gives", (unsigned long long)(rss >> 20),
        (unsigned long long)(shim->launch.memory_bytes >> 20));
    end_run(shim, "oom", 0);
}

static void check_deadlines(struct shim *shim, uint64_t now)
{
    check_memory(shim, now);
    if (!shim->class_word && shim->launch.timeout_ms && now >= shim->start_ms + shim->launch.timeout_ms) {
        uint64_t ms = shim->launch.timeout_ms;
        say(shim, "ran longer than its timeout of %llu %s", (unsigned long long)(ms % 1000 ? ms : ms / 1000), ms % 1000 ? "ms" : "s");
        end_run(shim, "timeout", shim->launch.grace_ms);
    }
    if (shim->lease_end_ms && now >= shim->lease_end_ms) {
        say(shim, "the controller was out of reach for longer than the lease");
        end_run(shim, "lost", 0);
        shim->lease_end_ms = 0;
    }
    if (shim->kill_at_ms && now >= shim->kill_at_ms && !shim->run_over)
        tree_signal(SIGKILL);
}

static void sooner(uint64_t *deadline, uint64_t at)
{
    if (at && at < *deadline)
        *deadline = at;
}

static int wait_ms(const struct shim *shim, uint64_t now)
{
    uint64_t deadline = UINT64_MAX;
    if (!shim->class_word && shim->launch.timeout_ms)
        sooner(&deadline, shim->start_ms + shim->launch.timeout_ms);
    sooner(&deadline, shim->lease_end_ms);
    sooner(&deadline, shim->kill_at_ms ? (shim->kill_at_ms > now ? shim->kill_at_ms : now + 50) : 0);
    if (shim->launch.memory_bytes)
        sooner(&deadline, shim->memory_at_ms);
    if (deadline == UINT64_MAX)
        return -1;
    return deadline <= now ? 0 : deadline - now > 1000000 ? 1000000 : (int)(deadline - now);
}

static void drain(struct output *output, struct pattern *pattern)
{
    if (output->pipe_fd >= 0 && !output_drain(output, pattern ? pattern_feed : NULL, pattern)) {
        close(output->pipe_fd);
        output->pipe_fd = -1;
    }
}

static void poll_once(struct shim *shim, int timeout)
{
    struct pollfd fds[3] = {{.fd = shim->signal_fd, .events = POLLIN},
                            {.fd = shim->out.pipe_fd, .events = POLLIN},
                            {.fd = shim->err.pipe_fd, .events = POLLIN}};
    if (poll(fds, 3, timeout) <= 0)
        return;
    if (fds[1].revents)
        drain(&shim->out, shim->pattern);
    if (fds[2].revents)
        drain(&shim->err, NULL);
    if (fds[0].revents)
        take_signals(shim);
}

// The run is over: what it left behind is ended, and its last output read.
static void clean_up(struct shim *shim)
{
    if (tree_signal(0) > 0) {
        if (!shim->class_word) {
            uint64_t end = mono_ms() + 200; // a moment for children that are just ending
            tree_signal(SIGTERM);
            while (mono_ms() < end && tree_signal(0) > 0) {
                poll_once(shim, 5);
                reap(shim);
            }
        }
        if (!tree_kill())
            say(shim, "a process of the run could not be killed");
    }
    uint64_t end = mono_ms() + DRAIN_AFTER_END_MS;
    while ((shim->out.pipe_fd >= 0 || shim->err.pipe_fd >= 0) && mono_ms() < end)
        poll_once(shim, 20);
    getrusage(RUSAGE_CHILDREN, &shim->usage);
}

// ---- The whole

// What the run said last on stderr is the best reason there is: "ModuleNotFoundError: No module named 'torch'".
static void last_line_of_stderr(struct shim *shim)
{
    char text[512];
    uint64_t from = shim->err.written > sizeof text - 1 ? shim->err.written - (sizeof text - 1) : 0;
    int fd = shim->message[0] || shim->err.written == 0
                 ? -1
                 : openat(shim->dir_fd, "stderr.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, (off_t)from) : 0;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        n--;
    text[n] = '\0';
    const char *line = strrchr(text, '\n');
    say(shim, "%s", line ? line + 1 : text);
}

static void conclude(struct shim *shim)
{
    bool sync = shim->ended_ms - shim->started_ms >= SHIM_SYNC_AFTER_MS;
    pattern_finish(shim->pattern, sync);
    output_finish(&shim->out, sync);
    output_finish(&shim->err, sync);
    int code = WIFEXITED(shim->status) ? WEXITSTATUS(shim->status) : -1;
    int signal_number = WIFSIGNALED(shim->status) ? WTERMSIG(shim->status) : 0;
    const char *class_word = shim->class_word;
    if (!class_word && signal_number == SIGKILL)
        class_word = "killed";
    else if (!class_word && signal_number)
        class_word = "signal";
    else if (!class_word && (code == 126 || code == 127))
        class_word = "start_failed"; // what shells and env say of a program that is not there
    else if (!class_word)
        class_word = code == 0 ? "success" : "failed";
    if (strcmp(class_word, "start_failed") == 0 || strcmp(class_word, "failed") == 0)
        last_line_of_stderr(shim);
    if (signal_number && !shim->message[0])
        say(shim, "ended by signal %d (%s)", signal_number, strsignal(signal_number));
    write_exit(shim, class_word, code, signal_number, sync);
}

static void start_failed(struct shim *shim, const struct run_failure *failure)
{
    shim->ended_ms = shim->started_ms;
    if (failure->step == 1)
        say(shim, "cannot enter the working directory %s: %s", shim->launch.working_dir, strerror(failure->error));
    else
        say(shim, "cannot start '%s': %s (working directory %s)", shim->launch.argv[0], strerror(failure->error),
            shim->launch.working_dir);
    write_exit(shim, "start_failed", -1, 0, false);
}

static int start(struct shim *shim)
{
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
        return -1;
    shim->out = (struct output){.dir_fd = shim->dir_fd, .pipe_fd = out[0], .file_fd = -1, .name = "stdout.log"};
    shim->err = (struct output){.dir_fd = shim->dir_fd, .pipe_fd = err[0], .file_fd = -1, .name = "stderr.log"};
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    shim->pattern = pattern_new(shim->dir_fd, shim->launch.patterns);
    shim->started_ms = wall_ms();
    shim->start_ms = mono_ms();
    if (shim->launch.lease_ms)
        shim->lease_end_ms = shim->start_ms + shim->launch.lease_ms;
    struct run_failure failure = {0, 0};
    shim->pid = run_start(&shim->launch, out[1], err[1], &failure);
    close(out[1]);
    close(err[1]);
    if (shim->pid < 0) {
        start_failed(shim, &failure);
        return 1;
    }
    write_lock(shim);
    return 0;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Supervise the run of one directory to its end; the exit code says only whether it could be tried.
int supervise(const char *directory)
{
    static struct shim shim;
    umask(077);
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    shim.signal_fd = open_signals();
    shim.dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shim.dir_fd < 0 || shim.signal_fd < 0 || take_lock(&shim) != 0 || load_launch(&shim) != 0)
        return 1;
    if (faccessat(shim.dir_fd, "exit.json", F_OK, 0) == 0)
        return 1; // it ran before: an attempt starts once
    int rc = start(&shim);
    if (rc != 0)
        return rc < 0;
    while (!shim.run_over) {
        uint64_t now = mono_ms();
        check_deadlines(&shim, now);
        poll_once(&shim, wait_ms(&shim, now));
    }
    clean_up(&shim);
    conclude(&shim);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    return strcmp(argv[1], "--server") == 0 ? serve() : supervise(argv[1]);
}
