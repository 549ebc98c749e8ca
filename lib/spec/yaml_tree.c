// libyaml's events to a tree. See yaml_tree.h for the bounds.
#include "spec/yaml_tree.h"

#include "base/mem.h"
#include "spec/problems.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#define CHUNK_BYTES        65536
#define TAG_DIRECTIVES_MAX 32
// Text with aliases expanded: what is copied out of the tree stays within a few of these.
#define EXPANDED_BYTES_MAX (4u * SPEC_BYTES_MAX)

struct chunk {
    struct chunk *next;
    size_t used, capacity;
    _Alignas(16) unsigned char data[];
};

struct tree {
    struct chunk *chunks;
    const struct node *root;
};

struct anchor {
    const char *name;
    const struct node *node; // NULL while the anchored value is still open
    UT_hash_handle hh;
};

struct builder {
    yaml_parser_t parser;
    struct tree *tree;
    struct problems *problems;
    struct anchor *anchors;
    const char *text;
    size_t len;
    size_t nodes, bytes; // aliases expanded
};

// The children of an open collection.
struct frame {
    const struct node **items;
    size_t item_count, item_capacity;
    struct pair *pairs;
    size_t pair_count, pair_capacity;
};

static void *tree_alloc(struct tree *tree, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *chunk = tree->chunks;
    if (!chunk || chunk->capacity - chunk->used < size) {
        size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        chunk = xmalloc(sizeof *chunk + capacity);
        *chunk = (struct chunk){.next = tree->chunks, .capacity = capacity};
        tree->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

static const void *tree_copy(struct tree *tree, const void *data, size_t size)
{
    void *copy = tree_alloc(tree, size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

static const char *tree_copy_text(struct tree *tree, const void *text, size_t len)
{
    char *copy = tree_alloc(tree, len + 1);
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

void tree_free(struct tree *tree)
{
    if (!tree)
        return;
    while (tree->chunks) {
        struct chunk *next = tree->chunks->next;
        free(tree->chunks);
        tree->chunks = next;
    }
    free(tree);
}

const struct node *tree_root(const struct tree *tree)
{
    return tree->root;
}

static int compare_key_text(const void *key, const void *element)
{
    const struct pair *const *pair = element;
    return strcmp(key, (*pair)->key->text);
}

const struct pair *node_get_pair(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAPPING || !map->count)
        return NULL;
    const struct pair *const *found =
        bsearch(key, map->sorted, map->count, sizeof(*map->sorted), compare_key_text);
    return found ? *found : NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
    const struct pair *pair = node_get_pair(map, key);
    return pair ? pair->value : NULL;
}

const char *node_kind_text(const struct node *node)
{
    if (node->kind == NODE_MAPPING)
        return "a mapping";
    if (node->kind == NODE_SEQUENCE)
        return "a list";
    return "a single value";
}

// --- places and syntax errors ---

// Line and column (1-based, in characters) of a byte offset.
static void place_of(const char *text, size_t len, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < offset && i < len; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

// The first byte of line `line` (0-based).
static size_t line_start(const char *text, size_t len, size_t line)
{
    size_t at = 0;
    while (line > 0 && at < len) {
        if (text[at++] == '\n')
            line--;
    }
    return at;
}

// The byte offset of a tab in the indentation of a line, or `len`.
static size_t indentation_tab(const char *text, size_t len, size_t line)
{
    size_t at = line_start(text, len, line);
    while (at < len && text[at] == ' ')
        at++;
    return at < len && text[at] == '\t' ? at : len;
}

struct wording {
    const char *yaml; // start of libyaml's sentence
    const char *ours;
};

static const struct wording wordings[] = {
    {"mapping values are not allowed", "a ':' is not expected here: the line above may lack the "
                                       "space after its ':' (write `key: value`), "
                                       "this line may be indented differently from the lines "
                                       "beside it, or text that holds ': ' lacks quotes"},
    {"block sequence entries are not allowed",
     "a list item ('- ') is not expected here: begin the list on its own line below the key"},
    {"could not find expected ':'",
     "no ':' follows this key: write `key: value`, or quote text that goes over several lines"},
    {"did not find expected key", "this line fits no key: check its indentation against the lines "
                                  "above, and that brackets and quotes "
                                  "before it are closed"},
    {"did not find expected '-' indicator",
     "a list item ('- ') was expected: give all items of the list the same indentation"},
    {"did not find expected ',' or ']'",
     "a list that began with '[' is not closed: a ',' or ']' is missing"},
    {"did not find expected ',' or '}'",
     "a mapping that began with '{' is not closed: a ',' or '}' is missing"},
    {"found unexpected end of stream", "the file ends inside a quoted text: close the quotes"},
    {"found unexpected document indicator",
     "a line of '---' or '...' stands inside a quoted text: close the quotes"},
    {"did not find expected <document start>",
     "text goes on after the end of the document: check the indentation of this line"},
    {"did not find expected node content", "a value is missing here"},
    {"found unknown escape character",
     "unknown escape in double quotes: write two backslashes for one, or use single quotes"},
    {"found character that cannot start any token",
     "text cannot begin with this character: put quotes around it"},
    {"while scanning a directive", "a line that begins with '%' must be quoted"},
};

static const char *wording_of(const char *problem)
{
    for (size_t i = 0; i < ARRAY_LEN(wordings); i++) {
        if (!strncmp(problem, wordings[i].yaml, strlen(wordings[i].yaml)))
            return wordings[i].ours;
    }
    return problem;
}

// Turn the parser's error into a problem.
static void report_syntax(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    const char *problem = parser->problem ? parser->problem : "unreadable";
    int line, column;
    if (parser->error == YAML_READER_ERROR) {
        place_of(b->text, b->len, parser->problem_offset, &line, &column);
        problems_add(b->problems, PROBLEM_ERROR, line, column,
                     "the character U+%04X cannot stand in YAML: remove it",
                     (unsigned)parser->problem_value);
        return;
    }
    size_t tab = indentation_tab(b->text, b->len, parser->problem_mark.line);
    if (tab == b->len && parser->problem_mark.line > 0)
        tab = indentation_tab(b->text, b->len, parser->problem_mark.line - 1);
    if (tab < b->len) {
        place_of(b->text, b->len, tab, &line, &column);
        problems_add(b->problems, PROBLEM_ERROR, line, column,
                     "a tab cannot indent a line in YAML: use spaces");
        return;
    }
    line = (int)parser->problem_mark.line + 1;
    column = (int)parser->problem_mark.column + 1;
    struct str where = STR_INIT;
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        str_addf(&where, " (what it belongs to began at line %zu)", parser->context_mark.line + 1);
    problems_add(b->problems, PROBLEM_ERROR, line, column, "%s%s", wording_of(problem),
                 str_get(&where));
    str_release(&where);
}

static bool fail_at(struct builder *b, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail_at(struct builder *b, yaml_mark_t mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problems_vadd(b->problems, PROBLEM_ERROR, (int)mark.line + 1, (int)mark.column + 1, format,
                  args);
    va_end(args);
    return false;
}

static bool next_event(struct builder *b, yaml_event_t *ret)
{
    if (yaml_parser_parse(&b->parser, ret))
        return true;
    report_syntax(b);
    return false;
}

// --- nodes ---

static bool count_nodes(struct builder *b, size_t more, size_t bytes, yaml_mark_t mark)
{
    b->nodes += more;
    b->bytes += bytes;
    if (b->bytes > EXPANDED_BYTES_MAX)
        return fail_at(b, mark,
                       "more than %u bytes of text, aliases expanded: the spec is too large",
                       EXPANDED_BYTES_MAX);
    if (b->nodes <= SPEC_NODES_MAX)
        return true;
    return fail_at(
        b, mark,
        "more than %d values, aliases counted as often as they are used: the spec is too large",
        SPEC_NODES_MAX);
}

static struct node *new_node(struct builder *b, enum node_kind kind, yaml_mark_t mark)
{
    struct node *node = tree_alloc(b->tree, sizeof *node);
    *node = (struct node){
        .kind = kind, .line = (int)mark.line + 1, .column = (int)mark.column + 1, .size = 1};
    return node;
}

static struct anchor *open_anchor(struct builder *b, const yaml_char_t *name)
{
    if (!name)
        return NULL;
    struct anchor *anchor = NULL;
    const char *text = (const char *)name;
    HASH_FIND_STR(b->anchors, text, anchor);
    if (anchor) {
        anchor->node = NULL;
        return anchor;
    }
    anchor = tree_alloc(b->tree, sizeof *anchor);
    *anchor = (struct anchor){.name = tree_copy_text(b->tree, text, strlen(text))};
    HASH_ADD_KEYPTR(hh, b->anchors, anchor->name, strlen(anchor->name), anchor);
    return anchor;
}

static bool build_alias(struct builder *b, const yaml_event_t *event, int depth,
                        const struct node **ret)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct anchor *anchor = NULL;
    HASH_FIND_STR(b->anchors, name, anchor);
    if (!anchor)
        return fail_at(b, event->start_mark,
                       "*%.60s refers to nothing: no value before it has &%.60s", name, name);
    if (!anchor->node)
        return fail_at(b, event->start_mark,
                       "*%.60s stands inside the value that it refers to: that would never end",
                       name);
    if (depth - 1 + anchor->node->height > SPEC_DEPTH_MAX)
        return fail_at(b, event->start_mark, "nested more than %d levels deep", SPEC_DEPTH_MAX);
    *ret = anchor->node;
    return count_nodes(b, anchor->node->size, anchor->node->bytes, event->start_mark);
}

static bool build_scalar(struct builder *b, const yaml_event_t *event, const struct node **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (len > SPEC_SCALAR_MAX)
        return fail_at(b, event->start_mark, "a text of %zu bytes: at most %d are allowed", len,
                       SPEC_SCALAR_MAX);
    if (memchr(text, 0, len))
        return fail_at(b, event->start_mark,
                       "a NUL character (\\0) cannot stand in a spec: remove it");
    if (!count_nodes(b, 1, len, event->start_mark))
        return false;
    struct anchor *anchor = open_anchor(b, event->data.scalar.anchor);
    struct node *node = new_node(b, NODE_SCALAR, event->start_mark);
    node->bytes = len;
    yaml_scalar_style_t style = event->data.scalar.style;
    node->style = style == YAML_PLAIN_SCALAR_STYLE ? NODE_PLAIN
                  : style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE
                      ? NODE_BLOCK
                      : NODE_QUOTED;
    node->text = tree_copy_text(b->tree, text, len);
    size_t quotes = node->style == NODE_QUOTED ? 2 : 0;
    node->one_line = node->style != NODE_BLOCK &&
                     event->end_mark.index >= event->start_mark.index &&
                     event->start_mark.line == event->end_mark.line &&
                     event->end_mark.index - event->start_mark.index == len + quotes;
    const char *tag = (const char *)event->data.scalar.tag;
    if (tag && *tag)
        node->tag = tree_copy_text(b->tree, tag, strlen(tag));
    if (anchor)
        anchor->node = node;
    *ret = node;
    return true;
}

static void note_child(struct node *node, const struct node *child)
{
    node->size += child->size; // bounded: SPEC_NODES_MAX
    node->bytes += child->bytes;
    if (child->height >= node->height)
        node->height = child->height + 1;
}

static bool build(struct builder *b, yaml_event_t *event, int depth, const struct node **ret);

static bool build_items(struct builder *b, struct frame *frame, struct node *node, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(b, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        const struct node *item = NULL;
        if (!build(b, &event, depth + 1, &item))
            return false;
        ARRAY_GROW(frame->items, frame->item_count, frame->item_capacity);
        frame->items[frame->item_count++] = item;
        note_child(node, item);
    }
    node->items = tree_copy(b->tree, frame->items, frame->item_count * sizeof(*frame->items));
    node->count = frame->item_count;
    return true;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = *(const struct pair *const *)left,
                      *b = *(const struct pair *const *)right;
    int order = strcmp(a->key->text, b->key->text);
    return order ? order : (a > b) - (a < b);
}

// Copy the pairs into the tree, with their order by key.
static void seal_pairs(struct builder *b, const struct frame *frame, struct node *node)
{
    node->count = frame->pair_count;
    node->pairs = tree_copy(b->tree, frame->pairs, node->count * sizeof(*frame->pairs));
    const struct pair **sorted = tree_alloc(b->tree, node->count * sizeof(*sorted));
    for (size_t i = 0; i < node->count; i++)
        sorted[i] = &node->pairs[i];
    if (node->count)
        qsort(sorted, node->count, sizeof(*sorted), compare_pairs);
    node->sorted = sorted;
}

static void report_duplicates(struct builder *b, const struct node *node)
{
    for (size_t i = 1; i < node->count; i++) {
        const struct node *first = node->sorted[i - 1]->key, *second = node->sorted[i]->key;
        if (!strcmp(first->text, second->text))
            problems_add(
                b->problems, PROBLEM_ERROR, second->line, second->column,
                "'%.60s' stands here a second time (first at line %d): keep one of the two",
                second->text, first->line);
    }
}

static bool is_merge_key(const struct node *key)
{
    return key->style == NODE_PLAIN && !strcmp(key->text, "<<");
}

// Append the pairs of `source`; which of them count is decided when all are there.
static bool merge_one(struct builder *b, struct frame *frame, struct node *node,
                      const struct node *key, const struct node *source)
{
    if (source->kind != NODE_MAPPING) {
        problems_add(b->problems, PROBLEM_ERROR, key->line, key->column,
                     "'<<' merges mappings (`<<: *name`), but this is %s", node_kind_text(source));
        return true;
    }
    yaml_mark_t mark = {.line = (size_t)key->line - 1, .column = (size_t)key->column - 1};
    for (size_t i = 0; i < source->count; i++) {
        size_t size = source->pairs[i].value->size + 1u;
        size_t bytes = source->pairs[i].value->bytes + source->pairs[i].key->bytes;
        if (!count_nodes(b, size, bytes, mark))
            return false;
        ARRAY_GROW(frame->pairs, frame->pair_count, frame->pair_capacity);
        frame->pairs[frame->pair_count++] = source->pairs[i];
        node->size += (uint32_t)size;
        node->bytes += bytes;
        if (source->pairs[i].value->height >= node->height)
            node->height = source->pairs[i].value->height + 1;
    }
    return true;
}

// Take the '<<' pairs out of the frame and append what they stand for; *ret_own is the number of
// pairs that the mapping itself wrote.
static bool merge_pairs(struct builder *b, struct frame *frame, struct node *node, size_t *ret_own)
{
    const struct node *key = NULL, *value = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < frame->pair_count; i++) {
        if (!is_merge_key(frame->pairs[i].key)) {
            frame->pairs[kept++] = frame->pairs[i];
        } else if (!key) {
            key = frame->pairs[i].key;
            value = frame->pairs[i].value;
        } else {
            const struct node *again = frame->pairs[i].key;
            problems_add(
                b->problems, PROBLEM_ERROR, again->line, again->column,
                "'<<' stands here a second time (first at line %d): write `<<: [*one, *two]`",
                key->line);
        }
    }
    frame->pair_count = *ret_own = kept;
    if (!key)
        return true;
    if (value->kind != NODE_SEQUENCE)
        return merge_one(b, frame, node, key, value);
    for (size_t i = 0; i < value->count; i++) {
        if (!merge_one(b, frame, node, key, value->items[i]))
            return false;
    }
    return true;
}

// Of merged pairs with a key that stands earlier (in the mapping itself, or in an earlier merge),
// keep none.
static void drop_overridden(struct frame *frame, size_t own)
{
    size_t count = frame->pair_count;
    const struct pair **sorted = xreallocarray(NULL, count, sizeof(*sorted));
    bool *dropped = xcalloc(count, sizeof *dropped);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &frame->pairs[i];
    qsort(sorted, count, sizeof(*sorted), compare_pairs);
    for (size_t i = 1; i < count; i++) {
        size_t at = (size_t)(sorted[i] - frame->pairs);
        dropped[at] = at >= own && !strcmp(sorted[i - 1]->key->text, sorted[i]->key->text);
    }
    frame->pair_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!dropped[i])
            frame->pairs[frame->pair_count++] = frame->pairs[i];
    }
    free(dropped);
    free(sorted);
}

static bool build_pairs(struct builder *b, struct frame *frame, struct node *node, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(b, &event))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        yaml_mark_t mark = event.start_mark;
        struct pair pair = {0};
        if (!build(b, &event, depth + 1, &pair.key))
            return false;
        if (pair.key->kind != NODE_SCALAR)
            return fail_at(b, mark, "a key must be a word, but this is %s: put quotes around it",
                           node_kind_text(pair.key));
        if (!next_event(b, &event) || !build(b, &event, depth + 1, &pair.value))
            return false;
        ARRAY_GROW(frame->pairs, frame->pair_count, frame->pair_capacity);
        frame->pairs[frame->pair_count++] = pair;
        note_child(node, pair.key);
        note_child(node, pair.value);
    }
    size_t own;
    if (!merge_pairs(b, frame, node, &own))
        return false;
    if (frame->pair_count > own)
        drop_overridden(frame, own);
    seal_pairs(b, frame, node);
    report_duplicates(b, node);
    return true;
}

static bool build_collection(struct builder *b, const yaml_event_t *event, int depth,
                             const struct node **ret)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    if (depth > SPEC_DEPTH_MAX)
        return fail_at(b, event->start_mark, "nested more than %d levels deep", SPEC_DEPTH_MAX);
    if (!count_nodes(b, 1, 0, event->start_mark))
        return false;
    const char *tag =
        (const char *)(is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    if (tag && *tag && strcmp(tag, is_map ? YAML_MAP_TAG : YAML_SEQ_TAG) && strcmp(tag, "!"))
        return fail_at(b, event->start_mark, "the tag '%.60s' is not known here: remove it", tag);
    struct anchor *anchor = open_anchor(b, is_map ? event->data.mapping_start.anchor
                                                  : event->data.sequence_start.anchor);
    struct node *node = new_node(b, is_map ? NODE_MAPPING : NODE_SEQUENCE, event->start_mark);
    node->height = 1;
    struct frame frame = {0};
    bool ok = is_map ? build_pairs(b, &frame, node, depth) : build_items(b, &frame, node, depth);
    free(frame.items);
    free(frame.pairs);
    if (ok && anchor)
        anchor->node = node;
    *ret = node;
    return ok;
}

// One node from its first event, which is deleted here. `depth` is that of a collection in its
// place; recursion ends at SPEC_DEPTH_MAX.
static bool build(struct builder *b, yaml_event_t *event, int depth, const struct node **ret)
{
    bool ok;
    if (event->type == YAML_ALIAS_EVENT)
        ok = build_alias(b, event, depth, ret);
    else if (event->type == YAML_SCALAR_EVENT)
        ok = build_scalar(b, event, ret);
    else
        ok = build_collection(b, event, depth, ret);
    yaml_event_delete(event);
    return ok;
}

// The events of the stream around the one document.
static bool build_stream(struct builder *b)
{
    yaml_event_t event;
    if (!next_event(b, &event))
        return false;
    yaml_event_delete(&event); // stream start
    if (!next_event(b, &event))
        return false;
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        problems_add(b->problems, PROBLEM_ERROR, 1, 1,
                     "the file is empty: a sweep needs at least `method:` and `parameters:`");
        return false;
    }
    yaml_event_delete(&event); // document start
    if (!next_event(b, &event) || !build(b, &event, 1, &b->tree->root))
        return false;
    if (!next_event(b, &event))
        return false;
    yaml_event_delete(&event); // document end
    if (!next_event(b, &event))
        return false;
    bool at_end = event.type == YAML_STREAM_END_EVENT;
    if (!at_end)
        fail_at(b, event.start_mark,
                "a second document begins here ('---'): a file holds one sweep, write one file for "
                "each");
    yaml_event_delete(&event);
    return at_end;
}

// The offset of the first byte that is not UTF-8: the longest valid prefix, found by halving.
static size_t utf8_error_offset(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t step = 1;
        while (step <= 4 && at + step <= len && !utf8_valid(text + at, step))
            step++;
        if (step > 4 || at + step > len)
            return at;
        at += step;
    }
    return len;
}

static bool check_encoding(const char *text, size_t len, struct problems *problems)
{
    if (utf8_valid(text, len))
        return true;
    int line, column;
    place_of(text, len, utf8_error_offset(text, len), &line, &column);
    problems_add(problems, PROBLEM_ERROR, line, column,
                 "this is not UTF-8 text: save the file with the encoding UTF-8");
    return false;
}

// libyaml compares each %TAG with all before it.
static bool check_directives(const char *text, size_t len, struct problems *problems)
{
    size_t count = 0;
    int line = 1;
    for (size_t at = 0; at < len; line++) {
        if (len - at >= 4 && !memcmp(text + at, "%TAG", 4) && ++count > TAG_DIRECTIVES_MAX) {
            problems_add(problems, PROBLEM_ERROR, line, 1, "more than %d %%TAG lines: remove them",
                         TAG_DIRECTIVES_MAX);
            return false;
        }
        const char *end = memchr(text + at, '\n', len - at);
        at = end ? (size_t)(end - text) + 1 : len;
    }
    return true;
}

int tree_parse(const char *text, size_t len, struct tree **ret, struct problems *problems)
{
    if (len > SPEC_BYTES_MAX) {
        problems_add(problems, PROBLEM_ERROR, 1, 1,
                     "the spec has %zu bytes: at most %u are allowed", len, SPEC_BYTES_MAX);
        return ERR_INVALID;
    }
    if (!check_encoding(text, len, problems) || !check_directives(text, len, problems))
        return ERR_INVALID;
    size_t errors = problems->error_count;
    struct builder b = {.problems = problems, .text = text, .len = len};
    b.tree = xcalloc(1, sizeof *b.tree);
    bool ok = yaml_parser_initialize(&b.parser);
    if (ok) {
        yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
        ok = build_stream(&b);
        yaml_parser_delete(&b.parser);
    }
    HASH_CLEAR(hh, b.anchors);
    if (!ok || problems->error_count > errors) {
        tree_free(b.tree);
        return ERR_INVALID;
    }
    *ret = b.tree;
    return 0;
}
