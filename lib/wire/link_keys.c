// Keys, tokens and join strings.

#include "base/file.h"
#include "base/mem.h"
#include "wire/link_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32
#define TOKEN_CHARS 32

int keypair_new(struct keypair *ret, struct err *err)
{
    if (zmq_curve_keypair(ret->public_key, ret->secret_key) != 0)
        return err_set(err, ERR_UNSUPPORTED, "this libzmq has no CURVE: %s", zmq_strerror(errno));
    return 0;
}

int keypair_from_token(const char *token, struct keypair *ret, struct err *err)
{
    static const unsigned char purpose[] = "trawl join token"; // BLAKE2b keyed: this hash serves nothing else
    unsigned char secret[KEY_BYTES];
    if (sodium_init() < 0 || crypto_generichash(secret, sizeof secret, (const unsigned char *)token, strlen(token),
                                                purpose, sizeof purpose - 1) != 0)
        return err_set(err, ERR_IO, "cannot hash the token");
    zmq_z85_encode(ret->secret_key, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    if (zmq_curve_public(ret->public_key, ret->secret_key) != 0)
        return err_set(err, ERR_UNSUPPORTED, "this libzmq has no CURVE: %s", zmq_strerror(errno));
    return 0;
}

static int check_mode(int dir_fd, const char *name, struct err *err)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_set_errno(err, "cannot look at %s", name);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_uid != geteuid())
        return err_set(err, ERR_PERMISSION, "%s must be a file of yours that only you can read: chmod 600 %s", name, name);
    return 0;
}

int keypair_load(int dir_fd, const char *name, bool create, struct keypair *ret, struct err *err)
{
    struct str text = STR_INIT;
    int rc = file_read_at(dir_fd, name, 256, &text, err);
    if (rc == ERR_NOT_FOUND && create) {
        str_release(&text);
        rc = keypair_new(ret, err);
        char line[2 * KEY_Z85_MAX + 2];
        int len = snprintf(line, sizeof line, "%s\n%s\n", ret->public_key, ret->secret_key);
        return rc == 0 ? file_replace_at(dir_fd, name, line, (size_t)len, 0600, true, err) : rc;
    }
    if (rc == 0)
        rc = check_mode(dir_fd, name, err);
    if (rc == 0 && (text.len != 2 * KEY_Z85_MAX || text.s[KEY_Z85_MAX - 1] != '\n'))
        rc = err_set(err, ERR_CORRUPT, "%s is not a key file; move it away and a new one is made", name);
    if (rc == 0) {
        memcpy(ret->public_key, text.s, KEY_Z85_MAX - 1);
        memcpy(ret->secret_key, text.s + KEY_Z85_MAX, KEY_Z85_MAX - 1);
        ret->public_key[KEY_Z85_MAX - 1] = ret->secret_key[KEY_Z85_MAX - 1] = '\0';
    }
    if (text.s)
        sodium_memzero(text.s, text.len);
    str_release(&text);
    return rc;
}

static bool is_hex(const char *s, size_t len)
{
    return strspn(s, "0123456789abcdef") >= len;
}

int join_string_parse(const char *text, struct join_string *ret, struct err *err)
{
    static const char scheme[] = "trawl://";
    const char *token = text + sizeof scheme - 1;
    const char *at = strchr(text, '@'), *slash = at ? strchr(at, '/') : NULL;
    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || !at || !slash || at - token != TOKEN_CHARS ||
        !is_hex(token, TOKEN_CHARS) || strlen(slash + 1) != 2 * KEY_BYTES || !is_hex(slash + 1, 2 * KEY_BYTES) ||
        !memchr(at, ':', (size_t)(slash - at)))
        return err_set(err, ERR_INVALID,
                       "'%.40s...' is no join string; copy it whole from the controller (`trawl key join` shows it): "
                       "trawl://TOKEN@HOST:PORT/KEY",
                       text);
    unsigned char key[KEY_BYTES];
    sodium_hex2bin(key, sizeof key, slash + 1, 2 * KEY_BYTES, NULL, NULL, NULL);
    zmq_z85_encode(ret->server_key, key, sizeof key);
    ret->token = xstrndup(token, TOKEN_CHARS);
    ret->endpoint = xasprintf("tcp://%.*s", (int)(slash - at - 1), at + 1);
    return 0;
}

char *join_string_format(const struct join_string *join)
{
    unsigned char key[KEY_BYTES];
    char hex[2 * KEY_BYTES + 1];
    zmq_z85_decode(key, join->server_key);
    sodium_bin2hex(hex, sizeof hex, key, sizeof key);
    return xasprintf("trawl://%s@%s/%s", join->token, join->endpoint + strlen("tcp://"), hex);
}

void join_string_release(struct join_string *join)
{
    if (join->token)
        sodium_memzero(join->token, strlen(join->token));
    free(join->token);
    free(join->endpoint);
    *join = (struct join_string){0};
}
