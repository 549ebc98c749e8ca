// Spaces and configurations: order, conditions, constraints, grids against brute force, JSON round
// trips.

#include "test_space_build.h"

static struct space *nested_space(void)
{
    struct space *space = space_new();
    add(space, choice_param("optimizer.lr", "[0.1]"));
    add(space, choice_param("model/name", "[\"a\",\"b\"]"));
    add(space, int_param("model/depth/max", 1, 3));
    add(space, choice_param("a-b", "[1]"));
    add(space, choice_param("a", "[true]"));
    add(space, int_param("z", 1, 2));
    return space;
}

static void test_space_seal_sorts_every_level_when_nested(void **state)
{
    (void)state;
    struct space *space = nested_space();
    seal(space);
    static const char *const order[] = {"a",          "a-b",          "model.depth.max",
                                        "model.name", "optimizer.lr", "z"};
    assert_int_equal(space_count(space), ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_string_equal(space_param(space, i)->name, order[i]);
        assert_int_equal(space_find(space, order[i]), (int)i);
    }
    assert_int_equal(space_find(space, "model"), -1);
    space_free(space);
}

static void test_config_write_json_nests_as_the_space_when_dotted_names_mix(void **state)
{
    (void)state;
    struct space *space = nested_space();
    seal(space);
    struct config config;
    config_from_grid(space, 0, &config, NULL);
    assert_config(space, &config,
                  "{\"a\":true,\"a-b\":1,\"model\":{\"depth\":{\"max\":1},\"name\":\"a\"},"
                  "\"optimizer.lr\":0.1,\"z\":1}");
    config_release(&config);
    space_free(space);
}

static void test_space_add_refuses_when_a_name_repeats(void **state)
{
    (void)state;
    struct space *space = space_new();
    struct err err = {0};
    add(space, int_param("x", 1, 2));
    struct param again = int_param("x", 3, 4);
    assert_int_equal(space_add(space, &again, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "'x'"));
    assert_string_equal(again.name, "x"); // still the caller's
    param_release(&again);
    assert_int_equal(space_count(space), 1);
    space_free(space);
}

static void test_space_add_refuses_when_the_limit_is_reached(void **state)
{
    (void)state;
    struct space *space = space_new();
    struct err err = {0};
    for (int i = 0; i < SPACE_PARAMS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", (i * 7919) % SPACE_PARAMS_MAX);
        add(space, int_param(name, 1, 2));
    }
    struct param more = int_param("more", 1, 2);
    assert_int_equal(space_add(space, &more, &err), ERR_LIMIT);
    param_release(&more);
    seal(space);
    space_free(space);
}

static void assert_seal_fails(struct space *space, int code, const char *says)
{
    struct err err = {0};
    assert_int_equal(space_seal(space, &err), code);
    if (!strstr(err.text, says))
        fail_msg("%s", err.text);
    space_free(space);
}

static void test_space_seal_names_the_fault_when_wrong(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, when(int_param("x", 1, 2), "optimzer == 1"));
    add(space, int_param("optimizer", 1, 2));
    assert_seal_fails(space, ERR_NOT_FOUND,
                      "when of 'x': 'optimzer' is not a parameter; did you mean 'optimizer'?");
    space = space_new();
    add(space, int_param("weight-decay", 1, 2));
    constrain(space, "weight-decay < 2");
    assert_seal_fails(space, ERR_NOT_FOUND, "write `weight-decay` in back-ticks");
    space = space_new();
    add(space, when(int_param("a", 1, 2), "c == 1"));
    add(space, when(int_param("b", 1, 2), "a == 1"));
    add(space, when(int_param("c", 1, 2), "b == 1"));
    assert_seal_fails(space, ERR_INVALID, "'a' needs 'c' needs 'b' needs 'a'");
    space = space_new();
    add(space, when(int_param("self", 1, 2), "self == 1"));
    assert_seal_fails(space, ERR_INVALID, "'self' needs 'self'");
    space = space_new();
    add(space, int_param("model/depth", 1, 2));
    add(space, int_param("model", 1, 2));
    assert_seal_fails(space, ERR_INVALID, "'model' has a value and also parameters below it");
}

static void test_space_seal_orders_conditions_when_the_chain_is_long(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, int_param("p9999", 0, 1));
    for (int i = 9998; i >= 0; i--) {
        char name[16], condition[32];
        snprintf(name, sizeof name, "p%04d", i);
        snprintf(condition, sizeof condition, "p%04d == 1", i + 1);
        add(space, when(int_param(name, 0, 1), condition));
    }
    seal(space);
    double *units = xcalloc(space_count(space), sizeof *units);
    for (size_t i = 0; i < space_count(space); i++)
        units[i] = i == 5000 ? 0.1 : 0.9;
    struct config config;
    config_from_unit(space, units, &config);
    for (size_t i = 0; i < config.count; i++)
        assert_int_equal(config.active[i], i >= 5000);
    config_release(&config);
    free(units);
    space_free(space);
}

static struct space *conditional_space(void)
{
    struct space *space = space_new();
    add(space, choice_param("algo", "[\"rf\",\"svm\",\"svm\"]"));
    add(space, when(choice_param("kernel", "[\"linear\",\"rbf\",\"poly\"]"), "algo == 'svm'"));
    add(space, when(int_param("degree", 2, 4), "kernel == 'poly'"));
    add(space, when(int_param("zdepth", 1, 3), "algo == 'rf'"));
    add(space, when(choice_param("nested/other", "[1,2]"), "not kernel == 'rbf'"));
    add(space, q_param("q", DIST_Q_UNIFORM, 0, 6, 2, true));
    return space;
}

static void test_config_from_unit_leaves_out_when_a_condition_fails(void **state)
{
    (void)state;
    struct space *space = conditional_space();
    seal(space);
    assert_true(space_has_conditions(space));
    double units[6] = {0};
    struct config config;
    config_from_unit(space, units, &config); // algo rf
    assert_config(space, &config, "{\"algo\":\"rf\",\"q\":0,\"zdepth\":1}");
    assert_int_equal(config.values[space_find(space, "kernel")].kind, VALUE_NULL);
    config_release(&config);
    units[space_find(space, "algo")] = 0.9;
    units[space_find(space, "kernel")] = 0.99;
    config_from_unit(space, units, &config);
    assert_config(
        space, &config,
        "{\"algo\":\"svm\",\"degree\":2,\"kernel\":\"poly\",\"nested\":{\"other\":1},\"q\":0}");
    config_release(&config);
    space_free(space);
}

// Every canonical index once and in order, each distinct configuration once; skipping loses none.
static void test_config_from_grid_equals_brute_force_when_conditional(void **state)
{
    (void)state;
    struct space *space = conditional_space();
    seal(space);
    uint64_t count, skipping = 0, walked = 0;
    assert_int_equal(space_grid_count(space, &count, NULL), 0);
    assert_int_equal(count, 2 * 3 * 3 * 3 * 2 * 3);
    struct config *found = xcalloc(count, sizeof *found);
    size_t canonicals = 0, distinct = 0;
    struct config view;
    config_view_init(space, &view);
    for (uint64_t i = 0; i < count; i++) {
        bool canonical;
        struct config config;
        config_from_grid(space, i, &config, &canonical);
        canonicals += canonical;
        if (canonical) {
            assert_true(i >= skipping);
            while (skipping < i) { // the walk that skips comes here too
                uint64_t next;
                assert_false(config_view_grid(space, skipping, &view, &next));
                assert_true(next > skipping && next <= i);
                skipping = next;
                walked++;
            }
            skipping = i + 1;
        }
        size_t k = 0;
        while (k < distinct && !config_equal(&found[k], &config))
            k++;
        assert_int_equal(k == distinct, canonical);
        if (k == distinct) {
            found[distinct++] = config;
        } else {
            assert_int_equal(config_hash(&found[k]), config_hash(&config));
            config_release(&config);
        }
    }
    // rf: 3 depths; svm: linear 2, rbf 1, poly 3 degrees * 2; each times 3 q
    assert_int_equal(distinct, (3 + 2 + 1 + 6) * 3);
    assert_int_equal(canonicals, distinct);
    assert_true(walked < count / 4);
    for (size_t k = 0; k < distinct; k++)
        config_release(&found[k]);
    free(found);
    config_view_release(&view);
    space_free(space);
}

static void test_config_from_grid_is_wandbs_order_when_plain(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, choice_param("z", "[3,1,3.0]"));
    add(space, choice_param("a", "[\"y\",\"x\"]"));
    add(space, constant_param("m", "{\"k\":1}"));
    seal(space);
    static const char *const expected[] = {
        "{\"a\":\"y\",\"m\":{\"k\":1},\"z\":3}", "{\"a\":\"y\",\"m\":{\"k\":1},\"z\":1}",
        "{\"a\":\"x\",\"m\":{\"k\":1},\"z\":3}", "{\"a\":\"x\",\"m\":{\"k\":1},\"z\":1}"};
    uint64_t count;
    assert_int_equal(space_grid_count(space, &count, NULL), 0);
    assert_int_equal(count, 4);
    for (uint64_t i = 0; i < count; i++) {
        struct config config;
        bool canonical = false;
        config_from_grid(space, i, &config, &canonical);
        assert_true(canonical);
        assert_config(space, &config, expected[i]);
        config_release(&config);
    }
    space_free(space);
}

static void test_space_grid_count_names_the_parameter_when_it_cannot_be_listed(void **state)
{
    (void)state;
    static const enum dist dists[] = {DIST_UNIFORM, DIST_LOG_UNIFORM_VALUES, DIST_Q_NORMAL,
                                      DIST_BETA, DIST_Q_LOG_UNIFORM_VALUES};
    for (size_t i = 0; i < ARRAY_LEN(dists); i++) {
        struct space *space = space_new();
        struct err err = {0};
        uint64_t count = 7;
        add(space, int_param("a", 1, 2));
        add(space, range_param("dropout", dists[i], 1, 2));
        seal(space);
        assert_int_equal(space_grid_count(space, &count, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "'dropout'"));
        assert_non_null(strstr(err.text, "'values'"));
        assert_int_equal(count, 7);
        space_free(space);
    }
}

static void test_space_grid_count_saturates_when_more_than_64_bits(void **state)
{
    (void)state;
    struct space *space = space_new();
    for (int i = 0; i < 7; i++)
        add(space, int_param((char[]){(char)('a' + i), '\0'}, 1, 1000));
    seal(space);
    uint64_t count;
    assert_int_equal(space_grid_count(space, &count, NULL), 0);
    assert_true(count == UINT64_MAX);
    struct config config;
    config_from_grid(space, UINT64_MAX - 1, &config, NULL); // ...551,614 in base 1000
    assert_config(space, &config,
                  "{\"a\":19,\"b\":447,\"c\":745,\"d\":74,\"e\":710,\"f\":552,\"g\":615}");
    config_release(&config);
    space_free(space);
}

static void test_config_feasible_names_the_first_failure_when_constrained(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, int_param("layers", 1, 8));
    add(space, int_param("width", 1, 4096));
    add(space, when(int_param("tail", 1, 8), "layers > 4"));
    constrain(space, "width * layers <= 4096");
    constrain(space, "tail <= layers");
    seal(space);
    assert_int_equal(space_constraint_count(space), 2);
    static const struct {
        const char *json;
        bool feasible;
        size_t failed;
    } cases[] = {{"{\"layers\":2,\"width\":2048}", true, 9},
                 {"{\"layers\":2,\"width\":2049}", false, 0},
                 {"{\"layers\":5,\"tail\":5,\"width\":1}", true, 9},
                 {"{\"layers\":5,\"tail\":6,\"width\":1}", false, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_object *json = NULL;
        struct config config;
        struct err err;
        size_t failed = 9;
        assert_int_equal(json_parse(cases[i].json, strlen(cases[i].json), &json, NULL), 0);
        if (config_from_json(space, json, &config, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(config_feasible(space, &config, &failed), cases[i].feasible);
        assert_int_equal(failed, cases[i].failed);
        config_release(&config);
        json_object_put(json);
    }
    space_free(space);
}

static void test_config_from_json_names_the_misfit_when_refusing(void **state)
{
    (void)state;
    struct space *space = space_new();
    add(space, choice_param("algo", "[\"rf\",\"svm\"]"));
    add(space, when(range_param("momentum", DIST_UNIFORM, 0, 1), "algo == 'svm'"));
    add(space, int_param("model/depth", 1, 3));
    add(space, range_param("model/sub/rate", DIST_UNIFORM, 0, 1));
    seal(space);
    static const char *const cases[][2] = {
        {"[]", "JSON object"},
        {"{\"algo\":\"rf\"}", "'model.depth' is missing"},
        {"{\"algo\":\"rf\",\"model\":{\"depht\":1}}",
         "'model.depht' is not a parameter of this sweep; did you mean 'depth'?"},
        {"{\"algo\":\"rf\",\"model\":{\"sub\":{\"x\":1}}}", "'model.sub.x' is not"},
        {"{\"algo\":\"rf\",\"model\":3}", "'model.' should be a mapping"},
        {"{\"algo\":\"nn\",\"model\":{\"depth\":1}}",
         "'algo' is \"nn\", which is not one of \"rf\", \"svm\""},
        {"{\"algo\":\"rf\",\"model\":{\"depth\":4,\"sub\":{\"rate\":0}}}",
         "'model.depth' is 4, which is not an integer from 1 to 3"},
        {"{\"algo\":\"rf\",\"model\":{\"depth\":1.5,\"sub\":{\"rate\":0}}}",
         "'model.depth' is 1.5"},
        {"{\"algo\":\"rf\",\"model\":{\"depth\":1,\"sub\":{\"rate\":2}}}", "a number from 0 to 1"},
        {"{\"algo\":\"rf\",\"momentum\":0.5,\"model\":{\"depth\":1,\"sub\":{\"rate\":0}}}",
         "'momentum' is given, but its condition"},
        {"{\"algo\":\"svm\",\"model\":{\"depth\":1,\"sub\":{\"rate\":0}}}",
         "'momentum' is missing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct json_object *json = NULL;
        struct config config;
        struct err err = {0};
        assert_int_equal(json_parse(cases[i][0], strlen(cases[i][0]), &json, NULL), 0);
        assert_int_equal(config_from_json(space, json, &config, &err), ERR_INVALID);
        if (!strstr(err.text, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], err.text);
        json_object_put(json);
    }
    space_free(space);
}

static struct space *random_space(struct rng *rng)
{
    static const char *const paths[] = {"a", "b/x", "b/y/p", "b/y/q", "c-d", "e.f", "g/a", "h"};
    struct space *space = space_new();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        uint64_t kind = rng_below(rng, 7);
        struct param param =
            kind == 0
                ? choice_param(paths[i], "[\"s\",1,2.5,null,true,{\"k\":[1,NaN]},[],\"\\u00e9\"]")
            : kind == 1 ? int_param(paths[i], -5, 5)
            : kind == 2 ? range_param(paths[i], DIST_UNIFORM, -1, 1)
            : kind == 3 ? range_param(paths[i], DIST_LOG_UNIFORM_VALUES, 1e-9, 1e9)
            : kind == 4 ? range_param(paths[i], DIST_LOG_NORMAL, 0, 0)
            : kind == 5 ? q_param(paths[i], DIST_Q_LOG_UNIFORM_VALUES, 0.3, 30, 0.1, false)
                        : constant_param(paths[i], "-0.0");
        if (i > 0 && rng_below(rng, 3) == 0)
            param =
                when(param, rng_below(rng, 2) ? "a == 1 or a < 0.2" : "not a in [true, null, -2]");
        add(space, param);
    }
    seal(space);
    return space;
}

static void test_config_json_round_trips_when_the_space_is_random(void **state)
{
    (void)state;
    struct rng rng;
    rng_stream(&rng, 2, "test", 0);
    for (int i = 0; i < 300; i++) {
        struct space *space = random_space(&rng);
        double units[8];
        for (int draw = 0; draw < 10; draw++) {
            struct config config, again;
            struct err err = {0};
            for (size_t k = 0; k < ARRAY_LEN(units); k++)
                units[k] = rng_double(&rng);
            config_from_unit(space, units, &config);
            char *text = config_text(space, &config);
            struct json_object *json = NULL;
            assert_int_equal(json_parse(text, strlen(text), &json, NULL), 0);
            if (config_from_json(space, json, &again, &err) != 0)
                fail_msg("%s: %s", text, err.text);
            assert_true(config_equal(&config, &again));
            assert_int_equal(config_hash(&config), config_hash(&again));
            char *second = config_text(space, &again);
            assert_string_equal(text, second);
            free(text);
            free(second);
            json_object_put(json);
            config_release(&config);
            config_release(&again);
        }
        space_free(space);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_seal_sorts_every_level_when_nested),
        cmocka_unit_test(test_config_write_json_nests_as_the_space_when_dotted_names_mix),
        cmocka_unit_test(test_space_add_refuses_when_a_name_repeats),
        cmocka_unit_test(test_space_add_refuses_when_the_limit_is_reached),
        cmocka_unit_test(test_space_seal_names_the_fault_when_wrong),
        cmocka_unit_test(test_space_seal_orders_conditions_when_the_chain_is_long),
        cmocka_unit_test(test_config_from_unit_leaves_out_when_a_condition_fails),
        cmocka_unit_test(test_config_from_grid_equals_brute_force_when_conditional),
        cmocka_unit_test(test_config_from_grid_is_wandbs_order_when_plain),
        cmocka_unit_test(test_space_grid_count_names_the_parameter_when_it_cannot_be_listed),
        cmocka_unit_test(test_space_grid_count_saturates_when_more_than_64_bits),
        cmocka_unit_test(test_config_feasible_names_the_first_failure_when_constrained),
        cmocka_unit_test(test_config_from_json_names_the_misfit_when_refusing),
        cmocka_unit_test(test_config_json_round_trips_when_the_space_is_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
