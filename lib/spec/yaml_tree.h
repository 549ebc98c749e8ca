// YAML text to a tree with positions: the only part that knows libyaml.
//
// Built from libyaml's events (never its document API, whose composer is quadratic and recurses
// without a bound), with the limits of spec.h checked at each event, so that hostile input ends at
// once. An alias shares the nodes of its anchor; sizes and depths count it as expanded.
#pragma once

#include "spec/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

enum node_style { NODE_PLAIN, NODE_QUOTED, NODE_BLOCK };

struct node {
    enum node_kind kind;
    enum node_style style;
    int line, column; // 1-based, in characters
    bool one_line;    // scalar: stands on one line and holds no escapes: columns inside can be told
    const char *text; // scalar: UTF-8 without NUL bytes
    const char *tag;  // scalar: "tag:yaml.org,2002:float", "!" or NULL
    const struct node *const *items; // sequence: count of them
    const struct pair *pairs; // mapping: count of them, in the order written, merged ones last
    const struct pair *const *sorted; // mapping: the same, by key in byte order
    size_t count;
    uint32_t size; // nodes below and with this one, aliases expanded
    size_t bytes;  // of text in them, aliases expanded
    int height;    // levels of collections: a scalar has 0
};

struct pair {
    const struct node *key; // always a scalar
    const struct node *value;
};

struct tree;

// 0, or ERR_INVALID with at least one error in `problems` (and then *ret untouched).
int tree_parse(const char *text, size_t len, struct tree **ret, struct problems *problems);
const struct node *tree_root(const struct tree *tree);
void tree_free(struct tree *tree);

// The value of a key of a mapping; NULL when there is none (or `map` is no mapping).
const struct node *node_get(const struct node *map, const char *key);
const struct pair *node_get_pair(const struct node *map, const char *key);

// "a mapping", "a list", "text"...: what a node is, for messages.
const char *node_kind_text(const struct node *node);
