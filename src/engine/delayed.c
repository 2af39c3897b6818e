/* delayed.c - messages that wait for their time, and the tokens that cancel them (protocol.md 10).
 *
 * A delayed message belongs to its sender's partition; when it fires it is sent like any other. Its
 * time is the wall clock's, and it keeps it over a restart; what is overdue fires at once.
 *
 * When memory is short, the latest are left in the store: each partition has a horizon, and what
 * sorts at or behind it may be in the store only. Well before the horizon is reached, the next
 * stretch behind it is read. Two things could go wrong and are guarded against: the stretch may
 * hold what is in memory too (known by its name), and what has been cancelled or fired since, as
 * the view lags (remembered as gone until the view knows). Tokens stay in memory always: they are
 * small, and both a cancellation and a second use of a token must be judged at once. */
#include "engine/inside.h"

/* How long before a horizon its next stretch is read. */
enum { LOOK_AHEAD_MS = 2000 };

static size_t delayed_bytes(const struct delayed *delayed)
{
    return sizeof *delayed + message_bytes(delayed->message);
}

/* A number for one delayed message. Sequences alone will not do: after a restart with another
 * number of workers, partitions that were numbered by different engines come together. */
static uint64_t name_of(uint32_t partition, uint64_t sequence)
{
    assert(sequence < UINT64_C(1) << 48);
    return (uint64_t)partition << 48 | sequence;
}

/* --- tokens --- */

/* Tokens are scoped to the sender's id alone: all function types with one id share them. */
static struct hash128 token_key(struct engine *engine, struct bytes sender_id, struct bytes token)
{
    buffer_clear(&engine->value);
    buffer_add_u16(&engine->value, (uint16_t)sender_id.size);
    buffer_add_bytes(&engine->value, sender_id);
    buffer_add_bytes(&engine->value, token);
    return hash_wide(buffer_bytes(&engine->value));
}

static struct token *find_token(struct engine *engine, struct hash128 key)
{
    for (struct map_node *node = map_find(&engine->tokens, key.low); node; node = map_same(node)) {
        struct token *token = container_of(node, struct token, by_key);
        if (token->key.high == key.high)
            return token;
    }
    return NULL;
}

static struct token *add_token(struct engine *engine, struct hash128 key, uint32_t partition,
                               uint64_t fire_ms, uint64_t sequence)
{
    struct token *token = mem_new(sizeof *token);
    token->key = key;
    token->partition = partition;
    token->fire_ms = fire_ms;
    token->sequence = sequence;
    map_put(&engine->tokens, &token->by_key, key.low);
    return token;
}

static void free_token(struct engine *engine, struct token *token)
{
    if (!token)
        return;
    map_take(&engine->tokens, &token->by_key);
    buffer_destroy(&token->text);
    free(token);
}

bool delayed_is_live(struct engine *engine, struct bytes sender_id, struct bytes token)
{
    return find_token(engine, token_key(engine, sender_id, token)) != NULL;
}

/* --- what is gone --- */

static bool is_gone(struct engine *engine, uint32_t partition, uint64_t sequence)
{
    return map_find(&engine->gone, name_of(partition, sequence)) != NULL;
}

/* Removes a persisted one from the store, and remembers that while the view may still show it. */
static void remove_stored(struct engine *engine, uint32_t partition, uint64_t fire_ms,
                          uint64_t sequence)
{
    delta_remove(engine->open, key_of_delayed(&engine->key, partition, fire_ms, sequence));
    struct gone_delayed *gone = mem_new(sizeof *gone);
    gone->epoch = engine->epoch;
    map_put(&engine->gone, &gone->by_name, name_of(partition, sequence));
    list_put_last(&engine->gone_order, &gone->all);
}

static void free_gone(struct engine *engine, struct gone_delayed *gone)
{
    map_take(&engine->gone, &gone->by_name);
    list_take(&gone->all);
    free(gone);
}

/* A load under way may have read an older view, so nothing is forgotten until it is back. */
static void forget_gone(struct engine *engine)
{
    while (!engine->delayed_load && !list_is_empty(&engine->gone_order)) {
        struct gone_delayed *gone = list_first(&engine->gone_order, struct gone_delayed, all);
        if (gone->epoch > engine->viewed.whole)
            return;
        free_gone(engine, gone);
    }
}

/* --- horizons --- */

static bool is_behind(const struct horizon *horizon, uint64_t fire_ms, uint64_t sequence)
{
    return fire_ms > horizon->fire_ms ||
           (fire_ms == horizon->fire_ms && sequence >= horizon->sequence);
}

static void find_nearest_horizon(struct engine *engine)
{
    engine->horizon_ms = UINT64_MAX;
    for (uint32_t i = 0; i < engine->options.partitions; i++)
        if (engine->horizons[i].fire_ms < engine->horizon_ms)
            engine->horizon_ms = engine->horizons[i].fire_ms;
}

static void set_horizon(struct engine *engine, uint32_t partition, uint64_t fire_ms,
                        uint64_t sequence)
{
    engine->horizons[partition] = (struct horizon){fire_ms, sequence};
    find_nearest_horizon(engine);
}

/* --- in memory --- */

static bool is_in_memory(struct engine *engine, uint32_t partition, uint64_t sequence)
{
    return map_find(&engine->delayed_by_name, name_of(partition, sequence)) != NULL;
}

static struct delayed *put(struct engine *engine, uint32_t partition, uint64_t fire_ms,
                           uint64_t sequence, struct message *message)
{
    struct delayed *delayed = mem_new(sizeof *delayed);
    delayed->due.when = fire_ms;
    delayed->due.order = sequence;
    delayed->partition = partition;
    delayed->message = message;
    list_init(&delayed->fresh);
    heap_put(&engine->delayed, &delayed->due);
    map_put(&engine->delayed_by_name, &delayed->by_name, name_of(partition, sequence));
    engine->delayed_memory += delayed_bytes(delayed);
    return delayed;
}

/* Frees it; its message, its token and its place in the store are the caller's business. */
static void take(struct engine *engine, struct delayed *delayed)
{
    engine->delayed_memory -= delayed_bytes(delayed);
    if (!delayed->persisted)
        engine->open_bytes -= delayed_bytes(delayed);
    heap_take(&engine->delayed, &delayed->due);
    map_take(&engine->delayed_by_name, &delayed->by_name);
    list_take(&delayed->fresh);
    free(delayed);
}

static void take_with_message(struct engine *engine, struct delayed *delayed)
{
    struct message *message = delayed->message;
    take(engine, delayed); /* which asks for the message's size */
    message_free(message);
}

void delayed_add(struct engine *engine, const struct address *sender, struct bytes target,
                 struct bytes argument, struct bytes token, uint64_t delay_ms)
{
    enum { FAR_MS = INT64_MAX / 2 };
    uint64_t fire_ms = engine->now_ms + (delay_ms < (uint64_t)FAR_MS ? delay_ms : FAR_MS);
    uint32_t partition = partition_of(sender->id, engine->options.partitions);
    struct delayed *delayed = put(engine, partition, fire_ms, ++engine->sequence,
                                  message_new(target, sender->wire, argument));
    if (token.size) {
        delayed->token = add_token(engine, token_key(engine, sender->id, token), partition, fire_ms,
                                   delayed->due.order);
        delayed->token->delayed = delayed;
        buffer_add_bytes(&delayed->token->text, token);
    }
    list_put_last(&engine->fresh_delayed, &delayed->fresh);
    engine->open_bytes += delayed_bytes(delayed);
    engine->figures.delayed_messages++;
}

void delayed_cancel(struct engine *engine, struct bytes sender_id, struct bytes text)
{
    struct token *token = find_token(engine, token_key(engine, sender_id, text));
    if (!token)
        return; /* unknown, fired or cancelled before: protocol.md 5 */

    struct delayed *delayed = token->delayed;
    if (!delayed || delayed->persisted)
        remove_stored(engine, token->partition, token->fire_ms, token->sequence);
    if (delayed)
        take_with_message(engine, delayed);
    free_token(engine, token);
    engine->figures.delayed_messages--;
}

void delayed_fire(struct engine *engine)
{
    struct heap_node *node;
    while ((node = heap_first(&engine->delayed)) && node->when <= engine->now_ms) {
        struct delayed *delayed = container_of(node, struct delayed, due);
        struct message *message = delayed->message;
        if (delayed->persisted)
            remove_stored(engine, delayed->partition, node->when, node->order);
        free_token(engine, delayed->token);
        take(engine, delayed);
        engine->figures.delayed_messages--;

        struct function_type *type = function_find_of(engine, message_target(message));
        if (type)
            (void)delivery_send(engine, message, type);
        else
            letter_put_unserved(engine, message);
    }
}

uint64_t delayed_next_ms(const struct engine *engine)
{
    const struct heap_node *node = heap_first(&engine->delayed);
    uint64_t next = node ? node->when : UINT64_MAX;
    if (engine->horizon_ms != UINT64_MAX && !engine->delayed_load) {
        uint64_t fetch =
            engine->horizon_ms > LOOK_AHEAD_MS ? engine->horizon_ms - LOOK_AHEAD_MS : 0;
        if (fetch < next)
            next = fetch;
    }
    return next;
}

void delayed_save(struct engine *engine)
{
    for (struct list *node; (node = list_take_first(&engine->fresh_delayed));) {
        struct delayed *delayed = container_of(node, struct delayed, fresh);
        struct bytes key =
            key_of_delayed(&engine->key, delayed->partition, delayed->due.when, delayed->due.order);
        buffer_clear(&engine->value);
        stored_delayed_add(
            &engine->value,
            &(struct stored_delayed){
                .target = message_target(delayed->message),
                .body = message_body(delayed->message),
                .token = delayed->token ? buffer_bytes(&delayed->token->text) : (struct bytes){0},
            });
        delta_put(engine->open, key, buffer_bytes(&engine->value));
        if (delayed->token)
            buffer_destroy(&delayed->token->text); /* from here on its hash is enough */
        delayed->persisted = engine->epoch;
    }
}

/* --- from the store --- */

/* Makes a delayed message of a stored one, unless it is here or gone; its token may be known
 * already. */
static bool restore(struct engine *engine, const struct key *key, struct bytes value,
                    bool to_memory)
{
    struct stored_delayed stored;
    struct address sender, target;
    struct bytes caller, argument;
    if (!stored_delayed_parse(value, &stored) || !address_parse(stored.target, &target) ||
        !message_body_parse(stored.body, &caller, &argument) || !address_parse(caller, &sender))
        return false;

    struct token *token = NULL;
    if (stored.token.size) {
        struct hash128 hash = token_key(engine, sender.id, stored.token);
        token = find_token(engine, hash);
        if (!token)
            token = add_token(engine, hash, key->partition, key->fire_ms, key->sequence);
    }
    if (to_memory) {
        struct delayed *delayed = put(engine, key->partition, key->fire_ms, key->sequence,
                                      message_from_body(stored.target, stored.body));
        delayed->persisted = 1; /* some epoch that the view has */
        delayed->token = token;
        if (token)
            token->delayed = delayed;
    }
    return true;
}

bool delayed_restore(struct engine *engine, const struct key *key, struct bytes value)
{
    struct horizon *horizon = &engine->horizons[key->partition];
    if (horizon->fire_ms == UINT64_MAX &&
        engine->delayed_memory > engine->options.limits.delayed_memory_bytes)
        set_horizon(engine, key->partition, key->fire_ms, key->sequence);
    engine->figures.delayed_messages++;
    return restore(engine, key, value, !is_behind(horizon, key->fire_ms, key->sequence));
}

static int latest_first(const void *a, const void *b)
{
    const struct heap_node *x = *(struct heap_node *const *)a, *y = *(struct heap_node *const *)b;
    if (x->when != y->when)
        return x->when < y->when ? 1 : -1;
    return x->order < y->order ? 1 : -1;
}

/* Leaves the latest persisted ones in the store until half of the limit is used. */
static void leave_in_store(struct engine *engine)
{
    size_t goal = engine->options.limits.delayed_memory_bytes / 2, count = engine->delayed.count;
    struct heap_node **nodes = mem_new_raw(count * sizeof *nodes);
    memcpy(nodes, engine->delayed.nodes, count * sizeof *nodes);
    qsort(nodes, count, sizeof *nodes, latest_first);

    for (size_t i = 0; i < count && engine->delayed_memory > goal; i++) {
        struct delayed *delayed = container_of(nodes[i], struct delayed, due);
        if (!delayed->persisted || delayed->persisted > engine->viewed.whole)
            continue;
        if (engine->delayed_load && delayed->partition == engine->delayed_partition)
            continue; /* its horizon is about to move */
        if (!is_behind(&engine->horizons[delayed->partition], nodes[i]->when, nodes[i]->order))
            set_horizon(engine, delayed->partition, nodes[i]->when, nodes[i]->order);
        if (delayed->token)
            delayed->token->delayed = NULL;
        take_with_message(engine, delayed);
    }
    free(nodes);
    engine->delayed_tried = engine->viewed.whole;
}

static void add_bound(struct buffer *keys, struct bytes key)
{
    buffer_add_u32(keys, (uint32_t)key.size);
    buffer_add_bytes(keys, key);
}

static void fetch_stretch(struct engine *engine, uint32_t partition)
{
    struct load *load = mem_new(sizeof *load);
    struct horizon *horizon = &engine->horizons[partition];
    list_init(&load->link);
    load->is_range = true;
    load->bytes_max = engine->options.limits.delayed_memory_bytes / 4 + 1;
    add_bound(&load->keys,
              key_of_delayed(&engine->key, partition, horizon->fire_ms, horizon->sequence));
    add_bound(&load->keys, key_of_delayed(&engine->key, partition, UINT64_MAX, UINT64_MAX));

    engine->delayed_load = load;
    engine->delayed_partition = partition;
    if (engine->options.ports.load(engine->options.ports.owner, load))
        delayed_loaded(engine, load);
}

void delayed_loaded(struct engine *engine, struct load *load)
{
    uint32_t partition = engine->delayed_partition;
    struct bytes results = buffer_bytes(&load->results);
    bool cut = results.size >= load->bytes_max;
    struct key key = {0};

    while (results.size) {
        struct bytes stored_key = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + stored_key.size);
        struct bytes value = bytes_make(results.data + 4, u32_get(results.data));
        results = bytes_from(results, 4 + value.size);

        bool good = key_parse(stored_key, &key);
        assert(good && key.kind == KEY_DELAYED);
        if (!is_in_memory(engine, partition, key.sequence) &&
            !is_gone(engine, partition, key.sequence)) {
            good = restore(engine, &key, value, true);
            assert(good && "a stored delayed message is damaged");
        }
    }
    if (cut)
        set_horizon(engine, partition, key.fire_ms, key.sequence + 1);
    else
        set_horizon(engine, partition, UINT64_MAX, 0);

    engine->delayed_load = NULL;
    buffer_destroy(&load->keys);
    buffer_destroy(&load->results);
    free(load);
}

void delayed_trim_memory(struct engine *engine)
{
    forget_gone(engine);
    if (engine->delayed_memory > engine->options.limits.delayed_memory_bytes) {
        if (engine->viewed.whole > engine->delayed_tried)
            leave_in_store(engine);
        if (engine->delayed_memory > engine->options.limits.delayed_memory_bytes)
            engine->options.ports.hurry(engine->options.ports.owner, VIEW_WHOLE);
    }

    /* A load that is answered at once may leave the next horizon near as well. */
    while (!engine->delayed_load && engine->horizon_ms != UINT64_MAX &&
           engine->horizon_ms <= engine->now_ms + LOOK_AHEAD_MS) {
        uint32_t partition = 0;
        while (engine->horizons[partition].fire_ms != engine->horizon_ms)
            partition++;
        fetch_stretch(engine, partition);
    }
}

void delayed_free_all(struct engine *engine)
{
    for (struct heap_node *node; (node = heap_first(&engine->delayed));) {
        struct delayed *delayed = container_of(node, struct delayed, due);
        take_with_message(engine, delayed);
    }
    for (struct map_node *node; (node = map_walk(&engine->tokens, NULL));)
        free_token(engine, container_of(node, struct token, by_key));
    while (!list_is_empty(&engine->gone_order))
        free_gone(engine, list_first(&engine->gone_order, struct gone_delayed, all));
    if (engine->delayed_load) {
        buffer_destroy(&engine->delayed_load->keys);
        buffer_destroy(&engine->delayed_load->results);
        free(engine->delayed_load);
    }
}
