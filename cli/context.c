// What every command needs.

#include "cli/context.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "controller/controller.h"
#include "wire/link.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_TIMEOUT_MS 10000
#define REQUEST_RESEND_MS 1000
#define OFFLINE_TURNS 3 // a request's consequences are decided and stored within so many

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

// The nearest DATA_DIR_NAME from `dir` upward; `dir` is shortened on the way.
static char *search_upward(char *dir)
{
    for (;;) {
        char *candidate = xasprintf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, DATA_DIR_NAME);
        if (is_dir(candidate))
            return candidate;
        free(candidate);
        char *slash = strrchr(dir, '/');
        if (!slash || slash == dir)
            return NULL;
        *slash = '\0';
    }
}

static char *absolute(const char *path)
{
    char cwd[PATH_MAX];
    if (path[0] == '/' || !getcwd(cwd, sizeof cwd))
        return xstrdup(path);
    return xasprintf("%s/%s", cwd, path);
}

int context_data_dir(const struct command_line *line, bool create, char **ret, struct err *err)
{
    const char *given = line_text(line, "data");
    if (!given)
        given = getenv("TRAWL_DATA");
    if (given && *given) {
        if (!create && !is_dir(given))
            return err_set(err, ERR_NOT_FOUND,
                           "there is no data directory %s; `trawl run SPEC --data %s` makes one", given,
                           given);
        *ret = absolute(given);
        return 0;
    }
    char cwd[PATH_MAX];
    if (!getcwd(cwd, sizeof cwd))
        return err_set_errno(err, "cannot find the working directory");
    char *here = xasprintf("%s/%s", cwd, DATA_DIR_NAME);
    char *found = search_upward(cwd);
    if (found) {
        free(here);
        *ret = found;
        return 0;
    }
    if (create) {
        *ret = here;
        return 0;
    }
    free(here);
    return err_set(err, ERR_NOT_FOUND,
                   "no %s here or above: nothing has run in this directory yet; start with `trawl run SPEC`, "
                   "or name a data directory with --data",
                   DATA_DIR_NAME);
}

int context_reader(const struct command_line *line, struct store **ret, struct err *err)
{
    char *dir;
    int rc = context_data_dir(line, false, &dir, err);
    if (rc != 0)
        return rc;
    rc = store_open_reader(dir, ret, err);
    free(dir);
    return rc;
}

static int offline_request(const char *data_dir, const char *op, const char *body, struct str *reply,
                           struct err *err)
{
    struct controller_options options = {.data_dir = data_dir, .what = "command", .offline = true};
    struct controller *controller = NULL;
    int rc = controller_new(&options, &controller, err);
    if (rc != 0)
        return rc;
    rc = controller_request(controller, op, body, reply, err);
    for (int i = 0; i < OFFLINE_TURNS && rc == 0; i++)
        rc = controller_turn(controller, -1, 0, err);
    if (rc == 0 && controller_stalled(controller))
        rc = err_set(err, ERR_NO_SPACE, "%s", controller_stalled(controller));
    controller_free(controller);
    return rc;
}

static void random_id(char id[static 33])
{
    unsigned char bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(id, 33, bytes, sizeof bytes);
}

// Wait for the reply with our id; the request is repeated meanwhile (its id makes that harmless).
static int live_exchange(struct link_client *client, const struct msg *request, uint64_t deadline_ms,
                         struct msg *ret, struct err *err)
{
    uint64_t resend_ms = 0;
    for (;;) {
        uint64_t now = clock_mono_ms();
        if (now >= deadline_ms)
            return err_set(err, ERR_UNREACHABLE, "the controller does not answer");
        if (now >= resend_ms) {
            link_client_send(client, request);
            resend_ms = now + REQUEST_RESEND_MS;
        }
        int rc;
        while ((rc = link_client_receive(client, ret)) == 0) {
            if (ret->type == MSG_REPLY && str_equal(ret->reply.id, request->request.id))
                return 0;
            msg_release(ret);
        }
        if (rc == ERR_VERSION)
            return err_set(err, ERR_VERSION, "the live controller speaks another protocol version; "
                                             "use the trawl that started it, or restart it");
        struct pollfd fd = {.fd = link_client_fd(client), .events = POLLIN};
        poll(&fd, 1, 50);
    }
}

static int live_request(const char *data_dir, const char *op, const char *body, uint64_t timeout_ms,
                        struct str *reply, struct err *err)
{
    char id[33];
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "no random numbers from the system");
    random_id(id);
    char *endpoint = link_ipc_endpoint(data_dir, CONTROLLER_SOCKET);
    struct link_client_options options = {.endpoint = endpoint};
    struct link_client *client = NULL;
    struct msg request = {.type = MSG_REQUEST,
                          .request = {.id = id, .op = (char *)op, .body = (char *)body}};
    struct msg answer = {0};
    int rc = link_client_new(&options, &client, err);
    if (rc == 0)
        rc = live_exchange(client, &request, clock_mono_ms() + timeout_ms, &answer, err);
    if (rc == 0 && answer.reply.code != 0) {
        struct json_object *json = NULL;
        const char *sentence = answer.reply.body;
        rc = (int)answer.reply.code;
        if (json_parse(sentence, strlen(sentence), &json, NULL) == 0)
            json_get_string(json, "error", &sentence);
        err_set(err, rc, "%s", sentence);
        json_object_put(json);
    } else if (rc == 0) {
        str_add(reply, answer.reply.body);
    }
    msg_release(&answer);
    link_client_free(client);
    free(endpoint);
    return rc;
}

int context_request(const char *data_dir, const char *op, const char *body, bool live_only,
                    struct str *reply, struct err *err)
{
    uint64_t end = clock_mono_ms() + REQUEST_TIMEOUT_MS;
    char *socket = xasprintf("%s/%s", data_dir, CONTROLLER_SOCKET);
    int rc;
    do { // the holder of the lock may be another short command: then it is free again in a moment
        rc = live_only ? ERR_BUSY : offline_request(data_dir, op, body, reply, err);
        if (rc == ERR_BUSY && access(socket, F_OK) == 0)
            rc = live_request(data_dir, op, body, live_only ? 3000 : REQUEST_TIMEOUT_MS, reply, err);
        else if (rc == ERR_BUSY && live_only)
            rc = err_set(err, ERR_UNREACHABLE,
                         "no controller serves %s; start one with `trawl controller` or `trawl run`", data_dir);
        if (rc == ERR_BUSY)
            poll(NULL, 0, 20);
    } while (rc == ERR_BUSY && clock_mono_ms() < end);
    free(socket);
    return rc;
}

bool context_controller_lives(const char *data_dir)
{
    struct str reply = STR_INIT;
    bool lives = context_request(data_dir, "ping", "{}", true, &reply, NULL) == 0;
    str_release(&reply);
    return lives;
}

int context_fail(const struct command_line *line, const struct err *err)
{
    if (line && line_has(line, "json")) {
        struct str out = STR_INIT;
        str_add(&out, "{\"error\":");
        json_write_string(&out, err->text, strlen(err->text));
        str_addf(&out, ",\"code\":\"%s\"}", err_text(err->code));
        puts(out.s);
        str_release(&out);
    }
    fprintf(stderr, "trawl: %s\n", err->text);
    return err_exit_code(err->code);
}

int context_find_trial(struct store *store, const char *word, struct sweep_row *ret_sweep,
                       struct trial_row *ret_trial, struct err *err)
{
    const char *colon = strrchr(word, ':');
    char *sweep = colon ? xstrndup(word, (size_t)(colon - word)) : xstrdup("");
    uint64_t number;
    int rc = num_parse_u64(colon ? colon + 1 : word, &number)
                 ? 0
                 : err_set(err, ERR_USAGE, "a trial is a number or SWEEP:NUMBER, not '%s'; `trawl ls SWEEP` lists them",
                           word);
    if (rc == 0)
        rc = store_find_sweep(store, sweep, ret_sweep, err);
    if (rc == 0)
        rc = store_find_trial(store, ret_sweep->id, number, ret_trial, err);
    free(sweep);
    return rc;
}

char *context_libexec(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return xstrdup(".");
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    *slash = '\0';
    return xstrdup(path);
}
