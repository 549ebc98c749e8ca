// A warm start in the core: results from elsewhere, configurations of people, runs that go on from others.

#include "core_fixture.h"

#include "base/json.h"
#include "base/mem.h"

#define SOBOL "method: sobol\nrun_cap: 6\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 0.0, max: 1.0}, k: {values: [a, b]}}\ncommand: ['true']\n"
#define LINE "{\"loss\": 0.5}\n"

static const struct machine one = {.slots = 1};

// Enqueue one JSON configuration; its first trial's number, or the error.
static int enqueue(struct world *world, const char *text, uint64_t *ret_number, uint64_t *ret_point, struct err *err)
{
    struct json_object *json = NULL;
    struct config_draft draft;
    struct enqueued *items = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
    config_draft_init(&draft, core_sweep_spec(world->core, 1)->space);
    assert_int_equal(config_draft_read(&draft, json, NULL, NULL), 0);
    int rc = core_enqueue(world->core, world->now, 1, &draft, 1, &items, err);
    if (rc == 0) {
        *ret_number = items[0].number;
        *ret_point = items[0].point;
        config_release(&items[0].config);
        free(items);
    }
    config_draft_release(&draft);
    json_object_put(json);
    turn(world, 0);
    return rc;
}

static void test_core_enqueued_goes_first_when_others_are_pending(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    uint64_t number, point;
    submit(world, SOBOL);
    connect_agent(world, 0, one);
    assert_int_equal(core_control_sweep(world->core, world->now, 1, VERB_PAUSE, &err), 0);
    finish(world, 0, 1, "", "interrupted", -1);
    assert_trial(world, 1, 1, TRIAL_PENDING);
    assert_int_equal(enqueue(world, "{\"x\":0.5,\"k\":\"b\"}", &number, &point, &err), 0);
    assert_int_equal(number, 2);
    assert_sweep(world, 1, SWEEP_PAUSED);
    assert_true(trial(world, 1, 2)->enqueued);
    assert_string_equal(trial(world, 1, 2)->config, "{\"k\":\"b\",\"x\":0.5}");
    assert_event(world, "enqueued: enqueued by a person\n");
    restart(world);
    connect_agent(world, 0, one);
    assert_int_equal(core_control_sweep(world->core, world->now, 1, VERB_RESUME, &err), 0);
    turn(world, 1);
    assert_trial(world, 1, 2, TRIAL_RUNNING);
    assert_trial(world, 1, 1, TRIAL_PENDING);
}

static void test_core_enqueued_has_a_point_of_its_own_when_an_ask_is_out(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    uint64_t number, point;
    submit(world, SOBOL);
    world->hold_answers = true;
    connect_agent(world, 0, (struct machine){.slots = 2});
    assert_int_equal(world->held_ask_count, 1);
    struct ask ask = world->held_asks[0];
    assert_int_equal(enqueue(world, "{\"x\":0.5}", &number, &point, &err), 0);
    assert_int_equal(point, ask.first_point + ask.count);
    assert_int_equal(number, 1);
    assert_event(world, "drawn at random: k\n");
    world->hold_answers = false;
    answer_asks(world);
    for (uint64_t a = 1; a < world->trial_end; a++)
        for (uint64_t b = a + 1; b < world->trial_end; b++)
            assert_int_not_equal(world->trials[a].point, world->trials[b].point);
    assert_true(world->sweeps[1].point_count >= point);
}

static void test_core_enqueue_takes_nothing_when_there_is_no_room(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    uint64_t number, point;
    submit(world, SOBOL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(enqueue(world, "{\"x\":0.5}", &number, &point, &err), 0);
    assert_int_equal(enqueue(world, "{\"x\":0.5}", &number, &point, &err), ERR_STATE);
    assert_non_null(strstr(err.text, "room for 0 more"));
    assert_int_equal(world->sweeps[1].trial_count, 6);
}

static void test_core_enqueue_promises_room_to_an_ask_when_it_is_out(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    uint64_t number, point;
    submit(world, SOBOL);
    world->hold_answers = true;
    connect_agent(world, 0, (struct machine){.slots = 5});
    uint64_t free_places = 6 - world->held_asks[0].count;
    for (uint64_t i = 0; i < free_places; i++)
        assert_int_equal(enqueue(world, "{\"x\":0.5}", &number, &point, &err), 0);
    assert_int_equal(enqueue(world, "{\"x\":0.5}", &number, &point, &err), ERR_STATE);
    world->hold_answers = false;
    answer_asks(world);
    assert_int_equal(world->sweeps[1].trial_count, 6);
}

static int give_priors(struct world *world, uint64_t offset, size_t count, size_t *ret_taken, struct err *err)
{
    struct prior_row rows[4];
    uint64_t first;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct prior_row){.config = (char *)"{\"x\":0.5}", .source = (char *)"f:1", .value_count = 1, .values = {(double)(offset + i)}, .state = TRIAL_DONE};
    int rc = core_prior(world->core, world->now, 1, offset, rows, count, &first, ret_taken, err);
    turn(world, 0);
    return rc;
}

static void test_core_priors_are_taken_once_when_they_are_sent_again(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    size_t taken = 9;
    submit(world, SOBOL);
    assert_int_equal(give_priors(world, 0, 2, &taken, &err), 0);
    assert_int_equal(taken, 2);
    assert_int_equal(give_priors(world, 0, 2, &taken, &err), 0);
    assert_int_equal(taken, 0);
    assert_int_equal(give_priors(world, 1, 3, &taken, &err), 0);
    assert_int_equal(taken, 2);
    assert_int_equal(give_priors(world, 9, 1, &taken, &err), ERR_INVALID);
    assert_int_equal(core_priors(world->core, 1), 4);
    assert_string_equal(str_get(&world->priors), "1 done {\"x\":0.5} f:1 0\n2 done {\"x\":0.5} f:1 1\n3 done {\"x\":0.5} f:1 2\n4 done {\"x\":0.5} f:1 3\n");
    assert_int_equal(world->sweeps[1].trial_count, 0);
    connect_agent(world, 0, one);
    assert_int_equal(give_priors(world, 4, 1, &taken, &err), ERR_STATE);
    assert_non_null(strstr(err.text, "has begun"));
}

static void test_core_priors_are_refused_when_they_are_no_results(void **state)
{
    struct world *world = *state;
    struct err err = {0};
    uint64_t first;
    size_t taken;
    struct prior_row rows[] = {{.config = (char *)"{}", .source = (char *)"a", .state = TRIAL_DONE},
                               {.config = (char *)"{}", .source = (char *)"b", .state = TRIAL_CANCELLED},
                               {.config = (char *)"{}", .source = (char *)"c", .state = TRIAL_FAILED, .value_count = 3}};
    submit(world, SOBOL);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(core_prior(world->core, world->now, 1, 0, &rows[i], 1, &first, &taken, &err), ERR_INVALID);
        assert_true(str_starts(err.text, rows[i].source));
    }
    assert_string_equal(str_get(&world->priors), "");
    assert_int_equal(core_prior(world->core, world->now, 7, 0, rows, 1, &first, &taken, &err), ERR_NOT_FOUND);
}

static void test_core_run_is_told_its_parent_when_it_goes_on_from_another(void **state)
{
    struct world *world = *state;
    submit(world, SOBOL);
    world->hold_answers = true;
    connect_agent(world, 0, one);
    struct suggestion suggestion = {.point = 1, .why = (char *)"rung 2", .parent = 8};
    const double units[] = {0.5, 0.5};
    struct run_of_point run = {.trial = 77, .attempt = 99};
    config_from_unit(core_sweep_spec(world->core, 1)->space, units, &suggestion.config);
    suggestion.parent_runs = &run;
    suggestion.parent_run_count = 1;
    core_suggested(world->core, world->now, 1, &suggestion, 1, 0, 0, "");
    config_release(&suggestion.config);
    turn(world, 0);
    assert_int_equal(trial(world, 1, 1)->parent, 77);
    assert_int_equal(trial(world, 1, 1)->parent_attempt, 99);
    assert_event(world, "suggested: rung 2\n");
    assert_event(world, "parent: goes on from trial 77\n");
    const struct msg_launch_item *item = launched(world, 1);
    assert_non_null(item);
    assert_int_equal(item->parent_trial, 77);
    assert_int_equal(item->parent_attempt, 99);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(test_core_enqueued_goes_first_when_others_are_pending),
        WORLD(test_core_enqueued_has_a_point_of_its_own_when_an_ask_is_out),
        WORLD(test_core_enqueue_takes_nothing_when_there_is_no_room),
        WORLD(test_core_enqueue_promises_room_to_an_ask_when_it_is_out),
        WORLD(test_core_priors_are_taken_once_when_they_are_sent_again),
        WORLD(test_core_priors_are_refused_when_they_are_no_results),
        WORLD(test_core_run_is_told_its_parent_when_it_goes_on_from_another),
    };
    return cmocka_run_group_tests_name("core_warm", tests, NULL, NULL);
}
