// What the end of `trawl run`, `trawl best` and `trawl status` print of a sweep.
#pragma once

#include "cli/options.h"
#include "controller/store/store.h"
#include "spec/spec.h"

#include <stdio.h>

// What a sweep is called: the name given, else the spec's, else the file's without directory and extension. The caller frees.
char *report_sweep_name(const char *given, const struct spec *spec, const char *path);

// The spec stored with a sweep; NULL when this version cannot read it.
struct spec *report_spec(const struct sweep_row *row);

// The `top` best trials as a table: number, value, then the parameters that vary; with several objectives, so many of the front, and how
// many more there are. Nothing when the sweep has no objective.
int report_best_table(FILE *out, struct store *store, const struct sweep_row *row, const struct spec *spec,
                      uint64_t top, struct err *err);

// With several objectives one line: the size of the front and its hypervolume.
int report_front_line(FILE *out, struct store *store, const struct sweep_row *row, const struct spec *spec, struct err *err);

// The best trial by the first objective; ERR_NOT_FOUND when none has a value.
int report_best_trial(struct store *store, const struct sweep_row *row, const struct spec *spec,
                      struct trial_row *ret, struct err *err);

// The command line that runs a trial's configuration again, for a shell.
int report_command(struct str *out, const struct spec *spec, const struct trial_row *trial, struct err *err);

// The reason of the first failed trial, as one line: "trial 3: failed, exit code 2: No such file". Nothing when none failed.
int report_failure(FILE *out, struct store *store, const struct sweep_row *row, struct err *err);

// One line: "k3x9ab12 resnet: finished, 24 done, 1 failed".
void report_line(FILE *out, const struct sweep_row *row);

// Its warm start: prior trials, and configurations of people that wait to be run.
struct warm {
    uint64_t priors, waiting;
};
int report_warm(struct store *store, const struct sweep_row *row, struct warm *ret, struct err *err);

// The sweep as a JSON object (appended): sweep, name, state, reason, method, metric, goal, counts, priors, enqueued, best; with
// several objectives also these and the front, and no best.
int report_json(struct str *out, struct store *store, const struct sweep_row *row, const struct spec *spec,
                struct err *err);

// A trial as a JSON object (appended): sweep, trial, state, value, config, summary, times, attempt, where it came from; with several objectives also values, by
// name. `spec` may be NULL.
int report_trial_json(struct str *out, struct store *store, const struct sweep_row *sweep, const struct spec *spec,
                      const struct trial_row *trial, struct err *err);
