// Files: whole reads and writes, directories, locks. Descriptors are close-on-exec; EINTR is retried.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Append the whole file to `out`; ERR_LIMIT when it is larger than `max_bytes`.
int file_read(const char *path, size_t max_bytes, struct str *out, struct err *err);
int file_read_at(int dir_fd, const char *name, size_t max_bytes, struct str *out, struct err *err);

// Write a file whole (O_TRUNC) or, for file_replace, through "<name>.tmp" and rename.
int file_write_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                  struct err *err);
int file_replace_at(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                    bool sync, struct err *err);

// Write all bytes to a descriptor.
int file_write_all(int fd, const void *data, size_t len, struct err *err);

// Make a directory and its parents (0700); no error when it is there.
int dir_make(const char *path, struct err *err);

// Open a file of `dir_fd`, creating it 0600, and take an exclusive lock that lasts as long as the
// descriptor. ERR_BUSY when another process holds it.
int file_lock_at(int dir_fd, const char *name, int *ret_fd, struct err *err);

void fd_close(int *fd); // closes when >= 0 and sets -1
