/* commits.c - what becomes durable: it is told, letters in it are counted, and its records wait for
 * the exact egress. */
#include "sim/world_inside.h"

#include "base/mem.h"

static struct commit *copy_commit(const struct commit *commit)
{
    struct commit *copy = mem_new(sizeof *copy);
    *copy = *commit;
    list_init(&copy->link);
    for (uint32_t i = 0; i < copy->count; i++)
        delta_ref(copy->parts[i]);
    return copy;
}

void world_free_commit(struct commit *commit)
{
    for (uint32_t i = 0; i < commit->count; i++)
        delta_unref(commit->parts[i]);
    free(commit);
}

void world_free_commits(struct list *commits)
{
    for (struct list *node; (node = list_take_first(commits));)
        world_free_commit(container_of(node, struct commit, link));
}

static void trace_delta(struct world *world, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    struct delta_entry entry;
    while (world->trace && delta_next(&rest, &entry)) {
        struct key key;
        struct buffer subject = {0};
        if (!key_parse(entry.key, &key))
            continue;
        if (key.kind == KEY_STATE || key.kind == KEY_MESSAGE)
            address_add_text(&subject, key.subject);
        world_trace(world, "  worker %u: %c '%c' %s %.*s sequence %llu epoch %llu", delta->worker,
                    entry.change, key.kind, buffer_text(&subject), BYTES_ARG(key.name),
                    (unsigned long long)key.sequence, (unsigned long long)key.epoch);
        buffer_destroy(&subject);
    }
}

/* A dead letter is removed once, while it is there. */
static void count_letters(struct world *world, const struct delta *delta)
{
    struct bytes rest = buffer_bytes(&delta->entries);
    struct delta_entry entry;
    while (delta_next(&rest, &entry)) {
        if (entry.key.data[0] != KEY_DEAD_LETTER)
            continue;
        if (entry.change == DELTA_PUT) {
            app_expect_letter(&world->app, entry.key);
            continue;
        }
        struct dead_letter letter;
        const struct table_row *row = table_find(&world->machine.truth, entry.key);
        SIM_CHECK(row && dead_letter_parse(row->value, &letter), "a dead letter is removed twice");
        world->removed_letters += !app_is_late(&letter) && !app_is_poison(&letter);
    }
}

void world_before_durable(void *owner, const struct commit *commit)
{
    struct world *world = owner;
    for (uint32_t i = 0; i < commit->count; i++) {
        trace_delta(world, commit->parts[i]);
        count_letters(world, commit->parts[i]);
    }
    list_put_last(&world->outbox, &copy_commit(commit)->link);
    world->result.epochs++;
}
