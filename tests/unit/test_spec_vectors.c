// Every tests/vectors/spec/NAME.yaml is read as NAME.json says. The JSON form (docs/spec.md names
// none of it; clients in other languages may read it): valid; errors, warnings and (where given)
// notices, each {line, column, contains}; method; parameters; grid_points; (where given) space:
// name, distribution and what of it matters.
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "spec/spec.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VECTOR_DIR  TRAWL_SOURCE_DIR "/tests/vectors/spec"
#define VECTORS_MIN 100

static const char *vector_name; // for failures

static void check_list(const char *key, struct json_object *expected, struct json_object *actual)
{
    struct json_object *want = NULL, *got = NULL;
    if (!json_object_object_get_ex(expected, key, &want))
        return;
    assert_true(json_object_object_get_ex(actual, key, &got));
    if (json_object_array_length(want) != json_object_array_length(got))
        fail_msg("%s: %s are %s", vector_name, key, json_object_to_json_string(got));
    for (size_t i = 0; i < json_object_array_length(want); i++) {
        struct json_object *a = json_object_array_get_idx(want, i),
                           *b = json_object_array_get_idx(got, i);
        int64_t line, column, got_line, got_column;
        const char *part, *message;
        assert_true(json_get_i64(a, "line", &line) && json_get_i64(a, "column", &column));
        assert_true(json_get_i64(b, "line", &got_line) && json_get_i64(b, "column", &got_column));
        assert_true(json_get_string(a, "contains", &part) &&
                    json_get_string(b, "message", &message));
        if (line != got_line || column != got_column || !strstr(message, part))
            fail_msg("%s: %s: expected %d:%d '%s', got %s", vector_name, key, (int)line,
                     (int)column, part, json_object_to_json_string(b));
    }
}

static void check_member(const char *key, struct json_object *expected, struct json_object *actual)
{
    struct json_object *want = NULL, *got = NULL;
    assert_true(json_object_object_get_ex(expected, key, &want));
    assert_true(json_object_object_get_ex(actual, key, &got));
    if (!json_object_equal(want, got))
        fail_msg("%s: %s is %s, not %s", vector_name, key, json_object_to_json_string(got),
                 json_object_to_json_string(want));
}

static void check_number_field(struct json_object *want, const char *key, double got)
{
    double number;
    if (json_get_double(want, key, &number) && fabs(number - got) > 1e-12)
        fail_msg("%s: %s is %.17g, not %.17g", vector_name, key, got, number);
}

static void check_values(struct json_object *want, const struct param *param)
{
    struct json_object *values = NULL, *probabilities = NULL;
    if (json_object_object_get_ex(want, "values", &values)) {
        assert_int_equal(json_object_array_length(values), param->value_count);
        for (size_t i = 0; i < param->value_count; i++) {
            struct value value = value_from_json(json_object_array_get_idx(values, i));
            if (value.kind != param->values[i].kind || !value_equal(&value, &param->values[i]))
                fail_msg("%s: value %zu of %s is another one", vector_name, i, param->name);
            value_release(&value);
        }
    }
    if (json_object_object_get_ex(want, "probabilities", &probabilities)) {
        for (size_t i = 0; i < param->value_count; i++)
            assert_true(fabs(json_object_get_double(json_object_array_get_idx(probabilities, i)) -
                             param->probabilities[i]) < 1e-12);
    }
}

static void check_param(struct json_object *want, const struct param *param)
{
    const char *name, *distribution;
    assert_true(json_get_string(want, "name", &name) &&
                json_get_string(want, "distribution", &distribution));
    assert_string_equal(param->name, name);
    if (strcmp(dist_name(param->dist), distribution))
        fail_msg("%s: %s is %s, not %s", vector_name, name, dist_name(param->dist), distribution);
    check_number_field(want, "min", param->min);
    check_number_field(want, "max", param->max);
    check_number_field(want, "mu", param->mu);
    check_number_field(want, "sigma", param->sigma);
    check_number_field(want, "a", param->a);
    check_number_field(want, "b", param->b);
    check_number_field(want, "q", param->q);
    check_values(want, param);
}

static void check_space(struct json_object *expected, const struct spec *spec)
{
    struct json_object *params = NULL;
    if (!spec || !json_object_object_get_ex(expected, "space", &params))
        return;
    assert_int_equal(json_object_array_length(params), space_count(spec->space));
    for (size_t i = 0; i < space_count(spec->space); i++)
        check_param(json_object_array_get_idx(params, i), space_param(spec->space, i));
}

static struct json_object *read_json(const char *path)
{
    struct str text = STR_INIT;
    struct json_object *json = NULL;
    struct err err = {0};
    if (file_read(path, 1 << 20, &text, &err) != 0 ||
        json_parse(text.s, text.len, &json, &err) != 0)
        fail_msg("%s: %s", path, err.text);
    str_release(&text);
    return json;
}

static void check_vector(const char *name)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    struct str text = STR_INIT;
    struct json_object *actual = NULL;
    char *yaml = xasprintf("%s/%s.yaml", VECTOR_DIR, name);
    char *json = xasprintf("%s/%s.json", VECTOR_DIR, name);
    struct json_object *expected = read_json(json);
    vector_name = name;
    int rc = spec_load(yaml, &spec, &problems, NULL);
    assert_int_equal(rc == 0, spec != NULL);
    spec_write_json(&text, spec, &problems, yaml);
    assert_int_equal(json_parse(text.s, text.len, &actual, NULL), 0);
    check_list("errors", expected, actual);
    check_list("warnings", expected, actual);
    check_list("notices", expected, actual);
    check_member("valid", expected, actual);
    check_member("method", expected, actual);
    check_member("parameters", expected, actual);
    check_member("grid_points", expected, actual);
    check_space(expected, spec);
    json_object_put(actual);
    json_object_put(expected);
    str_release(&text);
    problems_release(&problems);
    spec_free(spec);
    free(yaml);
    free(json);
}

static void test_spec_reads_as_expected_when_given_each_vector(void **state)
{
    (void)state;
    DIR *dir = opendir(VECTOR_DIR);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!str_ends(entry->d_name, ".yaml"))
            continue;
        char *name = xstrndup(entry->d_name, strlen(entry->d_name) - strlen(".yaml"));
        check_vector(name);
        free(name);
        count++;
    }
    closedir(dir);
    assert_true(count >= VECTORS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_reads_as_expected_when_given_each_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
