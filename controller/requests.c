// What people ask of a controller: one table of operations, each JSON in and JSON out. The same table answers the wire, `trawl
// run` from within, and the command line when no controller lives.

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "controller/controller_impl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*operation_fn)(struct controller *controller, const struct json_object *body,
                            struct str *reply, struct err *err);

struct operation {
    const char *name;
    operation_fn run;
    const char *help; // arguments -> result
};

// ---- Arguments

static int find_sweep(struct controller *controller, const struct json_object *body,
                      uint64_t *ret_id, struct err *err)
{
    const char *word = "";
    json_get_string(body, "sweep", &word);
    for (size_t i = 0; i < core_sweep_count(controller->core); i++) {
        uint64_t id = core_sweep_id(controller->core, i);
        if (strcmp(core_sweep(controller->core, id)->key, word) == 0) {
            *ret_id = id;
            return 0;
        }
    }
    struct sweep_row row = {0};
    int rc = store_find_sweep(controller->store, word, &row, err);
    if (rc == 0)
        *ret_id = row.id;
    sweep_row_release(&row);
    return rc;
}

static void write_sweep(const struct controller *controller, uint64_t id, struct str *reply)
{
    const struct sweep_row *row = core_sweep(controller->core, id);
    str_add(reply, "{\"sweep\":");
    json_write_string(reply, row->key, strlen(row->key));
    str_addf(reply, ",\"state\":\"%s\"", sweep_state_word(row->state));
}

// ---- Operations

static int op_ping(struct controller *controller, const struct json_object *body,
                   struct str *reply, struct err *err)
{
    (void)body, (void)err;
    str_addf(reply, "{\"pid\":%ld,\"started_ms\":%llu,\"join\":", (long)getpid(),
             (unsigned long long)controller->started_ms);
    if (controller->join_string)
        json_write_string(reply, controller->join_string, strlen(controller->join_string));
    else
        str_add(reply, "null");
    str_add(reply, "}");
    return 0;
}

static int parse_spec(const struct json_object *body, struct spec **ret, struct err *err)
{
    const char *text;
    if (!json_get_string(body, "spec", &text))
        return err_set(err, ERR_INVALID, "submit needs the text of a spec");
    struct problems problems = {0};
    int rc = spec_parse(text, strlen(text), ret, &problems);
    if (rc != 0) {
        const struct problem *first = NULL;
        for (size_t i = 0; i < problems.count && !first; i++)
            if (problems.items[i].severity == PROBLEM_ERROR)
                first = &problems.items[i];
        err_set(err, rc, "line %d, column %d: %s", first ? first->line : 0,
                first ? first->column : 0, first ? first->message : "the spec is not usable");
    }
    problems_release(&problems);
    if (rc == 0 && !(*ret)->program && (*ret)->command_count == 0) {
        spec_free(*ret);
        *ret = NULL;
        rc = err_set(err, ERR_INVALID, "the spec names nothing to run; add `program: train.py` or a `command:` list");
    }
    return rc;
}

// The latest sweep of the same spec, to go on with; a finished one is found too, with nothing to do. What may change between two
// runs of it (caps, budgets, retries, resources: everything outside the fingerprint) is taken from the spec at hand.
static bool go_on(struct controller *controller, struct now now, struct spec **spec, uint64_t *ret_id)
{
    struct sweep_row row = {0};
    bool found = false;
    if (store_find_sweep_by_fingerprint(controller->store, (*spec)->fingerprint, &row, NULL) == 0 &&
        core_sweep(controller->core, row.id)) {
        int rc = controller_restore_curves(controller, row.id, NULL);
        rc = rc == 0 ? core_respec(controller->core, now, row.id, spec) : rc;
        found = rc == 0 || core_sweep(controller->core, row.id)->state == SWEEP_FINISHED;
    }
    *ret_id = row.id;
    sweep_row_release(&row);
    return found;
}

static int op_submit(struct controller *controller, const struct json_object *body,
                     struct str *reply, struct err *err)
{
    struct now now = controller_now();
    struct spec *spec = NULL;
    int rc = parse_spec(body, &spec, err);
    if (rc != 0)
        return rc;
    const char *name = NULL;
    bool may_continue = false;
    json_get_string(body, "name", &name);
    json_get_bool(body, "continue", &may_continue);
    uint64_t id = 0;
    bool continued = may_continue && go_on(controller, now, &spec, &id);
    if (!continued) {
        rc = core_submit(controller->core, now, &spec, name, &id, err);
        if (rc == 0)
            rc = suggester_add(controller->suggester, id, core_sweep_spec(controller->core, id), 0,
                               err);
    }
    spec_free(spec);
    if (rc != 0)
        return rc;
    bool awaits = false;
    json_get_bool(body, "await_priors", &awaits);
    if (awaits)
        core_await_priors(controller->core, now, id);
    write_sweep(controller, id, reply);
    str_addf(reply, ",\"id\":%llu,\"continued\":%s}", (unsigned long long)id,
             continued ? "true" : "false");
    return 0;
}

static int control(struct controller *controller, const struct json_object *body,
                   enum sweep_verb verb, struct str *reply, struct err *err)
{
    uint64_t id;
    int rc = find_sweep(controller, body, &id, err);
    if (rc == 0 && verb == VERB_RESUME)
        rc = controller_restore_curves(controller, id, err);
    if (rc == 0)
        rc = core_control_sweep(controller->core, controller_now(), id, verb, err);
    if (rc != 0)
        return rc;
    write_sweep(controller, id, reply);
    str_add(reply, "}");
    return 0;
}

static int op_pause(struct controller *controller, const struct json_object *body,
                    struct str *reply, struct err *err)
{
    return control(controller, body, VERB_PAUSE, reply, err);
}

static int op_resume(struct controller *controller, const struct json_object *body,
                     struct str *reply, struct err *err)
{
    return control(controller, body, VERB_RESUME, reply, err);
}

static int op_stop(struct controller *controller, const struct json_object *body,
                   struct str *reply, struct err *err)
{
    return control(controller, body, VERB_STOP, reply, err);
}

static int find_trial(struct controller *controller, const struct json_object *body,
                      struct trial_row *ret, struct err *err)
{
    uint64_t sweep;
    int64_t number = 0;
    int rc = find_sweep(controller, body, &sweep, err);
    if (rc != 0)
        return rc;
    json_get_i64(body, "trial", &number);
    return store_find_trial(controller->store, sweep, (uint64_t)number, ret, err);
}

static int op_cancel(struct controller *controller, const struct json_object *body,
                     struct str *reply, struct err *err)
{
    int64_t number;
    if (!json_get_i64(body, "trial", &number))
        return control(controller, body, VERB_CANCEL, reply, err);
    struct trial_row row = {0};
    int rc = find_trial(controller, body, &row, err);
    if (rc == 0)
        rc = core_cancel_trial(controller->core, controller_now(), row.id, err);
    if (rc == 0)
        str_addf(reply, "{\"trial\":%llu}", (unsigned long long)row.number);
    trial_row_release(&row);
    return rc;
}

struct retry_walk {
    struct controller *controller;
    struct err *err;
    uint64_t count;
};

static int retry_one(void *context, const struct trial_row *row)
{
    struct retry_walk *walk = context;
    int rc = controller_restore_curves(walk->controller, row->sweep, walk->err);
    if (rc == 0)
        rc = core_retry_trial(walk->controller->core, controller_now(), row, walk->err);
    walk->count += rc == 0;
    return rc;
}

// One trial, or all failed ones of a sweep.
static int op_retry(struct controller *controller, const struct json_object *body,
                    struct str *reply, struct err *err)
{
    struct retry_walk walk = {.controller = controller, .err = err};
    int64_t number;
    int rc;
    if (json_get_i64(body, "trial", &number)) {
        struct trial_row row = {0};
        rc = find_trial(controller, body, &row, err);
        if (rc == 0)
            rc = retry_one(&walk, &row);
        trial_row_release(&row);
    } else {
        struct trial_query query = {.state = TRIAL_FAILED};
        rc = find_sweep(controller, body, &query.sweep, err);
        if (rc == 0)
            rc = store_each_trial(controller->store, &query, retry_one, &walk, err);
    }
    if (rc == 0)
        str_addf(reply, "{\"retried\":%llu}", (unsigned long long)walk.count);
    return rc;
}

static int op_prior(struct controller *controller, const struct json_object *body,
                    struct str *reply, struct err *err)
{
    uint64_t sweep;
    int rc = find_sweep(controller, body, &sweep, err);
    return rc == 0 ? controller_op_prior(controller, sweep, body, reply, err) : rc;
}

static int op_enqueue(struct controller *controller, const struct json_object *body,
                      struct str *reply, struct err *err)
{
    uint64_t sweep;
    int rc = find_sweep(controller, body, &sweep, err);
    return rc == 0 ? controller_op_enqueue(controller, sweep, body, reply, err) : rc;
}

static int op_status(struct controller *controller, const struct json_object *body,
                     struct str *reply, struct err *err)
{
    (void)body, (void)err;
    const struct core *core = controller->core;
    str_addf(reply, "{\"agents\":%u,\"stalled\":", core_agents_alive(core));
    if (controller->stalled)
        json_write_string(reply, controller->stalled, strlen(controller->stalled));
    else
        str_add(reply, "null");
    str_add(reply, ",\"sweeps\":[");
    for (size_t i = 0; i < core_sweep_count(core); i++) {
        uint64_t id = core_sweep_id(core, i);
        const char *blocked = core_blocked(core, id);
        str_add(reply, i ? "," : "");
        write_sweep(controller, id, reply);
        str_addf(reply, ",\"running\":%u,\"blocked\":", core_running(core, id));
        if (blocked)
            json_write_string(reply, blocked, strlen(blocked));
        else
            str_add(reply, "null");
        str_add(reply, "}");
    }
    str_add(reply, "]}");
    return 0;
}

static int op_key_revoke(struct controller *controller, const struct json_object *body,
                         struct str *reply, struct err *err)
{
    const char *key;
    if (!json_get_string(body, "key", &key) || strlen(key) + 1 != KEY_Z85_MAX)
        return err_set(err, ERR_INVALID, "key revoke needs a public key; `trawl key ls` shows them");
    struct admitted *known = NULL;
    HASH_FIND_STR(controller->admitted, key, known);
    if (!known)
        return err_set(err, ERR_NOT_FOUND, "no such key; `trawl key ls` shows them");
    int rc = controller_admit(controller, key, "", known->role == PEER_JOIN ? "join" : "agent", true,
                              err);
    if (rc == 0)
        core_expel(controller->core, controller_now(), key);
    if (rc == 0)
        str_add(reply, "{\"revoked\":true}");
    return rc;
}

static int op_shutdown(struct controller *controller, const struct json_object *body,
                       struct str *reply, struct err *err)
{
    (void)body, (void)err;
    controller->shutdown_asked = true;
    str_add(reply, "{}");
    return 0;
}

static const struct operation operations[] = {
    {"ping", op_ping, "{} -> {pid, started_ms, join}"},
    {"submit", op_submit, "{spec, name?, continue?, await_priors?} -> {sweep, state, id, continued}"},
    {"prior", op_prior, "{sweep, offset, trials: [{config, state?, values?, source?}]} -> {sweep, state, priors, added}"},
    {"enqueue", op_enqueue, "{sweep, configs: [{...}]} -> {sweep, state, trials}"},
    {"pause", op_pause, "{sweep} -> {sweep, state}"},
    {"resume", op_resume, "{sweep} -> {sweep, state}"},
    {"stop", op_stop, "{sweep} -> {sweep, state}"},
    {"cancel", op_cancel, "{sweep, trial?} -> {sweep, state} or {trial}"},
    {"retry", op_retry, "{sweep, trial?} -> {retried}"},
    {"status", op_status, "{} -> {agents, stalled, sweeps: [{sweep, state, running, blocked}]}"},
    {"key_revoke", op_key_revoke, "{key} -> {revoked}"},
    {"shutdown", op_shutdown, "{} -> {}"},
};

int controller_request(struct controller *controller, const char *op, const char *body,
                       struct str *reply, struct err *err)
{
    const struct operation *operation = NULL;
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (strcmp(operations[i].name, op) == 0)
            operation = &operations[i];
    if (!operation)
        return err_set(err, ERR_UNSUPPORTED,
                       "this controller does not know '%s'; is it older than your trawl?", op);
    struct json_object *json = NULL;
    int rc = json_parse(body, strlen(body), &json, err);
    if (rc == 0 && !json_object_is_type(json, json_type_object))
        rc = err_set(err, ERR_INVALID, "a request's body is a JSON object");
    if (rc == 0)
        rc = operation->run(controller, json, reply, err);
    json_object_put(json);
    return rc;
}

void controller_handle_request(struct controller *controller, const struct peer *peer,
                               const struct msg_request *request)
{
    struct str body = STR_INIT;
    char *stored = NULL;
    int code;
    if (store_reply_get(controller->store, request->id, &code, &stored)) {
        str_add(&body, stored); // a repeated request gets its first answer
    } else {
        struct err err = {0};
        code = controller_request(controller, request->op, request->body, &body, &err);
        if (code != 0) {
            str_clear(&body);
            str_add(&body, "{\"error\":");
            json_write_string(&body, err.text, strlen(err.text));
            str_add(&body, "}");
        }
        if (strcmp(request->op, "ping") != 0 && strcmp(request->op, "status") != 0 &&
            store_reply_put(controller->store, request->id, code, str_get(&body), &err) != 0)
            log_warn("a reply could not be stored: %s", err.text);
    }
    free(stored);
    ARRAY_GROW(controller->replies, controller->reply_count, controller->reply_capacity);
    controller->replies[controller->reply_count++] =
        (struct reply){.peer = peer->id,
                       .msg = {.type = MSG_REPLY,
                               .reply = {.id = xstrdup(request->id),
                                         .code = code,
                                         .body = str_detach(&body)}}};
}
