// Finding and walking: what a restart needs, and what people ask for.

#include "base/mem.h"
#include "tests/unit/store_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct seen {
    size_t count, stop_at; // stop_at 0: never
    uint64_t ids[64];
    double values[64];
};

static int see_trial(void *context, const struct trial_row *row)
{
    struct seen *seen = context;
    seen->values[seen->count] = row->values.has[0] ? row->values.at[0] : 1e300;
    seen->ids[seen->count++] = row->id;
    return seen->count == seen->stop_at ? ERR_LIMIT : 0;
}

static int see_attempt(void *context, const struct attempt_row *row)
{
    struct seen *seen = context;
    seen->ids[seen->count++] = row->id;
    return 0;
}

static int see_sweep(void *context, const struct sweep_row *row)
{
    struct seen *seen = context;
    seen->ids[seen->count++] = row->id;
    return 0;
}

static int see_sequence(void *context, uint64_t attempt, uint32_t name, uint64_t count)
{
    struct seen *seen = context;
    seen->ids[seen->count++] = attempt * 1000000 + name * 1000 + count;
    return 0;
}

static int see_name(void *context, uint32_t id, const char *name)
{
    struct seen *seen = context;
    assert_string_equal(name, id == 1 ? "loss" : "acc");
    seen->ids[seen->count++] = id;
    return 0;
}

static void saw(const struct seen *seen, size_t count, const uint64_t *ids)
{
    assert_int_equal(seen->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(seen->ids[i], ids[i]);
}

#define SAW(seen, ...)                                                                             \
    saw(seen, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static void test_live_trials_are_the_unfinished_ones_when_all_states_exist(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_sweep(fixture, 2, "bbbbbbbb", "b");
    for (uint64_t i = 0; i < TRIAL_STATE_COUNT; i++) {
        add_trial(fixture, 20 - i, 1 + i % 2, i + 1)->state = (enum trial_state)i;
    }
    fixture_commit(fixture);
    assert_int_equal(store_each_live_trial(fixture->store, see_trial, &seen, NULL), 0);
    SAW(&seen, 20 - TRIAL_RUNNING, 20 - TRIAL_PENDING);
    change_trial(fixture, 20, 1, 1, TRIAL_DONE, 1);
    change_trial(fixture, 20 - TRIAL_FAILED, 2, TRIAL_FAILED + 1, TRIAL_PENDING, 0)->values.has[0] =
        false;
    fixture_commit(fixture);
    seen.count = 0;
    assert_int_equal(store_each_live_trial(fixture->store, see_trial, &seen, NULL), 0);
    SAW(&seen, 20 - TRIAL_FAILED, 20 - TRIAL_RUNNING);
}

static void test_live_attempts_include_lost_ones_when_their_trial_is_open(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_trial(fixture, 1, 1, 1)->state = TRIAL_RUNNING;
    add_trial(fixture, 2, 1, 2)->state = TRIAL_DONE;
    for (uint32_t i = 0; i < ATTEMPT_STATE_COUNT; i++) {
        add_attempt(fixture, 10 + i, 1, 1, i + 1)->state = (enum attempt_state)i;
        add_attempt(fixture, 20 + i, 2, 1, i + 1)->state = (enum attempt_state)i;
    }
    fixture_commit(fixture);
    assert_int_equal(store_each_live_attempt(fixture->store, see_attempt, &seen, NULL), 0);
    SAW(&seen, 10 + ATTEMPT_ASSIGNED, 10 + ATTEMPT_RUNNING, 10 + ATTEMPT_EXITED, 10 + ATTEMPT_LOST,
        20 + ATTEMPT_ASSIGNED, 20 + ATTEMPT_RUNNING, 20 + ATTEMPT_EXITED);
}

static void test_sequences_count_points_when_attempts_are_open(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_trial(fixture, 1, 1, 1)->state = TRIAL_RUNNING;
    add_attempt(fixture, 1, 1, 1, 1)->state = ATTEMPT_SEALED;
    add_attempt(fixture, 2, 1, 1, 2)->state = ATTEMPT_RUNNING;
    add_attempt(fixture, 3, 1, 1, 3)->state = ATTEMPT_RUNNING; // no points
    add_metric_name(fixture, 1, "loss");
    add_metric_name(fixture, 2, "acc");
    for (uint64_t attempt = 1; attempt <= 2; attempt++)
        for (uint64_t i = 0; i < 3; i++)
            add_point(fixture, attempt, 2, i, 1);
    add_point(fixture, 2, 1, 0, 1);
    fixture_commit(fixture);
    assert_int_equal(store_each_sequence(fixture->store, see_sequence, &seen, NULL), 0);
    SAW(&seen, 2001001, 2002003);
    seen.count = 0;
    assert_int_equal(store_each_metric_name(fixture->store, see_name, &seen, NULL), 0);
    SAW(&seen, 1, 2);
}

static void test_sweeps_are_all_given_when_not_only_live_ones_are_asked_for(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    static const char *const KEYS[] = {"a0000000", "b0000000", "c0000000",
                                       "d0000000", "e0000000", "f0000000"};
    for (uint64_t i = 0; i < SWEEP_STATE_COUNT; i++)
        add_sweep(fixture, i + 1, KEYS[i], "s")->state = (enum sweep_state)i;
    fixture_commit(fixture);
    assert_int_equal(store_each_sweep(fixture->store, false, see_sweep, &seen, NULL), 0);
    assert_int_equal(seen.count, SWEEP_STATE_COUNT);
    seen.count = 0;
    assert_int_equal(store_each_sweep(fixture->store, true, see_sweep, &seen, NULL), 0);
    SAW(&seen, SWEEP_RUNNING + 1, SWEEP_PAUSED + 1, SWEEP_STOPPING + 1);
}

static struct trial_row *add_repeat(struct fixture *fixture, uint64_t id, uint64_t point,
                                    uint32_t repeat, enum trial_state trial_state, double value)
{
    struct trial_row *row = add_trial(fixture, id, 1, id);
    row->point = point;
    row->repeat = repeat;
    row->state = trial_state;
    row->values.has[0] = trial_state == TRIAL_DONE || trial_state == TRIAL_STOPPED;
    row->values.at[0] = value;
    return row;
}

static void test_open_repeats_are_finished_siblings_when_one_is_not_finished(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_sweep(fixture, 2, "bbbbbbbb", "b");
    add_repeat(fixture, 1, 1, 0, TRIAL_DONE, 1); // closed group
    add_repeat(fixture, 2, 1, 1, TRIAL_DONE, 2);
    add_repeat(fixture, 3, 2, 0, TRIAL_DONE, 3); // open: the last is missing
    add_repeat(fixture, 4, 2, 1, TRIAL_FAILED, 4);
    add_repeat(fixture, 5, 2, 2, TRIAL_RUNNING, 5);
    add_repeat(fixture, 6, 3, 0, TRIAL_PENDING, 6); // open: the first is missing
    add_repeat(fixture, 7, 3, 1, TRIAL_DONE, 7);
    add_repeat(fixture, 8, 4, 0, TRIAL_RUNNING, 8);         // no repeats
    add_repeat(fixture, 9, 2, 3, TRIAL_DONE, 9)->sweep = 2; // another sweep's point 2
    fixture_commit(fixture);
    assert_int_equal(store_each_open_repeat(fixture->store, see_trial, &seen, NULL), 0);
    SAW(&seen, 3, 4, 7);
}

static int see_outcome(void *context, const struct trial_row *row, const struct outcome *outcome)
{
    struct seen *seen = context;
    seen->values[seen->count] = outcome->value_count > 0 ? outcome->values[0] : 1e300;
    seen->ids[seen->count++] = row->id;
    return 0;
}

static void test_told_points_come_in_their_order_when_told_out_of_order(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_repeat(fixture, 1, 1, 0, TRIAL_DONE, 1)->tell_number = 3;
    add_repeat(fixture, 2, 2, 0, TRIAL_DONE, 2)->tell_number = 1;
    add_repeat(fixture, 3, 3, 0, TRIAL_RUNNING, 3);
    add_repeat(fixture, 4, 4, 0, TRIAL_FAILED, 4)->tell_number = 2;
    fixture_commit(fixture);
    assert_int_equal(store_each_told(fixture->store, 1, 1, see_outcome, &seen, NULL), 0);
    SAW(&seen, 2, 4, 1);
    assert_true(seen.values[0] == 2 && seen.values[1] == 1e300 && seen.values[2] == 1);
}

static int see_told(void *context, const struct trial_row *row, const struct outcome *outcome)
{
    struct seen *seen = context;
    seen->values[seen->count] = (double)outcome->state;
    seen->ids[seen->count++] = row->tell_number;
    return 0;
}

static void test_told_point_has_the_mean_when_it_was_repeated(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0}, told = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_repeat(fixture, 1, 1, 0, TRIAL_DONE,
               1); // the one that ended last has the number of the tell
    add_repeat(fixture, 2, 1, 1, TRIAL_DONE, 2)->tell_number = 2;
    add_repeat(fixture, 3, 1, 2, TRIAL_STOPPED, 6);
    struct trial_row *failed = add_repeat(fixture, 4, 1, 3, TRIAL_FAILED, 99);
    failed->values.has[0] = true; // what it last said before it failed does not count
    failed->values.at[0] = 99;
    add_repeat(fixture, 5, 2, 0, TRIAL_DONE, 1)->tell_number = 1;
    add_repeat(fixture, 6, 2, 1, TRIAL_DONE, NAN);
    add_repeat(fixture, 7, 3, 0, TRIAL_FAILED, 0);
    add_repeat(fixture, 8, 3, 1, TRIAL_CANCELLED, 0)->tell_number = 3;
    fixture_commit(fixture);
    assert_int_equal(store_each_told(fixture->store, 1, 1, see_outcome, &seen, NULL), 0);
    SAW(&seen, 5, 1, 7);
    assert_true(isnan(seen.values[0]));
    assert_true(seen.values[1] == 3);
    assert_true(seen.values[2] == 1e300);
    assert_int_equal(store_each_told(fixture->store, 1, 1, see_told, &told, NULL), 0);
    SAW(&told, 1, 2, 3);
    assert_true(told.values[0] == POINT_DONE && told.values[1] == POINT_STOPPED &&
                told.values[2] == POINT_CANCELLED);
}

static uint64_t found(struct fixture *fixture, const char *word, int *ret_rc, struct err *err)
{
    struct sweep_row row = {0};
    *ret_rc = store_find_sweep(fixture->store, word, &row, err);
    uint64_t id = row.id;
    if (*ret_rc == 0)
        sweep_row_release(&row);
    return id;
}

static void test_find_sweep_takes_key_name_prefix_or_nothing_when_unique(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *word;
        uint64_t id;
        const char *says;
    } CASES[] = {
        {"abcd0001", 1, NULL},
        {"abcd0002", 2, NULL},
        {"abcd0003", 3, NULL},
        {"abcd0001x", 0, "abcd"},
        {"xyz", 4, NULL},
        {"resnet", 3, NULL},
        {"abcd", 0, "several"},
        {"", 4, NULL},
        {NULL, 4, NULL},
        {"abc", 2, NULL}, // a name goes before a prefix
        {"resent", 0, "did you mean 'resnet'"},
        {"nothing-like-it", 0, "`trawl ls`"},
        {"ABCD0001", 0, "there is no sweep"},
        {"abcd000%", 0, "there is no sweep"},
    };
    add_sweep(fixture, 1, "abcd0001", "resnet");
    add_sweep(fixture, 2, "abcd0002", "abc");
    add_sweep(fixture, 3, "abcd0003", "resnet"); // the later of that name
    add_sweep(fixture, 4, "xyz00000", "other");
    fixture_commit(fixture);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err err = {0};
        int rc;
        assert_int_equal(found(fixture, CASES[i].word, &rc, &err), CASES[i].id);
        assert_int_equal(rc, CASES[i].id ? 0 : ERR_NOT_FOUND);
        if (CASES[i].says && !strstr(err.text, CASES[i].says))
            fail_msg("'%s' lacks '%s'", err.text, CASES[i].says);
    }
}

static void test_find_by_fingerprint_gives_the_latest_when_there_are_two(void **state)
{
    struct fixture *fixture = *state;
    struct sweep_row row;
    add_sweep(fixture, 1, "aaaaaaaa", "a")->fingerprint = UINT64_MAX;
    add_sweep(fixture, 2, "bbbbbbbb", "a")->fingerprint = UINT64_MAX;
    add_sweep(fixture, 3, "cccccccc", "a")->fingerprint = 5;
    fixture_commit(fixture);
    assert_int_equal(store_find_sweep_by_fingerprint(fixture->store, UINT64_MAX, &row, NULL), 0);
    assert_int_equal(row.id, 2);
    sweep_row_release(&row);
    assert_int_equal(store_find_sweep_by_fingerprint(fixture->store, 6, &row, NULL), ERR_NOT_FOUND);
}

static void many_trials(struct fixture *fixture)
{
    static const double VALUES[] = {3, NAN, -INFINITY, 5, 3, INFINITY};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_sweep(fixture, 2, "bbbbbbbb", "b");
    add_trial(fixture, 50, 2, 1);
    for (uint64_t i = 0; i < 6; i++) {
        add_trial(fixture, 10 + i, 1, 6 - i);
        change_trial(fixture, 10 + i, 1, 6 - i, i == 3 ? TRIAL_STOPPED : TRIAL_DONE, VALUES[i]);
    }
    add_trial(fixture, 20, 1, 7)->state = TRIAL_RUNNING;
    add_trial(fixture, 21, 1, 8);
    fixture_commit(fixture);
}

static struct seen walk(struct fixture *fixture, struct trial_query query)
{
    struct seen seen = {0};
    query.sweep = 1;
    assert_int_equal(store_each_trial(fixture->store, &query, see_trial, &seen, NULL), 0);
    return seen;
}

static void test_trials_come_by_number_when_not_asked_by_value(void **state)
{
    struct fixture *fixture = *state;
    many_trials(fixture);
    struct seen seen = walk(fixture, (struct trial_query){.state = -1});
    SAW(&seen, 15, 14, 13, 12, 11, 10, 20, 21);
    seen = walk(fixture, (struct trial_query){.state = -1, .limit = 2, .offset = 1});
    SAW(&seen, 14, 13);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_STOPPED});
    SAW(&seen, 13);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_RUNNING});
    SAW(&seen, 20);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_PENDING, .limit = 5});
    SAW(&seen, 21);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_CANCELLED});
    assert_int_equal(seen.count, 0);
}

static void test_trials_come_best_first_when_asked_by_value(void **state)
{
    struct fixture *fixture = *state;
    many_trials(fixture);
    struct seen seen = walk(fixture, (struct trial_query){.state = -1, .by_value = true});
    SAW(&seen, 12, 14, 10, 13, 15, 11, 20, 21);
    seen = walk(fixture, (struct trial_query){.state = -1, .by_value = true, .maximize = true});
    SAW(&seen, 15, 13, 14, 10, 12, 11, 20, 21);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_DONE, .by_value = true, .limit = 3});
    SAW(&seen, 12, 14, 10);
    seen =
        walk(fixture,
             (struct trial_query){.state = TRIAL_DONE, .by_value = true, .limit = 1, .offset = 1});
    SAW(&seen, 14);
    seen = walk(fixture, (struct trial_query){.state = TRIAL_DONE, .by_value = true, .limit = 1});
    SAW(&seen, 12);
    seen = walk(fixture, (struct trial_query){
                             .state = TRIAL_DONE, .by_value = true, .maximize = true, .limit = 1});
    SAW(&seen, 15);
    seen = walk(fixture, (struct trial_query){.state = -1, .by_value = true, .limit = 1});
    SAW(&seen, 12);
}

static void test_best_is_a_nan_when_there_is_no_number(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_trial(fixture, 1, 1, 1);
    change_trial(fixture, 1, 1, 1, TRIAL_DONE, NAN);
    fixture_commit(fixture);
    struct seen seen =
        walk(fixture, (struct trial_query){.state = TRIAL_DONE, .by_value = true, .limit = 1});
    assert_int_equal(seen.count, 1);
    assert_true(isnan(seen.values[0]));
}

static void test_walk_ends_with_the_callbacks_code_when_it_is_negative(void **state)
{
    struct fixture *fixture = *state;
    many_trials(fixture);
    struct trial_query query = {.sweep = 1, .state = -1};
    struct seen seen = {.stop_at = 2};
    assert_int_equal(store_each_trial(fixture->store, &query, see_trial, &seen, NULL), ERR_LIMIT);
    assert_int_equal(seen.count, 2);
    seen = (struct seen){0};
    assert_int_equal(store_each_trial(fixture->store, &query, see_trial, &seen, NULL), 0);
    assert_int_equal(seen.count, 8);
}

struct nested {
    struct fixture *fixture;
    size_t inner;
};

static int count_inner(void *context, const struct trial_row *row)
{
    (void)row;
    ((struct nested *)context)->inner++;
    return 0;
}

static int walk_inside(void *context, const struct trial_row *row)
{
    (void)row;
    struct nested *nested = context;
    struct trial_query query = {.sweep = 1, .state = -1};
    return store_each_trial(nested->fixture->store, &query, count_inner, nested, NULL);
}

static void test_walk_goes_on_when_its_callback_walks_the_same(void **state)
{
    struct fixture *fixture = *state;
    many_trials(fixture);
    struct nested nested = {.fixture = fixture};
    struct trial_query query = {.sweep = 1, .state = -1};
    assert_int_equal(store_each_trial(fixture->store, &query, walk_inside, &nested, NULL), 0);
    assert_int_equal(nested.inner, 64);
}

static void test_find_trial_says_so_when_there_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct trial_row row;
    struct err err = {0};
    many_trials(fixture);
    assert_int_equal(store_find_trial(fixture->store, 1, 99, &row, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "99"));
    assert_int_equal(store_find_trial(fixture->store, 2, 1, &row, &err), 0);
    assert_int_equal(row.id, 50);
    trial_row_release(&row);
}

static int see_point(void *context, const struct point_row *row)
{
    struct seen *seen = context;
    seen->ids[seen->count++] = row->trial_number * 100 + row->attempt;
    return 0;
}

static void test_points_are_of_the_attempt_that_counts_when_there_were_several(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    add_metric_name(fixture, 1, "loss");
    for (uint64_t i = 1; i <= 2; i++) {
        add_trial(fixture, i, 1, 3 - i)->attempt = 20 + i;
        add_attempt(fixture, 10 + i, i, 1, 1);
        add_attempt(fixture, 20 + i, i, 1, 2);
        add_point(fixture, 10 + i, 1, 0, 1);
        add_point(fixture, 20 + i, 1, 0, 2);
    }
    fixture_commit(fixture);
    assert_int_equal(store_each_point(fixture->store, 1, 0, "loss", see_point, &seen, NULL), 0);
    SAW(&seen, 122, 221);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(test_live_trials_are_the_unfinished_ones_when_all_states_exist),
        OPEN(test_live_attempts_include_lost_ones_when_their_trial_is_open),
        OPEN(test_sequences_count_points_when_attempts_are_open),
        OPEN(test_sweeps_are_all_given_when_not_only_live_ones_are_asked_for),
        OPEN(test_open_repeats_are_finished_siblings_when_one_is_not_finished),
        OPEN(test_told_points_come_in_their_order_when_told_out_of_order),
        OPEN(test_told_point_has_the_mean_when_it_was_repeated),
        OPEN(test_find_sweep_takes_key_name_prefix_or_nothing_when_unique),
        OPEN(test_find_by_fingerprint_gives_the_latest_when_there_are_two),
        OPEN(test_trials_come_by_number_when_not_asked_by_value),
        OPEN(test_trials_come_best_first_when_asked_by_value),
        OPEN(test_best_is_a_nan_when_there_is_no_number),
        OPEN(test_walk_ends_with_the_callbacks_code_when_it_is_negative),
        OPEN(test_walk_goes_on_when_its_callback_walks_the_same),
        OPEN(test_find_trial_says_so_when_there_is_none),
        OPEN(test_points_are_of_the_attempt_that_counts_when_there_were_several),
    };
    return cmocka_run_group_tests_name("store_read", tests, NULL, NULL);
}
