/* inside.h - the engine's parts, for the files of this room only.
 *
 * The files form a flow, each calling only those before it:
 *
 *     function   types of functions and the states they declare
 *     instance   one address in memory: mailbox, states, lifecycle
 *     record     records for egresses, into the outbox
 *     letter     setting aside what cannot be delivered
 *     delivery   a message finds its mailbox, here or at another worker
 *     delayed    messages that wait for their time
 *     effects    a reply is judged, then applied
 *     dead       dead letters that are sent again or removed
 *     failure    what becomes of an invocation that failed: backoff, outages, giving up
 *     change     changes to states that come from outside
 *     dispatch   who is invoked next; loads, invocations
 *     read       a look at states from outside
 *     epoch      sealing the delta, markers, what a commit allows
 *     engine     records in, recovery, time, figures
 *
 * Lifecycle of an instance (enum lifecycle):
 *
 *     IDLE ──message──▶ READY ──turn──▶ IN_FLIGHT ──reply──▶ IDLE, or READY if more is waiting
 *                        ▲ │                │  ▲
 *                loaded  │ │ states or      │  │ time
 *                        │ ▼ messages absent▼  │
 *                      LOADING            WAITING (failed; backoff)
 *
 *     IN_FLIGHT, READY ──failed too often──▶ PARKED ──resumed──▶ READY */
#ifndef ENGINE_INSIDE_H
#define ENGINE_INSIDE_H

#include "base/heap.h"
#include "base/hints.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/partition.h"

#include <assert.h>

/* --- function: what is known of a function type ------------------------------------------------
 */

struct spec {
    struct state_spec is; /* name and type are owned */
    uint16_t generation;  /* counts changes of the type */
    bool remembered;      /* from an earlier run, not confirmed in this one */
    bool forgotten;       /* contradicted, or named from outside only: not sent until the function
                           * declares it */
};

struct function_type {
    struct map_node by_name;
    struct list all;  /* in engine->functions */
    struct list turn; /* in engine->runnable, when it has ready instances and may run */
    const struct function_binding *binding;
    void *handle;          /* the transport's */
    struct bytes wire;     /* owned: the address part of it */
    struct bytes ns, name; /* views into wire */
    uint64_t seed;         /* of the hashes of its addresses */
    struct spec *specs;
    size_t spec_count;
    uint64_t learnt;   /* how often something new was declared */
    size_t undeclared; /* of the specs: those that were named from outside first */

    struct list ready; /* instances, in turn */
    struct list parked;
    size_t in_flight;
    size_t allowed;           /* at most so many, as the transport sees it */
    bool crowded;             /* more could be started than is allowed */
    bool proven;              /* has answered since the start; until then one at a time */
    uint64_t outage_failures; /* failures of the endpoint since its last answer */
    struct heap_node retry;   /* in engine->outages while an outage makes it wait */

    size_t backlog_bytes;    /* of its messages, in memory or spilled, save of parked addresses */
    bool full;               /* by this engine's reckoning */
    uint32_t full_elsewhere; /* workers that said so */
    struct function_figures figures;
};

/* The type of an address, made when first seen; NULL if no endpoint serves it. The same of one that
 * is not taken apart yet: function_find_of. */
struct function_type *function_find(struct engine *engine, const struct address *address);

struct function_type *function_find_named(struct engine *engine, struct bytes type_wire);

/* For function_find_of: when it is not the last one. */
struct function_type *function_find_any(struct engine *engine, struct bytes wire);

/* Is this canonical address one of that type? Said of the common form only, which has an id. */
static inline bool function_has(const struct function_type *type, struct bytes wire)
{
    enum { TAG_ID = ADDRESS_ID << 3 | PB_BYTES };
    size_t at = type->wire.size;
    return wire.size > at && wire.data[at] == TAG_ID &&
           bytes_equal(bytes_make(wire.data, at), type->wire);
}

/* What tells an address from the others of its type. */
static inline struct bytes function_rest(const struct function_type *type, struct bytes wire)
{
    return bytes_from(wire, type->wire.size);
}

/* NULL: it was never declared. What an embedded function answers with is the name it was given. */
static inline struct spec *function_find_spec(struct function_type *type, struct bytes name)
{
    for (size_t i = 0; i < type->spec_count; i++) {
        struct bytes known = type->specs[i].is.name;
        if (known.size == name.size && (known.data == name.data || bytes_equal(known, name)))
            return &type->specs[i];
    }
    return NULL;
}

/* Registers a state; false (with a message) if it is known with another type. `ret_new` tells
 * whether that added anything. */
bool function_declare(struct engine *engine, struct function_type *type,
                      const struct state_spec *spec, bool *ret_new, struct sf_status *status);
void function_restore_spec(struct engine *engine, struct bytes type_wire,
                           const struct state_spec *spec);
void function_forget(struct spec *spec);

/* The spec of a state that is named from outside: as declared, or one that is not sent. Too many of
 * the latter should not be let in. */
bool function_may_name_state(struct function_type *type, struct bytes name);
struct spec *function_name_state(struct function_type *type, struct bytes name);

/* When a value that is written now expires; 0: never. */
uint64_t spec_deadline(const struct spec *spec, uint64_t now_ms);
void function_free(struct function_type *type);

/* Puts it among the runnable types, or takes it out, after what decides that has changed. */
void function_update_turn(struct engine *engine, struct function_type *type);

/* The same where nothing that decides it can have changed but that there are ready instances. */
static inline void function_update_ready(struct engine *engine, struct function_type *type)
{
    bool is_in_line = !list_is_empty(&type->turn);
    if (!is_in_line || list_is_empty(&type->ready))
        function_update_turn(engine, type);
}

/* --- instance: one address in memory -------------------------------------------------------------
 */

enum lifecycle { IDLE, READY, LOADING, IN_FLIGHT, WAITING, PARKED };

enum {
    SLOT_LOADED = 1,
    SLOT_PRESENT = 2,
    SLOT_DIRTY = 4,
    SLOT_SENT = 8, /* the last request had this state */
    SLOT_KEPT = 16 /* the function has this value, as of the instance's version */
};

/* One state of one instance. */
struct slot {
    uint8_t *value; /* the body of a canonical TypedValue */
    uint32_t size, capacity;
    uint64_t deadline;   /* ms since 1970; 0: does not expire */
    uint16_t generation; /* of the spec whose type it is known to have; 0: not compared yet */
    uint8_t flags;
    uint32_t inner_size; /* of what that holds, its last bytes; known with the type */
};

/* Messages that are only in the store: those between the front and the back of a mailbox. */
struct spilled {
    uint64_t first, last; /* sequences */
    size_t count;
    size_t bytes;
    struct list back; /* messages that came after them */
};

struct instance {
    struct map_node by_address;
    struct list place; /* in engine->recent or engine->held */
    struct list turn;  /* in type->ready, type->parked, or engine->changing */
    struct list dirty; /* in engine->dirty */
    struct function_type *type;
    struct list front; /* messages, oldest first */
    struct spilled *spilled;
    struct invocation *invocation; /* IN_FLIGHT, WAITING, or about to be sent again */
    struct slot *slots;
    uint64_t version; /* under which the function keeps states of it; 0: it does not */
    uint64_t
        changed; /* the last epoch that has a change of it; what is later than the view stays */
    size_t message_count;
    size_t message_bytes; /* in memory and spilled */
    uint16_t slot_count;
    uint16_t partition;
    uint16_t address_size;
    uint8_t lifecycle;
    bool is_held; /* its place is in engine->held */
    uint8_t address[];
};

struct invocation {
    struct instance *instance;
    struct heap_node retry; /* in engine->waiting */
    size_t batch;           /* how many messages of the mailbox it takes */
    size_t batch_max;       /* at most so many, while the one is searched that fails; 0: no limit */
    size_t doubtful;   /* so many, the oldest, are left of the batch that failed; 0: no search */
    size_t suspects;   /* it is among so many of these, the oldest; 0: there may be none */
    size_t worked;     /* how large the last batch of the search was that did not fail */
    uint64_t learnt;   /* of its type, when it was sent */
    uint64_t failures; /* in all */
    uint64_t attempts; /* that failed; counted anew when the search goes on */
    uint64_t failing_since_ms;
    bool is_alone;    /* the last that failed had one message */
    bool is_repeated; /* it was sent before, without having failed */
    bool reported;    /* its failing was */
};

static inline struct bytes instance_address(const struct instance *instance)
{
    return bytes_make(instance->address, instance->address_size);
}

struct instance *instance_find(struct engine *engine, const struct function_type *type,
                               struct bytes address);

/* Finds it, or makes it: idle, with nothing loaded. */
struct instance *instance_get(struct engine *engine, struct function_type *type,
                              struct bytes address);

/* Appends a message, which must have its sequence. */
void instance_put(struct engine *engine, struct instance *instance, struct message *message);

/* Puts a change before all messages but those of the batch that is under way, and behind such
 * changes; it is carried out even while the instance backs off, and resumes one that is parked. */
void instance_put_ahead(struct engine *engine, struct instance *instance, struct message *message);

/* The batch that was under way has failed: lets what went ahead of the rest go ahead of it too.
 * True if there is such a change. */
bool instance_let_ahead(struct instance *instance);

/* The delta of that epoch holds a message of its mailbox. */
void instance_note_persisted(struct engine *engine, struct instance *instance,
                             struct message *message, uint64_t epoch);

/* True if the oldest message is in memory and is a change. */
bool instance_faces_change(const struct instance *instance);

/* Counts messages that are in the store and not in memory; recovery only. */
void instance_put_spilled(struct engine *engine, struct instance *instance, uint64_t sequence,
                          size_t bytes);

/* Takes the oldest `count` messages out for good; the delta forgets those that were persisted. */
void instance_drop(struct engine *engine, struct instance *instance, size_t count);

/* Frees what can be read again of waiting messages; returns the bytes freed. */
size_t instance_spill(struct engine *engine, struct instance *instance);

/* Brings spilled messages back that a load has found. */
void instance_unspill(struct engine *engine, struct instance *instance, struct bytes results);

/* True if all states that its type declares are in memory (then it has as many slots). */
static inline bool instance_is_loaded(const struct instance *instance)
{
    if (instance->slot_count != instance->type->spec_count)
        return false;
    for (size_t i = 0; i < instance->slot_count; i++)
        if (!(instance->slots[i].flags & SLOT_LOADED))
            return false;
    return true;
}

void instance_fill_slot(struct engine *engine, struct instance *instance, size_t index, bool found,
                        struct bytes stored);
/* Of the type that is declared, and of any; what is given may not be part of what the instance
 * holds. */
void instance_set(struct engine *engine, struct instance *instance, size_t index,
                  struct bytes value, uint64_t deadline);
void instance_set_typed(struct engine *engine, struct instance *instance, size_t index,
                        struct bytes type, struct bytes value, uint64_t deadline);

/* False, and why, if it is present and of another type than the one that is declared. */
bool instance_check_type(struct instance *instance, size_t index, struct sf_status *status);

void instance_clear(struct engine *engine, struct instance *instance, size_t index);
void instance_touch(struct engine *engine, struct instance *instance, size_t index,
                    uint64_t deadline);

/* The function has told under which version it keeps what it has just left; 0: it does not. */
void instance_keep(struct engine *engine, struct instance *instance, uint64_t version);

/* Writes the changed states to the open delta. */
void instance_save(struct engine *engine, struct instance *instance);

/* Makes the invocation of one that has none, and ends it when it has succeeded or is given up. */
void instance_begin_invocation(struct engine *engine, struct instance *instance);
void instance_end_invocation(struct engine *engine, struct instance *instance);

/* Moves it through its lifecycle. */
void instance_make_ready(struct engine *engine, struct instance *instance, bool first);
void instance_make_idle(struct engine *engine, struct instance *instance);
/* After an invocation, a change or a stay that is done with: ready if anything waits, else idle. */
void instance_go_on(struct engine *engine, struct instance *instance);
void instance_park(struct engine *engine, struct instance *instance); /* it is in no turn */

/* Ends its being parked, in the store too. */
void instance_resume(struct engine *engine, struct instance *instance);

/* Frees idle instances, the least recently used first, until the cache is within its limit. */
void instance_evict(struct engine *engine);
void instance_free_all(struct engine *engine);

/* --- record --- */

/* Puts a record that its egress has accepted into the outbox. */
void record_put(struct engine *engine, uint32_t egress, struct bytes record);

/* --- letter --- */

void letter_put(struct engine *engine, const struct dead_letter *letter);

#define CAUSE_UNSERVED "Cannot find a provider for this function type: no endpoint serves it"

/* A message that its function does not get. `caller` may be empty. */
void letter_put_message(struct engine *engine, enum dead_kind kind, struct bytes target,
                        struct bytes caller, struct bytes argument, struct bytes cause);

/* Takes a message whose function no endpoint serves. */
void letter_put_unserved(struct engine *engine, struct message *message);

/* --- delivery --- */

/* Takes `message` to its mailbox; `type` is its target's. True if that is here and not at another
 * worker. */
bool delivery_send(struct engine *engine, struct message *message, struct function_type *type);

/* Into the mailbox of an address of ours. `late`: it belongs to the epoch that is already sealed.
 */
void delivery_take(struct engine *engine, struct message *message, struct function_type *type,
                   bool late);

/* Tells everybody whether there is room for records, after backlogs have changed. */
void delivery_update_room(struct engine *engine);
bool delivery_has_room(const struct engine *engine, uint32_t worker,
                       const struct function_type *type);
void delivery_tell_others(struct engine *engine, enum post_kind kind, struct bytes type);
void delivery_set_room(struct engine *engine, uint32_t from, struct bytes type, bool full);

/* Tells whoever has that receipt, as soon as `when_epoch` is durable. */
void delivery_settle(struct engine *engine, uint64_t receipt, enum settlement settlement,
                     uint64_t when_epoch, uint64_t tell_epoch);

struct idempotency {
    struct map_node by_key;
    struct heap_node expiry;
    struct hash128 key;
    uint64_t epoch;
};
void delivery_restore_key(struct engine *engine, const uint8_t hash[16], uint64_t deadline,
                          uint64_t epoch);
void delivery_forget_keys(struct engine *engine);

/* --- delayed --- */

struct delayed {
    struct heap_node due;    /* when: fire time; order: sequence */
    struct map_node by_name; /* partition and sequence */
    struct list fresh;       /* among those that no delta holds yet */
    struct token *token;     /* NULL: cannot be cancelled */
    uint64_t persisted;      /* epoch whose delta holds it; 0: none */
    struct message *message; /* as it will be sent */
    uint32_t partition;      /* the sender's */
};

/* A live cancellation token, known by the hash of the sender's id and its text. Tokens stay in
 * memory also when their message is left in the store. */
struct token {
    struct map_node by_key;
    struct hash128 key;
    struct delayed *delayed; /* NULL: left in the store */
    uint64_t fire_ms, sequence;
    uint32_t partition;
    struct buffer text; /* until the store has it */
};

/* A delayed message that is gone, while the view may still have it: a load must not bring it back.
 */
struct gone_delayed {
    struct map_node by_name;
    struct list all; /* oldest epoch first */
    uint64_t epoch;
};

/* Of one partition: what sorts at or behind the horizon may be in the store only. */
struct horizon {
    uint64_t fire_ms; /* UINT64_MAX: all is in memory */
    uint64_t sequence;
};

void delayed_add(struct engine *engine, const struct address *sender, struct bytes target,
                 struct bytes argument, struct bytes token, uint64_t delay_ms);
void delayed_cancel(struct engine *engine, struct bytes sender_id, struct bytes token);
bool delayed_is_live(struct engine *engine, struct bytes sender_id, struct bytes token);
bool delayed_restore(struct engine *engine, const struct key *key, struct bytes value);
void delayed_fire(struct engine *engine);
uint64_t delayed_next_ms(const struct engine *engine);

/* Writes what is new to the open delta. */
void delayed_save(struct engine *engine);

/* Leaves the latest in the store when memory holds too many, and fetches them when their time
 * nears. */
void delayed_trim_memory(struct engine *engine);
void delayed_loaded(struct engine *engine, struct load *load);
void delayed_free_all(struct engine *engine);

/* --- effects --- */

/* Applies a result whole, or says why it cannot be applied. Afterwards the batch is still in the
 * mailbox. */
bool effects_apply(struct engine *engine, struct instance *instance,
                   const struct from_function *reply, struct sf_status *status);

/* --- dead --- */

bool dead_is_load(const struct engine *engine, const struct load *load);
void dead_loaded(struct engine *engine);
void dead_forget_gone(struct engine *engine);
void dead_free_all(struct engine *engine);

/* --- change --- */

/* Before a change can be carried out its state must have a spec, and then be loaded. */
void change_prepare(struct instance *instance);

/* Carries out the change that is the instance's oldest message, and takes it out. */
void change_carry_out(struct engine *engine, struct instance *instance);

/* --- failure --- */

/* The address could not be invoked: it backs off, or its policy says that it was enough.
 * `blames_batch`: it may be a message that is to blame. */
void failure_of_address(struct engine *engine, struct instance *instance, struct bytes cause,
                        uint64_t retry_after_ms, bool blames_batch);
void failure_of_endpoint(struct engine *engine, struct instance *instance, struct bytes cause);

/* The endpoint has answered, whatever. */
void failure_end_outage(struct engine *engine, struct instance *instance);

/* The invocation has succeeded, and its batch is dropped: frees it, unless the message that fails
 * is still being searched behind it. */
void failure_end(struct engine *engine, struct instance *instance);

/* Lets failed addresses and endpoints whose backoff is over try again. */
void failure_time(struct engine *engine);

/* An address that was parked when it was stored. */
void failure_restore_parked(struct engine *engine, struct bytes address,
                            struct function_type *type);

/* `address`: only that one; empty: all of the type. Returns how many. */
size_t failure_resume_type(struct engine *engine, struct function_type *type, struct bytes address);

/* --- dispatch --- */

void dispatch_run(struct engine *engine);
void dispatch_loaded(struct engine *engine, struct load *load);

void dispatch_free_spares(struct engine *engine);

/* --- read --- */

void read_loaded(struct engine *engine, struct load *load);
void read_free_all(struct engine *engine);

/* --- epoch --- */

/* Opens the first delta. */
void epoch_begin(struct engine *engine);

/* --- the whole --- */

struct source {
    struct list all;   /* in engine->sources */
    struct list dirty; /* in engine->dirty_sources */
    struct buffer key;
    struct buffer position;
};

struct settle_later {
    uint64_t receipt;
    enum settlement settlement;
    uint64_t epoch; /* to be told */
};

struct settlements {
    struct settle_later *items;
    size_t count, capacity;
};

struct engine {
    struct engine_options options;
    uint64_t now_ms;
    uint64_t sequence; /* the last given to a message or a delayed message */
    bool stopping;

    /* epochs */
    uint64_t epoch;     /* the open one */
    uint64_t committed; /* the last durable one */
    struct view_progress viewed;
    struct delta *open;    /* of epoch `epoch` */
    struct delta *sealing; /* of epoch - 1, while markers are missing; NULL otherwise */
    uint64_t *neighbours;  /* the open epoch of each worker, as their markers tell */
    uint32_t markers_missing;
    uint32_t record_nth, letter_nth; /* numbers within the open epoch */
    uint64_t open_egresses;
    struct settlements settlements[2]; /* by epoch & 1: of the open and of the last epoch */
    struct list fresh;                 /* messages that no delta holds yet */
    struct list fresh_delayed;         /* delayed messages likewise */
    struct list dirty;                 /* instances with changed states */
    struct list sources, dirty_sources;
    size_t open_bytes; /* that sealing will write, about */

    /* functions and instances */
    struct map types;
    struct function_type *last_type; /* that was found */
    struct list functions, runnable;
    struct list changing; /* instances whose oldest message is a change, in turn */
    struct list reads;    /* that wait for a load */
    struct heap outages;
    struct map instances;
    struct list recent; /* instances as they were idle, the last one last; some are busy again */
    struct list held;   /* those that may have messages in the store; none is idle */
    size_t cache_bytes;
    struct heap waiting; /* invocations whose address backs off */
    size_t in_flight;
    size_t crowded;          /* function types that are */
    size_t pace, calls_left; /* messages to functions that answer at once: in a run, in this one */

    /* backlog */
    size_t backlog_memory;
    uint64_t spill_tried; /* the view's epoch when spilling last found nothing more */
    bool full;            /* by this engine's reckoning */
    bool *full_elsewhere; /* by worker */
    bool outbox_full;
    bool refused;    /* since the last `room` */
    struct map keys; /* idempotency */
    struct heap key_expiries;

    /* delayed messages */
    struct heap delayed;
    struct map delayed_by_name;
    struct map tokens;
    struct horizon *horizons; /* by partition */
    uint64_t horizon_ms;      /* the nearest of them */
    struct map gone;
    struct list gone_order;
    size_t delayed_memory;
    uint64_t delayed_tried;    /* the view's epoch when trimming last found nothing more */
    struct load *delayed_load; /* under way, of delayed_partition */
    uint32_t delayed_partition;

    /* dead letters */
    struct list dead_requests; /* the first is under way */
    struct map gone_letters;
    struct list gone_letters_order;

    struct engine_figures figures;
    struct arena arena;       /* cleared with each input that uses it */
    struct buffer key, value; /* scratch for stored keys and values */
    struct list spare_loads;  /* with their buffers: they come and go by the hundred */
    size_t spare_load_count;
    struct invocation *spare_invocation;
    struct message *spare_message; /* the last that was dropped, with room for so many bytes */
    size_t spare_message_bytes;
    struct invocation calling; /* of a function that answers at once, until it fails: its batch */
};

/* The open epoch has grown to its limit while the last one is not durable yet: nothing more is
 * taken in or started until it is. */
static inline bool epoch_is_stalled(const struct engine *engine)
{
    return engine->committed + 1 < engine->epoch &&
           engine->open_bytes + engine->open->entries.size > engine->options.limits.delta_bytes;
}

/* The type of a canonical address, made when first seen; NULL if no endpoint serves it. */
static inline struct function_type *function_find_of(struct engine *engine, struct bytes wire)
{
    struct function_type *last = engine->last_type;
    return last && function_has(last, wire) ? last : function_find_any(engine, wire);
}

/* The worker that has the addresses with this id. */
static inline uint32_t engine_worker_of(const struct engine *engine, struct bytes id)
{
    const struct engine_options *options = &engine->options;
    if (options->workers == 1)
        return options->worker;
    return partition_worker(partition_of(id, options->partitions), options->partitions,
                            options->workers);
}

/* The same of a canonical address of that type. */
static inline uint32_t engine_worker_of_target(const struct engine *engine, struct bytes wire,
                                               const struct function_type *type)
{
    enum { HEAD = 2 }; /* tag and length of a short id */
    if (engine->options.workers == 1)
        return engine->options.worker;
    struct bytes rest = function_rest(type, wire);
    bool is_short = rest.size > HEAD && rest.data[1] < PB_SHORT;
    return engine_worker_of(engine, is_short ? bytes_from(rest, HEAD) : address_known(wire).id);
}

static inline bool engine_misbehaves(const struct engine *engine, enum misbehaviour misbehaviour)
{
    const struct ports *ports = &engine->options.ports;
    return ports->misbehave && ports->misbehave(ports->owner, misbehaviour);
}

#endif
