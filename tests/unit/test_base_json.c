// JSON: what is read, what is refused, and that what is written reads back equal.

#include "test_base.h"

#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The text of `json` parsed and written again; the caller frees it. NULL when it is refused.
static char *again(const char *json, size_t len, struct err *err)
{
    struct json_object *value = NULL;
    if (json_parse(json, len, &value, err) != 0)
        return NULL;
    struct str out = STR_INIT;
    json_write(&out, value);
    json_object_put(value);
    return str_detach(&out);
}

static void test_json_reads_back_equal_when_it_is_valid(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"null", "null"},
        {"true", "true"},
        {" [1, 2]\r\n\t", "[1,2]"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"{\"b\":1,\"a\":{\"c\":[null,false]}}", "{\"b\":1,\"a\":{\"c\":[null,false]}}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"0", "0"},
        {"-0.0", "-0.0"},
        {"1.0", "1.0"},
        {"1e5", "100000.0"},
        {"0.1", "0.1"},
        {"5e-324", "5e-324"},
        {"1e-7", "1e-07"},
        {"NaN", "NaN"},
        {"[Infinity,-Infinity,NaN]", "[Infinity,-Infinity,NaN]"},
        {"1e400", "Infinity"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"18446744073709551616", "1.8446744073709552e+19"},
        {"[-9223372036854775809,{\"a\":99999999999999999999}, 3]", "[-9.223372036854776e+18,{\"a\":1e+20},3]"},
        {"\"99999999999999999999 '\"", "\"99999999999999999999 '\""},
        {"\"a\\\"\\\\\\/\\n\\t\\u0001\\u00e9\"", "\"a\\\"\\\\/\\n\\t\\u0001\xC3\xA9\""},
        {"\"\\ud83c\\udfa3\"", "\"\xF0\x9F\x8E\xA3\""},
        {"\"a\\u0000b\"", "\"a\\u0000b\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        char *text = again(cases[i][0], strlen(cases[i][0]), &err);
        if (!text || strcmp(text, cases[i][1]) != 0)
            fail_msg("%s gave %s %s", cases[i][0], text, err.text);
        char *second = again(text, strlen(text), NULL);
        assert_string_equal(second, text);
        free(second);
        free(text);
    }
}

static void test_json_is_refused_when_it_is_not_json(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",       " ",        "nul",      "nulll",     "1 2",       "{}x",        "[1,2,]",     "[,1]",      "[1,,2]",
        "[1",     "[1}",      "{\"a\":1,}", "{\"a\"}", "{\"a\":}",  "{a:1}",      "{'a':1}",    "'a'",       "{1:2}",
        "\"abc",  "\"\\x\"", "\"\\u12\"", "\"a\tb\"",  "\"a\nb\"",  "01",         "-",          "--1",       "+1",
        ".5",     "1.",       "1.e3",     "1e",        "1e+",       "0x10",       "1/*c*/",     "/*c*/1",    "//c\n1",
        "True",   "NULL",     "nan",      "-NaN",      "inf",       "infinity",   "-infinity",  "Inf",       ("\xEF\xBB\xBF" "1"),
        "[1.]",   "1-2",      "1\x01",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct json_object *value = (struct json_object *)&err; // stays as it is on failure
        if (json_parse(cases[i], strlen(cases[i]), &value, &err) != ERR_INVALID)
            fail_msg("'%s' was not refused", cases[i]);
        assert_ptr_equal(value, &err);
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(strlen(err.text) > 10);
    }
}

static void test_json_says_where_when_it_is_not_json(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(again("{\"a\": tru}", 10, &err));
    assert_non_null(strstr(err.text, "byte 9"));
    assert_null(again("[1, 'x']", 8, &err));
    assert_non_null(strstr(err.text, "byte 4"));
}

static void test_json_is_refused_when_bytes_are_not_utf8_or_nul(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {{"\"\xFF\"", 3}, {"\"\xED\xA0\x80\"", 5}, {"\"\xC3\"", 3}, {"1\0", 2}, {"1\0 2", 4}, {"\0", 1}, {"{}\0", 3},
                 {"\"a\0b\"", 5}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        char *text = again(cases[i].text, cases[i].len, &err);
        if (text || err.code != ERR_INVALID)
            fail_msg("case %zu gave %s", i, text);
    }
}

static void test_json_stops_at_its_length_when_more_bytes_follow(void **state)
{
    (void)state;
    char *text = again("123456", 3, NULL);
    assert_string_equal(text, "123");
    free(text);
    text = again("1.5", 2, NULL);
    assert_null(text);
}

static void test_json_depth_is_bounded_when_arrays_nest(void **state)
{
    (void)state;
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= 100000; depth = depth > JSON_DEPTH_MAX + 1 ? depth * 10 : depth + 1) {
        struct str text = STR_INIT;
        for (size_t i = 0; i < depth; i++)
            str_addch(&text, '[');
        for (size_t i = 0; i < depth; i++)
            str_addch(&text, ']');
        struct err err = {0};
        char *out = again(text.s, text.len, &err);
        if (depth <= JSON_DEPTH_MAX)
            assert_string_equal(out, text.s);
        else
            assert_true(!out && err.code == ERR_INVALID);
        free(out);
        str_release(&text);
    }
}

static void test_json_write_string_escapes_when_bytes_are_odd(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t len;
        const char *json;
    } cases[] = {
        {"", 0, "\"\""},
        {"a\"\\/", 4, "\"a\\\"\\\\/\""},
        {"\n\t\r\b\0", 5, "\"\\n\\t\\u000d\\u0008\\u0000\""},
        {"\xC3\xA9", 2, "\"\xC3\xA9\""},
        {"a\xFFz", 3, "\"a\xEF\xBF\xBDz\""},
        {"\xC3", 1, "\"\xEF\xBF\xBD\""},
        {"\xE2\x82z", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBDz\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str out = STR_INIT;
        json_write_string(&out, cases[i].s, cases[i].len);
        assert_string_equal(str_get(&out), cases[i].json);
        char *text = again(out.s, out.len, NULL);
        assert_string_equal(text, cases[i].json);
        free(text);
        str_release(&out);
    }
}

static void test_json_write_double_names_them_when_not_finite(void **state)
{
    (void)state;
    struct str out = STR_INIT;
    const double values[] = {3, -0.0, 0.1, 1e300, (double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        json_write_double(&out, values[i]);
        str_addch(&out, ' ');
    }
    assert_string_equal(str_get(&out), "3.0 -0.0 0.1 1e+300 NaN Infinity -Infinity ");
    str_release(&out);
}

static void test_json_get_checks_the_type_when_members_vary(void **state)
{
    (void)state;
    static const char text[] = "{\"s\":\"x\",\"i\":-3,\"d\":2.5,\"b\":true,\"n\":null,\"u\":18446744073709551615}";
    struct json_object *json = NULL;
    assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
    const char *s = NULL;
    int64_t i64 = 7;
    double d = 7;
    bool b = false;
    assert_true(json_get_string(json, "s", &s) && strcmp(s, "x") == 0);
    assert_true(json_get_i64(json, "i", &i64) && i64 == -3);
    assert_true(json_get_double(json, "d", &d) && d == 2.5);
    assert_true(json_get_double(json, "i", &d) && d == -3);
    assert_true(json_get_double(json, "u", &d) && d == 18446744073709551616.0);
    assert_true(json_get_bool(json, "b", &b) && b);
    static const char *const keys[] = {"s", "i", "d", "b", "n", "u", "absent"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(json_get_string(json, keys[i], &s), strcmp(keys[i], "s") == 0);
        assert_int_equal(json_get_i64(json, keys[i], &i64), strcmp(keys[i], "i") == 0);
        assert_int_equal(json_get_double(json, keys[i], &d), strchr("idu", keys[i][0]) != NULL);
        assert_int_equal(json_get_bool(json, keys[i], &b), strcmp(keys[i], "b") == 0);
    }
    assert_false(json_get_i64(NULL, "i", &i64));
    json_object_put(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_reads_back_equal_when_it_is_valid),
        cmocka_unit_test(test_json_is_refused_when_it_is_not_json),
        cmocka_unit_test(test_json_says_where_when_it_is_not_json),
        cmocka_unit_test(test_json_is_refused_when_bytes_are_not_utf8_or_nul),
        cmocka_unit_test(test_json_stops_at_its_length_when_more_bytes_follow),
        cmocka_unit_test(test_json_depth_is_bounded_when_arrays_nest),
        cmocka_unit_test(test_json_write_string_escapes_when_bytes_are_odd),
        cmocka_unit_test(test_json_write_double_names_them_when_not_finite),
        cmocka_unit_test(test_json_get_checks_the_type_when_members_vary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
