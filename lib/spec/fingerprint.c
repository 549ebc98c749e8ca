// The identity of a sweep: a hash of what decides which configurations are tried and what a run of
// one is.
//
// In it: method, space, conditions, constraints, objectives (name, goal, pattern), early stopping, the
// method's options, a written seed, order, repeats, program, command, env, working_dir. Not in it:
// names and descriptions, and what only says how much of the sweep runs, when and where (run_cap,
// budget, target, parallel, retry, timeout, grace, resources, on_isolation), so that changing these
// continues the same sweep.
//
// The text below is stored as a hash with every sweep: its form must never change.
#include "spec/check.h"

#include "base/json.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

#define FINGERPRINT_SEED 1 // the version of the canonical form

static void add_text(struct str *out, const char *key, const char *text)
{
    str_addf(out, "\n%s=", key);
    if (text)
        json_write_string(out, text, strlen(text));
    else
        str_add(out, "null");
}

static void add_double(struct str *out, const char *key, double number)
{
    char text[NUM_TEXT_MAX];
    num_format_double(number, text);
    str_addf(out, "\n%s=%s", key, text);
}

static void add_u64(struct str *out, const char *key, uint64_t number)
{
    str_addf(out, "\n%s=%llu", key, (unsigned long long)number);
}

static void add_values(struct str *out, const struct param *param)
{
    for (size_t i = 0; i < param->value_count; i++) {
        str_add(out, "\nvalue=");
        value_write_json(out, &param->values[i]);
    }
    for (size_t i = 0; param->probabilities && i < param->value_count; i++)
        add_double(out, "probability", param->probabilities[i]);
}

static void add_param(struct str *out, const struct param *param)
{
    for (size_t i = 0; i < param->path_count; i++)
        add_text(out, i ? "below" : "parameter", param->path[i]);
    add_text(out, "dist", dist_name(param->dist));
    add_values(out, param);
    if (param->dist == DIST_INT_UNIFORM) {
        str_addf(out, "\nrange=%lld %lld", (long long)param->int_min, (long long)param->int_max);
    } else {
        add_double(out, "min", param->min);
        add_double(out, "max", param->max);
    }
    add_double(out, "mu", param->mu);
    add_double(out, "sigma", param->sigma);
    add_double(out, "a", param->a);
    add_double(out, "b", param->b);
    add_double(out, "q", param->q);
    add_u64(out, "q_is_int", param->q_is_int);
    add_text(out, "when", param->when ? expr_text(param->when) : NULL);
}

static void add_search(struct str *out, const struct spec *spec)
{
    add_text(out, "method", spec->method);
    for (size_t i = 0; i < spec->setting_count; i++) {
        add_text(out, "option", spec->settings[i].name);
        str_addch(out, ' ');
        value_write_json(out, &spec->settings[i].value);
    }
    for (size_t i = 0; i < space_count(spec->space); i++)
        add_param(out, space_param(spec->space, i));
    for (size_t i = 0; i < space_constraint_count(spec->space); i++)
        add_text(out, "constraint", expr_text(space_constraint(spec->space, i)));
    add_u64(out, "shuffle", spec->shuffle);
    add_u64(out, "repeats", spec->repeats);
    if (spec->has_seed)
        add_u64(out, "seed", spec->seed);
}

static void add_early_stop(struct str *out, const struct stop_rule *rule)
{
    if (rule->kind == STOP_NONE)
        return;
    if (rule->kind == STOP_HYPERBAND) {
        str_addf(out, "\nhyperband=%lld %lld %lld %d", (long long)rule->min_iter,
                 (long long)rule->max_iter, (long long)rule->s, rule->strict);
        add_double(out, "eta", rule->eta);
        return;
    }
    const struct stop_type *type = stop_type(rule->kind);
    add_text(out, "stop", type->name);
    for (const struct strategy_option *option = type->options; option->name; option++) {
        const struct value value = stop_rule_get(rule, option->name);
        add_text(out, "stop option", option->name);
        str_addch(out, ' ');
        value_write_json(out, &value);
    }
}

static void add_goal(struct str *out, const struct spec *spec)
{
    for (size_t i = 0; i == 0 || i < spec->objective_count; i++) {
        const struct objective *objective = &spec->objectives[i];
        add_text(out, "metric", objective->name);
        add_text(out, "goal", objective->goal == GOAL_MAXIMIZE ? "maximize" : "minimize");
        add_text(out, "pattern", objective->pattern);
    }
    add_early_stop(out, &spec->early_stop);
}

static void add_launch(struct str *out, const struct spec *spec)
{
    add_text(out, "program", spec->program);
    for (size_t i = 0; i < spec->command_count; i++)
        add_text(out, "command", spec->command[i]);
    for (size_t i = 0; i < spec->env_count; i++) {
        add_text(out, "env", spec->env[i].name);
        add_text(out, "is", spec->env[i].value);
    }
    add_text(out, "working_dir", spec->working_dir);
}

uint64_t spec_fingerprint(const struct spec *spec)
{
    struct str text = STR_INIT;
    add_search(&text, spec);
    add_goal(&text, spec);
    add_launch(&text, spec);
    uint64_t hash = hash64(str_get(&text), text.len, FINGERPRINT_SEED);
    str_release(&text);
    return hash;
}
