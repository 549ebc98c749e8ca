// Words of states, the outcome of repeats, and the release of rows.

#include "controller/core/change.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const sweep_words[] = {
#define SWEEP_WORD(id, word, text) word,
    SWEEP_STATE_LIST(SWEEP_WORD)
#undef SWEEP_WORD
};

static const struct {
    const char *word;
    bool terminal;
} trial_words[] = {
#define TRIAL_WORD(id, word, terminal, text) {word, terminal},
    TRIAL_STATE_LIST(TRIAL_WORD)
#undef TRIAL_WORD
};

static const char *const attempt_words[] = {
#define ATTEMPT_WORD(id, word, text) word,
    ATTEMPT_STATE_LIST(ATTEMPT_WORD)
#undef ATTEMPT_WORD
};

const char *sweep_state_word(enum sweep_state state)
{
    return sweep_words[state];
}

const char *trial_state_word(enum trial_state state)
{
    return trial_words[state].word;
}

const char *attempt_state_word(enum attempt_state state)
{
    return attempt_words[state];
}

bool sweep_state_parse(const char *word, enum sweep_state *ret)
{
    for (int i = 0; i < SWEEP_STATE_COUNT; i++) {
        if (strcmp(sweep_words[i], word) == 0) {
            *ret = (enum sweep_state)i;
            return true;
        }
    }
    return false;
}

bool trial_state_parse(const char *word, enum trial_state *ret)
{
    for (int i = 0; i < TRIAL_STATE_COUNT; i++) {
        if (strcmp(trial_words[i].word, word) == 0) {
            *ret = (enum trial_state)i;
            return true;
        }
    }
    return false;
}

bool attempt_state_parse(const char *word, enum attempt_state *ret)
{
    for (int i = 0; i < ATTEMPT_STATE_COUNT; i++) {
        if (strcmp(attempt_words[i], word) == 0) {
            *ret = (enum attempt_state)i;
            return true;
        }
    }
    return false;
}

bool trial_state_terminal(enum trial_state state)
{
    return trial_words[state].terminal;
}

bool sweep_state_terminal(enum sweep_state state)
{
    return state == SWEEP_FINISHED || state == SWEEP_STOPPED || state == SWEEP_CANCELLED;
}

void sweep_row_release(struct sweep_row *row)
{
    free(row->name);
    free(row->spec_text);
    free(row->reason);
    *row = (struct sweep_row){0};
}

void trial_row_release(struct trial_row *row)
{
    free(row->config);
    *row = (struct trial_row){0};
}

void attempt_row_release(struct attempt_row *row)
{
    free(row->message);
    *row = (struct attempt_row){0};
}

void agent_row_release(struct agent_row *row)
{
    free(row->name);
    free(row->host);
    free(row->version);
    free(row->boot);
    free(row->gpus);
    free(row->labels);
    *row = (struct agent_row){0};
}

bool values_complete(const struct values *values, size_t objective_count)
{
    for (size_t i = 0; i < objective_count; i++)
        if (!values->has[i])
            return false;
    return true;
}

// ---- Repeats

static int by_repeat(const void *a, const void *b)
{
    const struct repeat *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool repeat_counts(const struct repeat *repeat, size_t objective_count)
{
    return (repeat->state == TRIAL_DONE || repeat->state == TRIAL_STOPPED) && objective_count > 0 &&
           values_complete(&repeat->values, objective_count);
}

// The mean of an objective and, in *ret_variance, the sample variance: finite, and 0 where there is none to speak of.
static double mean_of(const struct repeat *repeats, size_t count, size_t objective_count, size_t objective, uint32_t counted,
                      double *ret_variance)
{
    double sum = 0, scaled = 0, squares = 0;
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        if (!repeat_counts(&repeats[i], objective_count))
            continue;
        double value = repeats[i].values.at[objective];
        finite = finite && isfinite(value);
        sum += value;
        scaled += value / counted; // where the sum is too large for a number
    }
    double mean = finite && isinf(sum) ? scaled : sum / counted;
    *ret_variance = 0;
    if (counted < 2 || !isfinite(mean))
        return mean;
    for (size_t i = 0; i < count; i++) {
        double distance = repeats[i].values.at[objective] - mean;
        if (repeat_counts(&repeats[i], objective_count))
            squares += distance * distance / (counted - 1);
    }
    *ret_variance = fmin(squares, DBL_MAX);
    return mean;
}

static enum point_state point_state_of(const struct repeat *repeats, size_t count, uint32_t counted)
{
    bool done = false, stopped = false, cancelled = false;
    for (size_t i = 0; i < count; i++) {
        done = done || repeats[i].state == TRIAL_DONE;
        stopped = stopped || repeats[i].state == TRIAL_STOPPED;
        cancelled = cancelled || repeats[i].state == TRIAL_CANCELLED;
    }
    if (counted > 0)
        return stopped ? POINT_STOPPED : POINT_DONE;
    // With no value at all: done means that there is no objective.
    return done ? POINT_DONE : stopped ? POINT_STOPPED : cancelled ? POINT_CANCELLED : POINT_FAILED;
}

struct outcome repeats_outcome(struct repeat *repeats, size_t count, size_t objective_count)
{
    struct outcome outcome = {0};
    qsort(repeats, count, sizeof *repeats, by_repeat);
    for (size_t i = 0; i < count; i++)
        outcome.value_count += repeat_counts(&repeats[i], objective_count);
    outcome.state = point_state_of(repeats, count, outcome.value_count);
    for (size_t i = 0; i < objective_count && outcome.value_count > 0; i++)
        outcome.values[i] = mean_of(repeats, count, objective_count, i, outcome.value_count, &outcome.variances[i]);
    return outcome;
}
