// Sweep files that people wrote are read as their EXPECT.tsv says: outcome, method, leaves, grid
// points.
//
// The corpus is not part of the repository: TRAWL_CORPUS names its directory, else ../shared/corpus
// beside the source is tried.
#include "base/file.h"
#include "base/mem.h"
#include "spec/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *corpus_dir(void)
{
    const char *named = getenv("TRAWL_CORPUS");
    char *tries[] = {xstrdup(named), xasprintf("%s/wandb-sweeps", named ? named : ""),
                     xstrdup(TRAWL_SOURCE_DIR "/../shared/corpus/wandb-sweeps")};
    char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char *list = xasprintf("%s/EXPECT.tsv", tries[i] ? tries[i] : "");
        if (!found && tries[i] && access(list, R_OK) == 0)
            found = xstrdup(tries[i]);
        free(list);
        free(tries[i]);
    }
    return found;
}

// A spec that was accepted can be sampled: its strategy gives a first configuration.
static bool gives_configuration(const struct spec *spec)
{
    struct strategy_setup setup = spec_strategy_setup(spec);
    struct strategy *strategy = NULL;
    struct config config = {0};
    struct err err = {0};
    int rc = strategy_new(spec->strategy, &setup, &strategy, &err);
    if (rc == 0)
        rc = strategy_ask(strategy, 1, &config, &err);
    if (rc != 0)
        print_error("%s\n", err.text);
    config_release(&config);
    strategy_free(strategy);
    return rc == 0;
}

// What Trawl makes of a file, in the columns of EXPECT.tsv.
static void describe(struct str *out, const char *path, const char *name, struct str *problems_text)
{
    struct problems problems = {0};
    struct spec *spec = NULL;
    uint64_t points;
    int rc = spec_load(path, &spec, &problems, NULL);
    problems_write_text(problems_text, &problems, name);
    if (rc != 0) {
        str_addf(out, "%s\trefuse\t-\t-\t-", name);
    } else {
        str_addf(out, "%s\t%s\t%s\t%zu\t", name, problems.warning_count ? "warn" : "accept",
                 spec->method, space_count(spec->space));
        if (spec_grid_points(spec, &points))
            str_addf(out, "%llu", (unsigned long long)points);
        else
            str_addch(out, '-');
        if (!gives_configuration(spec))
            str_add(out, "\tcannot be sampled");
    }
    problems_release(&problems);
    spec_free(spec);
}

static bool check_line(const char *dir, const char *line)
{
    struct str got = STR_INIT, problems = STR_INIT;
    char *name = xstrndup(line, strcspn(line, "\t"));
    char *path = xasprintf("%s/%s", dir, name);
    describe(&got, path, name, &problems);
    bool same = !strcmp(str_get(&got), line);
    if (!same)
        print_error("expected %s\n     got %s\n%s", line, str_get(&got), str_get(&problems));
    str_release(&got);
    str_release(&problems);
    free(path);
    free(name);
    return same;
}

static void test_spec_reads_as_expected_when_given_the_corpus(void **state)
{
    (void)state;
    char *dir = corpus_dir();
    if (!dir) {
        print_message("skipped: corpus not present\n");
        skip();
    }
    struct str list = STR_INIT;
    char *path = xasprintf("%s/EXPECT.tsv", dir), *rest = NULL;
    assert_int_equal(file_read(path, 1 << 24, &list, NULL), 0);
    size_t count = 0, wrong = 0;
    for (char *line = strtok_r(list.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (*line == '#')
            continue;
        wrong += !check_line(dir, line);
        count++;
    }
    print_message("%zu of %zu files as expected\n", count - wrong, count);
    free(path);
    free(dir);
    str_release(&list);
    assert_true(count > 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec_reads_as_expected_when_given_the_corpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
