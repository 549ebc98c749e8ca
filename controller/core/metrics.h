// Lines of metrics.jsonl to points. Pure.
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics_parser;

struct metrics_parser *metrics_parser_new(void);
void metrics_parser_free(struct metrics_parser *parser);

// What a line holds. Names and texts are valid during the call only.
struct metrics_sink {
    void *context;
    // A number. `step` and `time` of the line are known by then; has_step false: the line has none.
    void (*point)(void *context, const char *name, bool has_step, int64_t step, double time, double value);
    // A member of {"summary": {...}}: its JSON text, and its number where it is one.
    void (*summary)(void *context, const char *name, const char *json, bool is_number, double value);
};

// Parse one line (no newline; at most METRIC_LINE_MAX bytes). False when it is no JSON object: garbage, counted by the caller.
// Blank lines are true and give nothing.
bool metrics_parse_line(struct metrics_parser *parser, const char *line, size_t len, const struct metrics_sink *sink);
