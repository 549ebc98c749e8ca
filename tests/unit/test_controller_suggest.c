// The suggestion thread: asks are answered in order, by the thread or at once, with the same suggestions.

#include "base/mem.h"
#include "controller/suggest.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ANSWER_MS 10000

static const char grid[] = "method: grid\nparameters: {x: {min: 1, max: 7}}\ncommand: ['true']\n";
static const char sobol[] = "method: sobol\nseed: 5\nparameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}\ncommand: ['true']\n";

static struct spec *parse(const char *text)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    assert_int_equal(spec_parse(text, strlen(text), &spec, &problems), 0);
    problems_release(&problems);
    return spec;
}

static void take(struct suggester *suggester, struct answer *ret)
{
    while (!suggester_take(suggester, ret)) {
        struct pollfd fd = {.fd = suggester_fd(suggester), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, ANSWER_MS), 1);
    }
}

static char *text_of(const struct spec *spec, const struct answer *answer)
{
    struct str text = STR_INIT;
    for (size_t i = 0; i < answer->count; i++)
        config_write_json(&text, spec->space, &answer->suggestions[i].config);
    return str_detach(&text);
}

static void test_suggest_answers_at_once_when_the_strategy_is_fast(void **state)
{
    (void)state;
    struct spec *spec = parse(grid);
    struct suggester *suggester = suggester_new(false);
    struct answer answer;
    assert_int_equal(suggester_add(suggester, 1, spec, 0, NULL), 0);
    assert_true(suggester_ask(suggester, &(struct ask){.sweep = 1, .first_point = 1, .count = 5}, &answer));
    assert_int_equal(answer.count, 5);
    assert_int_equal(answer.outcome, 0);
    assert_int_equal(answer.cursor, 5);
    answer_release(&answer);
    assert_true(suggester_ask(suggester, &(struct ask){.sweep = 1, .first_point = 6, .count = 5}, &answer));
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.outcome, ERR_EXHAUSTED);
    answer_release(&answer);
    suggester_free(suggester);
    spec_free(spec);
}

static void test_suggest_gives_the_same_when_the_thread_computes(void **state)
{
    (void)state;
    struct spec *spec = parse(sobol);
    struct suggester *threaded = suggester_new(true), *direct = suggester_new(false);
    assert_int_equal(suggester_add(threaded, 1, spec, 0, NULL), 0);
    assert_int_equal(suggester_add(direct, 1, spec, 0, NULL), 0);
    struct answer answer;
    for (uint64_t i = 0; i < 20; i++) // all at once: answers come in the order of asks
        assert_false(suggester_ask(threaded, &(struct ask){.sweep = 1, .first_point = 3 * i + 1, .count = 3}, &answer));
    for (uint64_t i = 0; i < 20; i++) {
        struct answer expected;
        take(threaded, &answer);
        assert_true(suggester_ask(direct, &(struct ask){.sweep = 1, .first_point = 3 * i + 1, .count = 3}, &expected));
        char *a = text_of(spec, &answer), *b = text_of(spec, &expected);
        assert_string_equal(a, b);
        assert_int_equal(answer.suggestions[0].point, 3 * i + 1);
        assert_int_equal(answer.cursor, expected.cursor);
        free(a);
        free(b);
        answer_release(&answer);
        answer_release(&expected);
    }
    suggester_free(threaded);
    suggester_free(direct);
    spec_free(spec);
}

static void test_suggest_goes_on_from_its_cursor_when_it_is_restored(void **state)
{
    (void)state;
    struct spec *spec = parse(grid);
    struct suggester *suggester = suggester_new(false);
    struct answer answer;
    assert_int_equal(suggester_add(suggester, 1, spec, 6, NULL), 0);
    assert_true(suggester_ask(suggester, &(struct ask){.sweep = 1, .first_point = 7, .count = 3}, &answer));
    char *text = text_of(spec, &answer);
    assert_string_equal(text, "{\"x\":7}");
    free(text);
    answer_release(&answer);
    suggester_free(suggester);
    spec_free(spec);
}

static void test_suggest_ends_when_jobs_are_waiting(void **state)
{
    (void)state;
    struct spec *spec = parse(sobol);
    struct suggester *suggester = suggester_new(true);
    struct answer answer;
    assert_int_equal(suggester_add(suggester, 1, spec, 0, NULL), 0);
    for (uint64_t i = 0; i < 500; i++)
        assert_false(suggester_ask(suggester, &(struct ask){.sweep = 1, .first_point = i + 1, .count = 1}, &answer));
    suggester_free(suggester); // leaks and hangs would show under the sanitizers and the test's time limit
    spec_free(spec);
}

// The suggestion after 40 stopped runs of one value, of which the first (or the last) came farthest.
static char *after_stops(bool threaded, bool first_is_farthest)
{
    static const char tpe[] = "method: tpe\nseed: 5\nmetric: {name: loss}\nparameters: {x: {min: 0.0, max: 1.0}}\ncommand: ['true']\n";
    struct spec *spec = parse(tpe);
    struct suggester *suggester = suggester_new(threaded);
    struct answer answer;
    assert_int_equal(suggester_add(suggester, 1, spec, 0, NULL), 0);
    for (uint64_t point = 1; point <= 41; point++) {
        if (!suggester_ask(suggester, &(struct ask){.sweep = 1, .first_point = point, .count = 1}, &answer))
            take(suggester, &answer);
        assert_int_equal(answer.count, 1);
        if (point == 41)
            break;
        answer_release(&answer);
        int64_t step = (int64_t)(first_is_farthest ? 100 - point : point);
        suggester_tell(suggester, &(struct tell){.sweep = 1, .point = point, .outcome = outcome_of(POINT_STOPPED, 0.5), .has_step = true, .last_step = step});
    }
    char *text = text_of(spec, &answer);
    answer_release(&answer);
    suggester_free(suggester);
    spec_free(spec);
    return text;
}

static void test_suggest_passes_on_how_far_stopped_runs_came_when_told(void **state)
{
    (void)state;
    char *first = after_stops(false, true), *last = after_stops(false, false), *threaded = after_stops(true, true);
    assert_string_not_equal(first, last);
    assert_string_equal(first, threaded);
    free(first);
    free(last);
    free(threaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggest_passes_on_how_far_stopped_runs_came_when_told),
        cmocka_unit_test(test_suggest_answers_at_once_when_the_strategy_is_fast),
        cmocka_unit_test(test_suggest_gives_the_same_when_the_thread_computes),
        cmocka_unit_test(test_suggest_goes_on_from_its_cursor_when_it_is_restored),
        cmocka_unit_test(test_suggest_ends_when_jobs_are_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
