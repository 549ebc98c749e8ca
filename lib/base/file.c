// Files: whole reads and writes, directories, locks.

#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_at(int dir_fd, const char *name, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int file_read_at(int dir_fd, const char *name, size_t max_bytes, struct str *out, struct err *err)
{
    int fd = open_at(dir_fd, name, O_RDONLY, 0);
    if (fd < 0)
        return err_set_errno(err, "cannot open %s", name);
    char buffer[65536];
    size_t before = out->len, total = 0;
    int rc = 0;
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set_errno(err, "cannot read %s", name);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > max_bytes) {
            rc = err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", name, max_bytes);
            break;
        }
        str_addn(out, buffer, (size_t)n);
    }
    close(fd);
    if (rc != 0 && out->len > before) { // as if nothing had been read
        out->len = before;
        out->s[before] = '\0';
    }
    return rc;
}

int file_read(const char *path, size_t max_bytes, struct str *out, struct err *err)
{
    return file_read_at(AT_FDCWD, path, max_bytes, out, err);
}

int file_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) { // a terminal or pipe that another program made non-blocking
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0)
            return err_set_errno(err, "cannot write");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_file(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                      bool sync, struct err *err)
{
    int fd = open_at(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_set_errno(err, "cannot create %s", name);
    int rc = file_write_all(fd, data, len, err);
    if (rc != 0)
        err_prefix(err, "%s", name);
    if (rc == 0 && sync && fsync(fd) != 0)
        rc = err_set_errno(err, "cannot sync %s", name);
    if (close(fd) != 0 && rc == 0 && errno != EINTR) // NFS tells of a full disk here
        rc = err_set_errno(err, "cannot write %s", name);
    return rc;
}

int file_write_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                  struct err *err)
{
    return write_file(dir_fd, name, data, len, mode, false, err);
}

int file_replace_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                    bool sync, struct err *err)
{
    char *tmp = xasprintf("%s.tmp", name);
    int rc = write_file(dir_fd, tmp, data, len, mode, sync, err);
    if (rc == 0 && renameat(dir_fd, tmp, dir_fd, name) != 0)
        rc = err_set_errno(err, "cannot rename %s", tmp);
    if (rc != 0)
        unlinkat(dir_fd, tmp, 0);
    if (rc == 0 && sync) {
        int fd = open_at(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || fsync(fd) != 0)
            rc = err_set_errno(err, "cannot sync the directory of %s", name);
        fd_close(&fd);
    }
    free(tmp);
    return rc;
}

int dir_make(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    int cause = 0; // why the first parent could not be made: the last part would only say that it is not there
    for (char *p = copy; *p; p++) {
        if (*p != '/' || p == copy)
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST && cause == 0)
            cause = errno;
        *p = '/';
    }
    int rc = 0;
    struct stat st;
    if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
        if (errno == ENOENT && cause != 0)
            errno = cause;
        rc = err_set_errno(err, "cannot make the directory %s", path);
    }
    else if (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))
        rc = err_set(err, ERR_STATE, "%s is not a directory", path);
    free(copy);
    return rc;
}

int file_lock_at(int dir_fd, const char *name, int *ret_fd, struct err *err)
{
    int fd = open_at(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, "cannot open the lock %s", name);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        int rc = errno == EWOULDBLOCK ? err_set(err, ERR_BUSY, "%s is held by another process", name)
                                      : err_set_errno(err, "cannot lock %s", name);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
