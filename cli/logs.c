// trawl logs: what a trial printed, from the files beside the database; with --follow as it grows.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/spawn.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLLOW_MS 200
#define CHUNK 65536

struct log {
    char *path;
    off_t offset;
    FILE *out;
};

// Copy what is new. Bytes go out as they came: a log may be in any encoding.
static bool copy_new(struct log *log)
{
    char buffer[CHUNK];
    bool any = false;
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n;
    while ((n = pread(fd, buffer, sizeof buffer, log->offset)) > 0) {
        fwrite(buffer, 1, (size_t)n, log->out);
        log->offset += n;
        any = true;
    }
    close(fd);
    fflush(log->out);
    return any;
}

// Move the offset to the start of the last `lines` lines.
static void skip_to_tail(struct log *log, uint64_t lines)
{
    struct stat st;
    int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0) {
        off_t at = st.st_size;
        uint64_t seen = 0;
        char c;
        while (at > 0 && pread(fd, &c, 1, at - 1) == 1) {
            if (c == '\n' && at != st.st_size && ++seen == lines)
                break;
            at--;
        }
        log->offset = at;
    }
    close(fd);
}

struct attempt_choice {
    uint64_t wanted; // attempt's number, 0: the one with id
    uint64_t id;
    uint32_t number;
};

static int choose_attempt(void *context, const struct attempt_row *row)
{
    struct attempt_choice *choice = context;
    if (choice->wanted ? row->number == choice->wanted : row->id == choice->id)
        choice->number = row->number;
    return 0;
}

static int follow(struct store *store, uint64_t sweep, uint64_t number, struct log *logs, size_t count, struct err *err)
{
    for (;;) {
        struct trial_row row = {0};
        int rc = store_find_trial(store, sweep, number, &row, err);
        bool over = rc == 0 && trial_state_terminal(row.state);
        trial_row_release(&row);
        bool any = false;
        for (size_t i = 0; i < count; i++)
            any = copy_new(&logs[i]) || any;
        if (rc != 0 || (over && !any))
            return rc;
        usleep_ms(FOLLOW_MS);
    }
}

static int print_logs(const struct command_line *line, struct store *store, const struct sweep_row *sweep,
                      const struct trial_row *trial, struct err *err)
{
    struct attempt_choice choice = {.wanted = line_u64(line, "attempt", 0), .id = trial->attempt};
    int rc = store_each_attempt(store, trial->id, choose_attempt, &choice, err);
    if (rc != 0)
        return rc;
    if (choice.number == 0)
        return err_set(err, ERR_NOT_FOUND, "trial %llu has %s; `trawl why %s:%llu` tells more",
                       (unsigned long long)trial->number, choice.wanted ? "no such attempt" : "not started yet", sweep->key,
                       (unsigned long long)trial->number);
    struct log logs[2];
    size_t count = 0;
    if (!line_has(line, "stderr") || line_has(line, "stdout"))
        logs[count++] = (struct log){
            .path = store_log_path(store, sweep->key, trial->number, choice.number, STREAM_STDOUT), .out = stdout};
    if (!line_has(line, "stdout") || line_has(line, "stderr"))
        logs[count++] = (struct log){
            .path = store_log_path(store, sweep->key, trial->number, choice.number, STREAM_STDERR), .out = stderr};
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (line_has(line, "tail"))
            skip_to_tail(&logs[i], line_u64(line, "tail", 10));
        any = copy_new(&logs[i]) || any;
    }
    if (line_has(line, "follow"))
        rc = follow(store, sweep->id, trial->number, logs, count, err);
    else if (!any && !line_has(line, "quiet"))
        fprintf(stderr, "trawl: trial %llu printed nothing\n", (unsigned long long)trial->number);
    for (size_t i = 0; i < count; i++)
        free(logs[i].path);
    return rc;
}

int command_logs(const struct command_line *line)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct trial_row trial = {0};
    struct err err = {0};
    int rc = context_reader(line, &store, &err);
    if (rc == 0)
        rc = context_find_trial(store, line_positional(line, 0), &sweep, &trial, &err);
    if (rc == 0)
        rc = print_logs(line, store, &sweep, &trial, &err);
    trial_row_release(&trial);
    sweep_row_release(&sweep);
    store_close(store);
    return rc == 0 ? 0 : context_fail(line, &err);
}
