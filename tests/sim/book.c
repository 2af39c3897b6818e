/* book.c - books to bytes and back. */
#include "sim/book.h"

#include "sim/app.h"

uint32_t cursor_u32(struct cursor *cursor)
{
    SIM_CHECK(cursor->end - cursor->at >= 4, "a message or book is cut short");
    cursor->at += 4;
    return u32_get(cursor->at - 4);
}

uint64_t cursor_u64(struct cursor *cursor)
{
    SIM_CHECK(cursor->end - cursor->at >= 8, "a message or book is cut short");
    cursor->at += 8;
    return u64_get(cursor->at - 8);
}

struct book book_read(struct bytes bytes, struct arena *arena)
{
    struct cursor cursor = {bytes.data, bytes.data + bytes.size};
    struct book book = {.owner = cursor_u32(&cursor)};
    book.count = cursor_u64(&cursor);
    book.ttl_deadline_ms = cursor_u64(&cursor);
    book.change = cursor_u64(&cursor);
    book.seen = cursor_u64(&cursor);
    book.has_register = cursor_u32(&cursor) != 0;
    book.in_count = cursor_u32(&cursor);
    book.out_count = cursor_u32(&cursor);
    book.token_count = cursor_u32(&cursor);
    book.in = arena_take(arena, (book.in_count + 1) * sizeof *book.in);
    book.out = arena_take(arena, (book.out_count + 1) * sizeof *book.out);
    book.tokens = arena_take(arena, (book.token_count + 1) * sizeof *book.tokens);
    for (uint32_t i = 0; i < book.in_count; i++) {
        book.in[i].who = cursor_u32(&cursor);
        book.in[i].nth = cursor_u64(&cursor);
    }
    for (uint32_t i = 0; i < book.out_count; i++) {
        book.out[i].who = cursor_u32(&cursor);
        book.out[i].nth = cursor_u64(&cursor);
    }
    for (uint32_t i = 0; i < book.token_count; i++) {
        book.tokens[i].id = cursor_u64(&cursor);
        book.tokens[i].due_ms = cursor_u64(&cursor);
        book.tokens[i].status = cursor_u64(&cursor);
    }
    SIM_CHECK(cursor.at == cursor.end, "a book has bytes behind its end");
    return book;
}

void book_write(const struct book *book, struct buffer *bytes)
{
    buffer_add_u32(bytes, book->owner);
    buffer_add_u64(bytes, book->count);
    buffer_add_u64(bytes, book->ttl_deadline_ms);
    buffer_add_u64(bytes, book->change);
    buffer_add_u64(bytes, book->seen);
    buffer_add_u32(bytes, book->has_register);
    buffer_add_u32(bytes, book->in_count);
    buffer_add_u32(bytes, book->out_count);
    buffer_add_u32(bytes, book->token_count);
    for (uint32_t i = 0; i < book->in_count; i++) {
        buffer_add_u32(bytes, book->in[i].who);
        buffer_add_u64(bytes, book->in[i].nth);
    }
    for (uint32_t i = 0; i < book->out_count; i++) {
        buffer_add_u32(bytes, book->out[i].who);
        buffer_add_u64(bytes, book->out[i].nth);
    }
    for (uint32_t i = 0; i < book->token_count; i++) {
        buffer_add_u64(bytes, book->tokens[i].id);
        buffer_add_u64(bytes, book->tokens[i].due_ms);
        buffer_add_u64(bytes, book->tokens[i].status);
    }
}

struct pair *book_pair(struct arena *arena, struct pair **pairs, uint32_t *count, uint32_t who)
{
    for (uint32_t i = 0; i < *count; i++)
        if ((*pairs)[i].who == who)
            return &(*pairs)[i];
    struct pair *grown = arena_take(arena, (*count + 2) * sizeof *grown);
    if (*count)
        memcpy(grown, *pairs, *count * sizeof *grown);
    *pairs = grown;
    grown[*count] = (struct pair){.who = who};
    return &grown[(*count)++];
}

struct token_entry *book_token(struct arena *arena, struct book *book, uint64_t id)
{
    for (uint32_t i = 0; i < book->token_count; i++)
        if (book->tokens[i].id == id)
            return &book->tokens[i];
    struct token_entry *grown = arena_take(arena, (book->token_count + 2) * sizeof *grown);
    if (book->token_count)
        memcpy(grown, book->tokens, book->token_count * sizeof *grown);
    book->tokens = grown;
    grown[book->token_count] = (struct token_entry){.id = id};
    return &grown[book->token_count++];
}
