// Errors: codes to words, sentences into boxes.

#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
    int exit_code;
} codes[] = {
#define ERR_ROW(name, code, text, exit_code) {code, text, exit_code},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

// Drop the character that the end of the box cut in two, if it did.
static void mend_end(struct err *err)
{
    size_t len = strlen(err->text);
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)err->text[len - back];
        if (c >= 0x80 && c < 0xC0)
            continue;
        if (c >= 0xC0 && !utf8_valid(err->text + len - back, back))
            err->text[len - back] = '\0';
        return;
    }
}

static void add_text(struct err *err, const char *more)
{
    size_t len = strlen(err->text);
    snprintf(err->text + len, sizeof err->text - len, ": %s", more);
    mend_end(err);
}

static void set_text(struct err *err, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void set_text(struct err *err, int code, const char *format, va_list args)
{
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
    mend_end(err);
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        set_text(err, code, format, args);
        va_end(args);
    }
    return code;
}

static int code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    default:
        return ERR_IO;
    }
}

int err_set_errno(struct err *err, const char *format, ...)
{
    int number = errno;
    int code = code_of_errno(number);
    if (err) {
        va_list args;
        va_start(args, format);
        set_text(err, code, format, args);
        va_end(args);
        add_text(err, strerror(number));
    }
    return code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return 0;
    char old[ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    set_text(err, err->code, format, args);
    va_end(args);
    add_text(err, old);
    return err->code;
}

const char *err_text(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return codes[i].text;
    return code == 0 ? "no error" : "unknown error";
}

int err_exit_code(int code)
{
    if (code == 0)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return codes[i].exit_code;
    return 1;
}
