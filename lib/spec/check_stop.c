// early_terminate: the type of stopping rule and its options.
//
// W&B's hyperband is read as W&B reads it, with its corner cases: keys that it ignores are warned of. The other types are Trawl's;
// an option that a type does not have is an error, because a rule that is not the one meant stops the wrong runs.
#include "spec/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX   16 // types, and options of a type
#define SHOWN_BANDS 5

static void type_words(const char *words[static WORDS_MAX])
{
    size_t count = 0;
    for (const struct stop_type *type = stop_types(); type->name && count < WORDS_MAX - 1; type++)
        words[count++] = type->name;
    words[count] = NULL;
}

static void option_words(const struct stop_type *type, const char *words[static WORDS_MAX])
{
    size_t count = 0;
    for (const struct strategy_option *option = type->options;
         option->name && count < WORDS_MAX - 1; option++)
        words[count++] = option->name;
    words[count] = NULL;
}

static const struct stop_type *read_type(struct check *c, const struct node *node)
{
    const struct node *type = node_get(node, "type");
    const char *words[WORDS_MAX];
    struct str list = STR_INIT;
    type_words(words);
    check_list_words(&list, words, "or");
    const struct stop_type *found =
        type && type->kind == NODE_SCALAR ? stop_find(type->text) : NULL;
    if (!type)
        check_error(c, node, "early_terminate needs `type: hyperband` (or another rule: %s)",
                    str_get(&list));
    else if (!found)
        check_error(c, type, "early_terminate has no type %s%s: use %s", check_shown_node(c, type),
                    type->kind == NODE_SCALAR ? check_did_you_mean(c, type->text, words) : "",
                    str_get(&list));
    str_release(&list);
    return found;
}

// The bands or rungs as "3, 9, 27, ..."; how many there are in *ret_count.
static void write_bands(struct str *out, const struct stop_rule *rule, size_t *ret_count)
{
    int64_t bands[STOP_BANDS_MAX];
    size_t count = stop_bands(rule, bands);
    for (size_t i = 0; i < count && i < SHOWN_BANDS; i++)
        str_addf(out, "%s%lld", i ? ", " : "", (long long)bands[i]);
    if (count > SHOWN_BANDS)
        str_add(out, ", ...");
    *ret_count = count;
}

// --- hyperband ---

// min_iter, max_iter and s to a usable pair, as W&B's code does: max_iter with s wins.
static bool settle_bands(struct check *c, const struct node *node, struct stop_rule *rule)
{
    if (rule->max_iter && rule->s)
        return true;
    if (rule->max_iter && rule->min_iter) {
        check_warning(
            c, node,
            "early_terminate has max_iter without s: min_iter alone decides; write `max_iter` with "
            "`s`, or `min_iter`");
        rule->max_iter = 0;
        return true;
    }
    if (rule->min_iter) {
        if (rule->s)
            check_notice(c, node_get(node, "s"), "s has no effect beside min_iter (as in W&B)");
        return true;
    }
    check_error(
        c, node,
        "hyperband needs `min_iter: N` (first check after N values), or `max_iter: N` with `s: N` "
        "(number of checks)%s",
        rule->max_iter ? ": s is missing"
        : rule->s      ? ": max_iter is missing"
                       : "");
    return false;
}

static bool show_hyperband(struct check *c, const struct node *node, const struct stop_rule *rule)
{
    struct str bands = STR_INIT;
    size_t count = 0;
    write_bands(&bands, rule, &count);
    if (!count)
        check_error(
            c, node,
            "hyperband would never check a run: increase s or max_iter, decrease eta, or give "
            "min_iter");
    else
        check_notice(
            c, node,
            "hyperband checks runs after %s reported values; eta %g keeps the best 1/%g; strict is "
            "%s: a run is compared by %s",
            str_get(&bands), rule->eta, rule->eta, rule->strict ? "true" : "false",
            rule->strict ? "its value at the check" : "its best value so far");
    str_release(&bands);
    return count > 0;
}

static bool read_hyperband(struct check *c, const struct node *node, struct stop_rule *ret)
{
    const struct node *min_iter = node_get(node, "min_iter"),
                      *max_iter = node_get(node, "max_iter");
    const struct node *s = node_get(node, "s"), *eta = node_get(node, "eta");
    const struct node *strict = node_get(node, "strict");
    struct scalar scalar;
    bool ok = true;
    if (min_iter)
        ok = check_int(c, min_iter, "min_iter", 1, INT64_MAX, &ret->min_iter) && ok;
    if (max_iter)
        ok = check_int(c, max_iter, "max_iter", 1, INT64_MAX, &ret->max_iter) && ok;
    if (s)
        ok = check_int(c, s, "s", 1, INT64_MAX, &ret->s) && ok;
    if (strict)
        ok = check_bool(c, strict, "strict", &ret->strict) && ok;
    if (eta) {
        if (!check_number(c, eta, "eta", &scalar))
            return false;
        if (scalar.number <= 1) {
            check_error(c, eta,
                        "eta must be greater than 1 (1/eta of the runs go on), but this is %s",
                        check_shown(c, eta->text));
            return false;
        }
        ret->eta = scalar.number;
    }
    return ok && settle_bands(c, node, ret);
}

// --- the other types ---

static void report_option(struct check *c, const struct node *key, const struct stop_type *type)
{
    const char *words[WORDS_MAX];
    struct str list = STR_INIT;
    option_words(type, words);
    check_list_words(&list, words, "or");
    check_error(c, key, "early_terminate of type %s has no option '%s'%s: use %s", type->name,
                check_shown(c, key->text), check_did_you_mean(c, key->text, words), str_get(&list));
    str_release(&list);
}

static bool read_options(struct check *c, const struct node *node, const struct stop_type *type,
                         struct stop_rule *ret)
{
    bool ok = true;
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = node->sorted[i];
        const struct strategy_option *option = type->options;
        struct value value = {0};
        if (!strcmp(pair->key->text, "type"))
            continue;
        while (option->name && strcmp(option->name, pair->key->text) != 0)
            option++;
        if (!option->name) {
            report_option(c, pair->key, type);
            ok = false;
        } else if (check_option(c, pair->value, option, &value)) {
            stop_rule_set(ret, option->name, &value);
            value_release(&value);
        } else {
            ok = false;
        }
    }
    return ok;
}

static bool check_limits(struct check *c, const struct node *node, const struct stop_rule *rule)
{
    bool has_above = isfinite(rule->above), has_below = isfinite(rule->below);
    if (!has_above && !has_below)
        check_error(c, node, "threshold needs `above: NUMBER` or `below: NUMBER`: a run whose value goes beyond is stopped");
    else if (has_above && has_below && rule->below >= rule->above)
        check_error(c, node, "threshold would stop every run: below (%g) must be less than above (%g)", rule->below, rule->above);
    else
        return true;
    return false;
}

static const char *axis(const struct stop_rule *rule)
{
    return rule->over_steps ? "step" : "report";
}

// What the rule will do, in a sentence; false with an error when that is nothing.
static bool show_rule(struct check *c, const struct node *node, const struct stop_rule *rule)
{
    struct str text = STR_INIT;
    size_t count = 1;
    switch (rule->kind) {
    case STOP_ASHA:
        write_bands(&text, rule, &count);
        if (count)
            check_notice(c, node, "asha checks runs at %s %s; the best 1/%g of the runs that reach one go on", axis(rule),
                         str_get(&text), rule->eta);
        else
            check_error(c, node, "asha would never check a run: max_iter (%lld) must be above min_iter (%lld)",
                        (long long)rule->max_iter, (long long)rule->min_iter);
        break;
    case STOP_MEDIAN:
    case STOP_PERCENTILE:
        check_notice(c, node,
                     "%s checks runs from %s %lld on, every %lld, once %lld others came as far; the best %g %% go on",
                     stop_type(rule->kind)->name, axis(rule), (long long)rule->min_iter, (long long)rule->interval,
                     (long long)rule->min_trials, rule->kind == STOP_MEDIAN ? 50 : rule->percentile);
        break;
    case STOP_PATIENCE:
        check_notice(c, node, "patience stops a run after %lld %ss without a value better by more than %g", (long long)rule->patience,
                     axis(rule), rule->min_delta);
        break;
    case STOP_THRESHOLD:
        count = check_limits(c, node, rule);
        break;
    case STOP_HYPERBAND:
    case STOP_NONE:
        break;
    }
    str_release(&text);
    return count > 0;
}

void check_early_terminate(struct check *c, const struct node *node)
{
    if (!check_mapping(c, node, "early_terminate",
                       "early_terminate: {type: hyperband, min_iter: 3}"))
        return;
    const struct stop_type *type = read_type(c, node);
    if (!type)
        return;
    struct stop_rule rule = stop_rule_of(type);
    bool ok;
    if (rule.kind == STOP_HYPERBAND) {
        static const char *const keys[] = {"type", "min_iter", "max_iter", "s", "eta", "strict", NULL};
        check_keys(c, node, "early_terminate", keys);
        ok = read_hyperband(c, node, &rule);
    } else {
        ok = read_options(c, node, type, &rule);
    }
    if (!ok || c->goal_is_unclear) // off then, as the warning at the goal says
        return;
    if (rule.kind == STOP_HYPERBAND ? show_hyperband(c, node, &rule) : show_rule(c, node, &rule))
        c->spec->early_stop = rule;
}
