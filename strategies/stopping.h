// Early stopping: which runs are not worth finishing, judged by the values of the objective that they report on their
// way. Pure: no clock, file or randomness.
//
// A rule is told every report of every run, in the order within each run; it answers at once whether that run shall go
// on. What it knows is a function of the curves alone, whatever the order between runs (below RANK_NODES_MAX values), so
// it is restored by telling the stored curves again. One report costs O(log n) for n runs; memory is 32 bytes for each run
// and each place (band, rung, check) that it has reached, RANK_NODES_MAX of them at most: beyond that runs are still judged, by
// those that are known, but not added to them.
//
// Places lie on an axis: the count of reports of a run (1 for its first), or the step that it reports (`over: step`; a
// step that goes back counts as the highest before it). Costs are values, negated when the goal is to maximize.
//
//   hyperband   W&B's rule (wandb/sweeps, hyperband_stopping.py): bands; only finite values count as reports. A run is judged
//               at each report, by the last band it has reached: it stops when its cost there (strict) or its lowest cost so far
//               (not strict) is above the value at place int(count / eta) of the sorted costs of all runs at that band.
//   asha        asynchronous successive halving in its stopping form (Li et al. 2020): rungs min_iter * eta^k; a run that reaches
//               one goes on when fewer than max(1, floor(n / eta)) of the n runs that reached it, itself among them, were better there.
//   median,     at each check a run stops when its lowest cost so far is above a percentile of the other runs' mean costs up to
//   percentile  there (Golovin et al. 2017, Vizier's median rule); all other runs that came so far count, ended or not.
//   threshold   a value above `above`, below `below`, or NaN.
//   patience    no new lowest cost, by at least min_delta, for `patience` reports or steps (Prechelt 1998).
//
// NaN counts as infinite cost in asha, median, percentile and as no improvement in patience; a mean is that of the finite values.
#pragma once

#include "base/str.h"
#include "strategies/strategy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stop_kind { STOP_NONE, STOP_HYPERBAND, STOP_ASHA, STOP_MEDIAN, STOP_PERCENTILE, STOP_THRESHOLD, STOP_PATIENCE };

// The settings of a rule. Which of them a kind has, its table of options says; the others are not looked at.
struct stop_rule {
    enum stop_kind kind;
    int64_t min_iter;    // hyperband: first band; asha: first rung; else no run is judged before this place
    int64_t max_iter;    // hyperband: bands are max_iter / eta^i, i = 1..s; asha: rungs lie below it; 0: not given
    int64_t s;           // hyperband; 0: not given
    double eta;          // > 1
    bool strict;         // hyperband
    int64_t min_trials;  // runs that must have reached a place before one is judged there
    int64_t interval;    // median, percentile: distance of checks
    double percentile;   // 0..100: the best so many per cent go on; median: 50
    double above, below; // threshold; infinite: not given
    int64_t patience;
    double min_delta;
    bool over_steps;     // the axis is the reported step, not the count of reports
};

// A type of rule and its options; the table ends with a NULL name, as that of the options. An option's default_text is
// "none" where it may be left out and has no default.
struct stop_type {
    const char *name; // as in `early_terminate: {type: NAME}`
    enum stop_kind kind;
    const struct strategy_option *options;
    const char *help; // one line
};
const struct stop_type *stop_types(void);
const struct stop_type *stop_find(const char *name);     // NULL when there is none
const struct stop_type *stop_type(enum stop_kind kind);  // not STOP_NONE

// The rule with its defaults; and one option of it set or read. Values have the option's kind: VALUE_INT, VALUE_FLOAT
// (an integer will do), VALUE_BOOL, VALUE_STRING (`over`: reports or step); a text read is static.
struct stop_rule stop_rule_of(const struct stop_type *type);
void stop_rule_set(struct stop_rule *rule, const char *option, const struct value *value);
struct value stop_rule_get(const struct stop_rule *rule, const char *option);

#define STOP_BANDS_MAX 100 // as W&B has it

// The ascending bands of hyperband or rungs of asha, none twice; returns how many. Zero for other kinds and for settings that
// give none.
size_t stop_bands(const struct stop_rule *rule, int64_t bands[static STOP_BANDS_MAX]);

// Whether a run is judged by what others reported.
bool stop_compares(const struct stop_rule *rule);

struct stopping;

// The rule at work. *rule is copied.
struct stopping *stopping_new(const struct stop_rule *rule, enum goal goal);
void stopping_free(struct stopping *stopping);

// A run reports its objective. True: it should end now, and *ret_why is appended a sentence with the numbers compared. A run
// that is told to end may report on; it is judged again each time.
bool stopping_report(struct stopping *stopping, uint64_t run, int64_t step, double value, struct str *ret_why);

// The run begins anew (another attempt): what it reported is forgotten.
void stopping_restart(struct stopping *stopping, uint64_t run);

// The run has ended and reports no more; what it reported still counts. Its record may be dropped when memory is short (a
// million runs), and then stopping_restart cannot take its values out again.
void stopping_end(struct stopping *stopping, uint64_t run);

#define STOP_RECORDS_MAX (1u << 20) // runs whose record is kept after their end; about 130 MiB
