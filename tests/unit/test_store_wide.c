// The views that people read with any SQLite tool.

#include "tests/unit/store_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void trial_with(struct fixture *fixture, uint64_t number, const char *config)
{
    struct trial_row *row = add_trial(fixture, number, 1, number);
    row->config = (char *)config;
    row->attempt = number;
    add_attempt(fixture, number, number, 1, 1);
}

static void test_wide_view_has_a_column_a_parameter_when_trials_exist(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    trial_with(fixture, 1, "{\"lr\":0.5,\"model\":{\"depth\":3,\"name\":\"big\"},\"sizes\":[1,2]}");
    trial_with(fixture, 2, "{\"lr\":0.25,\"model\":{\"depth\":4}}");
    fixture_commit(fixture);
    assert_sql(fixture, "0.5|3|big|[1,2]",
               "SELECT printf('%s|%s|%s|%s', lr, \"model.depth\", \"model.name\", sizes) "
               "FROM sweep_aaaaaaaa WHERE number = 1");
    assert_sql(fixture, "1", "SELECT \"model.name\" IS NULL FROM sweep_aaaaaaaa WHERE number = 2");
    assert_sql(
        fixture, "real integer text",
        "SELECT typeof(lr) || ' ' || typeof(\"model.depth\") || ' ' || typeof(\"model.name\") "
        "FROM sweep_aaaaaaaa WHERE number = 1");
}

static void test_wide_view_gains_a_column_when_a_later_trial_has_another_key(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    trial_with(fixture, 1, "{\"algo\":\"svm\"}");
    fixture_commit(fixture);
    fixture_reopen(fixture);
    trial_with(fixture, 2, "{\"algo\":\"tree\",\"depth\":7}");
    fixture_commit(fixture);
    assert_sql(fixture, "7", "SELECT depth FROM sweep_aaaaaaaa WHERE number = 2");
    assert_sql(fixture, "NULL", "SELECT depth FROM sweep_aaaaaaaa WHERE number = 1");
}

static void test_wide_view_has_last_value_of_metric_when_points_and_summary_exist(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    trial_with(fixture, 1, "{\"lr\":1}");
    add_metric_name(fixture, 1, "loss");
    add_metric_name(fixture, 2, "acc");
    add_metric_name(fixture, 3, "of no run here");
    add_point(fixture, 1, 1, 0, 2.0);
    add_point(fixture, 1, 1, 1, NAN);
    add_point(fixture, 1, 2, 0, 0.5);
    fixture_commit(fixture);
    assert_sql(fixture, "NaN|0.5", "SELECT loss || '|' || acc FROM sweep_aaaaaaaa");
    assert_int_equal(
        sql_number(fixture, "SELECT count(*) FROM pragma_table_info('sweep_aaaaaaaa')"), 5 + 1 + 2);
    struct change *change = batch_change(&fixture->batch, CHANGE_SUMMARY);
    change->summary.attempt = 1;
    change->summary.name = 2;
    change->summary.json = "0.75";
    fixture_commit(fixture);
    assert_sql(fixture, "0.75", "SELECT acc FROM sweep_aaaaaaaa");
}

static void test_wide_view_reads_any_name_when_it_has_odd_characters(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *json, *name;
    } CASES[] = {
        {"a b", "a b"},
        {"it's", "it's"},
        {"q\\\"q", "q\"q"},
        {"x/y", "x/y"},
        {"b\\\\s", "b\\s"},
        {"ü", "ü"},
        {"a;DROP TABLE trial", "a;DROP TABLE trial"},
        {"", ""},
        {"$", "$"},
        {"[0]", "[0]"},
        {"%s", "%s"},
        {"a.b", "a.b"},
        {"tab\\t", "tab\t"},
        {"--", "--"},
        {"?1", "?1"},
    };
    const size_t count = sizeof CASES / sizeof *CASES;
    struct str config = STR_INIT;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    str_add(&config, "{");
    for (size_t i = 0; i < count; i++)
        str_addf(&config, "%s\"%s\":%zu", i ? "," : "", CASES[i].json, i + 100);
    str_add(&config, ",\"n'\":{\"o\\\"p\":42}}");
    trial_with(fixture, 1, str_get(&config));
    fixture_commit(fixture);
    str_release(&config);
    for (size_t i = 0; i < count; i++) {
        struct str sql = STR_INIT;
        str_add(&sql, "SELECT \"");
        for (const char *p = CASES[i].name; *p; p++)
            str_addf(&sql, "%s%c", *p == '"' ? "\"" : "", *p);
        str_add(&sql, "\" FROM sweep_aaaaaaaa");
        assert_int_equal(sql_number(fixture, str_get(&sql)), i + 100);
        str_release(&sql);
    }
    assert_sql(fixture, "42", "SELECT \"n'.o\"\"p\" FROM sweep_aaaaaaaa");
}

static void test_wide_view_keeps_all_columns_when_names_collide(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    trial_with(fixture, 1, "{\"LR\":1,\"a\":{\"b\":5},\"a.b\":6,\"lr\":2,\"state\":3}");
    add_metric_name(fixture, 1, "lr");
    add_point(fixture, 1, 1, 0, 4);
    fixture_commit(fixture);
    assert_sql(fixture, "1|2|3|pending|4.0",
               "SELECT printf('%s|%s|%s|%s|%s', LR, \"config.lr\", \"config.state\", state, "
               "\"metric.lr\") FROM sweep_aaaaaaaa");
    assert_int_equal(sql_number(fixture, "SELECT \"a.b\" + \"config.a.b\" FROM sweep_aaaaaaaa"),
                     11);
}

static void test_wide_view_still_reads_when_a_value_is_not_plain_json(void **state)
{
    struct fixture *fixture = *state;
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    trial_with(fixture, 1, "{\"lr\":NaN,\"x'\":{\"y\":1}}");
    trial_with(fixture, 2, "{\"lr\":0.5,\"x'\":\"text\"}");
    fixture_commit(fixture);
    assert_int_equal(sql_number(fixture, "SELECT count(*) FROM sweep_aaaaaaaa"), 2);
    assert_sql(fixture, "NULL", "SELECT lr FROM sweep_aaaaaaaa WHERE number = 1");
    assert_sql(fixture, "0.5", "SELECT lr FROM sweep_aaaaaaaa WHERE number = 2");
    assert_sql(fixture, "text", "SELECT \"x'\" FROM sweep_aaaaaaaa WHERE number = 2");
    assert_sql(fixture, "NULL", "SELECT \"x'.y\" FROM sweep_aaaaaaaa WHERE number = 2");
}

static void test_wide_view_is_bounded_when_a_sweep_has_too_many_names(void **state)
{
    struct fixture *fixture = *state;
    struct str config = STR_INIT;
    static char names[700][16];
    add_sweep(fixture, 1, "aaaaaaaa", "a");
    str_add(&config, "{");
    for (int i = 0; i < 1500; i++)
        str_addf(&config, "%s\"p%04d\":%d", i ? "," : "", i, i);
    str_add(&config, "}");
    trial_with(fixture, 1, str_get(&config));
    for (uint32_t i = 0; i < 700; i++) {
        snprintf(names[i], sizeof names[i], "m%u", i);
        add_metric_name(fixture, i + 1, names[i]);
        add_point(fixture, 1, i + 1, 0, i);
    }
    fixture_commit(fixture);
    str_release(&config);
    assert_int_equal(sql_number(fixture, "SELECT p0999 FROM sweep_aaaaaaaa"), 999);
    assert_int_equal(sql_number(fixture, "SELECT m499 FROM sweep_aaaaaaaa"), 499);
    assert_int_equal(
        sql_number(fixture, "SELECT count(*) FROM pragma_table_info('sweep_aaaaaaaa')"),
        5 + 1000 + 500);
}

static void test_wide_views_are_of_the_newest_sweeps_when_there_are_many(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i <= 1002; i++) {
        char key[SWEEP_KEY_MAX];
        snprintf(key, sizeof key, "k%07llu", (unsigned long long)i);
        add_sweep(fixture, i, key, "a");
        add_trial(fixture, i, i, 1);
        fixture_commit(fixture);
    }
    assert_int_equal(sql_number(fixture,
                                "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sweep\\_k%' "
                                "ESCAPE '\\'"),
                     1000);
    assert_sql(fixture, "0.5", "SELECT lr FROM sweep_k0001002");
    assert_sql(fixture, "no row", "SELECT 1 FROM sqlite_schema WHERE name = 'sweep_k0000002'");
}

static void test_general_views_have_a_row_a_trial_run_and_point_when_committed(void **state)
{
    struct fixture *fixture = *state;
    add_agent(fixture, 1, "u");
    add_sweep(fixture, 1, "aaaaaaaa", "first");
    trial_with(fixture, 1, "{\"lr\":1}");
    struct attempt_row *attempt = add_attempt(fixture, 2, 1, 1, 2);
    attempt->agent = 1;
    attempt->has_class = true;
    attempt->exit_class = EXIT_SUCCESS_CLASS;
    add_metric_name(fixture, 1, "loss");
    add_point(fixture, 2, 1, 0, 0.125);
    struct trial_row *row = change_trial(fixture, 1, 1, 1, TRIAL_DONE, 0.125);
    row->attempt = 2;
    row->started_ms = 1000;
    row->ended_ms = 3500;
    fixture_commit(fixture);
    assert_sql(
        fixture, "aaaaaaaa first 1 done 0.125 2.5",
        "SELECT printf('%s %s %s %s %s %s', sweep, sweep_name, number, state, value, duration) "
        "FROM trials");
    assert_sql(fixture, "aaaaaaaa 1 2 success node",
               "SELECT printf('%s %s %s %s %s', sweep, trial, attempt, class, agent) FROM runs "
               "WHERE attempt = 2");
    assert_sql(fixture, "aaaaaaaa 1 loss 0 0.125",
               "SELECT printf('%s %s %s %s %s', sweep, trial, name, sequence, value) FROM metrics");
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(test_wide_view_has_a_column_a_parameter_when_trials_exist),
        OPEN(test_wide_view_gains_a_column_when_a_later_trial_has_another_key),
        OPEN(test_wide_view_has_last_value_of_metric_when_points_and_summary_exist),
        OPEN(test_wide_view_reads_any_name_when_it_has_odd_characters),
        OPEN(test_wide_view_keeps_all_columns_when_names_collide),
        OPEN(test_wide_view_still_reads_when_a_value_is_not_plain_json),
        OPEN(test_wide_view_is_bounded_when_a_sweep_has_too_many_names),
        OPEN(test_wide_views_are_of_the_newest_sweeps_when_there_are_many),
        OPEN(test_general_views_have_a_row_a_trial_run_and_point_when_committed),
    };
    return cmocka_run_group_tests_name("store_wide", tests, NULL, NULL);
}
