// Sets of numbers that know their order: insert, remove and "the k-th smallest" in O(log n).
//
// A treap (Seidel and Aragon 1996) whose priorities are a fixed mix of the node's index, so the same calls give the
// same tree; and what is asked of it depends on its numbers only, never on the tree's form. Many sets share one pool of
// nodes, which is the bound of their memory: 32 bytes a number.
#pragma once

#include <stdint.h>

#define RANK_NODES_MAX (1u << 22) // of one pool: 128 MiB

struct rank_node {
    double value;
    void *set;                   // the caller's
    uint32_t next;               // the caller's: a chain of nodes, 0 ends it
    uint32_t left, right, count; // of the subtree
};

struct rank_pool {
    struct rank_node *nodes; // nodes[0] is "none", with count 0
    uint32_t used, capacity; // nodes ever used, without nodes[0]
    uint32_t free;           // chain of removed ones, by `next`
};

void rank_pool_release(struct rank_pool *pool);

// A set is its root, 0 when empty. Insert a value (not NaN); returns its node, or 0 when the pool is full and the set
// stays as it was.
uint32_t rank_insert(struct rank_pool *pool, uint32_t *root, double value);

// Take out a node that rank_insert returned for this set.
void rank_remove(struct rank_pool *pool, uint32_t *root, uint32_t node);

uint32_t rank_count(const struct rank_pool *pool, uint32_t root);

// The value at place `index` of the ascending order, 0 <= index < count.
double rank_at(const struct rank_pool *pool, uint32_t root, uint32_t index);

// How many values are below `value`.
uint32_t rank_below(const struct rank_pool *pool, uint32_t root, double value);

// The quantile q in [0, 1], interpolated linearly between the two nearest (Hyndman and Fan 1996, definition 7, as
// NumPy has it); the lower of two that are not both finite. The set must not be empty.
double rank_quantile(const struct rank_pool *pool, uint32_t root, double q);
