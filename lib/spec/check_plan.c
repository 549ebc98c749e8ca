// How much runs and in which order: caps, budgets, seed, order, retries, repeats, time limits.
#include "spec/check.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define REPEATS_MAX  10000
#define PARALLEL_MAX 1000000
#define RETRY_MAX    1000000

void check_run_cap(struct check *c, const struct node *node)
{
    int64_t cap;
    if (check_int(c, node, "run_cap", 1, INT64_MAX, &cap))
        c->spec->run_cap = (uint64_t)cap;
}

void check_budget(struct check *c, const struct node *node)
{
    static const char *const keys[] = {"trials", "time", NULL};
    if (!check_mapping(c, node, "budget", "budget: {trials: 100, time: 8h}"))
        return;
    check_keys(c, node, "budget", keys);
    const struct node *trials = node_get(node, "trials"), *time = node_get(node, "time");
    int64_t count;
    if (trials && check_int(c, trials, "budget.trials", 1, INT64_MAX, &count))
        c->spec->budget_trials = (uint64_t)count;
    if (time && check_duration(c, time, "budget.time", &c->spec->budget_ms) && !c->spec->budget_ms)
        check_error(c, time, "budget.time must be longer than 0");
}

void check_seed(struct check *c, const struct node *node)
{
    int64_t seed;
    if (check_int(c, node, "seed", 0, INT64_MAX, &seed)) {
        c->spec->has_seed = true;
        c->spec->seed = (uint64_t)seed;
    }
}

// One of `words`; its index, or -1 with an error.
static int check_word(struct check *c, const struct node *node, const char *what,
                      const char *const *words)
{
    const char *text = node->kind == NODE_SCALAR ? node->text : "";
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], text))
            return i;
    }
    struct str list = STR_INIT;
    check_list_words(&list, words, "or");
    check_error(c, node, "%s must be %s, but this is %s%s", what, str_get(&list),
                check_shown_node(c, node), check_did_you_mean(c, text, words));
    str_release(&list);
    return -1;
}

void check_order(struct check *c, const struct node *node)
{
    static const char *const words[] = {"sorted", "shuffle", NULL};
    int word = check_word(c, node, "order", words);
    c->spec->shuffle = word == 1;
    if (word == 1 && c->spec->strategy && !c->is_grid)
        check_warning(c, node, "order: shuffle is for a grid: it changes nothing with '%s'",
                      c->spec->strategy);
}

void check_on_isolation(struct check *c, const struct node *node)
{
    static const char *const words[] = {"keep", "stop", NULL};
    c->spec->isolation =
        check_word(c, node, "on_isolation", words) == 1 ? ISOLATION_STOP : ISOLATION_KEEP;
}

// --- retry ---

// A run that ended so is never tried again.
static bool is_final(enum exit_class class_id)
{
    return class_id == EXIT_SUCCESS_CLASS || class_id == EXIT_CANCELLED || class_id == EXIT_STOPPED;
}

// The words that `retry:` takes.
static void retry_words(const char *words[static EXIT_CLASS_COUNT + 1])
{
    size_t count = 0;
    for (int i = 0; i < EXIT_CLASS_COUNT; i++) {
        if (!is_final((enum exit_class)i))
            words[count++] = exit_class_word((enum exit_class)i);
    }
    words[count] = NULL;
}

static bool read_retries(struct check *c, const struct node *node, const char *what, uint32_t *ret)
{
    int64_t count;
    if (node->kind == NODE_SCALAR && !strcmp(node->text, "unlimited")) {
        *ret = UINT32_MAX;
        return true;
    }
    if (!check_int(c, node, what, 0, RETRY_MAX, &count))
        return false;
    *ret = (uint32_t)count;
    return true;
}

static void read_retry_class(struct check *c, const struct pair *pair)
{
    enum exit_class class_id;
    const char *words[EXIT_CLASS_COUNT + 1];
    struct str list = STR_INIT, what = STR_INIT;
    retry_words(words);
    check_list_words(&list, words, "or");
    str_addf(&what, "retry.%s", check_shown(c, pair->key->text));
    if (!exit_class_parse(pair->key->text, &class_id))
        check_error(c, pair->key, "retry has no class '%s'%s: use %s",
                    check_shown(c, pair->key->text), check_did_you_mean(c, pair->key->text, words),
                    str_get(&list));
    else if (is_final(class_id))
        check_error(c, pair->key, "a run that ended as '%s' is not tried again: use %s",
                    exit_class_word(class_id), str_get(&list));
    else
        read_retries(c, pair->value, str_get(&what), &c->spec->retry[class_id]);
    str_release(&what);
    str_release(&list);
}

// One number is the budget of every end that may repeat itself; what the machines did to a run
// (killed, lost) keeps its own budget where that is larger.
static void read_retry_number(struct check *c, const struct node *node)
{
    uint32_t count;
    if (!read_retries(c, node, "retry", &count))
        return;
    for (int i = 0; i < EXIT_CLASS_COUNT; i++) {
        if (!is_final((enum exit_class)i) && c->spec->retry[i] < count)
            c->spec->retry[i] = count;
    }
}

void check_retry(struct check *c, const struct node *node)
{
    if (node->kind == NODE_SCALAR) {
        read_retry_number(c, node);
        return;
    }
    if (!check_mapping(c, node, "retry",
                       "retry: {failed: 1, lost: 5}` or a number such as `retry: 2"))
        return;
    for (size_t i = 0; i < node->count; i++)
        read_retry_class(c, &node->pairs[i]);
}

void check_repeats(struct check *c, const struct node *node)
{
    int64_t repeats;
    if (check_int(c, node, "repeats", 1, REPEATS_MAX, &repeats))
        c->spec->repeats = (uint32_t)repeats;
}

void check_parallel(struct check *c, const struct node *node)
{
    int64_t parallel;
    if (check_int(c, node, "parallel", 1, PARALLEL_MAX, &parallel))
        c->spec->parallel = (uint32_t)parallel;
}

void check_timeout(struct check *c, const struct node *node)
{
    if (check_duration(c, node, "timeout", &c->spec->timeout_ms) && !c->spec->timeout_ms)
        check_error(c, node, "timeout must be longer than 0: remove it for no limit");
}

void check_grace(struct check *c, const struct node *node)
{
    check_duration(c, node, "grace", &c->spec->grace_ms);
}
