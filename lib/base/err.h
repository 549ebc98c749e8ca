// Errors: one closed list of codes, and a sentence for the user.
//
// Every fallible function returns 0 or a negative ERR_ code; where the user should read why, it
// takes `struct err *err` last. The box belongs to the caller, may be NULL, and is written only on
// failure: one sentence with what was wrong, where, and what to do.
#pragma once

#include <stdarg.h>

#define ERR_TEXT_MAX 1024

// code, name, meaning, exit code of the command line
#define ERR_LIST(X)                                                                                \
    X(ERR_INVALID, -1, "invalid input", 1)                                                         \
    X(ERR_NOT_FOUND, -2, "not found", 3)                                                           \
    X(ERR_LIMIT, -3, "over a limit", 1)                                                            \
    X(ERR_IO, -4, "input or output failed", 1)                                                     \
    X(ERR_NO_SPACE, -5, "disk full", 1)                                                            \
    X(ERR_BUSY, -6, "in use by another process", 8)                                                \
    X(ERR_STATE, -7, "not possible in this state", 8)                                              \
    X(ERR_PERMISSION, -8, "not permitted", 7)                                                      \
    X(ERR_UNREACHABLE, -9, "controller unreachable", 6)                                            \
    X(ERR_AGAIN, -10, "not now, try later", 1)                                                     \
    X(ERR_EXHAUSTED, -11, "nothing left", 1)                                                       \
    X(ERR_PROTOCOL, -12, "protocol violated", 1)                                                   \
    X(ERR_VERSION, -13, "version not supported", 1)                                                \
    X(ERR_CORRUPT, -14, "data damaged", 1)                                                         \
    X(ERR_UNSUPPORTED, -15, "not supported here", 1)                                               \
    X(ERR_TIMEOUT, -16, "timed out", 124)                                                          \
    X(ERR_USAGE, -17, "wrong usage", 2)

enum err_code {
#define ERR_ENUM(name, code, text, exit_code) name = code,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
    int code;
    char text[ERR_TEXT_MAX]; // one sentence, UTF-8, no newline at the end
};

// Write `code` and a formatted sentence into `err` (NULL: nothing) and return `code`, so that a
// failing function is one line: return err_set(err, ERR_INVALID, "...").
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// As err_set, with ": <strerror(errno)>" appended; the code is chosen from errno (ENOSPC and EDQUOT
// give ERR_NO_SPACE, ENOENT ERR_NOT_FOUND, EACCES and EPERM ERR_PERMISSION, else ERR_IO).
int err_set_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Put "<prefix>: " before the sentence in `err`; returns err->code (0 when err is NULL).
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The meaning of a code ("invalid input"); never NULL.
const char *err_text(int code);

// The command line's exit code for a code (CONVENTIONS: 0 ok, 1 error, 2 usage, 3 not found, ...).
int err_exit_code(int code);
