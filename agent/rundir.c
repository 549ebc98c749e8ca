// Run directories: made, looked at, read, forgotten. All by descriptor; symbolic links are never followed.

#define _GNU_SOURCE // O_PATH
#include "agent/rundir.h"

#include "agent/shim/launch.h"
#include "base/exit_class.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_BYTES_MAX 65536
#define SWEEP_ROUNDS_MAX 100

static const char *const stream_files[STREAM_COUNT] = {"metrics.jsonl", "stdout.log", "stderr.log"};

// Files that are ours; everything else is the run's.
static const char *const our_files[] = {LAUNCH_FILE,  "config.json", "config.yaml", "lock", "metrics.jsonl",
                                        "stdout.log", "stderr.log",  "stop",        "exit.json", "exit.json.tmp", NULL};

void rundir_name(uint64_t attempt, char name[static 24])
{
    snprintf(name, 24, "%llu", (unsigned long long)attempt);
}

static int open_dir(int spool_fd, uint64_t attempt)
{
    char name[24];
    rundir_name(attempt, name);
    return openat(spool_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

// ---- Making

static void add_text(struct str *out, const char *text)
{
    str_addn(out, text, strlen(text) + 1);
}

static void add_number(struct str *out, uint64_t value)
{
    char text[24];
    rundir_name(value, text);
    add_text(out, text);
}

static void write_launch(struct str *out, const struct rundir_run *run)
{
    const struct msg_launch_item *item = run->item;
    size_t env_count = 0;
    add_text(out, "trawl-launch 1");
    add_number(out, item->attempt);
    add_number(out, item->timeout_ms);
    add_number(out, item->grace_ms);
    add_number(out, item->lease_ms);
    add_number(out, item->memory_bytes);
    add_number(out, item->cpus);
    add_number(out, 2 * item->pattern_count);
    for (size_t i = 0; i < item->pattern_count; i++) {
        add_text(out, item->patterns[i].metric);
        add_text(out, item->patterns[i].pattern);
    }
    add_text(out, run->working_dir);
    add_number(out, item->argc);
    for (size_t i = 0; i < item->argc; i++)
        add_text(out, run->argv[i]);
    while (run->env[env_count])
        env_count++;
    add_number(out, env_count);
    for (size_t i = 0; i < env_count; i++)
        add_text(out, run->env[i]);
    add_text(out, "end");
}

// JSON's strings are YAML's but for characters that YAML 1.1 takes for line breaks (and folds) or does not allow: these are escaped.
static void write_yaml_string(struct str *out, const char *text, size_t len)
{
    struct str json = STR_INIT;
    json_write_string(&json, text, len);
    for (const unsigned char *p = (const unsigned char *)str_get(&json); *p; p++) {
        unsigned code = 0;
        if (p[0] == 0xC2 && p[1] < 0xA0)
            code = p[1];
        else if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
            code = 0x2000u + (p[2] & 0x3Fu);
        else if (p[0] == 0xEF && ((p[1] == 0xBB && p[2] == 0xBF) || (p[1] == 0xBF && p[2] >= 0xBE)))
            code = 0xF000u + ((p[1] & 0x3Fu) << 6) + (p[2] & 0x3Fu);
        if (code) {
            str_addf(out, "\\u%04x", code);
            p += code < 0x100 ? 1 : 2;
        } else {
            str_addch(out, (char)*p);
        }
    }
    str_release(&json);
}

// And YAML 1.1 readers take 1e-05 for text, so exponents get a point.
static void write_yaml_value(struct str *out, const struct json_object *value)
{
    if (json_object_is_type(value, json_type_double)) {
        char text[NUM_TEXT_MAX];
        size_t len = num_format_double(json_object_get_double(value), text);
        char *e = memchr(text, 'e', len);
        if (strcmp(text, "nan") == 0 || strstr(text, "inf"))
            str_addf(out, "%s.%s", text[0] == '-' ? "-" : "", text[0] == '-' ? text + 1 : text);
        else if (e && !memchr(text, '.', len))
            str_addf(out, "%.*s.0%s", (int)(e - text), text, e);
        else
            str_addn(out, text, len);
        return;
    }
    if (json_object_is_type(value, json_type_array)) {
        str_addch(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            str_add(out, i ? ", " : "");
            write_yaml_value(out, json_object_array_get_idx(value, i));
        }
        str_addch(out, ']');
        return;
    }
    if (json_object_is_type(value, json_type_object)) {
        bool first = true;
        str_addch(out, '{');
        json_object_object_foreach((struct json_object *)value, key, member)
        {
            str_add(out, first ? "" : ", ");
            first = false;
            write_yaml_string(out, key, strlen(key));
            str_add(out, ": ");
            write_yaml_value(out, member);
        }
        str_addch(out, '}');
        return;
    }
    if (json_object_is_type(value, json_type_string))
        write_yaml_string(out, json_object_get_string((struct json_object *)value), (size_t)json_object_get_string_len(value));
    else
        json_write(out, value);
}

static void write_yaml(struct str *out, const char *config)
{
    struct json_object *json = NULL;
    str_add(out, "wandb_version: 1\n");
    if (json_parse(config, strlen(config), &json, NULL) == 0 && json_object_is_type(json, json_type_object)) {
        json_object_object_foreach(json, key, value)
        {
            str_add(out, "\n");
            write_yaml_string(out, key, strlen(key));
            str_add(out, ":\n  value: ");
            write_yaml_value(out, value);
        }
    }
    str_add(out, "\n");
    json_object_put(json);
}

static void remove_ours(int dir_fd)
{
    for (size_t i = 0; our_files[i]; i++)
        unlinkat(dir_fd, our_files[i], 0);
    unlinkat(dir_fd, "artifacts", AT_REMOVEDIR);
}

// Directories of runs that are over and left nothing, kept for the next ones: making and removing a dozen inodes for each short run cost
// more than the run (ext4 does not reuse an inode for seconds and searches past it). A process has one spool, so this is its own.
#define SPARES_MAX 64
static uint64_t spares[SPARES_MAX];
static size_t spare_count;
static uint64_t next_spare;

static void spare_name(uint64_t number, char name[static 32])
{
    snprintf(name, 32, "spare-%llu", (unsigned long long)number);
}

// Write a file that may be a spare's. Not by truncation to nothing: ext4 flushes such a file to disk when it is closed.
static int write_over(int dir_fd, const char *name, const void *data, size_t len, struct err *err)
{
    struct stat st;
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, "cannot create %s", name);
    int rc = file_write_all(fd, data, len, err);
    if (rc != 0)
        err_prefix(err, "%s", name);
    else if (fstat(fd, &st) != 0 || (st.st_size > (off_t)len && ftruncate(fd, (off_t)len) != 0))
        rc = err_set_errno(err, "cannot shorten %s", name);
    close(fd);
    return rc;
}

static int fill(int dir_fd, const struct rundir_run *run, struct err *err)
{
    struct str text = STR_INIT;
    int rc = write_over(dir_fd, "config.json", run->item->config, strlen(run->item->config), err);
    if (rc == 0) {
        write_yaml(&text, run->item->config);
        rc = write_over(dir_fd, "config.yaml", str_get(&text), text.len, err);
    }
    if (rc == 0) {
        str_clear(&text);
        write_launch(&text, run);
        rc = write_over(dir_fd, LAUNCH_FILE, str_get(&text), text.len, err);
    }
    if (rc == 0) // a spare's lock still names its last shim
        rc = write_over(dir_fd, "lock", "0 0 0\n", 6, err);
    str_release(&text);
    return rc;
}

// A spare, or a fresh directory under a spare's name: it gets its own name only when it is complete.
static int take_spare(int spool_fd, char name[static 32], int *ret_fd, struct err *err)
{
    while (spare_count > 0) { // one that somebody removed is passed over
        spare_name(spares[--spare_count], name);
        *ret_fd = openat(spool_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (*ret_fd >= 0)
            return 0;
    }
    spare_name(next_spare++, name);
    if (mkdirat(spool_fd, name, 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, "cannot make a run directory");
    *ret_fd = openat(spool_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0)
        return err_set_errno(err, "cannot open the run directory %s", name);
    if (mkdirat(*ret_fd, "artifacts", 0700) != 0 && errno != EEXIST)
        return err_set_errno(err, "cannot make artifacts/");
    return 0;
}

static void drop_spare(int spool_fd, const char *name, int dir_fd)
{
    if (dir_fd >= 0)
        remove_ours(dir_fd);
    unlinkat(spool_fd, name, AT_REMOVEDIR);
}

int rundir_make(int spool_fd, const struct rundir_run *run, struct err *err)
{
    char name[24], spare[32];
    int dir_fd = -1;
    struct stat st;
    rundir_name(run->item->attempt, name);
    if (fstatat(spool_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, ERR_STATE, "the run directory %s is there already", name);
    int rc = take_spare(spool_fd, spare, &dir_fd, err);
    if (rc == 0)
        rc = fill(dir_fd, run, err);
    if (rc == 0 && renameat(spool_fd, spare, spool_fd, name) != 0)
        rc = err_set_errno(err, "cannot name the run directory %s", name);
    if (rc != 0)
        drop_spare(spool_fd, spare, dir_fd);
    fd_close(&dir_fd);
    return rc;
}

// ---- Looking

static void look_lengths(int dir_fd, uint64_t ret[STREAM_COUNT])
{
    struct stat st;
    for (int i = 0; i < STREAM_COUNT; i++)
        ret[i] = fstatat(dir_fd, stream_files[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static bool lock_held(int dir_fd, pid_t *ret_shim)
{
    int fd = openat(dir_fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    char text[64] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n > 0 && ret_shim)
        *ret_shim = (pid_t)strtol(text, NULL, 10);
    close(fd);
    return held;
}

static uint64_t get_u64(const struct json_object *json, const char *key)
{
    int64_t value = 0;
    json_get_i64(json, key, &value);
    return value > 0 ? (uint64_t)value : 0;
}

// Accept nothing that a shim would not write: a damaged file counts as lost.
static bool parse_exit(const char *text, size_t len, uint64_t attempt, struct msg_exited *ret)
{
    struct json_object *json = NULL, *lengths = NULL;
    const char *class_word = NULL, *message = "";
    enum exit_class class_id;
    bool good = json_parse(text, len, &json, NULL) == 0 && json_get_string(json, "class", &class_word) &&
                exit_class_parse(class_word, &class_id) && json_object_object_get_ex(json, "lengths", &lengths);
    if (good) {
        *ret = (struct msg_exited){.attempt = attempt, .class_word = xstrdup(class_word)};
        json_get_string(json, "message", &message);
        ret->message = xstrdup(message);
        json_get_i64(json, "code", &ret->code);
        json_get_i64(json, "signal", &ret->signal);
        json_get_i64(json, "started_ms", &ret->started_ms);
        json_get_i64(json, "ended_ms", &ret->ended_ms);
        ret->cpu_ms = get_u64(json, "cpu_ms");
        ret->max_rss_bytes = get_u64(json, "max_rss_bytes");
        ret->dropped_bytes = get_u64(json, "dropped_bytes");
        for (int i = 0; i < STREAM_COUNT; i++)
            ret->lengths[i] = get_u64(lengths, stream_name((enum stream)i));
    }
    json_object_put(json);
    return good;
}

void rundir_exit_release(struct msg_exited *exited)
{
    free(exited->class_word);
    free(exited->message);
    *exited = (struct msg_exited){0};
}

// Not file_read_at: what the run may have put in its place, a link or a pipe, is no exit.json.
static bool read_exit(int dir_fd, uint64_t attempt, struct msg_exited *ret)
{
    char text[EXIT_BYTES_MAX];
    size_t len = 0;
    ssize_t n = 0;
    struct stat st;
    int fd = openat(dir_fd, "exit.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    while (good && len < sizeof text && ((n = read(fd, text + len, sizeof text - len)) > 0 || (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    fd_close(&fd);
    return good && n == 0 && parse_exit(text, len, attempt, ret);
}

int rundir_look(int spool_fd, uint64_t attempt, enum rundir_state *ret_state, struct msg_exited *ret_exit, pid_t *ret_shim,
                uint64_t ret_lengths[STREAM_COUNT], struct err *err)
{
    int dir_fd = open_dir(spool_fd, attempt);
    if (dir_fd < 0 && errno == ENOENT) {
        *ret_state = RUNDIR_NONE;
        return 0;
    }
    if (dir_fd < 0)
        return err_set_errno(err, "cannot open the run directory %llu", (unsigned long long)attempt);
    struct msg_exited exited = {0};
    struct stat st;
    bool held = lock_held(dir_fd, ret_shim); // before exit.json: a shim that ends in between has written it
    if (read_exit(dir_fd, attempt, &exited)) {
        *ret_state = RUNDIR_EXITED;
        look_lengths(dir_fd, exited.lengths); // what lies there counts: a process may have written after the shim looked
    } else if (held) {
        *ret_state = RUNDIR_RUNNING;
    } else {
        *ret_state = fstatat(dir_fd, LAUNCH_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? RUNDIR_LOST : RUNDIR_NONE;
    }
    if (ret_lengths)
        look_lengths(dir_fd, ret_lengths);
    if (ret_exit && *ret_state == RUNDIR_EXITED)
        *ret_exit = exited;
    else
        rundir_exit_release(&exited);
    close(dir_fd);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

// A spare of an earlier process. Its state is not known for sure, so it goes.
static void remove_spare(int spool_fd, const char *name)
{
    int fd = openat(spool_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    drop_spare(spool_fd, name, fd);
    fd_close(&fd);
}

int rundir_list(int spool_fd, uint64_t **ret, size_t *ret_count, struct err *err)
{
    int fd = openat(spool_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        fd_close(&fd);
        return err_set_errno(err, "cannot read the spool");
    }
    uint64_t *items = NULL, attempt;
    size_t count = 0, capacity = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (str_starts(entry->d_name, "spare-"))
            remove_spare(spool_fd, entry->d_name);
        if (!num_parse_u64(entry->d_name, &attempt))
            continue;
        ARRAY_GROW(items, count, capacity);
        items[count++] = attempt;
    }
    closedir(dir);
    if (count)
        qsort(items, count, sizeof *items, by_value);
    *ret = items;
    *ret_count = count;
    return 0;
}

int rundir_lengths(int spool_fd, uint64_t attempt, uint64_t ret_lengths[STREAM_COUNT], struct err *err)
{
    int dir_fd = open_dir(spool_fd, attempt);
    if (dir_fd < 0)
        return err_set_errno(err, "cannot open the run directory %llu", (unsigned long long)attempt);
    look_lengths(dir_fd, ret_lengths);
    close(dir_fd);
    return 0;
}

static int write_lost(int dir_fd, const char *message, struct err *err)
{
    uint64_t lengths[STREAM_COUNT];
    struct str text = STR_INIT;
    struct stat st;
    look_lengths(dir_fd, lengths);
    long long at = fstatat(dir_fd, LAUNCH_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (long long)st.st_mtim.tv_sec * 1000 : 0;
    str_add(&text, "{\"class\":\"lost\",\"code\":-1,\"signal\":0,\"message\":");
    json_write_string(&text, message, strlen(message));
    str_addf(&text, ",\"started_ms\":%lld,\"ended_ms\":%lld,\"cpu_ms\":0,\"max_rss_bytes\":0,\"dropped_bytes\":0,\"lengths\":{", at, at);
    for (int i = 0; i < STREAM_COUNT; i++)
        str_addf(&text, "%s\"%s\":%llu", i ? "," : "", stream_name((enum stream)i), (unsigned long long)lengths[i]);
    str_add(&text, "}}\n");
    int rc = file_replace_at(dir_fd, "exit.json", str_get(&text), text.len, 0600, false, err);
    str_release(&text);
    return rc;
}

int rundir_mark_lost(int spool_fd, uint64_t attempt, const char *message, struct err *err)
{
    int dir_fd = open_dir(spool_fd, attempt), rc = 0;
    if (dir_fd < 0)
        return err_set_errno(err, "cannot open the run directory %llu", (unsigned long long)attempt);
    int lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd < 0)
        rc = err_set_errno(err, "cannot open the lock of run %llu", (unsigned long long)attempt);
    else if (flock(lock_fd, LOCK_EX | LOCK_NB) != 0)
        rc = err_set(err, ERR_BUSY, "the shim of run %llu lives", (unsigned long long)attempt);
    else
        rc = write_lost(dir_fd, message, err);
    fd_close(&lock_fd);
    close(dir_fd);
    return rc;
}

// ---- Leftover processes

static bool has_variable(const char *env, size_t len, const char *wanted)
{
    size_t size = strlen(wanted) + 1;
    for (const char *p = env; p < env + len; p += strlen(p) + 1)
        if ((size_t)(env + len - p) >= size && memcmp(p, wanted, size) == 0)
            return true;
    return false;
}

static bool is_of_attempt(const char *pid, const char *attempt, const char *agent)
{
    char path[300];
    struct str env = STR_INIT;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    bool found = file_read(path, 4u << 20, &env, NULL) == 0 && has_variable(str_get(&env), env.len, attempt) &&
                 has_variable(str_get(&env), env.len, agent);
    str_release(&env);
    return found;
}

unsigned rundir_sweep_processes(uint64_t attempt, const char *agent_uid)
{
    char attempt_text[64], agent_text[64];
    unsigned killed = 0;
    snprintf(attempt_text, sizeof attempt_text, "TRAWL_ATTEMPT=%llu", (unsigned long long)attempt);
    snprintf(agent_text, sizeof agent_text, "TRAWL_AGENT=%s", agent_uid);
    for (int round = 0; round < SWEEP_ROUNDS_MAX; round++) {
        unsigned found = 0;
        uint64_t pid;
        DIR *dir = opendir("/proc");
        const struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
            if (!num_parse_u64(entry->d_name, &pid) || (pid_t)pid == getpid() || !is_of_attempt(entry->d_name, attempt_text, agent_text))
                continue;
            found += kill((pid_t)pid, SIGKILL) == 0;
        }
        if (dir)
            closedir(dir);
        if (found == 0)
            break;
        killed += round == 0 ? found : 0;
    }
    return killed;
}

// ---- Forgetting

static bool is_ours(const char *name)
{
    for (size_t i = 0; our_files[i]; i++)
        if (strcmp(our_files[i], name) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "artifacts") == 0;
}

// Whether a directory has an entry that `ours` does not know; what is ours and made by a run's life is unlinked on the way
// (`clean`), so that a spare begins as a fresh one does.
static bool has_entries(int dir_fd, const char *name, bool (*ours)(const char *), bool clean)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir))) {
        found = !ours(entry->d_name);
        if (clean && (str_ends(entry->d_name, ".jsonl") || str_ends(entry->d_name, ".log") || strcmp(entry->d_name, "stop") == 0))
            unlinkat(dir_fd, entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    else
        fd_close(&fd);
    return found;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int keep_dir(int spool_fd, const char *name, struct err *err)
{
    char kept[32]; // no longer ours to look after
    snprintf(kept, sizeof kept, RUNDIR_KEPT "%s", name);
    return renameat(spool_fd, name, spool_fd, kept) == 0 ? 0 : err_set_errno(err, "cannot rename %s", name);
}

// Whether what lies here can be written over: the run may have put a link, a pipe or a directory in its place, or have linked it
// elsewhere to keep it.
static bool is_reusable(int dir_fd)
{
    struct stat st;
    for (size_t i = 0; our_files[i]; i++)
        if (fstatat(dir_fd, our_files[i], &st, AT_SYMLINK_NOFOLLOW) == 0 ? !S_ISREG(st.st_mode) || st.st_nlink != 1 || !(st.st_mode & S_IWUSR)
                                                                         : errno != ENOENT)
            return false;
    return fstatat(dir_fd, "artifacts", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

// Back to the spares: exit.json is the next one's exit.json.tmp, the rest is overwritten.
static bool make_spare(int spool_fd, const char *name, int dir_fd)
{
    char spare[32];
    if (spare_count == SPARES_MAX || !is_reusable(dir_fd) || has_entries(dir_fd, ".", is_ours, true))
        return false;
    if (renameat(dir_fd, "exit.json", dir_fd, "exit.json.tmp") != 0 && errno != ENOENT)
        return false;
    spare_name(next_spare, spare);
    if (renameat(spool_fd, name, spool_fd, spare) != 0)
        return false;
    spares[spare_count++] = next_spare++;
    return true;
}

int rundir_forget(int spool_fd, uint64_t attempt, bool *ret_kept, struct err *err)
{
    char name[24];
    rundir_name(attempt, name);
    int dir_fd = open_dir(spool_fd, attempt), rc = 0;
    *ret_kept = false;
    if (dir_fd < 0)
        return errno == ENOENT ? 0 : err_set_errno(err, "cannot open the run directory %s", name);
    if (has_entries(dir_fd, "artifacts", is_dot, false) || has_entries(dir_fd, ".", is_ours, false)) {
        *ret_kept = true;
        rc = keep_dir(spool_fd, name, err);
    } else if (!make_spare(spool_fd, name, dir_fd)) {
        remove_ours(dir_fd);
        if (unlinkat(spool_fd, name, AT_REMOVEDIR) != 0)
            rc = err_set_errno(err, "cannot remove the run directory %s", name);
    }
    close(dir_fd);
    return rc;
}

// ---- Reading

// Bytes up to and with the last newline of what was read; with a line that does not end within the buffer, none.
static size_t whole_lines(const char *data, size_t len)
{
    while (len > 0 && data[len - 1] != '\n')
        len--;
    return len;
}

// The length of the line at `offset`, which is over the limit: up to its newline, or to the end of what is there. False: it is
// still being written.
static bool find_line_end(int fd, uint64_t offset, bool last, uint64_t *ret)
{
    char buffer[16384];
    uint64_t at = offset;
    ssize_t n;
    while ((n = pread(fd, buffer, sizeof buffer, (off_t)at)) > 0) {
        const char *newline = memchr(buffer, '\n', (size_t)n);
        if (newline) {
            *ret = at + (uint64_t)(newline - buffer) + 1 - offset;
            return true;
        }
        at += (uint64_t)n;
    }
    *ret = at - offset;
    return last;
}

static void read_lines(int fd, uint64_t offset, bool last, char *buffer, size_t max, size_t *ret_len, uint64_t *ret_skipped)
{
    ssize_t n = pread(fd, buffer, max, (off_t)offset);
    size_t len = n > 0 ? (size_t)n : 0, lines = whole_lines(buffer, len);
    // Whole lines end where one over the limit begins; it is skipped by a read that starts there.
    for (size_t start = 0; start < lines;) {
        size_t line = (size_t)((char *)memchr(buffer + start, '\n', lines - start) - (buffer + start)) + 1;
        if (line > STREAM_LINE_MAX) {
            if (start == 0) {
                *ret_skipped = line;
                return;
            }
            lines = start;
            break;
        }
        start += line;
    }
    if (lines > 0)
        *ret_len = lines;
    else if (last && len > 0 && len < max && len <= STREAM_LINE_MAX)
        *ret_len = len; // the last line of a run may lack its newline
    else if (len > STREAM_LINE_MAX)
        if (!find_line_end(fd, offset, last, ret_skipped))
            *ret_skipped = 0;
}

int rundir_read(int spool_fd, uint64_t attempt, enum stream stream, uint64_t offset, bool last, void *buffer, size_t max,
                size_t *ret_len, uint64_t *ret_skipped, struct err *err)
{
    *ret_len = 0;
    *ret_skipped = 0;
    int dir_fd = open_dir(spool_fd, attempt);
    if (dir_fd < 0)
        return err_set_errno(err, "cannot open the run directory %llu", (unsigned long long)attempt);
    struct stat st;
    int fd = openat(dir_fd, stream_files[stream], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    close(dir_fd);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        fd_close(&fd);
        return 0;
    }
    if (stream == STREAM_METRICS) {
        read_lines(fd, offset, last, buffer, max, ret_len, ret_skipped);
    } else {
        ssize_t n = pread(fd, buffer, max, (off_t)offset);
        *ret_len = n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return 0;
}
