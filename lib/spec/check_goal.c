// What the sweep searches with and for: method, strategy options, metric, early stopping.
#include "spec/check.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PATTERN_BYTES_MAX 1000 // metric.pattern: keeps compiling and matching cheap
#define METHODS_MAX       32   // words in the list of a message

// --- method ---

// The words that `method:` takes, from the table of strategies.
static void method_words(const char *words[static METHODS_MAX])
{
    size_t count = 0;
    for (const struct strategy_method *method = strategy_methods(); method->name && count < METHODS_MAX - 1; method++)
        words[count++] = method->name;
    words[count] = NULL;
}

static void report_unknown_method(struct check *c, const struct node *node, const char *method)
{
    const char *words[METHODS_MAX];
    method_words(words);
    struct str list = STR_INIT;
    check_list_words(&list, words, "or");
    if (!strcmp(method, "custom"))
        check_error(c, node,
                    "method 'custom' leaves the search to a program of yours, which has no seat "
                    "here: use %s",
                    str_get(&list));
    else
        check_error(c, node, "method '%s' is not known%s: use %s", check_shown(c, method),
                    check_did_you_mean(c, method, words), str_get(&list));
    str_release(&list);
}

void check_method(struct check *c, const struct node *node)
{
    char *method = NULL;
    if (check_is_null(node)) {
        check_error(c, node, "method is empty: write grid, random or bayes");
        return;
    }
    if (!check_text(c, node, "method", &method))
        return;
    c->spec->method = method;
    if (strategy_find(method)) {
        c->spec->strategy = xstrdup(method);
        c->is_grid = !strcmp(method, "grid");
    } else {
        report_unknown_method(c, node, method);
    }
}

// --- strategy: options of the method ---

static const struct strategy_option *find_option(const struct strategy_option *options,
                                                 const char *name)
{
    for (; options && options->name; options++) {
        if (!strcmp(options->name, name))
            return options;
    }
    return NULL;
}

static void report_unknown_option(struct check *c, const struct node *key,
                                  const struct strategy_option *options)
{
    size_t count = 0;
    while (options && options[count].name)
        count++;
    if (!count) {
        check_error(c, key, "method '%s' has no options: remove '%s'", c->spec->method,
                    check_shown(c, key->text));
        return;
    }
    const char **words = xcalloc(count + 1, sizeof(*words));
    for (size_t i = 0; i < count; i++)
        words[i] = options[i].name;
    struct str list = STR_INIT;
    check_list_words(&list, words, "or");
    check_error(c, key, "method '%s' has no option '%s'%s: use %s", c->spec->method,
                check_shown(c, key->text), check_did_you_mean(c, key->text, words), str_get(&list));
    str_release(&list);
    free(words);
}

static bool is_in_range(struct check *c, const struct node *node,
                        const struct strategy_option *option, double number)
{
    if (number >= option->min && number <= option->max)
        return true;
    check_error(c, node, "%s must be from %g to %g, but this is %s", option->name, option->min,
                option->max, check_shown(c, node->text));
    return false;
}

static bool read_word_option(struct check *c, const struct node *node,
                             const struct strategy_option *option, struct value *ret)
{
    const char *text = node->kind == NODE_SCALAR ? node->text : "";
    for (const char *const *word = option->words; *word; word++) {
        if (!strcmp(*word, text)) {
            *ret = (struct value){.kind = VALUE_STRING, .text = xstrdup(text)};
            return true;
        }
    }
    struct str list = STR_INIT;
    check_list_words(&list, option->words, "or");
    check_error(c, node, "%s must be %s, but this is %s%s", option->name, str_get(&list),
                check_shown_node(c, node), check_did_you_mean(c, text, option->words));
    str_release(&list);
    return false;
}

bool check_option(struct check *c, const struct node *node,
                  const struct strategy_option *option, struct value *ret)
{
    struct scalar scalar;
    int64_t integer;
    bool boolean;
    switch (option->kind) {
    case OPTION_INT:
        if (!check_int(c, node, option->name, INT64_MIN, INT64_MAX, &integer) ||
            !is_in_range(c, node, option, (double)integer))
            return false;
        *ret = (struct value){.kind = VALUE_INT, .integer = integer};
        return true;
    case OPTION_FLOAT:
        if (!check_number(c, node, option->name, &scalar) ||
            !is_in_range(c, node, option, scalar.number))
            return false;
        *ret = (struct value){.kind = VALUE_FLOAT, .number = scalar.number};
        return true;
    case OPTION_BOOL:
        if (!check_bool(c, node, option->name, &boolean))
            return false;
        *ret = (struct value){.kind = VALUE_BOOL, .boolean = boolean};
        return true;
    case OPTION_WORD:
        return read_word_option(c, node, option, ret);
    }
    return false;
}

void check_strategy(struct check *c, const struct node *node)
{
    if (!check_mapping(c, node, "strategy", "strategy: {option: value}, the options of the method"))
        return;
    if (!c->spec->strategy)
        return; // the method is wrong, and said so
    if (c->is_fallback) {
        check_warning(c, node,
                      "the options under strategy are ignored: method '%s' is replaced by '%s'",
                      c->spec->method, c->spec->strategy);
        return;
    }
    const struct strategy_option *options = strategy_find(c->spec->strategy)->options;
    c->spec->settings = xcalloc(node->count + 1, sizeof(*c->spec->settings));
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = node->sorted[i];
        const struct strategy_option *option = find_option(options, pair->key->text);
        struct strategy_setting *setting = &c->spec->settings[c->spec->setting_count];
        if (!option) {
            report_unknown_option(c, pair->key, options);
        } else if (check_option(c, pair->value, option, &setting->value)) {
            setting->name = option->name; // static: the table's
            c->spec->setting_count++;
        }
    }
}

// --- metric ---

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

// Whether results decide which configurations come next.
static bool method_learns(const struct spec *spec)
{
    const struct strategy_method *method = spec->method ? strategy_find(spec->method) : NULL;
    return method && (method->caps & STRATEGY_LEARNS);
}

static void report_goal(struct check *c, const struct node *node)
{
    const char *word = node->kind == NODE_SCALAR ? node->text : "";
    const char *meant = goal_meant(c, word);
    bool learns = method_learns(c->spec);
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

static void read_goal(struct check *c, const struct node *node)
{
    c->spec->goal = GOAL_MINIMIZE;
    if (node->kind == NODE_SCALAR && !strcmp(node->text, "maximize"))
        c->spec->goal = GOAL_MAXIMIZE;
    else if (node->kind != NODE_SCALAR || strcmp(node->text, "minimize"))
        report_goal(c, node);
}

// The column inside a scalar of one line, for messages from parsers of its text.
static int column_inside(const struct node *node, size_t offset)
{
    return node->one_line ? node->column + (node->style == NODE_QUOTED) + (int)offset
                          : node->column;
}

static void read_pattern(struct check *c, const struct node *node)
{
    char *pattern = NULL;
    if (!check_text(c, node, "metric.pattern", &pattern))
        return;
    size_t len = strlen(pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    uint32_t groups = 0;
    if (len > PATTERN_BYTES_MAX) {
        check_error(c, node, "metric.pattern has %zu bytes: at most %d are allowed", len,
                    PATTERN_BYTES_MAX);
        free(pattern);
        return;
    }
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF, &code, &offset, NULL);
    if (!compiled) {
        PCRE2_UCHAR text[200] = {0};
        pcre2_get_error_message(code, text, sizeof text);
        problems_add(c->problems, PROBLEM_ERROR, node->line, column_inside(node, offset),
                     "metric.pattern is no regular expression: %s at its character %zu",
                     (char *)text, offset + 1);
        free(pattern);
        return;
    }
    pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_code_free(compiled);
    if (groups < 1)
        check_error(c, node,
                    "metric.pattern needs a group '(...)' around the number, such as 'loss: "
                    "([-+.eE0-9]+)'");
    free(c->spec->metric_pattern);
    c->spec->metric_pattern = pattern;
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

static void read_metric_mapping(struct check *c, const struct node *node)
{
    static const char *const keys[] = {
        "name", "goal", "target", "pattern", "impute", "impute_while_running", NULL};
    check_keys(c, node, "metric", keys);
    const struct node *name = node_get(node, "name"), *goal = node_get(node, "goal");
    const struct node *target = node_get(node, "target"), *pattern = node_get(node, "pattern");
    struct scalar scalar;
    if (!name)
        check_warning(c, node,
                      "metric has no name: add `name:` with the name that the runs report");
    else
        check_text(c, name, "metric.name", &c->spec->metric);
    if (c->spec->metric && !*c->spec->metric) {
        check_warning(c, name, "metric.name is empty: write the name that the runs report");
        free(c->spec->metric);
        c->spec->metric = NULL;
    }
    if (goal)
        read_goal(c, goal);
    if (target && check_number(c, target, "metric.target", &scalar)) {
        c->spec->has_target = true;
        c->spec->target = scalar.number;
    }
    if (pattern)
        read_pattern(c, pattern);
    read_impute(c, node, "impute", false);
    read_impute(c, node, "impute_while_running", true);
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
        c->spec->metric = xstrdup(node->text);
        return;
    }
    check_error(
        c, node,
        "metric must be a mapping such as `metric: {name: loss, goal: minimize}`, but this is %s",
        check_shown_node(c, node));
}

void check_metrics(struct check *c, const struct node *node)
{
    check_warning(
        c, node,
        "several objectives are not supported, metrics is ignored: name the one that decides under "
        "`metric:`");
}

void check_goal_needs(struct check *c)
{
    const struct node *method = node_get(c->root, "method");
    if (!c->spec->method || !method || c->spec->metric)
        return;
    const struct node *stop = node_get(c->root, "early_terminate");
    if (method_learns(c->spec))
        check_error(
            c, method,
            "method '%s' learns from a result: add `metric: {name: loss, goal: minimize}` with the "
            "name that the runs report",
            c->spec->method);
    else if (stop && c->spec->early_stop.kind != STOP_NONE) {
        check_warning(
            c, stop,
            "early_terminate compares runs by the metric, but there is no `metric:`: no run is "
            "stopped early");
        c->spec->early_stop = (struct stop_rule){0};
    }
}

// --- scheduler ---

void check_scheduler(struct check *c, const struct node *node)
{
    static const char *const keys[] = {"engine", "source", "optimizer", "search_space", NULL};
    if (node->kind != NODE_MAPPING) {
        check_warning(c, node, "scheduler is ignored: Trawl starts runs by itself");
        return;
    }
    check_keys(c, node, "scheduler", keys);
    const struct node *engine = node_get(node, "engine");
    if (!engine)
        check_warning(c, node,
                      "scheduler is ignored (W&B wants `engine: wandb` here): Trawl starts runs by "
                      "itself");
    else if (engine->kind != NODE_SCALAR || strcmp(engine->text, "wandb"))
        check_warning(c, engine,
                      "scheduler.engine %s is not supported: the method of this spec is used",
                      check_shown_node(c, engine));
    else
        check_notice(c, node, "scheduler is not used: Trawl starts runs by itself");
}
