// `when:` and `constraints:`: expressions, and the mapping form turned into one.
#include "spec/check.h"

#include "base/mem.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct expr *check_expr(struct check *c, const struct node *node, const char *what,
                        const char *text)
{
    struct expr *expr = NULL;
    size_t column = 1;
    struct err err = {0};
    if (expr_parse(text, &expr, &column, &err) == 0)
        return expr;
    int at = node->column;
    const char *sentence = err.text;
    if (node->kind == NODE_SCALAR && node->one_line && !strcmp(node->text, text)) {
        // The place says the column: the sentence need not.
        at += (node->style == NODE_QUOTED) + (int)column - 1;
        if (str_starts(sentence, "column ") && strstr(sentence, ": "))
            sentence = strstr(sentence, ": ") + 2;
    }
    problems_add(c->problems, PROBLEM_ERROR, node->line, at, "%s: %s", what, sentence);
    return NULL;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(left, *(const char *const *)right);
}

// True when `name` is the path of a group: some name goes on with "." behind it.
static bool is_group(const char *name, const char *const *names, size_t count)
{
    size_t len = strlen(name), low = 0, high = count;
    while (low < high) { // the first name that is not below "<name>."
        size_t mid = low + (high - low) / 2;
        int order = strncmp(names[mid], name, len);
        if (order < 0 || (order == 0 && (unsigned char)names[mid][len] < '.'))
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && !strncmp(names[low], name, len) && names[low][len] == '.';
}

bool check_expr_names(struct check *c, const struct node *node, const struct expr *expr,
                      const char *const *names, size_t count)
{
    size_t used;
    const char *const *used_names = expr_names(expr, &used);
    bool ok = true;
    for (size_t i = 0; i < used; i++) {
        const char *name = used_names[i];
        if (bsearch(name, names, count, sizeof(*names), compare_names))
            continue;
        ok = false;
        if (is_group(name, names, count))
            check_error(c, node, "'%s' is a group of parameters: name one of them, such as '%s.x'",
                        check_shown(c, name), check_shown(c, name));
        else
            check_error(c, node, "there is no parameter '%s'%s", check_shown(c, name),
                        check_did_you_mean(c, name, names));
    }
    return ok;
}

// --- the mapping form ---

static bool is_plain_name(const char *name)
{
    static const char *const reserved[] = {"or",   "and",  "not",   "in",   "true", "false",
                                           "null", "True", "False", "None", NULL};
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (const char *s = name; *s; s++) {
        if (!isalnum((unsigned char)*s) && *s != '_' && *s != '.')
            return false;
        if (*s == '.' && !isalpha((unsigned char)s[1]) && s[1] != '_')
            return false;
    }
    for (size_t i = 0; reserved[i]; i++) {
        if (!strcmp(name, reserved[i]))
            return false;
    }
    return true;
}

static bool write_name(struct check *c, struct str *out, const struct node *key, const char *name)
{
    if (strchr(name, '`')) {
        check_error(c, key, "when: a name with a back-tick cannot stand in a condition");
        return false;
    }
    if (is_plain_name(name))
        str_add(out, name);
    else
        str_addf(out, "`%s`", name);
    return true;
}

static bool write_literal(struct check *c, struct str *out, const struct node *node)
{
    struct value value;
    if (node->kind != NODE_SCALAR) {
        check_error(c, node, "when: a condition compares with single values, but this is %s",
                    node_kind_text(node));
        return false;
    }
    if (!check_value(c, node, "the value", &value))
        return false;
    bool ok = true;
    if (value.kind == VALUE_FLOAT && !isfinite(value.number)) {
        check_error(c, node, "when: a condition cannot compare with %s",
                    check_shown(c, node->text));
        ok = false;
    } else if (value.kind == VALUE_STRING) {
        str_addch(out, '\'');
        for (const char *s = value.text; *s; s++) {
            if (*s == '\\' || *s == '\'')
                str_addch(out, '\\');
            str_addch(out, *s);
        }
        str_addch(out, '\'');
    } else {
        value_write_json(out, &value);
    }
    value_release(&value);
    return ok;
}

static bool write_conditions(struct check *c, struct str *out, const struct node *map,
                             const char *prefix);

static bool write_condition(struct check *c, struct str *out, const struct node *key,
                            const char *name, const struct node *value)
{
    if (value->kind == NODE_MAPPING) {
        struct str prefix = STR_INIT;
        str_addf(&prefix, "%s.", name);
        bool nested = write_conditions(c, out, value, str_get(&prefix));
        str_release(&prefix);
        return nested;
    }
    if (out->len)
        str_add(out, " and ");
    if (!write_name(c, out, key, name))
        return false;
    if (value->kind == NODE_SCALAR) {
        str_add(out, " == ");
        return write_literal(c, out, value);
    }
    if (!value->count) {
        check_error(c, value, "when: no value of '%s' fits an empty list", check_shown(c, name));
        return false;
    }
    str_add(out, " in [");
    bool ok = true;
    for (size_t i = 0; i < value->count && ok; i++) {
        if (i)
            str_add(out, ", ");
        ok = write_literal(c, out, value->items[i]);
    }
    str_addch(out, ']');
    return ok;
}

static bool write_conditions(struct check *c, struct str *out, const struct node *map,
                             const char *prefix)
{
    bool ok = true;
    for (size_t i = 0; i < map->count; i++) {
        struct str name = STR_INIT;
        str_addf(&name, "%s%s", prefix, map->sorted[i]->key->text);
        ok = write_condition(c, out, map->sorted[i]->key, str_get(&name), map->sorted[i]->value) &&
             ok;
        str_release(&name);
        if (out->len > EXPR_LENGTH_MAX)
            break; // the parser says so
    }
    return ok;
}

char *check_when_text(struct check *c, const struct node *node)
{
    struct str text = STR_INIT;
    bool ok = true;
    if (node->kind == NODE_MAPPING && node->count) {
        ok = write_conditions(c, &text, node, "");
    } else if (node->kind == NODE_SCALAR && !check_is_null(node)) {
        str_add(&text, node->text);
    } else {
        check_error(c, node,
                    "when must be a mapping such as `when: {algo: svm, kernel: [rbf, poly]}` or an "
                    "expression "
                    "such as `when: \"layers >= 2\"`, but this is %s",
                    node->kind == NODE_MAPPING ? "empty" : check_shown_node(c, node));
        ok = false;
    }
    struct expr *expr = ok ? check_expr(c, node, "when", str_get(&text)) : NULL;
    expr_free(expr);
    if (!expr) {
        str_release(&text);
        return NULL;
    }
    return str_detach(&text);
}

// --- values that never occur ---

static void check_one_value(struct check *c, const struct param *param, const struct node *node)
{
    struct value value;
    if (c->condition_work > CONDITION_WORK_MAX)
        return;
    c->condition_work += param->value_count + 1;
    if (node->kind != NODE_SCALAR || !check_value(c, node, "the value", &value))
        return;
    if (!param_contains(param, &value)) {
        const char *nearest = "";
        const char **words = xcalloc(param->value_count + 1, sizeof(*words));
        size_t count = 0;
        for (size_t i = 0; i < param->value_count; i++) {
            if (param->values[i].kind == VALUE_STRING)
                words[count++] = param->values[i].text;
        }
        if (value.kind == VALUE_STRING)
            nearest = check_did_you_mean(c, value.text, words);
        check_warning(c, node,
                      "parameter '%s' never has the value %s%s: this condition does not hold",
                      check_shown(c, param->name), check_shown_node(c, node), nearest);
        free(words);
    }
    value_release(&value);
}

static void check_values_below(struct check *c, const struct node *map, const char *prefix)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct node *value = map->pairs[i].value;
        struct str name = STR_INIT;
        str_addf(&name, "%s%s", prefix, map->pairs[i].key->text);
        int index = space_find(c->spec->space, str_get(&name));
        if (value->kind == NODE_MAPPING) {
            str_addch(&name, '.');
            check_values_below(c, value, str_get(&name));
        } else if (index >= 0) {
            const struct param *param = space_param(c->spec->space, (size_t)index);
            if (value->kind == NODE_SCALAR)
                check_one_value(c, param, value);
            for (size_t j = 0; value->kind == NODE_SEQUENCE && j < value->count; j++)
                check_one_value(c, param, value->items[j]);
        }
        str_release(&name);
    }
}

void check_when_values(struct check *c, const struct node *node)
{
    if (node->kind == NODE_MAPPING)
        check_values_below(c, node, "");
}
