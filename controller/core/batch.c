// A batch: what a turn decided, with an arena for its strings.

#include "base/mem.h"
#include "controller/core/change.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 65536

struct block { // of the arena; the first one stays when the batch is cleared
    struct block *next;
    size_t used, size;
    char bytes[];
};

void batch_init(struct batch *batch)
{
    *batch = (struct batch){0};
}

static char *arena_take(struct batch *batch, size_t size)
{
    struct block *block = batch->arena;
    if (!block || block->size - block->used < size) {
        size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct block *fresh = xmalloc(sizeof *fresh + capacity);
        *fresh = (struct block){.next = block, .size = capacity};
        batch->arena = block = fresh;
    }
    char *bytes = block->bytes + block->used;
    block->used += size;
    return bytes;
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->send_count; i++)
        msg_release(&batch->sends[i].msg);
    batch->change_count = batch->send_count = batch->ask_count = batch->tell_count = 0;
    struct block *block = batch->arena;
    while (block && block->next) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    if (block)
        block->used = 0;
    batch->arena = block;
}

void batch_release(struct batch *batch)
{
    batch_clear(batch);
    free(batch->arena);
    free(batch->changes);
    free(batch->sends);
    free(batch->asks);
    free(batch->tells);
    *batch = (struct batch){0};
}

const char *batch_string(struct batch *batch, const char *s)
{
    if (!s)
        return NULL;
    size_t size = strlen(s) + 1;
    return memcpy(arena_take(batch, size), s, size);
}

const char *batch_stringf(struct batch *batch, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *s = arena_take(batch, (size_t)len + 1);
    vsnprintf(s, (size_t)len + 1, format, again);
    va_end(again);
    return s;
}

struct change *batch_change(struct batch *batch, enum change_kind kind)
{
    ARRAY_GROW(batch->changes, batch->change_count, batch->change_capacity);
    struct change *change = &batch->changes[batch->change_count++];
    memset(change, 0, sizeof *change);
    change->kind = kind;
    return change;
}
