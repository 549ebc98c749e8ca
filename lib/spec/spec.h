// The sweep spec: YAML in, a checked sweep out, with every problem reported at its place.
//
// Reads W&B's complete sweep schema (reference/wandb.md 1 to 3) and Trawl's extension keys (docs/spec.md).
// All problems are collected; a spec with at least one error is not usable. Pure but for spec_load,
// which reads the file.
#pragma once

#include "base/err.h"
#include "base/exit_class.h"
#include "base/str.h"
#include "space/space.h"
#include "strategies/stopping.h"
#include "strategies/strategy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_BYTES_MAX (1u << 20)   // 1 MiB of YAML
#define SPEC_DEPTH_MAX 32           // nesting of collections
#define SPEC_NODES_MAX 200000       // nodes after aliases are expanded
#define SPEC_SCALAR_MAX 65536       // bytes of one scalar
#define SPEC_PROBLEMS_MAX 200       // problems kept; one more line says how many were left out

enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING, PROBLEM_NOTICE };

struct problem {
    enum problem_severity severity;
    int line, column; // 1-based
    char *message;    // one sentence: what, what was expected, the nearest right word, what to do
};

struct problems {
    struct problem *items;
    size_t count;
    size_t capacity;
    size_t error_count, warning_count, notice_count; // all, also those not kept
};

void problems_release(struct problems *problems);

// Text: one "file:line:col: error|warning|notice: message" a line.
void problems_write_text(struct str *out, const struct problems *problems, const char *file);

struct spec_env {
    char *name, *value;
};

// What a run needs of a machine. Zero or empty: not asked for.
struct resources {
    uint32_t cpus;         // whole cores; 0 means the default, 1
    uint32_t gpu_millis;   // 1000 a GPU; fractions share one GPU
    bool gpus_given;       // `gpus:` was written (gpus: 0 keeps a run off the GPUs)
    uint64_t memory_bytes;
    char **labels;         // each must be among the agent's
    size_t label_count;
};

// One of the results that a sweep looks for.
struct objective {
    char *name;            // as the runs report it
    enum goal goal;
    bool has_target;
    double target;         // no new runs once one trial has reached the targets of all objectives that have one
    char *pattern;         // regular expression (PCRE2) over lines of stdout, NULL when there is none
};

enum isolation_policy { ISOLATION_KEEP, ISOLATION_STOP };

struct spec {
    char *text;            // the YAML as read
    size_t text_len;
    uint64_t fingerprint;  // of what decides the sweep; comments, layout and key order do not matter
    char *name;            // may be NULL
    char *project, *entity, *description; // may be NULL
    char *method;          // as written: grid, random, bayes, sobol, ...
    char *strategy;        // the strategy that runs it (a method that is not built in falls back, with a notice)
    struct strategy_setting *settings; // `strategy:`
    size_t setting_count;
    struct space *space;   // sealed
    struct objective objectives[OBJECTIVES_MAX]; // `metric:` or `metrics:`; the first decides where only one can
    size_t objective_count; // 0: none. The goal and pattern of a `metric:` without a name stand in the first place all the same
    struct stop_rule early_stop; // `early_terminate:`, STOP_NONE without
    char *program;         // may be NULL
    char **command;        // items as written, NULL for the default
    size_t command_count;
    uint64_t run_cap;      // 0: none
    uint64_t budget_trials, budget_ms; // 0: none; `budget: {trials, time}`
    bool has_seed;
    uint64_t seed;         // derived from the fingerprint when the spec has none
    bool shuffle;          // `order: shuffle`
    uint32_t retry[EXIT_CLASS_COUNT]; // further attempts allowed after an end of that class
    uint32_t repeats;      // >= 1
    uint64_t timeout_ms;   // 0: none
    uint64_t grace_ms;     // TERM to KILL, default 30,000
    uint32_t parallel;     // most trials at once, 0: no limit
    struct resources resources;
    enum isolation_policy isolation; // `on_isolation: keep|stop`
    struct spec_env *env;
    size_t env_count;
    char *working_dir;     // may be NULL: the agent's; relative ones are relative to that
};

// Parse and check `text` (not NUL-terminated). 0 with *ret set when usable (problems may hold warnings and
// notices), ERR_INVALID when there is at least one error (problems hold them; *ret untouched).
int spec_parse(const char *text, size_t len, struct spec **ret, struct problems *problems);

// Read the file (at most SPEC_BYTES_MAX) and parse it. Other errors (ERR_NOT_FOUND, ERR_LIMIT, ...) leave
// `problems` empty and speak through `err`.
int spec_load(const char *path, struct spec **ret, struct problems *problems, struct err *err);

void spec_free(struct spec *spec);

// What the spec's strategy is made from (strategy_new with spec->strategy); borrows from the spec.
struct strategy_setup spec_strategy_setup(const struct spec *spec);

// The distinct configurations of a grid, conditions and constraints applied. False for other strategies,
// and when they are too many to count (with conditions or constraints they are counted one by one, up to
// about 2,000,000; else more than 64 bits).
bool spec_grid_points(const struct spec *spec, uint64_t *ret);

// The value that `strategy:` gives an option; NULL: its default is in force.
const struct value *spec_setting(const struct spec *spec, const char *name);

// The document of `trawl validate --json` (DESIGN.md section 4). `spec` is NULL when there were errors.
void spec_write_json(struct str *out, const struct spec *spec, const struct problems *problems,
                     const char *file);

// All top-level keys that a spec may have (NULL-terminated), W&B's and Trawl's.
extern const char *const spec_keys[];
