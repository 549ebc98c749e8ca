// Configurations and results from files: JSON lines or CSV, such as `trawl export` writes. For --prior and `trawl enqueue`.
//
// JSON lines: {"config":{...},"value":0.3,"state":"done"}, or the configuration alone. CSV: a header, then a line for each; a column is a
// parameter's dotted name, `value` (or the metric's name), `state`, or one of the other columns of an export, which say nothing here.
#pragma once

#include "base/str.h"
#include "space/draft.h"
#include "spec/spec.h"

#define ROWS_BYTES_MAX (64u << 20) // of a file

struct given_row {
    const char *source;         // "old.csv:3"
    struct config_draft *draft; // what it gives
    int problem;                // 0, or why the draft is not complete: a value is outside the space
    struct err why;             // then
    const char *state;          // NULL: not given
    size_t value_count;         // as many as objectives, or 0
    double values[OBJECTIVES_MAX];
};

// Each row in its order. Names that the space lacks are appended to ret_unknown, each once; with NULL they are a row's problem. A file that
// is no such table: ERR_INVALID with the line. A negative return of the callback ends the walk.
int rows_each(const char *path, const struct spec *spec, struct str *ret_unknown, int (*each)(void *, struct given_row *), void *context,
              struct err *err);

// Objectives of a spec (one, called `value`, where it names none), and the name of one.
size_t rows_objective_count(const struct spec *spec);
const char *rows_objective_name(const struct spec *spec, size_t index);

// The values of a JSON row: `values`, a list in the order of the objectives or a mapping by their names; else one value by each name; a
// single one is also called `value`. 0: not all of them are there.
size_t rows_values(const struct spec *spec, const struct json_object *json, double ret[static OBJECTIVES_MAX]);

// A number, or the texts "NaN", "Infinity" and "-Infinity".
bool rows_number(const struct json_object *json, double *ret);

// Append those of a list "a, b" to another unless they are there.
void rows_note_names(struct str *names, const char *list);
