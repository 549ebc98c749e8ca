// Grid: every feasible configuration once, cursor, shuffle as a bijection, bounded scans, settings.

#include "test_strategy_build.h"

#include "strategies/permutation.h"

static struct space *conditional_space(void)
{
    struct space *space = space_new();
    add(space, choice_param("algo", "[\"a\",\"b\",\"b\"]"));
    add(space, when(int_param("x", 1, 4), "algo == 'a'"));
    add(space, when(int_param("a_first", 1, 5), "algo == 'b'"));
    add(space, int_param("z", 1, 3));
    constrain(space, "x + z <= 5");
    seal(space);
    return space;
}

// By brute force over the indices.
static size_t list_all(const struct space *space, struct config **ret)
{
    uint64_t count;
    size_t kept = 0;
    assert_int_equal(space_grid_count(space, &count, NULL), 0);
    *ret = xcalloc(count, sizeof **ret);
    for (uint64_t i = 0; i < count; i++) {
        bool canonical;
        struct config config;
        config_from_grid(space, i, &config, &canonical);
        if (canonical && config_feasible(space, &config, NULL))
            (*ret)[kept++] = config;
        else
            config_release(&config);
    }
    return kept;
}

static void check_against_brute_force(bool shuffle)
{
    struct space *space = conditional_space();
    struct strategy *strategy =
        made("grid", &(struct strategy_setup){.space = space, .seed = 5, .shuffle = shuffle});
    struct config *all, config;
    size_t count = list_all(space, &all), in_place = 0;
    bool *seen = xcalloc(count, sizeof *seen);
    assert_int_equal(count, (3 + 3 + 2 + 1) + 5 * 3); // a: pairs of x and z; b: a_first times z
    for (size_t i = 0; i < count; i++) {
        config = asked(strategy, i);
        size_t k = 0;
        while (k < count && !config_equal(&config, &all[k]))
            k++;
        assert_true(k < count && !seen[k]);
        seen[k] = true;
        in_place += k == i;
        config_release(&config);
    }
    struct err err = {0};
    assert_int_equal(strategy_ask(strategy, count, &config, &err), ERR_EXHAUSTED);
    assert_int_equal(strategy_ask(strategy, count, &config, &err), ERR_EXHAUSTED);
    if (shuffle)
        assert_true(in_place < count / 2);
    else
        assert_int_equal(in_place, count);
    for (size_t k = 0; k < count; k++)
        config_release(&all[k]);
    free(all);
    free(seen);
    strategy_free(strategy);
    space_free(space);
}

static void test_grid_gives_each_feasible_point_once_when_conditional(void **state)
{
    (void)state;
    check_against_brute_force(false);
}

static void test_grid_gives_each_feasible_point_once_when_shuffled(void **state)
{
    (void)state;
    check_against_brute_force(true);
}

static void test_grid_seek_continues_when_restored(void **state)
{
    (void)state;
    struct space *space = conditional_space();
    assert_seek_continues("grid", &(struct strategy_setup){.space = space}, 20);
    assert_seek_continues("grid",
                          &(struct strategy_setup){.space = space, .seed = 3, .shuffle = true}, 20);
    struct strategy *strategy = made("grid", &(struct strategy_setup){.space = space});
    struct err err = {0};
    assert_int_equal(strategy_seek(strategy, 2 * 4 * 5 * 3 + 1, &err), ERR_INVALID);
    assert_int_equal(strategy_cursor(strategy), 0);
    assert_int_equal(strategy_seek(strategy, 2 * 4 * 5 * 3, &err), 0);
    struct config config;
    assert_int_equal(strategy_ask(strategy, 0, &config, &err), ERR_EXHAUSTED);
    strategy_free(strategy);
    space_free(space);
}

static struct space *huge_space(int parameters)
{
    struct space *space = space_new();
    for (int i = 0; i < parameters; i++)
        add(space, int_param((char[]){(char)('a' + i), '\0'}, 0, 999));
    return space;
}

static void test_grid_seeks_at_once_when_it_has_a_trillion_points(void **state)
{
    (void)state;
    struct space *space = huge_space(4);
    seal(space);
    struct strategy *strategy = made("grid", &(struct strategy_setup){.space = space});
    assert_int_equal(strategy_seek(strategy, 123456789012u, NULL), 0);
    struct config config = asked(strategy, 1);
    assert_config(space, &config, "{\"a\":123,\"b\":456,\"c\":789,\"d\":12}");
    config_release(&config);
    assert_int_equal(strategy_seek(strategy, 999999999999u, NULL), 0);
    config = asked(strategy, 2);
    assert_config(space, &config, "{\"a\":999,\"b\":999,\"c\":999,\"d\":999}");
    config_release(&config);
    assert_int_equal(strategy_ask(strategy, 3, &config, NULL), ERR_EXHAUSTED);
    strategy_free(strategy);
    space_free(space);
}

// Three algorithms with nine parameters of ten values: 3 * 10^9 indices repeat 3,000
// configurations.
static void test_grid_skips_repeats_when_subspaces_are_conditional(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, choice_param("method", "[\"a\",\"b\",\"c\"]"));
    for (int i = 0; i < 9; i++) {
        char name[8], condition[32];
        snprintf(name, sizeof name, "%c%d", "amz"[i / 3], i);
        snprintf(condition, sizeof condition, "method == '%c'", 'a' + i / 3);
        add(space, when(int_param(name, 0, 9), condition));
    }
    seal(space);
    struct strategy *strategy = made("grid", &(struct strategy_setup){.space = space});
    struct config config;
    for (uint64_t i = 0; i < 3000; i++) {
        config = asked(strategy, i);
        config_release(&config);
    }
    assert_int_equal(strategy_ask(strategy, 3000, &config, NULL), ERR_EXHAUSTED);
    strategy_free(strategy);
    space_free(space);
}

static void test_grid_asks_again_when_feasible_points_are_rare(void **state)
{
    (void)state;
    struct space *space = huge_space(3);
    constrain(space, "a * b + c >= 998001 + 900");
    seal(space);
    struct strategy *strategy = made("grid", &(struct strategy_setup){.space = space});
    struct config config;
    struct err err = {0};
    assert_int_equal(strategy_ask(strategy, 0, &config, &err), ERR_AGAIN);
    assert_int_equal(strategy_cursor(strategy), STRATEGY_SCAN_MAX);
    assert_int_equal(strategy_seek(strategy, 998500000, NULL), 0);
    assert_int_equal(strategy_ask(strategy, 0, &config, &err), ERR_AGAIN);
    config = asked(strategy, 0);
    assert_config(space, &config, "{\"a\":999,\"b\":999,\"c\":900}");
    config_release(&config);
    strategy_free(strategy);
    space_free(space);
}

static void test_grid_names_the_constraint_when_no_point_fits(void **state)
{
    (void)state;
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        struct space *space = space_new();
        add(space, int_param("x", 1, 10));
        constrain(space, "x <= 9");
        constrain(space, "x > 10");
        seal(space);
        struct strategy *strategy =
            made("grid", &(struct strategy_setup){.space = space, .shuffle = shuffle});
        struct config config;
        struct err err = {0};
        for (int i = 0; i < 2; i++) {
            assert_int_equal(strategy_ask(strategy, 0, &config, &err), ERR_INVALID);
            assert_non_null(strstr(err.text, "'x > 10' failed in 90.0 % of 10"));
        }
        strategy_free(strategy);
        space_free(space);
    }
}

static void test_grid_refuses_a_space_when_it_is_continuous(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, range_param("lr", DIST_UNIFORM, 0, 1));
    seal(space);
    struct strategy *strategy = NULL;
    struct err err = {0};
    assert_int_equal(
        strategy_new("grid", &(struct strategy_setup){.space = space}, &strategy, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.text, "'lr'"));
    assert_null(strategy);
    space_free(space);
}

static void test_permutation_is_a_bijection_when_any_size(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1,   2,   3,   5,   16,   63,   64,   65,
                                     100, 255, 256, 257, 1000, 4096, 4097, 20000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct permutation permutation;
        permutation_init(&permutation, sizes[i], 42);
        bool *seen = xcalloc(sizes[i], sizeof *seen);
        for (uint64_t k = 0; k < sizes[i]; k++) {
            uint64_t to = permutation_at(&permutation, k);
            assert_true(to < sizes[i] && !seen[to]);
            seen[to] = true;
        }
        free(seen);
    }
    struct permutation huge;
    permutation_init(&huge, UINT64_MAX, 1);
    assert_true(permutation_at(&huge, UINT64_MAX - 1) != permutation_at(&huge, 0));
}

// Each place of a small permutation takes each value about equally often over the seeds:
// chi-squared with 90 degrees of freedom is above 150 in one of 10^4 cases.
static void test_permutation_spreads_places_when_seeds_differ(void **state)
{
    (void)state;
    enum { N = 10, SEEDS = 20000 };
    double counts[N][N] = {{0}}, chi = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct permutation permutation;
        permutation_init(&permutation, N, seed);
        for (uint64_t k = 0; k < N; k++)
            counts[k][permutation_at(&permutation, k)]++;
    }
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++)
            chi += (counts[a][b] - SEEDS / N) * (counts[a][b] - SEEDS / N) / (SEEDS / N);
    assert_true(chi < 150);
}

static void test_strategy_new_names_the_nearest_word_when_misspelt(void **state)
{
    (void)state;
    struct space *space = huge_space(1);
    seal(space);
    static const struct {
        const char *method, *option, *value;
        int code;
        const char *says;
    } cases[] = {
        {"gird", NULL, NULL, ERR_NOT_FOUND, "did you mean 'grid'"},
        {"annealing", NULL, NULL, ERR_NOT_FOUND, "there are grid, random, sobol"},
        {"grid", "scramble", "true", ERR_INVALID, "method grid has no options"},
        {"sobol", "scrambel", "true", ERR_INVALID, "did you mean 'scramble'"},
        {"sobol", "verbose", "true", ERR_INVALID, "it has scramble"},
        {"sobol", "scramble", "1", ERR_INVALID, "must be true or false"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strategy_setting setting = {.name = cases[i].option};
        if (cases[i].value)
            setting.value = json_value(cases[i].value);
        struct strategy_setup setup = {
            .space = space, .settings = &setting, .setting_count = cases[i].option != NULL};
        struct strategy *strategy = NULL;
        struct err err = {0};
        assert_int_equal(strategy_new(cases[i].method, &setup, &strategy, &err), cases[i].code);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s", err.text);
    }
    space_free(space);
}

static void test_strategy_find_describes_each_method_when_listed(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct strategy_method *method = strategy_methods(); method->name;
         method++, count++) {
        assert_ptr_equal(strategy_find(method->name), method);
        assert_non_null(method->help);
        assert_non_null(method->options);
        assert_true(((method->caps & STRATEGY_INDEXED) != 0) != ((method->caps & STRATEGY_LEARNS) != 0));
    }
    assert_true(count >= 4);
    assert_true(strategy_find("grid")->caps & STRATEGY_FINITE);
    assert_null(strategy_find("byes"));
    strategy_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_gives_each_feasible_point_once_when_conditional),
        cmocka_unit_test(test_grid_gives_each_feasible_point_once_when_shuffled),
        cmocka_unit_test(test_grid_seek_continues_when_restored),
        cmocka_unit_test(test_grid_seeks_at_once_when_it_has_a_trillion_points),
        cmocka_unit_test(test_grid_skips_repeats_when_subspaces_are_conditional),
        cmocka_unit_test(test_grid_asks_again_when_feasible_points_are_rare),
        cmocka_unit_test(test_grid_names_the_constraint_when_no_point_fits),
        cmocka_unit_test(test_grid_refuses_a_space_when_it_is_continuous),
        cmocka_unit_test(test_permutation_is_a_bijection_when_any_size),
        cmocka_unit_test(test_permutation_spreads_places_when_seeds_differ),
        cmocka_unit_test(test_strategy_new_names_the_nearest_word_when_misspelt),
        cmocka_unit_test(test_strategy_find_describes_each_method_when_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
