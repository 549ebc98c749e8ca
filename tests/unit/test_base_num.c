// Numbers to text and back. The texts of doubles are Python's repr.

#include "test_base.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_num_format_double_is_pythons_repr_when_forms_change(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {3.0, "3.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {100.0, "100.0"},
        {123456.789, "123456.789"},
        {1e-4, "0.0001"}, // the last plain one, and its neighbours
        {0.00012345, "0.00012345"},
        {9.999e-5, "9.999e-05"},
        {1e-5, "1e-05"},
        {1.5e-7, "1.5e-07"},
        {1e15, "1000000000000000.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {12345678901234567890.0, "1.2345678901234567e+19"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e100, "1e+100"},
        {1e-100, "1e-100"},
        {0x1p-44, "5.684341886080802e-14"}, // powers of two: the next one up is shorter than the nearest
        {0x1p-1017, "7.120236347223045e-307"},
        {-0x1p-1007, "-7.291122019556398e-304"},
        {9007199254740993.0, "9007199254740992.0"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {-2.2250738585072009e-308, "-2.225073858507201e-308"},
        {(double)INFINITY, "inf"},
        {-(double)INFINITY, "-inf"},
        {(double)NAN, "nan"},
        {-(double)NAN, "nan"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[NUM_TEXT_MAX];
        size_t len = num_format_double(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(len, strlen(text));
    }
}

static void test_num_double_reads_back_to_the_same_bits_when_bits_are_random(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 1, "doubles", 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(&rng), again;
        if (i % 8 == 0)
            bits &= 0x800FFFFFFFFFFFFFu; // denormals
        double value, read;
        memcpy(&value, &bits, sizeof value);
        if (isnan(value))
            continue;
        char text[NUM_TEXT_MAX];
        assert_true(num_format_double(value, text) < NUM_TEXT_MAX);
        assert_true(num_parse_double(text, &read));
        memcpy(&again, &read, sizeof again);
        if (again != bits)
            fail_msg("%s", text);
    }
}

static void test_num_double_comes_back_as_written_when_it_has_few_digits(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 1, "short", 0);
    for (int i = 0; i < 20000; i++) {
        char text[NUM_TEXT_MAX], want[NUM_TEXT_MAX];
        unsigned digits = (unsigned)rng_below(&rng, 100000) * 10 + 1;
        snprintf(want, sizeof want, "%u.%u", (unsigned)rng_below(&rng, 1000) + 1, digits);
        num_format_double(strtod(want, NULL), text);
        assert_string_equal(text, want);
    }
}

static void test_num_parse_double_accepts_decimals_when_forms_vary(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0},       {"1e-5", 1e-5},    {".5", 0.5},       {"5.", 5},         {"+1", 1},
        {"-2.5E+3", -2500}, {"1e-400", 0}, {"0012", 12},      {"5e-324", 5e-324}, {"1.7976931348623157e308", DBL_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double value = -7;
        if (!num_parse_double(cases[i].text, &value) || value != cases[i].value)
            fail_msg("'%s' gave %a", cases[i].text, value);
    }
    static const struct {
        const char *text;
        int sign; // 0: NaN
    } words[] = {{"inf", 1},   {"Infinity", 1}, {"-INF", -1}, {"+inf", 1},  {".inf", 1},
                 {"-.Inf", -1}, {"nan", 0},      {"NaN", 0},   {".NAN", 0}, {"-nan", 0}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        double value = -7;
        assert_true(num_parse_double(words[i].text, &value));
        if (words[i].sign == 0 ? !isnan(value) : !(isinf(value) && (value > 0) == (words[i].sign > 0)))
            fail_msg("'%s' gave %a", words[i].text, value);
    }
}

static void test_num_parse_double_refuses_when_it_is_no_decimal(void **state)
{
    (void)state;
    static const char *const cases[] = {NULL,  "",    " 1",  "1 ",    "1\n",   "0x10", "0x1p3",     "1,5", "--1",      "+-1",
                                        ".",   "-",   "e5",  "1e",    "1e+",   "1.2.3", "1_000",     "1f",  "infinite", "nan(1)",
                                        ".infinity", "in",  "..inf", "1e400", "-1e400", "\xD9\xA1", "1e5e5"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double value = -7;
        if (num_parse_double(cases[i], &value) || value != -7)
            fail_msg("'%s' was read as %a", cases[i], value);
    }
}

static void test_num_parse_integers_are_exact_when_near_their_bounds(void **state)
{
    (void)state;
    int64_t i64 = 7;
    uint64_t u64 = 7;
    assert_true(num_parse_i64("9223372036854775807", &i64) && i64 == INT64_MAX);
    assert_true(num_parse_i64("-9223372036854775808", &i64) && i64 == INT64_MIN);
    assert_true(num_parse_i64("+12", &i64) && i64 == 12);
    assert_true(num_parse_u64("18446744073709551615", &u64) && u64 == UINT64_MAX);
    i64 = 7;
    u64 = 7;
    static const char *const bad[] = {NULL, "", " 1", "1 ", "1.0", "0x1", "--1", "+", "-", "1e3", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (num_parse_i64(bad[i], &i64) || num_parse_u64(bad[i], &u64) || i64 != 7 || u64 != 7)
            fail_msg("'%s'", bad[i]);
    assert_false(num_parse_i64("9223372036854775808", &i64) || num_parse_u64("18446744073709551616", &u64));
    assert_false(num_parse_u64("-1", &u64) || num_parse_u64("+1", &u64));
}

static void test_num_parse_duration_reads_units_when_they_are_plain(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},           {"30", 30000},       {"30s", 30000},  {"5m", 300000},     {"5min", 300000},
                {"2h", 7200000},    {"1d", 86400000},    {"250ms", 250},  {"1h30m", 5400000}, {"1.5h", 5400000},
                {"0.5", 500},       {"1m1s1ms", 61001}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t ms = 7;
        if (!num_parse_duration_ms(good[i].text, &ms) || ms != good[i].ms)
            fail_msg("'%s' gave %llu", good[i].text, (unsigned long long)ms);
    }
    static const char *const bad[] = {NULL, "", "s", "-1", "-1s", "+1s", "1h30", "30 s", " 30", "30 ", "1w", "1H",
                                      "1e3s", "inf", "nan", "0x10s", "1..5h", "1,5h", "999999999999d"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t ms = 7;
        if (num_parse_duration_ms(bad[i], &ms) || ms != 7)
            fail_msg("'%s' was read as %llu", bad[i], (unsigned long long)ms);
    }
}

static void test_num_parse_bytes_reads_powers_of_1024_when_there_is_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},          {"512", 512},       {"512B", 512},          {"10K", 10240},   {"4G", 4294967296},
                {"4g", 4294967296}, {"1.5GiB", 1610612736}, {"200MB", 209715200}, {"2T", 2199023255552}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        uint64_t bytes = 7;
        if (!num_parse_bytes(good[i].text, &bytes) || bytes != good[i].bytes)
            fail_msg("'%s' gave %llu", good[i].text, (unsigned long long)bytes);
    }
    static const char *const bad[] = {NULL, "", "K", "-1K", "1 K", "1KK", "1X", "1KiBx", "1e3", "99999999T", "inf", "1BB"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t bytes = 7;
        if (num_parse_bytes(bad[i], &bytes) || bytes != 7)
            fail_msg("'%s' was read as %llu", bad[i], (unsigned long long)bytes);
    }
}

static void test_num_format_duration_chooses_units_when_times_grow(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0 ms"},
                 {350, "350 ms"},
                 {999, "999 ms"},
                 {1000, "1.0 s"},
                 {12400, "12.4 s"},
                 {59999, "59.9 s"},
                 {60000, "1 min 0 s"},
                 {200000, "3 min 20 s"},
                 {3599999, "59 min 59 s"},
                 {7500000, "2 h 05 min"},
                 {273600000, "3 d 4 h"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[NUM_TEXT_MAX];
        assert_int_equal(num_format_duration(cases[i].ms, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    char text[NUM_TEXT_MAX];
    assert_true(num_format_duration(UINT64_MAX, text) < NUM_TEXT_MAX);
}

// Computed from the definition by a program in another language.
static void test_hash64_gives_the_stored_values_when_versions_change(void **state)
{
    (void)state;
    assert_true(hash64("", 0, 0) == 0xefd01f60ba992926u);
    assert_true(hash64("a", 1, 0) == 0x82a2a958a9bece5bu);
    assert_true(hash64("a", 1, 1) == 0x4e7e6b73b43d4b33u);
    assert_true(hash64("trawl", 5, 7) == 0x9a11470dbb169977u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_num_format_double_is_pythons_repr_when_forms_change),
        cmocka_unit_test(test_num_double_reads_back_to_the_same_bits_when_bits_are_random),
        cmocka_unit_test(test_num_double_comes_back_as_written_when_it_has_few_digits),
        cmocka_unit_test(test_num_parse_double_accepts_decimals_when_forms_vary),
        cmocka_unit_test(test_num_parse_double_refuses_when_it_is_no_decimal),
        cmocka_unit_test(test_num_parse_integers_are_exact_when_near_their_bounds),
        cmocka_unit_test(test_num_parse_duration_reads_units_when_they_are_plain),
        cmocka_unit_test(test_num_parse_bytes_reads_powers_of_1024_when_there_is_a_unit),
        cmocka_unit_test(test_num_format_duration_chooses_units_when_times_grow),
        cmocka_unit_test(test_hash64_gives_the_stored_values_when_versions_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
