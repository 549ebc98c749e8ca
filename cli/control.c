// trawl submit, pause, resume, stop, cancel, retry: one request each, to the live controller or to the data directory itself.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/prior.h"
#include "cli/report.h"

#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "spec/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/controller.h"

static void add_text(struct str *body, const char *key, const char *text)
{
    str_addf(body, "%s\"%s\":", body->len > 1 ? "," : "", key);
    json_write_string(body, text, strlen(text));
}

// Send, then print the reply (--json) or what `say` makes of it.
static int ask(const struct command_line *line, const char *op, struct str *body,
               void (*say)(const struct command_line *, const char *data_dir, const struct json_object *reply))
{
    struct err err = {0};
    struct str reply = STR_INIT;
    struct json_object *json = NULL;
    char *dir = NULL;
    str_addch(body, '}');
    int rc = context_data_dir(line, false, &dir, &err);
    if (rc == 0)
        rc = context_request(dir, op, str_get(body), false, &reply, &err);
    if (rc == 0)
        rc = json_parse(str_get(&reply), reply.len, &json, &err);
    if (rc == 0 && line_has(line, "json"))
        puts(str_get(&reply));
    else if (rc == 0)
        say(line, dir, json);
    json_object_put(json);
    str_release(&reply);
    str_release(body);
    free(dir);
    return rc == 0 ? 0 : context_fail(line, &err);
}

static void say_sweep(const struct command_line *line, const char *dir, const struct json_object *reply)
{
    const char *sweep = "", *state = "";
    json_get_string(reply, "sweep", &sweep);
    json_get_string(reply, "state", &state);
    printf("sweep %s is %s\n", sweep, state);
    if (line_has(line, "quiet"))
        return;
    if (strcmp(line->command->name, "resume") == 0 && !context_controller_lives(dir))
        fprintf(stderr, "trawl: no controller serves %s; its runs start with `trawl run SPEC` or `trawl controller`\n", dir);
    else if (strcmp(line->command->name, "pause") == 0 || strcmp(line->command->name, "stop") == 0)
        fprintf(stderr, "trawl: `trawl resume %s` lets it go on\n", sweep);
}

static void say_submitted(const struct command_line *line, const char *dir, const struct json_object *reply)
{
    const char *sweep = "";
    bool continued = false;
    json_get_string(reply, "sweep", &sweep);
    json_get_bool(reply, "continued", &continued);
    printf("sweep %s %s\n", sweep, continued ? "goes on" : "submitted");
    if (line_has(line, "quiet"))
        return;
    if (context_controller_lives(dir))
        fprintf(stderr, "trawl: `trawl status %s` shows how it stands\n", sweep);
    else
        fprintf(stderr, "trawl: it waits: no controller serves %s; start one with `trawl controller`\n", dir);
}

static void say_trial_or_sweep(const struct command_line *line, const char *dir, const struct json_object *reply)
{
    int64_t number;
    if (json_get_i64(reply, "trial", &number))
        printf("trial %lld is cancelled\n", (long long)number);
    else
        say_sweep(line, dir, reply);
}

static void say_retried(const struct command_line *line, const char *dir, const struct json_object *reply)
{
    int64_t count = 0;
    json_get_i64(reply, "retried", &count);
    printf("%lld trial%s will run again\n", (long long)count, count == 1 ? "" : "s");
    if (count > 0 && !line_has(line, "quiet") && !context_controller_lives(dir))
        fprintf(stderr, "trawl: no controller serves %s; `trawl run SPEC` or `trawl controller` runs them\n", dir);
}

static int control(const struct command_line *line, const char *op)
{
    struct str body = STR_INIT;
    str_addch(&body, '{');
    const char *sweep = line_positional(line, 0);
    add_text(&body, "sweep", sweep ? sweep : "");
    return ask(line, op, &body, say_sweep);
}

int command_pause(const struct command_line *line)
{
    return control(line, "pause");
}

int command_resume(const struct command_line *line)
{
    return control(line, "resume");
}

int command_stop(const struct command_line *line)
{
    return control(line, "stop");
}

// SWEEP and, where it is given, TRIAL; "SWEEP:TRIAL" in one word is understood too.
static int sweep_and_trial(const struct command_line *line, struct str *body, struct err *err)
{
    const char *sweep = line_positional(line, 0), *trial = line_positional(line, 1);
    const char *colon = strrchr(sweep, ':');
    uint64_t number;
    str_addch(body, '{');
    if (colon && !trial) {
        char *name = strndup(sweep, (size_t)(colon - sweep));
        add_text(body, "sweep", name ? name : "");
        free(name);
        trial = colon + 1;
    } else {
        add_text(body, "sweep", sweep);
    }
    if (!trial)
        return 0;
    if (!num_parse_u64(trial, &number))
        return err_set(err, ERR_USAGE, "a trial is named by its number, not '%s'; `trawl ls SWEEP` lists them", trial);
    str_addf(body, ",\"trial\":%llu", (unsigned long long)number);
    return 0;
}

int command_cancel(const struct command_line *line)
{
    struct str body = STR_INIT;
    struct err err = {0};
    if (sweep_and_trial(line, &body, &err) == 0)
        return ask(line, "cancel", &body, say_trial_or_sweep);
    str_release(&body);
    return context_fail(line, &err);
}

int command_retry(const struct command_line *line)
{
    struct str body = STR_INIT;
    struct err err = {0};
    int rc = sweep_and_trial(line, &body, &err);
    bool one = strstr(str_get(&body), "\"trial\":") != NULL;
    if (rc == 0 && !one && !line_has(line, "failed"))
        rc = err_set(&err, ERR_USAGE, "trawl retry needs a TRIAL, or --failed for all failed ones");
    if (rc == 0)
        return ask(line, "retry", &body, say_retried);
    str_release(&body);
    return context_fail(line, &err);
}

static int request_of_dir(void *context, const char *op, const char *body, struct str *reply, struct err *err)
{
    return context_request(context, op, body, false, reply, err);
}

// The reply to a submit that awaits priors: they are sent, unless the sweep was begun before.
static int send_priors(const struct command_line *line, const struct priors *priors, char *dir, const struct json_object *reply,
                       struct err *err)
{
    const char *sweep = "", *state = "";
    json_get_string(reply, "sweep", &sweep);
    json_get_string(reply, "state", &state);
    if (strcmp(state, "paused") == 0)
        return priors_send(priors, sweep, request_of_dir, dir, err);
    if (!line_has(line, "quiet"))
        fprintf(stderr, "trawl: the sweep has begun: --prior is for a new one\n");
    return 0;
}

static int submit(const struct command_line *line, const char *body, const struct priors *priors, struct err *err)
{
    struct str reply = STR_INIT;
    struct json_object *json = NULL;
    char *dir = NULL;
    int rc = context_data_dir(line, true, &dir, err);
    if (rc == 0)
        rc = context_request(dir, "submit", body, false, &reply, err);
    if (rc == 0)
        rc = json_parse(str_get(&reply), reply.len, &json, err);
    if (rc == 0 && priors->count > 0)
        rc = send_priors(line, priors, dir, json, err);
    if (rc == 0 && line_has(line, "json"))
        puts(str_get(&reply));
    else if (rc == 0)
        say_submitted(line, dir, json);
    json_object_put(json);
    str_release(&reply);
    free(dir);
    return rc;
}

int command_submit(const struct command_line *line)
{
    const char *path = line_positional(line, 0);
    struct spec *spec = NULL;
    struct problems problems = {0};
    struct err err = {0};
    struct str text = STR_INIT, body = STR_INIT;
    int rc = spec_load(path, &spec, &problems, &err);
    problems_write_text(&text, &problems, path);
    fputs(str_get(&text), stderr);
    if (rc != 0 && problems.error_count)
        err_set(&err, rc, "%s is not usable as it is; mend the errors above", path);
    str_release(&text);
    problems_release(&problems);
    struct priors priors = {0};
    if (rc == 0)
        rc = priors_load(line, spec, &priors, &err);
    if (rc != 0) {
        spec_free(spec);
        return context_fail(line, &err);
    }
    str_add(&body, "{\"spec\":");
    json_write_string(&body, spec->text, spec->text_len);
    char *name = report_sweep_name(line_text(line, "name"), spec, path);
    add_text(&body, "name", name);
    free(name);
    str_addf(&body, ",\"continue\":%s,\"await_priors\":%s}", line_has(line, "continue") ? "true" : "false",
             priors.count > 0 ? "true" : "false");
    spec_free(spec);
    rc = submit(line, str_get(&body), &priors, &err);
    str_release(&body);
    priors_release(&priors);
    return rc == 0 ? 0 : context_fail(line, &err);
}
