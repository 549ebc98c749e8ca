// What the sweep searches with and for: method, strategy options, early stopping.
#include "spec/check.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static bool read_text_option(struct check *c, const struct node *node,
                             const struct strategy_option *option, struct value *ret)
{
    char *text = NULL;
    if (!check_text(c, node, option->name, &text))
        return false;
    *ret = (struct value){.kind = VALUE_STRING, .text = text};
    return true;
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
    case OPTION_TEXT:
        return read_text_option(c, node, option, ret);
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

// What only the strategy itself can say of the space and the options together, such as a budget parameter that is none.
void check_searchable(struct check *c)
{
    const struct spec *spec = c->spec;
    struct strategy *strategy = NULL;
    struct err err = {0};
    const struct strategy_setup setup = spec_strategy_setup(spec);
    int rc = strategy_new(spec->strategy, &setup, &strategy, &err);
    const struct node *options = node_get(c->root, "strategy");
    if (rc != 0)
        check_error(c, options ? options : node_get(c->root, "method"), "method '%s': %s", spec->method, err.text);
    else
        strategy_free(strategy);
}

// --- what the method needs ---

void check_goal_needs(struct check *c)
{
    const struct node *method = node_get(c->root, "method");
    if (!c->spec->method || !method || c->spec->objective_count)
        return;
    const struct node *stop = node_get(c->root, "early_terminate");
    if (check_method_learns(c->spec))
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
