// Hostile and large YAML: the limits hold, end the reading at once, and say what is too much.
#include "base/mem.h"
#include "spec/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_error(const char *text, size_t len, const char *part)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    assert_int_equal(spec_parse(text, len, &spec, &problems), ERR_INVALID);
    assert_null(spec);
    assert_true(problems.error_count >= 1);
    bool found = false;
    for (size_t i = 0; i < problems.count; i++)
        found = found || (problems.items[i].severity == PROBLEM_ERROR &&
                          strstr(problems.items[i].message, part));
    if (!found)
        fail_msg("no error with '%s', but '%s'", part, problems.items[0].message);
    problems_release(&problems);
}

// `head`, then `piece` again and again up to `size` bytes, then `tail`.
static struct str repeated(const char *head, const char *piece, size_t size, const char *tail)
{
    struct str text = STR_INIT;
    str_add(&text, head);
    while (text.len + strlen(piece) + strlen(tail) <= size)
        str_add(&text, piece);
    str_add(&text, tail);
    return text;
}

static void expect_repeated(const char *head, const char *piece, const char *tail, const char *part)
{
    struct str text = repeated(head, piece, SPEC_BYTES_MAX, tail);
    expect_error(text.s, text.len, part);
    str_release(&text);
}

static void test_spec_is_refused_when_larger_than_the_limit(void **state)
{
    (void)state;
    struct str text = repeated("method: grid\n", "# comment\n", SPEC_BYTES_MAX + 100, "");
    expect_error(text.s, text.len, "bytes: at most");
    str_release(&text);
}

static void test_spec_is_refused_when_nested_deeply(void **state)
{
    (void)state;
    expect_repeated("", "[", "", "32 levels");
    expect_repeated("", "{a: ", "", "32 levels");
    expect_repeated("", "- ", "", "32 levels");
    expect_repeated("", "? ", "", "32 levels");
}

static void test_spec_is_refused_when_aliases_expand_without_end(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    expect_error("&a [*a]", 7, "never end");
    expect_error("&a {x: *a}", 10, "never end");
    str_add(&text, "v0: &v0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 20; i++)
        str_addf(&text, "v%d: &v%d [*v%d, *v%d, *v%d, *v%d, *v%d, *v%d, *v%d, *v%d, *v%d]\n", i, i,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    expect_error(text.s, text.len, "200000 values");
    str_release(&text);
}

static void test_spec_is_refused_when_aliases_multiply_a_long_text(void **state)
{
    (void)state;
    struct str head = STR_INIT;
    str_add(&head, "a: &a ");
    for (int i = 0; i < 60000; i++)
        str_addch(&head, 'x');
    str_add(&head, "\nb: [");
    struct str text = repeated(str_get(&head), "*a,", SPEC_BYTES_MAX, "]\n");
    expect_error(text.s, text.len, "bytes of text");
    str_release(&text);
    str_release(&head);
}

static void test_spec_is_read_to_its_end_when_it_has_many_anchors(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    for (int i = 0; i < 80000; i++)
        str_addf(&text, "- &a%d x\n", i);
    expect_error(text.s, text.len, "mapping");
    str_release(&text);
}

static void test_spec_is_refused_when_it_has_too_many_values(void **state)
{
    (void)state;
    expect_repeated("method: grid\nx: [", "a,", "]\n", "200000 values");
    expect_repeated("method: grid\nx:\n", "- a\n", "", "200000 values");
}

static void test_spec_is_refused_when_a_text_is_too_long(void **state)
{
    (void)state;
    expect_repeated("method: grid\nname: ", "abcdefg ", "", "bytes: at most 65536");
    expect_repeated("method: grid\nname: '", "abcdefg ", "'", "bytes: at most 65536");
    expect_repeated("method: grid\nname: |\n", "  abc\n", "", "bytes: at most 65536");
}

static void test_spec_ends_when_merges_are_many(void **state)
{
    (void)state;
    struct str head = STR_INIT;
    str_add(&head, "e: &e {}\nm: &m {a: 1}\nx:\n");
    for (int i = 0; i < 30000; i++)
        str_addf(&head, "  k%d: 1\n", i);
    str_add(&head, "  <<: [");
    struct str text = repeated(str_get(&head), "*e,*m,", SPEC_BYTES_MAX, "]\n");
    expect_error(text.s, text.len, "200000 values");
    str_release(&text);
    str_release(&head);
}

static void test_spec_counts_all_problems_when_there_are_more_than_it_keeps(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct str text = STR_INIT, out = STR_INIT;
    str_add(&text, "program: a\nmethod: random\nparameters:\n");
    for (int i = 0; i < 5000; i++)
        str_addf(&text, "  p%d: {values: [1], desc: x}\n", i);
    str_add(&text, "  bad: 1\n");
    assert_int_equal(spec_parse(text.s, text.len, &spec, &problems), ERR_INVALID);
    assert_int_equal(problems.warning_count, 5000);
    assert_int_equal(problems.error_count, 1);
    assert_int_equal(problems.count, SPEC_PROBLEMS_MAX);
    problems_write_text(&out, &problems, "f");
    assert_non_null(strstr(str_get(&out), "error: parameter 'bad'"));
    assert_non_null(strstr(str_get(&out), "f: 4801 more problems are not shown"));
    str_release(&out);
    str_release(&text);
    problems_release(&problems);
}

static void test_spec_is_refused_when_it_has_too_many_parameters(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    str_add(&text, "program: a\nmethod: random\nparameters:\n");
    for (int i = 0; i < SPACE_PARAMS_MAX + 5; i++)
        str_addf(&text, "  p%d: {value: 1}\n", i);
    expect_error(text.s, text.len, "more than 10000 parameters");
    str_release(&text);
}

static void test_spec_is_refused_when_conditions_multiply(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    str_add(
        &text,
        "program: a\nmethod: random\nparameters:\n  x: {min: 1, max: 9}\n  g:\n    when: x == 1");
    while (text.len < 4000)
        str_add(&text, " or x == 1");
    str_add(&text, "\n    parameters:\n");
    for (int i = 0; i < 5000; i++)
        str_addf(&text, "      p%d: {value: 1}\n", i);
    expect_error(text.s, text.len, "conditions of all parameters");
    str_release(&text);
}

static void test_spec_message_stays_one_line_when_the_text_has_line_breaks(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct spec *spec = NULL;
    const char *text = "method: \"a\\nb\\tc\"\nparameters: {x: {value: 1}}\n";
    assert_int_equal(spec_parse(text, strlen(text), &spec, &problems), ERR_INVALID);
    for (size_t i = 0; i < problems.count; i++)
        assert_null(strpbrk(problems.items[i].message, "\n\t"));
    problems_release(&problems);
}

static void test_spec_load_speaks_through_err_when_there_is_no_file(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct err err = {0};
    assert_int_equal(spec_load("/nonexistent/sweep.yaml", &spec, &problems, &err), ERR_NOT_FOUND);
    assert_int_equal(problems.count, 0);
    assert_non_null(strstr(err.text, "sweep.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_is_refused_when_larger_than_the_limit),
        cmocka_unit_test(test_spec_is_refused_when_nested_deeply),
        cmocka_unit_test(test_spec_is_refused_when_aliases_expand_without_end),
        cmocka_unit_test(test_spec_is_refused_when_aliases_multiply_a_long_text),
        cmocka_unit_test(test_spec_is_read_to_its_end_when_it_has_many_anchors),
        cmocka_unit_test(test_spec_is_refused_when_it_has_too_many_values),
        cmocka_unit_test(test_spec_is_refused_when_a_text_is_too_long),
        cmocka_unit_test(test_spec_ends_when_merges_are_many),
        cmocka_unit_test(test_spec_counts_all_problems_when_there_are_more_than_it_keeps),
        cmocka_unit_test(test_spec_is_refused_when_it_has_too_many_parameters),
        cmocka_unit_test(test_spec_is_refused_when_conditions_multiply),
        cmocka_unit_test(test_spec_message_stays_one_line_when_the_text_has_line_breaks),
        cmocka_unit_test(test_spec_load_speaks_through_err_when_there_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
