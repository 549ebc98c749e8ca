// trawl validate and trawl plan: what a spec says, before anything runs.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/table.h"

#include "base/json.h"
#include "base/num.h"
#include "space/command.h"
#include "spec/spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_DRAWS 20000 // samples for the feasible share
#define PLAN_DEFAULT 5

// Read a spec from a file, or from standard input for "-".
static int load(const char *path, struct spec **ret, struct problems *problems, struct err *err)
{
    if (strcmp(path, "-") != 0)
        return spec_load(path, ret, problems, err);
    struct str text = STR_INIT;
    int c;
    while ((c = getchar()) != EOF && text.len <= SPEC_BYTES_MAX)
        str_addch(&text, (char)c);
    int rc = text.len > SPEC_BYTES_MAX
                 ? err_set(err, ERR_LIMIT, "the spec on standard input is larger than %u bytes", SPEC_BYTES_MAX)
                 : spec_parse(str_get(&text), text.len, ret, problems);
    str_release(&text);
    return rc;
}

static void write_option_range(struct str *out, const struct strategy_option *option)
{
    char text[NUM_TEXT_MAX];
    if (option->kind == OPTION_TEXT) {
        str_add(out, "text");
    } else if (option->kind == OPTION_BOOL) {
        str_add(out, "true, false");
    } else if (option->kind == OPTION_WORD) {
        for (const char *const *word = option->words; *word; word++)
            str_addf(out, "%s%s", word == option->words ? "" : ", ", *word);
    } else {
        const double bounds[] = {option->min, option->max};
        for (int i = 0; i < 2; i++) {
            str_add(out, i ? " to " : "");
            if (option->kind == OPTION_INT && isfinite(bounds[i])) {
                str_addf(out, "%.0f", bounds[i]);
            } else {
                num_format_double(bounds[i], text);
                str_add(out, text);
            }
        }
    }
}

// The options of the method with the values in force.
static void print_options(const struct spec *spec)
{
    static const char *const titles[] = {"option", "value", "default", "range", "meaning", NULL};
    const struct strategy_method *method = strategy_find(spec->strategy);
    if (!method->options || !method->options->name)
        return;
    struct table *table = table_new(titles);
    for (const struct strategy_option *option = method->options; option->name; option++) {
        const struct value *set = spec_setting(spec, option->name);
        struct str value = STR_INIT, range = STR_INIT;
        if (set)
            value_write_plain(&value, set);
        write_option_range(&range, option);
        table_cell(table, option->name);
        table_cell(table, set ? str_get(&value) : option->default_text);
        table_cell(table, option->default_text);
        table_cell(table, str_get(&range));
        table_cell(table, option->help);
        str_release(&value);
        str_release(&range);
    }
    printf("options of method %s (`strategy:`)\n", method->name);
    table_print(table, stdout, terminal_width(stdout));
    table_free(table);
}

static int validate_one(const struct command_line *line, const char *path)
{
    struct spec *spec = NULL;
    struct problems problems = {0};
    struct err err = {0};
    struct str out = STR_INIT;
    int rc = load(path, &spec, &problems, &err);
    int code = rc == 0 ? 0 : 1;
    if (rc != 0 && problems.error_count == 0) {
        code = context_fail(line, &err);
    } else if (line_has(line, "json")) {
        spec_write_json(&out, spec, &problems, path);
        puts(str_get(&out));
    } else {
        problems_write_text(&out, &problems, path);
        fputs(str_get(&out), stdout);
        if (rc == 0 && !line_has(line, "quiet"))
            print_options(spec);
        fflush(stdout);
        if (rc == 0 && !line_has(line, "quiet"))
            fprintf(stderr, "%s is valid: method %s, %zu parameters\n", path, spec->method, space_count(spec->space));
    }
    str_release(&out);
    problems_release(&problems);
    spec_free(spec);
    return code;
}

int command_validate(const struct command_line *line)
{
    int worst = 0;
    for (size_t i = 0; i < line->positional_count; i++) {
        int code = validate_one(line, line->positionals[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

// ---- plan

static void write_list(struct str *out, const struct param *param)
{
    for (size_t i = 0; i < param->value_count; i++) {
        if (i == 8 && param->value_count > 9) {
            str_addf(out, ", ... (%zu)", param->value_count);
            break;
        }
        str_add(out, i ? ", " : "");
        value_write_plain(out, &param->values[i]);
        if (param->probabilities)
            str_addf(out, " (%.3g)", param->probabilities[i]);
    }
}

static void write_range(struct str *out, const struct param *param)
{
    switch (param->dist) {
    case DIST_CONSTANT:
    case DIST_CATEGORICAL:
    case DIST_CATEGORICAL_P:
        write_list(out, param);
        return;
    case DIST_INT_UNIFORM:
        str_addf(out, "%lld to %lld", (long long)param->int_min, (long long)param->int_max);
        return;
    case DIST_NORMAL:
    case DIST_LOG_NORMAL:
    case DIST_Q_NORMAL:
    case DIST_Q_LOG_NORMAL:
        str_addf(out, "mu %g, sigma %g", param->mu, param->sigma);
        break;
    case DIST_BETA:
    case DIST_Q_BETA:
        str_addf(out, "a %g, b %g", param->a, param->b);
        break;
    case DIST_LOG_UNIFORM:
    case DIST_Q_LOG_UNIFORM:
        str_addf(out, "%g to %g", exp(param->min), exp(param->max));
        break;
    case DIST_INV_LOG_UNIFORM:
        str_addf(out, "%g to %g", exp(-param->max), exp(-param->min));
        break;
    case DIST_UNIFORM:
    case DIST_Q_UNIFORM:
    case DIST_LOG_UNIFORM_VALUES:
    case DIST_Q_LOG_UNIFORM_VALUES:
    case DIST_INV_LOG_UNIFORM_VALUES:
    case DIST_COUNT:
        str_addf(out, "%g to %g", param->min, param->max);
        break;
    }
    if (param->q > 0)
        str_addf(out, ", step %g", param->q);
}

static void print_space(const struct spec *spec)
{
    static const char *const titles[] = {"parameter", "distribution", "range", "when", NULL};
    struct table *table = table_new(titles);
    for (size_t i = 0; i < space_count(spec->space); i++) {
        const struct param *param = space_param(spec->space, i);
        struct str range = STR_INIT;
        write_range(&range, param);
        table_cell(table, param->name);
        table_cell(table, dist_name(param->dist));
        table_cell(table, str_get(&range));
        table_cell(table, param->when ? expr_text(param->when) : "");
        str_release(&range);
    }
    table_print(table, stdout, terminal_width(stdout));
    table_free(table);
}

// Share of random draws that satisfy all constraints.
static double feasible_share(const struct spec *spec)
{
    size_t count = space_count(spec->space), feasible = 0;
    double *units = calloc(count ? count : 1, sizeof *units);
    if (!units)
        return 0;
    for (uint64_t i = 0; i < SHARE_DRAWS; i++) {
        struct rng rng;
        struct config config = {0};
        rng_stream(&rng, spec->seed, "plan", i);
        for (size_t p = 0; p < count; p++)
            units[p] = rng_double(&rng);
        config_from_unit(spec->space, units, &config);
        feasible += config_feasible(spec->space, &config, NULL);
        config_release(&config);
    }
    free(units);
    return (double)feasible / SHARE_DRAWS;
}

static void print_facts(const struct spec *spec)
{
    uint64_t grid;
    printf("method      %s%s%s\n", spec->method, strcmp(spec->method, spec->strategy) != 0 ? ", run as " : "",
           strcmp(spec->method, spec->strategy) != 0 ? spec->strategy : "");
    for (size_t i = 0; i < spec->objective_count; i++)
        printf("%-11s %s %s\n", i ? "" : spec->objective_count > 1 ? "objectives" : "objective",
               spec->objectives[i].goal == GOAL_MAXIMIZE ? "maximize" : "minimize", spec->objectives[i].name);
    printf("parameters  %zu\n", space_count(spec->space));
    if (space_grid_count(spec->space, &grid, NULL) == 0)
        printf("grid        %llu points%s\n", (unsigned long long)grid,
               space_has_conditions(spec->space) || space_constraint_count(spec->space)
                   ? ", before conditions and constraints"
                   : "");
    if (spec->repeats > 1)
        printf("repeats     %u runs of each configuration\n", spec->repeats);
    if (spec->run_cap)
        printf("run cap     %llu\n", (unsigned long long)spec->run_cap);
    if (space_constraint_count(spec->space))
        printf("feasible    about %.3g %% of the space (%d draws)\n", feasible_share(spec) * 100, SHARE_DRAWS);
    printf("seed        %llu%s\n", (unsigned long long)spec->seed, spec->has_seed ? "" : " (derived from the spec)");
}

static void print_config(const struct spec *spec, uint64_t number, const struct config *config)
{
    struct str text = STR_INIT;
    config_write_json(&text, spec->space, config);
    printf("%4llu  %s\n", (unsigned long long)number, str_get(&text));
    str_release(&text);
}

static void print_command(const struct spec *spec, const struct config *config)
{
    struct command command = {0};
    struct str text = STR_INIT;
    struct command_context context = {.program = spec->program,
                                      .space = spec->space,
                                      .config = config,
                                      .trial = 1,
                                      .seed = spec->seed};
    command_expand((const char *const *)spec->command, spec->command_count, &context, &command);
    command_write_shell(&text, &command);
    printf("\ncommand line of the first run\n      %s\n", str_get(&text));
    str_release(&text);
    command_release(&command);
}

// The first configurations, as the strategy gives them.
static int print_first(const struct spec *spec, uint64_t count, struct err *err)
{
    const struct strategy_setup setup = spec_strategy_setup(spec);
    struct strategy *strategy = NULL;
    struct config first = {0};
    int rc = strategy_new(spec->strategy, &setup, &strategy, err);
    if (rc != 0)
        return rc;
    printf("\nfirst configurations\n");
    for (uint64_t i = 1; i <= count && rc == 0; i++) {
        struct config config = {0};
        do
            rc = strategy_ask(strategy, i, &config, err);
        while (rc == ERR_AGAIN && strcmp(spec->strategy, "grid") == 0);
        if (rc == 0) {
            print_config(spec, i, &config);
            if (i == 1)
                config_copy(&config, &first);
        }
        config_release(&config);
    }
    if (first.count > 0 || rc == 0)
        print_command(spec, &first);
    config_release(&first);
    strategy_free(strategy);
    return rc == ERR_EXHAUSTED || rc == ERR_AGAIN ? 0 : rc; // the next ones depend on results
}

int command_plan(const struct command_line *line)
{
    const char *path = line_positional(line, 0);
    struct spec *spec = NULL;
    struct problems problems = {0};
    struct err err = {0};
    struct str text = STR_INIT;
    int rc = load(path, &spec, &problems, &err);
    if (line_has(line, "json") && (rc == 0 || problems.error_count)) {
        spec_write_json(&text, spec, &problems, path);
        puts(str_get(&text));
    } else {
        problems_write_text(&text, &problems, path);
        fputs(str_get(&text), stderr);
        if (rc != 0 && problems.error_count)
            err_set(&err, rc, "%s is not usable as it is; mend the errors above", path);
        if (rc == 0) {
            print_facts(spec);
            printf("\n");
            print_space(spec);
            rc = print_first(spec, line_u64(line, "count", PLAN_DEFAULT), &err);
        }
        if (rc != 0)
            context_fail(NULL, &err);
    }
    str_release(&text);
    problems_release(&problems);
    spec_free(spec);
    return rc == 0 ? 0 : err_exit_code(rc);
}
