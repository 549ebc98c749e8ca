// What all checks share: reporting, the user's text in messages, typed readings of nodes.
#include "spec/check.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAREST_WORD_MAX 64 // longer words are not looked up

void check_error(struct check *c, const struct node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_vadd(c->problems, PROBLEM_ERROR, at->line, at->column, format, args);
    va_end(args);
}

void check_warning(struct check *c, const struct node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_vadd(c->problems, PROBLEM_WARNING, at->line, at->column, format, args);
    va_end(args);
}

void check_notice(struct check *c, const struct node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_vadd(c->problems, PROBLEM_NOTICE, at->line, at->column, format, args);
    va_end(args);
}

static char *next_shown(struct check *c)
{
    return c->shown[c->shown_next++ % ARRAY_LEN(c->shown)];
}

const char *check_shown(struct check *c, const char *text)
{
    char *shown = next_shown(c);
    size_t len = strlen(text), kept = len < SHOWN_MAX ? len : SHOWN_MAX - 3;
    while (kept < len && kept > 0 && ((unsigned char)text[kept] & 0xC0) == 0x80)
        kept--; // not in the middle of a character
    memcpy(shown, text, kept);
    strcpy(shown + kept, kept < len ? "..." : "");
    return shown;
}

const char *check_shown_node(struct check *c, const struct node *node)
{
    if (node->kind != NODE_SCALAR)
        return node_kind_text(node);
    struct scalar scalar = scalar_read(node);
    if (scalar.kind == SCALAR_NULL)
        return "nothing";
    if (scalar.kind != SCALAR_STRING)
        return check_shown(c, node->text);
    char *shown = next_shown(c);
    struct str quoted = STR_INIT;
    str_addf(&quoted, "'%s'", check_shown(c, node->text));
    memcpy(shown, quoted.s, quoted.len < sizeof c->shown[0] ? quoted.len + 1 : sizeof c->shown[0]);
    shown[sizeof c->shown[0] - 1] = 0;
    str_release(&quoted);
    return shown;
}

const char *check_nearest(struct check *c, const char *word, const char *const *words)
{
    char lower[NEAREST_WORD_MAX + 1];
    size_t len = strlen(word);
    if (len > NEAREST_WORD_MAX || c->nearest_work > NEAREST_WORK_MAX)
        return NULL;
    for (const char *const *counted = words; *counted; counted++)
        c->nearest_work++;
    const char *nearest = str_nearest(word, words);
    if (nearest)
        return nearest;
    for (size_t i = 0; i <= len; i++) {
        bool upper = word[i] >= 'A' && word[i] <= 'Z';
        lower[i] = (char)(upper ? word[i] + ('a' - 'A') : word[i] == '-' ? '_' : word[i]);
    }
    return strcmp(lower, word) ? str_nearest(lower, words) : NULL;
}

const char *check_did_you_mean(struct check *c, const char *word, const char *const *words)
{
    const char *nearest = check_nearest(c, word, words);
    if (!nearest)
        return "";
    struct str text = STR_INIT;
    str_addf(&text, " (did you mean '%s'?)", check_shown(c, nearest));
    char *shown = next_shown(c);
    size_t len = text.len < sizeof c->shown[0] ? text.len : sizeof c->shown[0] - 1;
    memcpy(shown, text.s, len);
    shown[len] = 0;
    str_release(&text);
    return shown;
}

void check_list_words(struct str *out, const char *const *words, const char *last)
{
    for (size_t i = 0; words[i]; i++) {
        if (i)
            str_add(out, words[i + 1] ? ", " : " ");
        if (i && !words[i + 1])
            str_addf(out, "%s ", last);
        str_add(out, words[i]);
    }
}

bool check_is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && scalar_read(node).kind == SCALAR_NULL;
}

bool check_text(struct check *c, const struct node *node, const char *what, char **ret)
{
    if (node->kind != NODE_SCALAR) {
        check_error(c, node, "%s must be text, but this is %s", what, node_kind_text(node));
        return false;
    }
    struct scalar scalar = scalar_read(node);
    if (scalar.kind == SCALAR_NULL) {
        check_warning(c, node, "%s is empty: write its text or remove the line", what);
        return false;
    }
    if (scalar.kind != SCALAR_STRING)
        check_warning(c, node, "%s is taken as the text '%s': put quotes around it", what,
                      check_shown(c, node->text));
    free(*ret);
    *ret = xstrdup(node->text);
    return true;
}

// Why a text that looks like a number is none, as a remedy for the end of a sentence.
static const char *number_remedy(const struct node *node)
{
    if (node->kind != NODE_SCALAR)
        return "";
    struct scalar scalar = scalar_read(node);
    double number;
    if (scalar.kind == SCALAR_STRING && node->style != NODE_PLAIN &&
        num_parse_double(node->text, &number))
        return ": remove the quotes";
    if (scalar.kind == SCALAR_STRING && strpbrk(node->text, "*^("))
        return ": YAML does not calculate, write the number itself";
    if (scalar.kind == SCALAR_STRING && strchr(node->text, ','))
        return ": write a decimal point, not a comma";
    return "";
}

bool check_number(struct check *c, const struct node *node, const char *what, struct scalar *ret)
{
    struct scalar scalar = {0};
    if (node->kind == NODE_SCALAR)
        scalar = scalar_read(node);
    if (node->kind != NODE_SCALAR || (scalar.kind != SCALAR_INT && scalar.kind != SCALAR_FLOAT)) {
        check_error(c, node, "%s must be a number, but this is %s%s", what,
                    check_shown_node(c, node), number_remedy(node));
        return false;
    }
    if (!isfinite(scalar.number)) {
        check_error(c, node, "%s must be a finite number, but this is %s", what,
                    check_shown(c, node->text));
        return false;
    }
    if (scalar.note == SCALAR_OCTAL)
        check_warning(c, node,
                      "%s: %s is read as %lld (octal, as W&B reads it): write it without the 0",
                      what, check_shown(c, node->text), (long long)scalar.integer);
    *ret = scalar;
    return true;
}

bool check_int(struct check *c, const struct node *node, const char *what, int64_t min, int64_t max,
               int64_t *ret)
{
    struct scalar scalar;
    if (!check_number(c, node, what, &scalar))
        return false;
    if (scalar.kind == SCALAR_FLOAT) {
        if (scalar.number != floor(scalar.number) || fabs(scalar.number) > 9e15) {
            check_error(c, node, "%s must be a whole number, but this is %s", what,
                        check_shown(c, node->text));
            return false;
        }
        scalar.integer = (int64_t)scalar.number;
        check_warning(c, node, "%s should be written without a decimal point: %lld is taken", what,
                      (long long)scalar.integer);
    }
    if (scalar.integer < min || scalar.integer > max) {
        if (max == INT64_MAX)
            check_error(c, node, "%s must be at least %lld, but this is %lld", what, (long long)min,
                        (long long)scalar.integer);
        else
            check_error(c, node, "%s must be from %lld to %lld, but this is %lld", what,
                        (long long)min, (long long)max, (long long)scalar.integer);
        return false;
    }
    *ret = scalar.integer;
    return true;
}

bool check_bool(struct check *c, const struct node *node, const char *what, bool *ret)
{
    struct scalar scalar = {0};
    if (node->kind == NODE_SCALAR)
        scalar = scalar_read(node);
    if (node->kind != NODE_SCALAR || scalar.kind != SCALAR_BOOL) {
        check_error(c, node, "%s must be true or false, but this is %s", what,
                    check_shown_node(c, node));
        return false;
    }
    *ret = scalar.boolean;
    return true;
}

bool check_duration(struct check *c, const struct node *node, const char *what, uint64_t *ret_ms)
{
    uint64_t ms;
    if (node->kind == NODE_SCALAR && num_parse_duration_ms(node->text, &ms)) {
        *ret_ms = ms;
        return true;
    }
    check_error(c, node,
                "%s must be a duration such as 90s, 30m, 2h or 1d, or seconds, but this is %s",
                what, check_shown_node(c, node));
    return false;
}

bool check_mapping(struct check *c, const struct node *node, const char *what, const char *example)
{
    if (node->kind == NODE_MAPPING)
        return true;
    check_error(c, node, "%s must be a mapping such as `%s`, but this is %s", what, example,
                check_shown_node(c, node));
    return false;
}

void check_keys(struct check *c, const struct node *map, const char *where, const char *const *keys)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct node *key = map->pairs[i].key;
        bool known = false;
        for (const char *const *word = keys; *word && !known; word++)
            known = !strcmp(*word, key->text);
        if (known)
            continue;
        struct str words = STR_INIT;
        check_list_words(&words, keys, "and");
        check_warning(c, key, "%s has no key '%s'%s: it is ignored; there are %s", where,
                      check_shown(c, key->text), check_did_you_mean(c, key->text, keys),
                      str_get(&words));
        str_release(&words);
    }
}

// --- values ---

static void report_note(struct check *c, const struct node *node, const struct scalar *scalar)
{
    const char *text = check_shown(c, node->text);
    if (scalar->note == SCALAR_UNDERSCORES)
        check_notice(c, node, "%s is read as the number without '_', as W&B reads it", text);
    else if (scalar->note == SCALAR_OCTAL)
        check_warning(c, node,
                      "%s is read as %lld (octal, as W&B reads it): write %lld, or quote the text",
                      text, (long long)scalar->integer, (long long)scalar->integer);
    else if (scalar->note == SCALAR_SEXAGESIMAL)
        check_warning(c, node,
                      "%s is text here, but W&B reads a number of base 60: put quotes around it",
                      text);
    else if (scalar->note == SCALAR_TOO_LARGE)
        check_warning(
            c, node, "%s is beyond 64 bits and becomes a float: quote it to keep its digits", text);
}

// False with an error for a tag that does not fit.
static bool read_scalar(struct check *c, const struct node *node, struct scalar *ret)
{
    *ret = scalar_read(node);
    if (ret->note == SCALAR_TAG_UNKNOWN || ret->note == SCALAR_TAG_MISMATCH) {
        check_error(
            c, node,
            ret->note == SCALAR_TAG_UNKNOWN
                ? "the tag %s is not known here (known: !!str, !!int, !!float, !!bool, !!null): "
                  "remove it"
                : "the text does not fit its tag %s: correct one of the two",
            check_shown(c, node->tag));
        return false;
    }
    report_note(c, node, ret);
    return true;
}

static bool write_json_node(struct check *c, struct str *out, const struct node *node);

static bool write_json_scalar(struct check *c, struct str *out, const struct node *node)
{
    struct scalar scalar;
    if (!read_scalar(c, node, &scalar))
        return false;
    switch (scalar.kind) {
    case SCALAR_NULL:
        str_add(out, "null");
        break;
    case SCALAR_BOOL:
        str_add(out, scalar.boolean ? "true" : "false");
        break;
    case SCALAR_INT:
        str_addf(out, "%lld", (long long)scalar.integer);
        break;
    case SCALAR_FLOAT:
        json_write_double(out, scalar.number);
        break;
    case SCALAR_STRING:
        json_write_string(out, node->text, strlen(node->text));
        break;
    }
    return true;
}

static bool write_json_node(struct check *c, struct str *out, const struct node *node)
{
    if (node->kind == NODE_SCALAR)
        return write_json_scalar(c, out, node);
    bool is_map = node->kind == NODE_MAPPING, ok = true;
    str_addch(out, is_map ? '{' : '[');
    for (size_t i = 0; i < node->count; i++) {
        if (i)
            str_addch(out, ',');
        if (is_map) {
            json_write_string(out, node->sorted[i]->key->text, strlen(node->sorted[i]->key->text));
            str_addch(out, ':');
        }
        ok = write_json_node(c, out, is_map ? node->sorted[i]->value : node->items[i]) && ok;
    }
    str_addch(out, is_map ? '}' : ']');
    return ok;
}

bool check_value(struct check *c, const struct node *node, const char *what, struct value *ret)
{
    if (node->kind == NODE_SCALAR) {
        struct scalar scalar;
        if (!read_scalar(c, node, &scalar))
            return false;
        *ret = (struct value){.kind = VALUE_NULL};
        if (scalar.kind == SCALAR_BOOL)
            *ret = (struct value){.kind = VALUE_BOOL, .boolean = scalar.boolean};
        else if (scalar.kind == SCALAR_INT)
            *ret = (struct value){.kind = VALUE_INT, .integer = scalar.integer};
        else if (scalar.kind == SCALAR_FLOAT)
            *ret = (struct value){.kind = VALUE_FLOAT, .number = scalar.number};
        else if (scalar.kind == SCALAR_STRING)
            *ret = (struct value){.kind = VALUE_STRING, .text = xstrdup(node->text)};
        return true;
    }
    if (node->height > SPEC_VALUE_DEPTH_MAX) {
        check_error(c, node, "%s is nested more than %d levels deep", what, SPEC_VALUE_DEPTH_MAX);
        return false;
    }
    struct str json = STR_INIT;
    bool ok = write_json_node(c, &json, node);
    if (ok && json.len > SPEC_SCALAR_MAX) {
        check_error(c, node, "%s has %zu bytes as JSON: at most %d are allowed", what, json.len,
                    SPEC_SCALAR_MAX);
        ok = false;
    }
    if (ok)
        *ret = (struct value){.kind = VALUE_JSON, .text = str_detach(&json)};
    str_release(&json);
    return ok;
}
