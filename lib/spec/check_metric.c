// The objectives: `metric:` (W&B's, one) and `metrics:` (Trawl's, a list).
//
// Both fill the same array; a list of one is the same sweep as `metric:`. A `metric:` without a name is no objective, but its goal and
// pattern are kept in the first place, as they were read.
#include "spec/check.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PATTERN_BYTES_MAX 1000 // metric.pattern: keeps compiling and matching cheap
#define WHAT_MAX          64   // "metrics[7].pattern"

static const char *const goal_words[] = {"minimize", "maximize", NULL};

// "minimise", "Max", "minimum": not the word, but no doubt about what was meant.
static const char *goal_meant(struct check *c, const char *word)
{
    if (str_starts(word, "min") || str_starts(word, "Min") || str_starts(word, "MIN"))
        return "minimize";
    if (str_starts(word, "max") || str_starts(word, "Max") || str_starts(word, "MAX"))
        return "maximize";
    return check_nearest(c, word, goal_words);
}

bool check_method_learns(const struct spec *spec)
{
    const struct strategy_method *method = spec->method ? strategy_find(spec->method) : NULL;
    return method && (method->caps & STRATEGY_LEARNS);
}

static void report_goal(struct check *c, const struct node *node)
{
    const char *word = node->kind == NODE_SCALAR ? node->text : "";
    const char *meant = goal_meant(c, word);
    bool learns = check_method_learns(c->spec);
    bool stops = node_get(c->root, "early_terminate") != NULL;
    if (learns || (stops && meant)) {
        check_error(
            c, node,
            "goal must be minimize or maximize, but this is %s%s%s%s: it decides which runs "
            "%s",
            check_shown_node(c, node), meant ? " (did you mean '" : "", meant ? meant : "",
            meant ? "'?)" : "", learns ? "are tried" : "are stopped early");
        return;
    }
    check_warning(
        c, node,
        "goal must be minimize or maximize, but this is %s%s%s%s: minimize is assumed for the best "
        "run%s",
        check_shown_node(c, node), meant ? " (did you mean '" : "", meant ? meant : "",
        meant ? "'?)" : "",
        stops ? ", and early_terminate is off, since it could stop the good "
                "runs"
              : "");
    c->goal_is_unclear = true;
}

static enum goal read_goal(struct check *c, const struct node *node)
{
    if (node->kind == NODE_SCALAR && !strcmp(node->text, "maximize"))
        return GOAL_MAXIMIZE;
    if (node->kind != NODE_SCALAR || strcmp(node->text, "minimize"))
        report_goal(c, node);
    return GOAL_MINIMIZE;
}

// The column inside a scalar of one line, for messages from parsers of its text.
static int column_inside(const struct node *node, size_t offset)
{
    return node->one_line ? node->column + (node->style == NODE_QUOTED) + (int)offset
                          : node->column;
}

// NULL with an error when it is no text or does not compile.
static char *read_pattern(struct check *c, const struct node *node, const char *what)
{
    char *pattern = NULL;
    if (!check_text(c, node, what, &pattern))
        return NULL;
    size_t len = strlen(pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t groups = 0;
    if (len > PATTERN_BYTES_MAX) {
        check_error(c, node, "%s has %zu bytes: at most %d are allowed", what, len,
                    PATTERN_BYTES_MAX);
        free(pattern);
        return NULL;
    }
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF, &code, &offset, NULL);
    if (!compiled) {
        PCRE2_UCHAR text[200] = {0};
        pcre2_get_error_message(code, text, sizeof text);
        problems_add(c->problems, PROBLEM_ERROR, node->line, column_inside(node, offset),
                     "%s is no regular expression: %s at its character %zu", what, (char *)text,
                     offset + 1);
        free(pattern);
        return NULL;
    }
    pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_code_free(compiled);
    if (groups < 1)
        check_error(c, node,
                    "%s needs a group '(...)' around the number, such as 'loss: "
                    "([-+.eE0-9]+)'",
                    what);
    return pattern;
}

static void read_impute(struct check *c, const struct node *metric, const char *key,
                        bool may_be_false)
{
    const struct node *node = node_get(metric, key);
    if (!node)
        return;
    const char *text = node->kind == NODE_SCALAR ? node->text : "";
    static const char *const words[] = {"latest", "best", "worst", "false", NULL};
    bool known = false;
    for (size_t i = 0; words[i]; i++)
        known = known || (!strcmp(text, words[i]) && (may_be_false || strcmp(text, "false")));
    if (!known)
        check_warning(c, node, "%s must be latest, best or worst%s, but this is %s%s", key,
                      may_be_false ? " or false" : "", check_shown_node(c, node),
                      check_did_you_mean(c, text, words));
    check_notice(c, node,
                 "%s is not used: a failed run is told to the search as failed, without a value",
                 key);
}

// The members of one objective; `what` is "metric" or "metrics[1]". A name that is missing or empty is the caller's to judge.
static void read_objective(struct check *c, const struct node *node, const char *what,
                           struct objective *ret)
{
    static const char *const keys[] = {
        "name", "goal", "target", "pattern", "impute", "impute_while_running", NULL};
    check_keys(c, node, what, keys);
    const struct node *name = node_get(node, "name"), *goal = node_get(node, "goal");
    const struct node *target = node_get(node, "target"), *pattern = node_get(node, "pattern");
    struct scalar scalar;
    char of[WHAT_MAX];
    snprintf(of, sizeof of, "%s.name", what);
    if (name)
        check_text(c, name, of, &ret->name);
    if (goal)
        ret->goal = read_goal(c, goal);
    snprintf(of, sizeof of, "%s.target", what);
    if (target && check_number(c, target, of, &scalar)) {
        ret->has_target = true;
        ret->target = scalar.number;
    }
    snprintf(of, sizeof of, "%s.pattern", what);
    if (pattern)
        ret->pattern = read_pattern(c, pattern, of);
    read_impute(c, node, "impute", false);
    read_impute(c, node, "impute_while_running", true);
}

static void read_metric_mapping(struct check *c, const struct node *node)
{
    struct objective *objective = &c->spec->objectives[0];
    const struct node *name = node_get(node, "name");
    if (!name)
        check_warning(c, node,
                      "metric has no name: add `name:` with the name that the runs report");
    read_objective(c, node, "metric", objective);
    if (objective->name && !*objective->name) {
        check_warning(c, name, "metric.name is empty: write the name that the runs report");
        free(objective->name);
        objective->name = NULL;
    }
    c->spec->objective_count = objective->name != NULL;
}

void check_metric(struct check *c, const struct node *node)
{
    if (node->kind == NODE_MAPPING) {
        read_metric_mapping(c, node);
        return;
    }
    if (node->kind == NODE_SCALAR && !check_is_null(node)) {
        check_warning(c, node,
                      "metric is taken as `metric: {name: %s, goal: minimize}`: write it so",
                      check_shown(c, node->text));
        c->spec->objectives[0].name = xstrdup(node->text);
        c->spec->objective_count = 1;
        return;
    }
    check_error(
        c, node,
        "metric must be a mapping such as `metric: {name: loss, goal: minimize}`, but this is %s%s",
        check_shown_node(c, node),
        node->kind == NODE_SEQUENCE ? ": several objectives stand under `metrics:`" : "");
}

// --- metrics ---

static bool is_named_before(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->objective_count; i++)
        if (!strcmp(spec->objectives[i].name, name))
            return true;
    return false;
}

static void read_metrics_item(struct check *c, const struct node *node, size_t index)
{
    struct spec *spec = c->spec;
    struct objective *objective = &spec->objectives[spec->objective_count];
    char what[WHAT_MAX];
    snprintf(what, sizeof what, "metrics[%zu]", index);
    if (node->kind != NODE_MAPPING) {
        check_error(c, node,
                    "%s must be a mapping such as {name: loss, goal: minimize}, but this is %s",
                    what, check_shown_node(c, node));
        return;
    }
    const struct node *name = node_get(node, "name");
    read_objective(c, node, what, objective);
    if (!objective->name || !*objective->name)
        check_error(c, name ? name : node,
                    "%s needs `name:`, the name that the runs report", what);
    else if (is_named_before(spec, objective->name))
        check_error(c, name, "two objectives have the name %s: a metric can be one objective only",
                    check_shown(c, objective->name));
    else {
        spec->objective_count++;
        return;
    }
    free(objective->name);
    free(objective->pattern);
    *objective = (struct objective){0};
}

void check_metrics(struct check *c, const struct node *node)
{
    if (node_get(c->root, "metric") && !check_is_null(node_get(c->root, "metric"))) {
        check_error(c, node,
                    "a sweep has `metric:` for one objective or `metrics:` for several, not both: "
                    "move the one under `metric:` to the head of the list");
        return;
    }
    if (node->kind != NODE_SEQUENCE) {
        check_error(c, node,
                    "metrics must be a list such as `metrics: [{name: loss}, {name: latency}]`, but "
                    "this is %s%s",
                    check_shown_node(c, node),
                    node->kind == NODE_MAPPING ? ": one objective stands under `metric:`" : "");
        return;
    }
    if (node->count < 1 || node->count > OBJECTIVES_MAX) {
        check_error(c, node, "metrics has %zu objectives: a sweep has 1 to %d", node->count,
                    OBJECTIVES_MAX);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        read_metrics_item(c, node->items[i], i);
}
