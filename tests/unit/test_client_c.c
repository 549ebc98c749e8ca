// The C client: configuration, reports, and a life without an agent. What it writes and reads is shared with the Python client:
// tests/vectors/metrics.

#define _GNU_SOURCE // nftw, setenv, setlocale's LOCPATH
#include "test_base.h"

#include "clients/c/trawl.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VECTORS TRAWL_SOURCE_DIR "/tests/vectors/metrics/"

struct place {
    char path[64], config[96], metrics[96];
};

static const char *const variables[] = {"TRAWL_RUN_DIR", "TRAWL_CONFIG", "TRAWL_METRICS", "TRAWL_SEED"};

// Inside of a run whose configuration is the shared one.
static int enter(void **state)
{
    struct place *place = xcalloc(1, sizeof *place);
    *state = place;
    snprintf(place->path, sizeof place->path, "/tmp/trawl-client-XXXXXX");
    if (!mkdtemp(place->path) || chdir(place->path) != 0)
        return -1;
    snprintf(place->config, sizeof place->config, "%s/config.json", place->path);
    snprintf(place->metrics, sizeof place->metrics, "%s/metrics.jsonl", place->path);
    setenv("TRAWL_RUN_DIR", place->path, 1);
    setenv("TRAWL_CONFIG", VECTORS "config.json", 1);
    setenv("TRAWL_METRICS", place->metrics, 1);
    setenv("TRAWL_SEED", "18446744073709551615", 1);
    return 0;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int leave(void **state)
{
    struct place *place = *state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    int rc = chdir("/") == 0 ? nftw(place->path, drop, 8, FTW_DEPTH | FTW_PHYS) : -1;
    free(place);
    return rc;
}

static struct json_object *read_json(const char *path)
{
    struct str text = STR_INIT;
    struct json_object *json = NULL;
    struct err err = {0};
    if (file_read(path, 1 << 20, &text, &err) != 0 || json_parse(str_get(&text), text.len, &json, &err) != 0)
        fail_msg("%s: %s", path, err.text);
    str_release(&text);
    return json;
}

static void assert_same_json(const char *about, const struct json_object *got, const struct json_object *wanted)
{
    struct str a = STR_INIT, b = STR_INIT;
    json_write(&a, got);
    json_write(&b, wanted);
    if (strcmp(str_get(&a), str_get(&b)) != 0)
        fail_msg("%s: wrote %s, not %s", about, str_get(&a), str_get(&b));
    str_release(&a);
    str_release(&b);
}

// ---- Reading the configuration

static void join_path(struct json_object *path, struct str *ret)
{
    str_clear(ret);
    for (size_t i = 0; i < json_object_array_length(path); i++)
        str_addf(ret, "%s%s", i ? "." : "", json_object_get_string(json_object_array_get_idx(path, i)));
}

static void assert_read(const struct trawl_run *run, const char *name, const struct json_object *value)
{
    double number;
    switch (json_object_get_type(value)) {
    case json_type_double:
        number = trawl_config_double(run, name, 77.5);
        if (memcmp(&number, &(double){json_object_get_double(value)}, sizeof number) != 0 && !(isnan(number) && isnan(json_object_get_double(value))))
            fail_msg("%s is %g", name, number);
        return;
    case json_type_int:
        assert_int_equal(trawl_config_int(run, name, 77), json_object_get_int64(value));
        assert_true(trawl_config_double(run, name, 77.5) == (double)json_object_get_int64(value));
        return;
    case json_type_boolean:
        assert_int_equal(trawl_config_bool(run, name, !json_object_get_boolean(value)), json_object_get_boolean(value));
        return;
    case json_type_string:
        assert_string_equal(trawl_config_string(run, name, "otherwise"), json_object_get_string((struct json_object *)value));
        return;
    case json_type_null:
    case json_type_object:
    case json_type_array:
        fail_msg("%s: no type of a parameter", name);
    }
}

static void test_client_reads_every_parameter_of_the_shared_vectors(void **state)
{
    (void)state;
    struct json_object *reads = read_json(VECTORS "reads.json");
    struct trawl_run *run = trawl_init();
    struct str name = STR_INIT;
    assert_true(json_object_array_length(reads) > 20);
    for (size_t i = 0; i < json_object_array_length(reads); i++) {
        struct json_object *path = NULL, *value = NULL, *read = json_object_array_get_idx(reads, i);
        assert_true(json_object_object_get_ex(read, "path", &path) && json_object_object_get_ex(read, "value", &value));
        join_path(path, &name);
        assert_read(run, str_get(&name), value);
    }
    str_release(&name);
    json_object_put(reads);
    trawl_finish(run);
}

static void test_client_gives_the_default_when_absent_or_of_another_type(void **state)
{
    (void)state;
    struct trawl_run *run = trawl_init();
    assert_true(trawl_config_double(run, "absent", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "text", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "digits", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "nothing", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "on", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "optimizer", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "optimizer.absent", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "list.lr", 0.5) == 0.5);
    assert_true(trawl_config_double(run, "", 0.5) == 0.5);
    assert_int_equal(trawl_config_int(run, "lr", 5), 5); // no whole number
    assert_int_equal(trawl_config_int(run, "nan", 5), 5);
    assert_int_equal(trawl_config_int(run, "inf", 5), 5);
    assert_int_equal(trawl_config_int(run, "text", 5), 5);
    assert_int_equal(trawl_config_int(run, "one", 5), 1); // integral
    assert_int_equal(trawl_config_int(run, "exponent", 5), 1000);
    assert_true(trawl_config_bool(run, "whole", true));
    assert_false(trawl_config_bool(run, "text", false));
    assert_string_equal(trawl_config_string(run, "whole", "s"), "s");
    assert_null(trawl_config_string(run, "nothing", NULL));
    trawl_finish(run);
}

static void test_client_decodes_escapes_of_strings(void **state)
{
    (void)state;
    struct trawl_run *run = trawl_init();
    const char *text = trawl_config_string(run, "escapes", "");
    assert_string_equal(text, "q\" b\\ s/ n\n t\t \303\274 \342\202\254 \360\237\230\200 \357\277\275 x");
    for (int i = 0; i < 100; i++) // those given before stay
        assert_string_equal(trawl_config_string(run, "text", ""), "plain");
    assert_true(str_starts(text, "q\" b"));
    trawl_finish(run);
}

static void test_client_gives_defaults_when_the_configuration_is_damaged(void **state)
{
    struct place *place = *state;
    static const char text[] = "{\"a\":{\"b\":[1,{\"c\":\"d\\u00e4\"}]},\"x\":\"y\\\"z\",\"n\":-1.5e3}";
    setenv("TRAWL_CONFIG", place->config, 1);
    for (size_t len = 0; len <= sizeof text - 1; len++) {
        int fd = open(place->config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(file_write_all(fd, text, len, NULL), 0);
        close(fd);
        struct trawl_run *run = trawl_init();
        double n = trawl_config_double(run, "n", 7);
        const char *x = trawl_config_string(run, "x", "default");
        trawl_config_string(run, "a.b.c", "");
        if (len == sizeof text - 1) {
            assert_true(n == -1500);
            assert_string_equal(x, "y\"z");
        }
        assert_true(strcmp(x, "default") == 0 || strcmp(x, "y\"z") == 0);
        trawl_finish(run);
    }
    static const char *const bad[] = {"[1,2]", "null", "{\"n\" 5}", "{\"n\":}", "{\"n\":--}", "{n:5}", "{\"n\":5", "\"n\"", "{\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(file_replace_at(AT_FDCWD, place->config, bad[i], strlen(bad[i]), 0600, false, NULL), 0);
        struct trawl_run *run = trawl_init();
        double n = trawl_config_double(run, "n", 7);
        assert_true(n == 7 || n == 5);
        trawl_finish(run);
    }
    struct str deep = STR_INIT;
    for (int i = 0; i < 100000; i++)
        str_add(&deep, "{\"n\":");
    assert_int_equal(file_replace_at(AT_FDCWD, place->config, str_get(&deep), deep.len, 0600, false, NULL), 0);
    struct trawl_run *run = trawl_init();
    assert_true(trawl_config_double(run, "n.n.n.x", 7) == 7);
    trawl_finish(run);
    str_release(&deep);
}

// ---- Reports

static int log_vector(struct trawl_run *run, struct json_object *vector)
{
    struct json_object *values = NULL;
    struct trawl_metric metrics[16];
    int64_t step = 0;
    size_t count = 0;
    if (json_object_object_get_ex(vector, "log", &values)) {
        assert_true(json_get_i64(vector, "step", &step));
        json_object_object_foreach(values, name, value)
            metrics[count++] = (struct trawl_metric){name, json_object_get_double(value)};
        return trawl_log_many(run, step, metrics, count);
    }
    assert_true(json_object_object_get_ex(vector, "summary", &values));
    json_object_object_foreach(values, key, text)
        return json_object_is_type(text, json_type_string) ? trawl_summary_string(run, key, json_object_get_string(text))
                                                           : trawl_summary(run, key, json_object_get_double(text));
    return -1;
}

static void assert_writes_vectors(struct place *place)
{
    struct json_object *vectors = read_json(VECTORS "lines.json");
    assert_true(json_object_array_length(vectors) >= 10);
    for (size_t i = 0; i < json_object_array_length(vectors); i++) {
        struct json_object *vector = json_object_array_get_idx(vectors, i), *wanted = NULL;
        const char *about = "";
        unlink(place->metrics);
        struct trawl_run *run = trawl_init();
        assert_true(json_get_string(vector, "about", &about) && json_object_object_get_ex(vector, "writes", &wanted));
        assert_int_equal(log_vector(run, vector), 0);
        trawl_finish(run);
        struct json_object *got = read_json(place->metrics);
        double time = 0;
        if (json_object_object_get_ex(vector, "log", NULL))
            assert_true(json_get_double(got, "time", &time) && time > 1e9 && time < 1e11);
        json_object_object_del(got, "time");
        assert_same_json(about, got, wanted);
        json_object_put(got);
    }
    json_object_put(vectors);
}

static void test_client_writes_the_lines_of_the_shared_vectors(void **state)
{
    assert_writes_vectors(*state);
}

static void test_client_reads_and_writes_points_when_the_locale_has_commas(void **state)
{
    struct place *place = *state;
    char *command = xasprintf("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", place->path);
    int rc = system(command);
    (void)rc; // without it the locale is missing, which shows in the next line
    free(command);
    setenv("LOCPATH", place->path, 1);
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        unsetenv("LOCPATH");
        print_message("no locale with a decimal comma can be made here\n");
        skip();
    }
    assert_string_equal(localeconv()->decimal_point, ",");
    struct trawl_run *run = trawl_init();
    double warmup = trawl_config_double(run, "optimizer.schedule.warmup", 7), lr = trawl_config_double(run, "lr", 7);
    int64_t one = trawl_config_int(run, "one", 7);
    trawl_log(run, 1, "loss", 0.5);
    trawl_log(run, 2, "loss", -2.25);
    trawl_finish(run);
    setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
    struct str text = STR_INIT;
    assert_int_equal(file_read(place->metrics, 4096, &text, NULL), 0);
    assert_true(warmup == 0.1 && lr == 1e-05 && one == 1);
    assert_true(str_starts(str_get(&text), "{\"loss\":0.5,\"step\":1,\"time\":"));
    assert_non_null(strstr(str_get(&text), "\n{\"loss\":-2.25,"));
    str_release(&text);
}

static void test_client_leaves_the_step_out_when_there_is_none(void **state)
{
    struct place *place = *state;
    struct trawl_run *run = trawl_init();
    struct str text = STR_INIT;
    assert_int_equal(trawl_log(run, TRAWL_NO_STEP, "loss", 0.5), 0);
    assert_int_equal(trawl_log_many(run, TRAWL_NO_STEP, NULL, 0), 0);
    trawl_finish(run);
    assert_int_equal(file_read(place->metrics, 4096, &text, NULL), 0);
    assert_true(str_starts(str_get(&text), "{\"loss\":0.5,\"time\":"));
    assert_non_null(strstr(str_get(&text), "\n{\"time\":"));
    assert_null(strstr(str_get(&text), "step"));
    str_release(&text);
}

static void test_client_says_so_and_writes_nothing_when_a_line_would_be_too_long(void **state)
{
    struct place *place = *state;
    struct trawl_run *run = trawl_init();
    size_t size = 70000;
    char *name = xmalloc(size + 1);
    memset(name, 'n', size);
    name[size] = '\0';
    struct stat st;
    assert_int_equal(trawl_log(run, 1, name, 0.5), -1);
    assert_int_equal(trawl_summary(run, name, 0.5), -1);
    assert_int_equal(trawl_summary_string(run, "text", name), -1);
    memset(name, '\001', size);
    assert_int_equal(trawl_summary_string(run, name, "x"), -1);
    assert_int_equal(trawl_summary_string(run, "text", name), -1);
    static struct trawl_metric many[4000];
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
        many[i] = (struct trawl_metric){"a metric of some length", -1.2345678901234567e-300};
    assert_int_equal(trawl_log_many(run, 1, many, sizeof many / sizeof many[0]), -1);
    assert_int_equal(stat(place->metrics, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(trawl_log_many(run, 1, many, 500), 0);
    trawl_finish(run);
    free(name);
}

static void test_client_should_stop_once_the_file_is_there(void **state)
{
    (void)state;
    struct trawl_run *run = trawl_init();
    assert_false(trawl_should_stop(run));
    int fd = open("stop", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_true(trawl_should_stop(run));
    trawl_finish(run);
}

// How a program that asks should_stop, and is sent SIGTERM with this word in its file, ends: 7 by itself, else the signal, negative.
static int end_of_asking(const char *word, bool own_handler)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGTERM, own_handler ? SIG_IGN : SIG_DFL);
        struct trawl_run *run = trawl_init();
        if (trawl_should_stop(run))
            _exit(1);
        int fd = open("stop", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, word, strlen(word)) < 0)
            _exit(2);
        close(fd);
        raise(SIGTERM);
        _exit(trawl_should_stop(run) ? 7 : 3);
    }
    int status = 0;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    assert_int_equal(unlink("stop"), 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_client_outlives_sigterm_when_a_rule_stops_a_run_that_asks(void **state)
{
    (void)state;
    assert_int_equal(end_of_asking("stopped\n", false), 7);
    assert_int_equal(end_of_asking("cancelled\n", false), -SIGTERM);
    assert_int_equal(end_of_asking("interrupted\n", false), -SIGTERM);
    assert_int_equal(end_of_asking("", false), -SIGTERM);
    assert_int_equal(end_of_asking("cancelled\n", true), 7); // the program's own way stays
}

static void test_client_knows_its_place_when_managed(void **state)
{
    struct place *place = *state;
    struct trawl_run *run = trawl_init();
    assert_true(trawl_is_managed(run));
    assert_string_equal(trawl_directory(run), place->path);
    assert_true(str_starts(trawl_artifacts(run), place->path) && str_ends(trawl_artifacts(run), "/artifacts"));
    assert_true(trawl_seed(run, 1) == UINT64_MAX);
    trawl_finish(run);
    setenv("TRAWL_SEED", "12x", 1);
    run = trawl_init();
    assert_int_equal(trawl_seed(run, 1), 1);
    trawl_finish(run);
    trawl_finish(NULL);
}

static void test_client_works_the_same_when_there_is_no_agent(void **state)
{
    (void)state;
    struct stat st;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    struct trawl_run *run = trawl_init();
    assert_false(trawl_is_managed(run));
    assert_true(str_starts(trawl_directory(run), "trawl-runs/"));
    assert_int_equal(trawl_seed(run, 9), 9);
    assert_true(trawl_config_double(run, "lr", 0.5) == 0.5);
    assert_false(trawl_should_stop(run));
    assert_int_equal(trawl_log(run, 1, "loss", 1), 0);
    char *path = xasprintf("%s/metrics.jsonl", trawl_directory(run));
    assert_int_equal(stat(trawl_artifacts(run), &st), 0);
    trawl_finish(run);
    struct json_object *line = read_json(path);
    int64_t loss = 0;
    assert_true(json_get_i64(line, "loss", &loss) && loss == 1);
    json_object_put(line);
    free(path);
}

static void test_client_does_nothing_when_its_directory_is_lost(void **state)
{
    (void)state;
    setenv("TRAWL_RUN_DIR", "/nowhere/run", 1);
    setenv("TRAWL_METRICS", "/nowhere/run/metrics.jsonl", 1);
    setenv("TRAWL_CONFIG", "/nowhere/run/config.json", 1);
    struct trawl_run *run = trawl_init();
    assert_int_equal(trawl_log(run, 1, "loss", 1), -1);
    assert_int_equal(trawl_summary(run, "best", 1), -1);
    assert_true(trawl_config_double(run, "lr", 0.5) == 0.5);
    assert_false(trawl_should_stop(run));
    trawl_finish(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_reads_every_parameter_of_the_shared_vectors, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_gives_the_default_when_absent_or_of_another_type, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_decodes_escapes_of_strings, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_gives_defaults_when_the_configuration_is_damaged, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_writes_the_lines_of_the_shared_vectors, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_reads_and_writes_points_when_the_locale_has_commas, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_leaves_the_step_out_when_there_is_none, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_says_so_and_writes_nothing_when_a_line_would_be_too_long, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_should_stop_once_the_file_is_there, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_outlives_sigterm_when_a_rule_stops_a_run_that_asks, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_knows_its_place_when_managed, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_works_the_same_when_there_is_no_agent, enter, leave),
        cmocka_unit_test_setup_teardown(test_client_does_nothing_when_its_directory_is_lost, enter, leave),
    };
    return cmocka_run_group_tests_name("C client", tests, NULL, NULL);
}
