// The document of `trawl validate --json`.
#include "spec/problems.h"
#include "spec/spec.h"

#include "base/json.h"

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
    str_addch(out, '}');
}
