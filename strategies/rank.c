// Order statistics of sets of numbers. See rank.h.

#include "strategies/rank.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

void rank_pool_release(struct rank_pool *pool)
{
    free(pool->nodes);
    *pool = (struct rank_pool){0};
}

// A bijection of 32 bits that scatters (the finaliser of MurmurHash3), so no two priorities are equal.
static uint32_t priority(uint32_t node)
{
    node ^= node >> 16;
    node *= 0x85ebca6bu;
    node ^= node >> 13;
    node *= 0xc2b2ae35u;
    return node ^ (node >> 16);
}

// Equal values stand in the order of their nodes.
static bool precedes(const struct rank_pool *pool, uint32_t a, uint32_t b)
{
    double x = pool->nodes[a].value, y = pool->nodes[b].value;
    return x < y || (!(y < x) && a < b);
}

static void recount(struct rank_pool *pool, uint32_t node)
{
    struct rank_node *nodes = pool->nodes;
    nodes[node].count = 1 + nodes[nodes[node].left].count + nodes[nodes[node].right].count;
}

static uint32_t take(struct rank_pool *pool)
{
    uint32_t node = pool->free;
    if (node) {
        pool->free = pool->nodes[node].next;
        return node;
    }
    if (pool->used >= RANK_NODES_MAX)
        return 0;
    if (pool->used + 1 >= pool->capacity) {
        pool->capacity = pool->capacity ? 2 * pool->capacity : 64;
        pool->nodes = xreallocarray(pool->nodes, pool->capacity, sizeof *pool->nodes);
        pool->nodes[0] = (struct rank_node){0};
    }
    return ++pool->used;
}

// The nodes of `root` before `pivot` to *left, the others to *right.
static void split(struct rank_pool *pool, uint32_t root, uint32_t pivot, uint32_t *left, uint32_t *right)
{
    if (!root) {
        *left = *right = 0;
    } else if (precedes(pool, root, pivot)) {
        split(pool, pool->nodes[root].right, pivot, &pool->nodes[root].right, right);
        *left = root;
        recount(pool, root);
    } else {
        split(pool, pool->nodes[root].left, pivot, left, &pool->nodes[root].left);
        *right = root;
        recount(pool, root);
    }
}

static uint32_t join(struct rank_pool *pool, uint32_t left, uint32_t right)
{
    if (!left || !right)
        return left ? left : right;
    uint32_t root = priority(left) > priority(right) ? left : right;
    if (root == left)
        pool->nodes[root].right = join(pool, pool->nodes[root].right, right);
    else
        pool->nodes[root].left = join(pool, left, pool->nodes[root].left);
    recount(pool, root);
    return root;
}

uint32_t rank_insert(struct rank_pool *pool, uint32_t *root, double value)
{
    assert(!isnan(value));
    uint32_t node = take(pool);
    if (!node)
        return 0;
    pool->nodes[node] = (struct rank_node){.value = value, .count = 1};
    uint32_t *place = root;
    while (*place && priority(*place) > priority(node)) {
        pool->nodes[*place].count++;
        place = precedes(pool, *place, node) ? &pool->nodes[*place].right : &pool->nodes[*place].left;
    }
    split(pool, *place, node, &pool->nodes[node].left, &pool->nodes[node].right);
    recount(pool, node);
    *place = node;
    return node;
}

void rank_remove(struct rank_pool *pool, uint32_t *root, uint32_t node)
{
    uint32_t *place = root;
    while (*place != node) {
        assert(*place);
        pool->nodes[*place].count--;
        place = precedes(pool, *place, node) ? &pool->nodes[*place].right : &pool->nodes[*place].left;
    }
    *place = join(pool, pool->nodes[node].left, pool->nodes[node].right);
    pool->nodes[node] = (struct rank_node){.next = pool->free};
    pool->free = node;
}

uint32_t rank_count(const struct rank_pool *pool, uint32_t root)
{
    return root ? pool->nodes[root].count : 0;
}

double rank_at(const struct rank_pool *pool, uint32_t root, uint32_t index)
{
    assert(index < rank_count(pool, root));
    for (;;) {
        const struct rank_node *node = &pool->nodes[root];
        uint32_t before = pool->nodes[node->left].count;
        if (index == before)
            return node->value;
        root = index < before ? node->left : node->right;
        index -= index < before ? 0 : before + 1;
    }
}

uint32_t rank_below(const struct rank_pool *pool, uint32_t root, double value)
{
    uint32_t below = 0;
    while (root) {
        const struct rank_node *node = &pool->nodes[root];
        bool is_below = node->value < value;
        below += is_below ? pool->nodes[node->left].count + 1 : 0;
        root = is_below ? node->right : node->left;
    }
    return below;
}

double rank_quantile(const struct rank_pool *pool, uint32_t root, double q)
{
    uint32_t count = rank_count(pool, root);
    double place = q * (count - 1);
    uint32_t index = (uint32_t)floor(place);
    double low = rank_at(pool, root, index), part = place - index;
    if (part <= 0 || index + 1 >= count)
        return low;
    double high = rank_at(pool, root, index + 1);
    return isfinite(low) && isfinite(high) ? low + part * (high - low) : low;
}
