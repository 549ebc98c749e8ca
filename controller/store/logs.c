// Output of runs: one file a stream beside the database.
//
// Bytes are written at their offset before the commit that moves the cursor. A crash in between
// leaves bytes past the cursor, which the agent sends again and which are written again. The files
// are not synced: a machine that loses power may leave one shorter than its cursor, which the next
// start finds and records.

#include "base/file.h"
#include "base/mem.h"
#include "controller/store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_PATH_MAX       128
#define LOG_CHECK_ATTEMPTS 10000 // newest attempts that are looked at
#define LOG_CHECK_MS                                                                               \
    120000 // and of them those that ended so long before the last (the kernel writes after 30 s)

static void relative_path(char ret[static LOG_PATH_MAX], const char *key, uint64_t trial,
                          uint32_t attempt, enum stream stream)
{
    snprintf(ret, LOG_PATH_MAX, "logs/%s/%llu-%u.%s", key, (unsigned long long)trial, attempt,
             stream == STREAM_STDERR ? "err" : "out");
}

char *store_log_path(const struct store *store, const char *sweep_key, uint64_t trial_number,
                     uint32_t attempt_number, enum stream stream)
{
    char relative[LOG_PATH_MAX];
    if (!store->dir)
        return NULL;
    relative_path(relative, sweep_key, trial_number, attempt_number, stream);
    return dir_path(store, relative);
}

static void close_all(struct store *store)
{
    for (size_t i = 0; i < LOG_FILES_MAX; i++)
        fd_close(&store->logs[i].fd);
}

void logs_close(struct store *store)
{
    close_all(store);
}

// The sentence keeps what errno said; the code is one the turn knows: wait for space, or end.
static int log_failure(const char *relative, struct err *err)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    err_set_errno(err, "cannot write the log %s", relative);
    if (err)
        err->code = full ? ERR_NO_SPACE : ERR_IO;
    return full ? ERR_NO_SPACE : ERR_IO;
}

static int make_directories(const struct store *store, const char *key)
{
    char path[LOG_PATH_MAX];
    snprintf(path, sizeof path, "logs/%s", key);
    if (mkdirat(store->dir_fd, "logs", 0700) != 0 && errno != EEXIST)
        return -1;
    return mkdirat(store->dir_fd, path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

static int open_log(struct store *store, const char *key, const char *relative)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(store->dir_fd, relative, flags, 0600);
    if (fd < 0 && errno == ENOENT && make_directories(store, key) == 0)
        fd = openat(store->dir_fd, relative, flags, 0600);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        close_all(store);
        fd = openat(store->dir_fd, relative, flags, 0600);
    }
    return fd;
}

// The slot of that file, opened; the one longest unused gives way.
static struct log_file *find_log(struct store *store, const struct change *change, const char *key,
                                 const char *relative)
{
    struct log_file *oldest = &store->logs[0];
    store->log_clock++;
    for (size_t i = 0; i < LOG_FILES_MAX; i++) {
        struct log_file *file = &store->logs[i];
        if (file->fd >= 0 && file->attempt == change->log.attempt &&
            file->stream == change->log.stream) {
            file->used = store->log_clock;
            return file;
        }
        if (oldest->fd >= 0 && (file->fd < 0 || file->used < oldest->used))
            oldest = file;
    }
    fd_close(&oldest->fd);
    int fd = open_log(store, key, relative);
    if (fd < 0)
        return NULL;
    *oldest = (struct log_file){.attempt = change->log.attempt,
                                .stream = change->log.stream,
                                .fd = fd,
                                .used = store->log_clock};
    return oldest;
}

int logs_append(struct store *store, const struct change *change, struct err *err)
{
    struct sweep_info *info;
    char relative[LOG_PATH_MAX];
    if (!store->dir || change->log.len == 0)
        return 0;
    int rc = store_sweep_info(store, change->log.sweep, &info, err);
    if (rc != 0)
        return rc;
    relative_path(relative, info->key, change->log.trial_number, change->log.attempt_number,
                  change->log.stream);
    struct log_file *file = find_log(store, change, info->key, relative);
    if (!file)
        return log_failure(relative, err);
    const char *data = change->log.data;
    size_t done = 0;
    while (done < change->log.len) {
        ssize_t n = pwrite(file->fd, data + done, change->log.len - done,
                           (off_t)(change->log.offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return log_failure(relative, err);
        done += (size_t)n;
    }
    return 0;
}

struct log_check {
    const char *key;
    uint64_t number, attempt, trial, sweep;
    uint32_t attempt_number;
};

static int record_loss(struct store *store, const struct log_check *check, enum stream stream,
                       uint64_t size, uint64_t stored, int64_t now_ms, struct err *err)
{
    struct query query;
    char text[256];
    snprintf(
        text, sizeof text,
        "%llu bytes of its %s were lost with the machine's power: bytes %llu to %llu of the log "
        "read as zeros",
        (unsigned long long)(stored - size), stream == STREAM_STDERR ? "stderr" : "stdout",
        (unsigned long long)size, (unsigned long long)stored - 1);
    int rc = query_open(store, STATEMENT_EVENT, &query, err);
    if (rc != 0)
        return rc;
    put_i64(&query, now_ms);
    put_text(&query, "log_lost");
    put_some(&query, check->sweep);
    put_some(&query, check->trial);
    put_some(&query, check->attempt);
    put_null(&query);
    put_text(&query, text);
    return query_run(&query, err);
}

// The file gets its length back, so that the loss is recorded once.
static int check_log(struct store *store, const struct log_check *check, enum stream stream,
                     uint64_t stored, int64_t now_ms, struct err *err)
{
    char relative[LOG_PATH_MAX];
    struct stat st = {0};
    if (stored == 0)
        return 0;
    relative_path(relative, check->key, check->number, check->attempt_number, stream);
    if (fstatat(store->dir_fd, relative, &st, 0) != 0 && errno != ENOENT)
        return log_failure(relative, err);
    if ((uint64_t)st.st_size >= stored)
        return 0;
    int fd = open_log(store, check->key, relative);
    if (fd < 0)
        return log_failure(relative, err);
    int rc = ftruncate(fd, (off_t)stored) != 0 ? log_failure(relative, err) : 0;
    close(fd);
    return rc == 0 ? record_loss(store, check, stream, (uint64_t)st.st_size, stored, now_ms, err)
                   : rc;
}

static int newest(struct store *store, uint64_t *ret_id, int64_t *ret_ended_ms, struct err *err)
{
    struct query query;
    int rc = query_open(store, STATEMENT_LOG_CHECK_SINCE, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, LOG_CHECK_ATTEMPTS);
    rc = query_step(&query, err);
    if (rc > 0) {
        *ret_id = get_u64(&query);
        *ret_ended_ms = get_i64(&query);
    }
    query_close(&query);
    return rc < 0 ? rc : 0;
}

int logs_check(struct store *store, int64_t now_ms, struct err *err)
{
    uint64_t id = 0;
    int64_t ended_ms = 0;
    struct query query;
    if (!store->dir)
        return 0;
    int rc = newest(store, &id, &ended_ms, err);
    if (rc == 0)
        rc = query_open(store, STATEMENT_LOG_CHECK, &query, err);
    if (rc != 0)
        return rc;
    put_u64(&query, id > LOG_CHECK_ATTEMPTS ? id - LOG_CHECK_ATTEMPTS : 0);
    put_i64(&query, ended_ms - LOG_CHECK_MS);
    while ((rc = query_step(&query, err)) > 0) {
        struct log_check check = {.key = get_text(&query)};
        check.number = get_u64(&query);
        check.attempt_number = get_u32(&query);
        uint64_t out_bytes = get_u64(&query);
        uint64_t err_bytes = get_u64(&query);
        check.attempt = get_u64(&query);
        check.trial = get_u64(&query);
        check.sweep = get_u64(&query);
        rc = check_log(store, &check, STREAM_STDOUT, out_bytes, now_ms, err);
        if (rc == 0)
            rc = check_log(store, &check, STREAM_STDERR, err_bytes, now_ms, err);
        if (rc != 0)
            break;
    }
    query_close(&query);
    return rc;
}
