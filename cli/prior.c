// Where prior trials come from, what of them fits, and how they reach the controller.

#include "cli/prior.h"

#include "cli/context.h"
#include "cli/rows.h"

#include "base/json.h"
#include "base/mem.h"
#include "controller/core/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASONS_SHOWN 5            // of rows left out, a source
#define CHUNK_BYTES (MSG_BODY_MAX / 2) // of one request's rows

struct source { // one --prior
    struct priors *priors;
    const struct spec *spec;
    bool quiet;
    size_t rows, left_out;
    struct str unknown, reasons;
};

void priors_release(struct priors *priors)
{
    for (size_t i = 0; i < priors->count; i++) {
        free(priors->rows[i].config);
        free(priors->rows[i].source);
        config_release(&priors->configs[i]);
    }
    free(priors->rows);
    free(priors->configs);
    *priors = (struct priors){0};
}

static int check_result(const struct spec *spec, const char *word, size_t value_count, enum trial_state *ret, struct err *err)
{
    *ret = TRIAL_DONE;
    if (word && *word && !trial_state_parse(word, ret))
        return err_set(err, ERR_INVALID, "there is no state '%s'; it is done, failed or stopped", word);
    if (*ret == TRIAL_CANCELLED || *ret == TRIAL_PENDING || *ret == TRIAL_RUNNING)
        return err_set(err, ERR_INVALID, "it is %s: there is no result", trial_state_word(*ret));
    if (*ret == TRIAL_DONE && value_count != rows_objective_count(spec))
        return err_set(err, ERR_INVALID, "it has no value%s", rows_objective_count(spec) > 1 ? " of each objective" : "");
    return 0;
}

int priors_add(struct priors *priors, const struct spec *spec, struct config_draft *draft, const char *state, size_t value_count,
               const double *values, const char *source, struct err *err)
{
    const struct config_rules rules = {.constants = true, .drop_inactive = true};
    struct prior_row row = {0};
    struct config config = {0};
    size_t failed = 0;
    int rc = check_result(spec, state, value_count, &row.state, err);
    if (rc == 0)
        rc = config_draft_finish(draft, &rules, &config, err);
    if (rc == 0 && !config_feasible(spec->space, &config, &failed))
        rc = err_set(err, ERR_INVALID, "it does not satisfy the constraint '%s'", expr_text(space_constraint(spec->space, failed)));
    if (rc == 0 && priors->count == PRIORS_MAX)
        rc = err_set(err, ERR_LIMIT, "a sweep takes at most %d prior trials", PRIORS_MAX);
    if (rc != 0) {
        config_release(&config);
        return rc;
    }
    struct str text = STR_INIT;
    config_write_json(&text, spec->space, &config);
    row.config = str_detach(&text);
    row.source = xstrdup(source);
    row.value_count = row.state == TRIAL_FAILED ? 0 : value_count;
    memcpy(row.values, values, row.value_count * sizeof *values);
    if (priors->count == priors->row_capacity) {
        priors->row_capacity = priors->row_capacity ? 2 * priors->row_capacity : 64;
        priors->rows = xreallocarray(priors->rows, priors->row_capacity, sizeof *priors->rows);
        priors->configs = xreallocarray(priors->configs, priors->row_capacity, sizeof *priors->configs);
    }
    priors->rows[priors->count] = row;
    priors->configs[priors->count++] = config;
    return 0;
}

static int use_row(struct source *source, struct given_row *row)
{
    source->rows++;
    int rc = row->problem ? row->problem
                          : priors_add(source->priors, source->spec, row->draft, row->state, row->value_count, row->values, row->source,
                                       &row->why);
    if (rc == ERR_LIMIT)
        return rc;
    if (rc != 0 && source->left_out++ < REASONS_SHOWN)
        str_addf(&source->reasons, "%s: left out: %s\n", row->source, row->why.text);
    return 0;
}

static int each_row(void *context, struct given_row *row)
{
    return use_row(context, row);
}

// ---- A sweep

struct trial_walk {
    struct source *source;
    const char *key;
};

static int each_trial(void *context, const struct trial_row *trial)
{
    struct trial_walk *walk = context;
    struct source *source = walk->source;
    if (!trial_state_terminal(trial->state) || trial->state == TRIAL_CANCELLED)
        return 0; // no result, by its nature
    struct config_draft draft;
    struct json_object *json = NULL;
    struct str unknown = STR_INIT;
    struct given_row row = {.draft = &draft, .state = trial_state_word(trial->state)};
    size_t objectives = rows_objective_count(source->spec);
    row.value_count = values_complete(&trial->values, objectives) ? objectives : 0;
    memcpy(row.values, trial->values.at, sizeof row.values);
    char *name = xasprintf("%s:%llu", walk->key, (unsigned long long)trial->number);
    row.source = name;
    config_draft_init(&draft, source->spec->space);
    row.problem = json_parse(trial->config, strlen(trial->config), &json, &row.why);
    if (row.problem == 0)
        row.problem = config_draft_read(&draft, json, &unknown, &row.why);
    if (unknown.len)
        rows_note_names(&source->unknown, str_get(&unknown));
    int rc = use_row(source, &row);
    config_draft_release(&draft);
    json_object_put(json);
    str_release(&unknown);
    free(name);
    return rc;
}

static int read_sweep(const struct command_line *line, const char *word, struct source *source, struct err *err)
{
    struct store *store = NULL;
    struct sweep_row sweep = {0};
    struct err why = {0};
    int rc = context_reader(line, &store, &why);
    if (rc == 0)
        rc = store_find_sweep(store, word, &sweep, &why);
    if (rc != 0)
        err_set(err, rc, "--prior %s: there is no such file, and no such sweep: %s", word, why.text);
    struct trial_query query = {.sweep = sweep.id, .state = -1};
    struct trial_walk walk = {source, sweep.key};
    if (rc == 0)
        rc = store_each_trial(store, &query, each_trial, &walk, err);
    sweep_row_release(&sweep);
    store_close(store);
    return rc;
}

// ---- All of them

static void say(const struct source *source, const char *word)
{
    if (source->quiet)
        return;
    fputs(str_get(&source->reasons), stderr);
    if (source->left_out > REASONS_SHOWN)
        fprintf(stderr, "... and %zu more\n", source->left_out - REASONS_SHOWN);
    if (source->unknown.len)
        fprintf(stderr, "%s: ignored, because this sweep has no such parameter: %s\n", word, str_get(&source->unknown));
    fprintf(stderr, "%s: %zu of %zu prior trials are used\n", word, source->rows - source->left_out, source->rows);
}

static int load_one(const struct command_line *line, const char *word, const struct spec *spec, struct priors *priors, struct err *err)
{
    struct source source = {.priors = priors, .spec = spec, .quiet = line_has(line, "quiet")};
    int rc = access(word, F_OK) == 0 ? rows_each(word, spec, &source.unknown, each_row, &source, err) : read_sweep(line, word, &source, err);
    if (rc == ERR_LIMIT && priors->count == PRIORS_MAX)
        err_set(err, rc, "%s: a sweep takes at most %d prior trials", word, PRIORS_MAX);
    if (rc == 0)
        say(&source, word);
    if (rc == 0 && source.rows == 0)
        rc = err_set(err, ERR_INVALID, "--prior %s: it has no finished trials", word);
    else if (rc == 0 && source.rows == source.left_out)
        rc = err_set(err, ERR_INVALID, "--prior %s: not one of its %zu trials can be used", word, source.rows);
    str_release(&source.unknown);
    str_release(&source.reasons);
    return rc;
}

int priors_load(const struct command_line *line, const struct spec *spec, struct priors *ret, struct err *err)
{
    int rc = 0;
    if (!line_has(line, "prior"))
        return 0;
    if (!(strategy_find(spec->strategy)->caps & STRATEGY_LEARNS))
        return err_set(err, ERR_INVALID, "--prior: method %s does not learn from results, so prior trials would change nothing", spec->method);
    for (size_t i = 0; i < line->option_count && rc == 0; i++)
        if (strcmp(line->options[i].option->name, "prior") == 0)
            rc = load_one(line, line->options[i].text, spec, ret, err);
    if (rc != 0)
        priors_release(ret);
    return rc;
}

// ---- To the controller

static void write_row(struct str *out, const struct prior_row *row)
{
    str_addf(out, "{\"config\":%s,\"state\":\"%s\",\"values\":[", row->config, trial_state_word(row->state));
    for (size_t i = 0; i < row->value_count; i++) {
        str_add(out, i ? "," : "");
        json_write_double(out, row->values[i]);
    }
    str_add(out, "],\"source\":");
    json_write_string(out, row->source, strlen(row->source));
    str_addch(out, '}');
}

int priors_send(const struct priors *priors, const char *sweep, request_fn request, void *context, struct err *err)
{
    struct str body = STR_INIT, reply = STR_INIT;
    int rc = 0;
    for (size_t sent = 0; sent < priors->count && rc == 0;) {
        str_clear(&body);
        str_clear(&reply);
        str_addf(&body, "{\"sweep\":\"%s\",\"offset\":%zu,\"trials\":[", sweep, sent);
        for (size_t first = sent; sent < priors->count && body.len < CHUNK_BYTES; sent++) {
            str_add(&body, sent > first ? "," : "");
            write_row(&body, &priors->rows[sent]);
        }
        str_add(&body, "]}");
        rc = request(context, "prior", str_get(&body), &reply, err);
    }
    str_clear(&body);
    str_clear(&reply);
    str_addf(&body, "{\"sweep\":\"%s\"}", sweep);
    if (rc == 0)
        rc = request(context, "resume", str_get(&body), &reply, err);
    str_release(&body);
    str_release(&reply);
    return rc;
}
