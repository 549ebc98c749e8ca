// The whole spec: its top-level keys in one table, the order of the checks, and struct spec's life.
#include "spec/spec.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "spec/check.h"

#include <stdlib.h>
#include <string.h>

#define GRACE_DEFAULT_MS 30000

static void check_name_text(struct check *c, const struct node *node)
{
    check_text(c, node, "name", &c->spec->name);
}

static void check_project(struct check *c, const struct node *node)
{
    check_text(c, node, "project", &c->spec->project);
}

static void check_entity(struct check *c, const struct node *node)
{
    check_text(c, node, "entity", &c->spec->entity);
}

static void check_description(struct check *c, const struct node *node)
{
    check_text(c, node, "description", &c->spec->description);
}

static void check_unused(struct check *c, const struct node *node)
{
    (void)c;
    (void)node; // W&B's own: allowed, means nothing here
}

static void check_controller(struct check *c, const struct node *node)
{
    const struct node *type = node_get(node, "type");
    if (!type || type->kind != NODE_SCALAR ||
        (strcmp(type->text, "local") && strcmp(type->text, "cloud")))
        check_warning(c, node, "controller must be `controller: {type: local}`: it is ignored");
}

static void check_launch_only(struct check *c, const struct node *node)
{
    check_notice(c, node,
                 "job and image_uri belong to W&B Launch and are not used: give `program:` or "
                 "`command:`");
}

static void check_kind(struct check *c, const struct node *node)
{
    if (node->kind != NODE_SCALAR || strcmp(node->text, "sweep"))
        check_warning(c, node, "kind must be sweep, but this is %s", check_shown_node(c, node));
}

// word, its check; in the order of the checks (method before what depends on it). `parameters` and
// `constraints` are checked together, before the first key that needs the space.
#define SPEC_KEY_LIST(X)                                                                           \
    X("method", check_method)                                                                      \
    X("name", check_name_text)                                                                     \
    X("project", check_project)                                                                    \
    X("entity", check_entity)                                                                      \
    X("description", check_description)                                                            \
    X("metric", check_metric)                                                                      \
    X("metrics", check_metrics)                                                                    \
    X("early_terminate", check_early_terminate)                                                    \
    X("program", check_program)                                                                    \
    X("parameters", NULL)                                                                          \
    X("constraints", NULL)                                                                         \
    X("strategy", check_strategy)                                                                  \
    X("command", check_command)                                                                    \
    X("run_cap", check_run_cap)                                                                    \
    X("seed", check_seed)                                                                          \
    X("order", check_order)                                                                        \
    X("retry", check_retry)                                                                        \
    X("repeats", check_repeats)                                                                    \
    X("timeout", check_timeout)                                                                    \
    X("grace", check_grace)                                                                        \
    X("parallel", check_parallel)                                                                  \
    X("budget", check_budget)                                                                      \
    X("resources", check_resources)                                                                \
    X("env", check_env)                                                                            \
    X("working_dir", check_working_dir)                                                            \
    X("on_isolation", check_on_isolation)                                                          \
    X("scheduler", check_scheduler)                                                                \
    X("job", check_launch_only)                                                                    \
    X("image_uri", check_launch_only)                                                              \
    X("controller", check_controller)                                                              \
    X("apiVersion", check_unused)                                                                  \
    X("kind", check_kind)

#define SPEC_KEY_WORD(word, check) word,
const char *const spec_keys[] = {SPEC_KEY_LIST(SPEC_KEY_WORD) NULL};
#undef SPEC_KEY_WORD

#define SPEC_KEY_CHECK(word, check) check,
static void (*const spec_checks[])(struct check *,
                                   const struct node *) = {SPEC_KEY_LIST(SPEC_KEY_CHECK)};
#undef SPEC_KEY_CHECK

// Keys that people write, what they mean, and what to do about it.
static const struct {
    const char *key, *advice;
} strangers[] = {
    {"count", "it is an option of W&B's agent; for a limit write `run_cap:`"},
    {"run_mode", "Trawl needs no such setting"},
    {"settings", "W&B's settings mean nothing here"},
    {"notes", "write `description:`"},
    {"sweep_id", "Trawl names its sweeps itself"},
    {"params", "write `parameters:`"},
    {"hyperparameters", "write `parameters:`"},
    {"search_space", "write `parameters:`"},
    {"algorithm", "write `method:`"},
    {"strategy_name", "write `method:`"},
    {"objective", "write `metric:`"},
    {"max_trials", "write `run_cap:`"},
    {"max_runs", "write `run_cap:`"},
    {"trials", "write `run_cap:` or `budget: {trials: N}`"},
    {"retries", "write `retry:`"},
    {"gpus", "write `resources: {gpus: ...}`"},
    {"cpus", "write `resources: {cpus: ...}`"},
    {"memory", "write `resources: {memory: ...}`"},
    {"environment", "write `env:`"},
    {"cwd", "write `working_dir:`"},
    {"when", "a condition belongs to a parameter: move it there"},
    {"early_stopping", "write `early_terminate:`"},
    {"random_seed", "write `seed:`"},
};

static void report_unknown_key(struct check *c, const struct pair *pair)
{
    const char *key = check_shown(c, pair->key->text);
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        if (!strcmp(strangers[i].key, pair->key->text)) {
            check_warning(c, pair->key, "'%s' is not a key of a sweep and is ignored: %s", key,
                          strangers[i].advice);
            return;
        }
    }
    const char *meant = check_did_you_mean(c, pair->key->text, spec_keys);
    if (!*meant && looks_like_parameter(pair->value))
        check_error(c, pair->key,
                    "'%s' looks like a parameter but does not stand below `parameters:`: move it "
                    "there",
                    key);
    else
        check_warning(c, pair->key, "'%s' is not a key of a sweep%s: it is ignored", key, meant);
}

static void check_unknown_keys(struct check *c)
{
    for (size_t i = 0; i < c->root->count; i++) {
        const struct pair *pair = &c->root->pairs[i];
        bool known = false;
        for (size_t j = 0; spec_keys[j] && !known; j++)
            known = !strcmp(spec_keys[j], pair->key->text);
        if (!known)
            report_unknown_key(c, pair);
    }
}

// The value of a key that is there and not empty.
static const struct node *given(const struct check *c, const char *key)
{
    const struct node *node = node_get(c->root, key);
    return node && !check_is_null(node) ? node : NULL;
}

static void check_required(struct check *c)
{
    const struct node *scheduler = node_get(c->root, "scheduler");
    if (!node_get(c->root, "method"))
        check_error(c, c->root, "`method:` is missing: write grid, random or bayes");
    if (!node_get(c->root, "parameters"))
        check_error(
            c, c->root,
            "`parameters:` is missing: it names what is searched, such as `parameters: {lr: "
            "{values: [0.1, 0.01]}}`%s",
            scheduler && node_get(scheduler, "search_space")
                ? " (scheduler.search_space is not supported)"
                : "");
    if (!given(c, "program") && !given(c, "command"))
        check_notice(c, c->root,
                     "there is neither `program:` nor `command:`: configurations can be suggested, "
                     "but no run can be started");
}

static void check_all(struct check *c)
{
    check_unknown_keys(c);
    check_required(c);
    for (size_t i = 0; spec_keys[i]; i++) {
        const struct node *node = node_get(c->root, spec_keys[i]);
        if (!node)
            continue;
        bool needed = !strcmp(spec_keys[i], "method") || !strcmp(spec_keys[i], "parameters");
        if (!needed && check_is_null(node)) {
            check_warning(c, node, "`%s:` is empty and ignored: write its value or remove the line",
                          spec_keys[i]);
            continue;
        }
        if (spec_checks[i])
            spec_checks[i](c, node);
        else if (!strcmp(spec_keys[i], "parameters"))
            check_parameters(c, node, given(c, "constraints"));
    }
    check_goal_needs(c);
}

static struct spec *spec_new(const char *text, size_t len)
{
    struct spec *spec = xcalloc(1, sizeof *spec);
    spec->text = xstrndup(text, len);
    spec->text_len = len;
    spec->space = space_new();
    spec->grace_ms = GRACE_DEFAULT_MS;
    spec->repeats = 1;
    for (int i = 0; i < EXIT_CLASS_COUNT; i++)
        spec->retry[i] = exit_class_default_retries((enum exit_class)i);
    return spec;
}

// What only makes sense once everything is known.
static void finish(struct spec *spec)
{
    spec->fingerprint = spec_fingerprint(spec);
    if (!spec->has_seed)
        spec->seed = hash64(&spec->fingerprint, sizeof spec->fingerprint, 0) & INT64_MAX;
}

int spec_parse(const char *text, size_t len, struct spec **ret, struct problems *problems)
{
    struct tree *tree = NULL;
    size_t errors = problems->error_count;
    struct spec *spec = NULL;
    if (tree_parse(text, len, &tree, problems) != 0)
        goto out;
    struct check c = {.problems = problems, .root = tree_root(tree)};
    if (c.root->kind != NODE_MAPPING) {
        check_error(&c, c.root, "%s",
                    check_is_null(c.root)
                        ? "the file is empty: a sweep needs at least `method:` and `parameters:`"
                        : "a sweep is a mapping of `method:`, `parameters:` and more, but this is "
                          "something else");
        goto out;
    }
    spec = c.spec = spec_new(text, len);
    check_all(&c);
    if (problems->error_count == errors)
        check_searchable(&c);
    if (problems->error_count == errors)
        finish(spec);
out:
    tree_free(tree);
    problems_sort(problems);
    if (problems->error_count > errors) {
        spec_free(spec);
        return ERR_INVALID;
    }
    *ret = spec;
    return 0;
}

int spec_load(const char *path, struct spec **ret, struct problems *problems, struct err *err)
{
    struct str text = STR_INIT;
    int rc = file_read(path, SPEC_BYTES_MAX, &text, err);
    if (rc == 0)
        rc = spec_parse(str_get(&text), text.len, ret, problems);
    if (rc == ERR_INVALID)
        err_set(err, ERR_INVALID, "%s: %zu error%s in the spec", path, problems->error_count,
                problems->error_count == 1 ? "" : "s");
    str_release(&text);
    return rc;
}

static void free_all(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

struct strategy_setup spec_strategy_setup(const struct spec *spec)
{
    struct strategy_setup setup = {
        .space = spec->space,
        .objective_count = spec->objective_count,
        .seed = spec->seed,
        .shuffle = spec->shuffle,
        .settings = spec->settings,
        .setting_count = spec->setting_count,
    };
    for (size_t i = 0; i < OBJECTIVES_MAX; i++)
        setup.goals[i] = spec->objectives[i].goal;
    return setup;
}

void spec_free(struct spec *spec)
{
    if (!spec)
        return;
    free(spec->text);
    free(spec->name);
    free(spec->project);
    free(spec->entity);
    free(spec->description);
    free(spec->method);
    free(spec->strategy);
    for (size_t i = 0; i < spec->setting_count; i++)
        value_release(&spec->settings[i].value);
    free(spec->settings);
    space_free(spec->space);
    for (size_t i = 0; i < OBJECTIVES_MAX; i++) {
        free(spec->objectives[i].name);
        free(spec->objectives[i].pattern);
    }
    free(spec->program);
    free_all(spec->command, spec->command_count);
    free_all(spec->resources.labels, spec->resources.label_count);
    for (size_t i = 0; i < spec->env_count; i++) {
        free(spec->env[i].name);
        free(spec->env[i].value);
    }
    free(spec->env);
    free(spec->working_dir);
    free(spec);
}
