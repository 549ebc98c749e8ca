// The document of `trawl validate --json`.
#include "spec/problems.h"
#include "spec/spec.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static void write_problems(struct str *out, const char *key, const struct problems *problems,
                           enum problem_severity severity, const char *file)
{
    bool first = true;
    str_addf(out, "\"%s\":[", key);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        if (problem->severity != severity)
            continue;
        str_add(out, first ? "{\"file\":" : ",{\"file\":");
        json_write_string(out, file, strlen(file));
        str_addf(out, ",\"line\":%d,\"column\":%d,\"message\":", problem->line, problem->column);
        json_write_string(out, problem->message, strlen(problem->message));
        str_addch(out, '}');
        first = false;
    }
    str_add(out, "],");
}

static void write_bound(struct str *out, const char *key, double bound)
{
    str_addf(out, ",\"%s\":", key);
    if (isfinite(bound))
        json_write_double(out, bound);
    else
        str_add(out, "null"); // no bound
}

static void write_range(struct str *out, const struct strategy_option *option)
{
    if (option->kind == OPTION_INT || option->kind == OPTION_FLOAT) {
        write_bound(out, "min", option->min);
        write_bound(out, "max", option->max);
    } else if (option->kind == OPTION_WORD) {
        str_add(out, ",\"words\":[");
        for (const char *const *word = option->words; *word; word++) {
            str_add(out, word == option->words ? "" : ",");
            json_write_string(out, *word, strlen(*word));
        }
        str_addch(out, ']');
    }
}

const struct value *spec_setting(const struct spec *spec, const char *name)
{
    const struct value *found = NULL;
    for (size_t i = 0; i < spec->setting_count; i++) // the last one counts, as in a mapping
        if (strcmp(spec->settings[i].name, name) == 0)
            found = &spec->settings[i].value;
    return found;
}

static const char *kind_word(const struct strategy_option *option)
{
    switch (option->kind) {
    case OPTION_INT:
        return "int";
    case OPTION_FLOAT:
        return "float";
    case OPTION_BOOL:
        return "bool";
    case OPTION_WORD:
        return "word";
    case OPTION_TEXT:
        return "text";
    }
    return "";
}

// Numbers and booleans are JSON as they stand; a text without a default must be given.
static void write_default(struct str *out, const struct strategy_option *option)
{
    if (option->kind == OPTION_TEXT && (!option->default_text || !*option->default_text))
        str_add(out, "null");
    else if (option->kind == OPTION_WORD || option->kind == OPTION_TEXT)
        json_write_string(out, option->default_text, strlen(option->default_text));
    else
        str_add(out, option->default_text);
}

static void write_options(struct str *out, const struct spec *spec)
{
    const struct strategy_method *method = strategy_find(spec->strategy);
    str_addch(out, '[');
    for (const struct strategy_option *option = method->options; option && option->name; option++) {
        const struct value *set = spec_setting(spec, option->name);
        str_add(out, option == method->options ? "{\"name\":" : ",{\"name\":");
        json_write_string(out, option->name, strlen(option->name));
        str_addf(out, ",\"kind\":\"%s\",\"value\":", kind_word(option));
        if (set)
            value_write_json(out, set);
        else
            write_default(out, option);
        str_add(out, ",\"default\":");
        write_default(out, option);
        str_addf(out, ",\"given\":%s", set ? "true" : "false");
        write_range(out, option);
        str_add(out, ",\"help\":");
        json_write_string(out, option->help, strlen(option->help));
        str_addch(out, '}');
    }
    str_addch(out, ']');
}

void spec_write_json(struct str *out, const struct spec *spec, const struct problems *problems,
                     const char *file)
{
    uint64_t points;
    str_addf(out, "{\"valid\":%s,", spec ? "true" : "false");
    write_problems(out, "errors", problems, PROBLEM_ERROR, file);
    write_problems(out, "warnings", problems, PROBLEM_WARNING, file);
    write_problems(out, "notices", problems, PROBLEM_NOTICE, file);
    str_add(out, "\"method\":");
    if (spec)
        json_write_string(out, spec->method, strlen(spec->method));
    else
        str_add(out, "null");
    str_add(out, ",\"parameters\":");
    if (spec)
        str_addf(out, "%zu", space_count(spec->space));
    else
        str_add(out, "null");
    str_add(out, ",\"grid_points\":");
    if (spec && spec_grid_points(spec, &points))
        str_addf(out, "%llu", (unsigned long long)points);
    else
        str_add(out, "null");
    str_add(out, ",\"strategy\":");
    if (spec) {
        str_add(out, "{\"method\":");
        json_write_string(out, spec->strategy, strlen(spec->strategy));
        str_add(out, ",\"options\":");
        write_options(out, spec);
        str_addch(out, '}');
    } else {
        str_add(out, "null");
    }
    str_addch(out, '}');
}
