// What the tests of run directories share: a spool in a temporary directory, and files in it.
#pragma once

#define _GNU_SOURCE // nftw

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "agent/rundir.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct spool {
    char path[64];
    int fd;
};

static inline int spool_enter(void **state)
{
    struct spool *spool = xcalloc(1, sizeof *spool);
    *state = spool;
    snprintf(spool->path, sizeof spool->path, "/tmp/trawl-rundir-XXXXXX");
    if (!mkdtemp(spool->path))
        return -1;
    spool->fd = open(spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return spool->fd < 0 ? -1 : 0;
}

static inline int spool_drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int spool_leave(void **state)
{
    struct spool *spool = *state;
    close(spool->fd);
    int rc = nftw(spool->path, spool_drop, 8, FTW_DEPTH | FTW_PHYS);
    free(spool);
    return rc;
}

static inline int make_with_config(struct spool *spool, uint64_t attempt, const char *config, struct err *err)
{
    static const char *const argv[] = {"true", NULL}, *const env[] = {"A=b", NULL};
    const struct msg_launch_item item = {.attempt = attempt, .config = (char *)config, .argc = 1};
    const struct rundir_run run = {.item = &item, .argv = argv, .env = env, .working_dir = "/"};
    return rundir_make(spool->fd, &run, err);
}

static inline void make(struct spool *spool, uint64_t attempt)
{
    struct err err = {0};
    if (make_with_config(spool, attempt, "{\"x\":1}", &err) != 0)
        fail_msg("%s", err.text);
}

// Write or append to a file of an attempt's directory.
static inline void put(struct spool *spool, uint64_t attempt, const char *name, int flags, const void *data, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%llu/%s", (unsigned long long)attempt, name);
    int fd = openat(spool->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, data, len, NULL), 0);
    close(fd);
}

static inline void put_text(struct spool *spool, uint64_t attempt, const char *name, const char *text)
{
    put(spool, attempt, name, O_TRUNC, text, strlen(text));
}

static inline bool is_there(const struct spool *spool, const char *path)
{
    struct stat st;
    return fstatat(spool->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void get(struct spool *spool, const char *path, struct str *ret)
{
    str_clear(ret);
    assert_int_equal(file_read_at(spool->fd, path, 1 << 20, ret, NULL), 0);
}
