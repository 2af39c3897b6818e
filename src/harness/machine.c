/* machine.c - the parts that a step moves. */
#include "harness/machine.h"

#include "base/mem.h"
#include "engine/partition.h"

#include <assert.h>

struct posted {
    struct list link;
    struct post post;
};

enum notice_kind { NOTICE_SEAL, NOTICE_COMMITTED, NOTICE_VIEWED, NOTICE_CONFIRMED, NOTICE_DONE };

struct notice {
    struct list link;
    enum notice_kind kind;
    uint64_t epoch;
    uint32_t egress;             /* of NOTICE_CONFIRMED */
    struct view_progress viewed; /* of NOTICE_VIEWED */
    struct bytes key;            /* owned, of NOTICE_DONE */
};

static void trace(struct machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void trace(struct machine *machine, const char *format, ...)
{
    if (!machine->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    machine->trace(machine->owner, format, arguments);
    va_end(arguments);
}

/* --- picking --- */

uint64_t machine_pick(struct machine *machine, uint64_t n)
{
    return machine->random ? random_below(machine->random, n) : 0;
}

struct list *machine_pick_node(struct machine *machine, struct list *list)
{
    size_t count = 0;
    list_for_each (list, node)
        count++;
    if (!count)
        return NULL;
    struct list *node = list->next;
    for (uint64_t skip = machine_pick(machine, count); skip > 0; skip--)
        node = node->next;
    return node;
}

struct machine_worker *machine_pick_worker(struct machine *machine,
                                           bool (*has)(const struct machine_worker *worker))
{
    struct machine_worker *having[MACHINE_WORKERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < machine->workers; i++)
        if (has(&machine->worker[i]))
            having[count++] = &machine->worker[i];
    return count ? having[machine_pick(machine, count)] : NULL;
}

static bool has_posts(const struct machine_worker *worker)
{
    for (uint32_t from = 0; from < MACHINE_WORKERS_MAX; from++)
        if (!list_is_empty(&worker->posts[from]))
            return true;
    return false;
}

static bool has_notices(const struct machine_worker *worker)
{
    return !list_is_empty(&worker->notices);
}

static bool has_loads(const struct machine_worker *worker)
{
    return !list_is_empty(&worker->loads);
}

static bool has_loaded(const struct machine_worker *worker)
{
    return !list_is_empty(&worker->loaded);
}

bool machine_has_calls(const struct machine_worker *worker)
{
    return !list_is_empty(&worker->calls);
}

struct machine_worker *machine_worker_of(struct machine *machine, struct bytes id)
{
    uint32_t partition = partition_of(id, machine->partitions);
    return &machine->worker[partition_worker(partition, machine->partitions, machine->workers)];
}

/* --- ports --- */

static void carry_out(struct machine *machine, struct load *load)
{
    const struct table *view = &machine->view;
    struct bytes keys = buffer_bytes(&load->keys), bounds[2];
    buffer_clear(&load->results);
    for (size_t i = 0; keys.size; i++) {
        struct bytes key = bytes_make(keys.data + 4, u32_get(keys.data));
        keys = bytes_from(keys, 4 + key.size);
        if (load->is_range) {
            bounds[i] = key;
            continue;
        }
        const struct table_row *row = table_find(view, key);
        buffer_add_u8(&load->results, row != NULL);
        buffer_add_u32(&load->results, row ? (uint32_t)row->value.size : 0);
        if (row)
            buffer_add_bytes(&load->results, row->value);
    }
    if (!load->is_range)
        return;
    for (size_t i = table_seek(view, bounds[0]);
         i < view->count && load->results.size < load->bytes_max &&
         bytes_compare(view->rows[i].key, bounds[1]) < 0;
         i++) {
        buffer_add_u32(&load->results, (uint32_t)view->rows[i].key.size);
        buffer_add_bytes(&load->results, view->rows[i].key);
        buffer_add_u32(&load->results, (uint32_t)view->rows[i].value.size);
        buffer_add_bytes(&load->results, view->rows[i].value);
    }
}

static bool on_load(void *owner, struct load *load)
{
    struct machine_worker *worker = owner;
    struct machine *machine = worker->machine;
    if (!machine->random || random_chance(machine->random, 500)) {
        carry_out(machine, load);
        return true;
    }
    list_put_last(&worker->loads, &load->link);
    return false;
}

static void on_post(void *owner, uint32_t to, const struct post *post)
{
    struct machine_worker *worker = owner;
    struct posted *posted = mem_new(sizeof *posted);
    posted->post = *post;
    list_put_last(&worker->machine->worker[to].posts[worker->number], &posted->link);
}

static void on_sealed(void *owner, struct delta *delta)
{
    struct machine_worker *worker = owner;
    coordinator_part(worker->machine->coordinator, delta);
}

/* --- lives --- */

static void start_worker(struct machine *machine, uint32_t number, const struct machine_life *life)
{
    struct machine_worker *worker = &machine->worker[number];
    *worker = (struct machine_worker){.machine = machine, .number = number};
    for (uint32_t from = 0; from < MACHINE_WORKERS_MAX; from++)
        list_init(&worker->posts[from]);
    list_init(&worker->notices);
    list_init(&worker->loads);
    list_init(&worker->loaded);
    list_init(&worker->calls);
    struct engine_options options = {
        .worker = number,
        .workers = life->workers,
        .partitions = life->partitions,
        .hash_seed = life->hash_seed,
        .epoch = machine->truth_epoch + 1,
        .now_ms = life->now_ms,
        .remember_specs = life->remember_specs,
        .limits = life->limits,
        .bindings = life->bindings,
        .ports = life->ports,
    };
    options.ports.owner = worker;
    options.ports.load = on_load;
    options.ports.post = on_post;
    options.ports.sealed = on_sealed;
    worker->engine = engine_new(&options);
}

static bool restore(struct machine *machine, const struct table_row *row, struct sf_status *status)
{
    struct key key;
    if (!key_parse(row->key, &key))
        return sf_fail(status, SF_CORRUPT, "a stored key is not one of ours");
    uint32_t owner = partition_worker(key.partition, machine->partitions, machine->workers);
    bool is_shared = key.kind == KEY_SPEC || key.kind == KEY_POSITION;
    for (uint32_t i = 0; i < machine->workers; i++)
        if ((i == owner || is_shared) &&
            !engine_restore(machine->worker[i].engine, row->key, row->value, status))
            return false;
    return true;
}

bool machine_start(struct machine *machine, const struct machine_life *life,
                   struct sf_status *status)
{
    machine->workers = life->workers;
    machine->partitions = life->partitions;
    machine->coordinator =
        coordinator_new(life->workers, machine->truth_epoch + 1, life->interval_ms);
    table_copy(&machine->whole, &machine->truth);
    table_copy(&machine->view, &machine->truth);
    machine->viewed = (struct view_progress){machine->truth_epoch, machine->truth_epoch};
    list_init(&machine->unviewed);
    for (uint32_t i = 0; i < life->workers; i++)
        start_worker(machine, i, life);
    for (size_t i = 0; i < machine->truth.count; i++)
        if (!restore(machine, &machine->truth.rows[i], status))
            return false;
    for (uint32_t i = 0; i < life->workers; i++)
        engine_restored(machine->worker[i].engine);
    return true;
}

static void free_notice(struct notice *notice)
{
    list_take(&notice->link);
    free((void *)notice->key.data);
    free(notice);
}

static void free_loads(struct list *loads)
{
    list_for_each_safe (loads, node) {
        struct load *load = container_of(node, struct load, link);
        list_take(node);
        if (!load->subject)
            continue; /* the engine's own, or an operation's: others free it */
        buffer_destroy(&load->keys);
        buffer_destroy(&load->results);
        free(load);
    }
}

static void free_commit(struct commit *commit)
{
    for (uint32_t i = 0; i < commit->count; i++)
        delta_unref(commit->parts[i]);
    free(commit);
}

static void free_commits(struct list *commits)
{
    for (struct list *node; (node = list_take_first(commits));)
        free_commit(container_of(node, struct commit, link));
}

static void free_worker(struct machine_worker *worker)
{
    for (uint32_t from = 0; from < MACHINE_WORKERS_MAX; from++)
        list_for_each_safe (&worker->posts[from], node) {
            struct posted *posted = container_of(node, struct posted, link);
            message_free(posted->post.message);
            free(posted);
        }
    list_for_each_safe (&worker->notices, node)
        free_notice(container_of(node, struct notice, link));
    free_loads(&worker->loads);
    free_loads(&worker->loaded);
    assert(list_is_empty(&worker->calls));
    engine_free(worker->engine);
    worker->engine = NULL;
}

static void become_durable(struct machine *machine)
{
    struct commit *commit = machine->committing;
    if (machine->before_durable)
        machine->before_durable(machine->owner, commit);
    for (uint32_t i = 0; i < commit->count; i++)
        table_apply(&machine->truth, commit->parts[i]);
    machine->truth_epoch = commit->epoch;
}

void machine_crash(struct machine *machine)
{
    trace(machine, "crash");
    if (machine->committing) {
        if (machine->random && random_chance(machine->random, 500))
            become_durable(machine);
        free_commit(machine->committing);
        machine->committing = NULL;
    }
    for (uint32_t i = 0; i < machine->workers; i++)
        free_worker(&machine->worker[i]);
    machine->workers = 0;
    coordinator_free(machine->coordinator);
    machine->coordinator = NULL;
    free_commits(&machine->unviewed);
}

void machine_destroy(struct machine *machine)
{
    if (machine->coordinator) {
        machine->random = NULL;
        machine_crash(machine);
    }
    table_destroy(&machine->truth);
    table_destroy(&machine->whole);
    table_destroy(&machine->view);
}

/* --- what can happen --- */

bool machine_post_arrives(struct machine *machine)
{
    struct machine_worker *worker = machine_pick_worker(machine, has_posts);
    if (!worker)
        return false;
    uint32_t senders[MACHINE_WORKERS_MAX], count = 0;
    for (uint32_t from = 0; from < machine->workers; from++)
        if (!list_is_empty(&worker->posts[from]))
            senders[count++] = from;
    uint32_t from = senders[machine_pick(machine, count)];
    struct list *node = list_take_first(&worker->posts[from]);
    struct posted *posted = container_of(node, struct posted, link);
    trace(machine, "post %d from %u arrives at %u", (int)posted->post.kind, from, worker->number);
    engine_receive(worker->engine, from, &posted->post);
    free(posted);
    return true;
}

bool machine_load_ends(struct machine *machine)
{
    struct machine_worker *worker = machine_pick_worker(machine, has_loads);
    if (!worker)
        return false;
    struct list *node = machine_pick_node(machine, &worker->loads);
    list_take(node);
    carry_out(machine, container_of(node, struct load, link));
    list_put_last(&worker->loaded, node);
    return true;
}

bool machine_load_is_told(struct machine *machine)
{
    struct machine_worker *worker = machine_pick_worker(machine, has_loaded);
    if (!worker)
        return false;
    struct list *node = machine_pick_node(machine, &worker->loaded);
    list_take(node);
    engine_loaded(worker->engine, container_of(node, struct load, link));
    return true;
}

static struct notice *notify(struct machine_worker *worker, enum notice_kind kind, uint64_t epoch)
{
    struct notice *notice = mem_new(sizeof *notice);
    notice->kind = kind;
    notice->epoch = epoch;
    notice->viewed = worker->machine->viewed;
    list_put_last(&worker->notices, &notice->link);
    return notice;
}

static void notify_all(struct machine *machine, enum notice_kind kind, uint64_t epoch)
{
    for (uint32_t i = 0; i < machine->workers; i++)
        (void)notify(&machine->worker[i], kind, epoch);
}

void machine_confirm(struct machine *machine, uint32_t egress, uint64_t epoch)
{
    notify(&machine->worker[0], NOTICE_CONFIRMED, epoch)->egress = egress;
}

bool machine_record_is_done(struct machine *machine, struct bytes key)
{
    struct machine_worker *worker = &machine->worker[0];
    list_for_each (&worker->notices, node) {
        struct notice *notice = container_of(node, struct notice, link);
        if (notice->kind == NOTICE_DONE && bytes_equal(notice->key, key))
            return false;
    }
    notify(worker, NOTICE_DONE, 0)->key = bytes_make(bytes_string(key), key.size);
    return true;
}

bool machine_notice_arrives(struct machine *machine)
{
    struct machine_worker *worker = machine_pick_worker(machine, has_notices);
    if (!worker)
        return false;
    struct notice *notice = list_first(&worker->notices, struct notice, link);
    switch (notice->kind) {
    case NOTICE_SEAL:
        trace(machine, "worker %u is told to seal %llu", worker->number,
              (unsigned long long)notice->epoch);
        engine_seal(worker->engine, notice->epoch);
        break;
    case NOTICE_COMMITTED:
        engine_committed(worker->engine, notice->epoch);
        break;
    case NOTICE_VIEWED:
        engine_viewed(worker->engine, notice->viewed);
        break;
    case NOTICE_CONFIRMED:
        engine_confirmed(worker->engine, notice->egress, notice->epoch);
        break;
    case NOTICE_DONE:
        engine_record_done(worker->engine, notice->key, NULL);
        break;
    }
    free_notice(notice);
    return true;
}

bool machine_coordinator_acts(struct machine *machine, uint64_t now_ms)
{
    for (uint32_t i = 0; i < machine->workers; i++) {
        const struct engine *engine = machine->worker[i].engine;
        coordinator_wish(machine->coordinator, engine_epoch(engine), engine_want(engine), now_ms);
    }
    struct coordinator_step step = coordinator_next(machine->coordinator, now_ms);
    if (step.action == COORDINATOR_SEAL) {
        notify_all(machine, NOTICE_SEAL, step.epoch);
    } else if (step.action == COORDINATOR_COMMIT) {
        struct commit *commit = mem_new(sizeof *commit);
        list_init(&commit->link);
        commit->epoch = step.epoch;
        commit->count = machine->workers;
        for (uint32_t i = 0; i < machine->workers; i++)
            commit->parts[i] = delta_ref(coordinator_parts(machine->coordinator)[i]);
        machine->committing = commit;
        trace(machine, "epoch %llu goes to disk", (unsigned long long)step.epoch);
    }
    return step.action != COORDINATOR_WAIT;
}

bool machine_commit_ends(struct machine *machine)
{
    struct commit *commit = machine->committing;
    if (!commit)
        return false;
    become_durable(machine);
    machine->committing = NULL;
    list_put_last(&machine->unviewed, &commit->link);
    notify_all(machine, NOTICE_COMMITTED, commit->epoch);
    coordinator_committed(machine->coordinator);
    trace(machine, "epoch %llu is durable", (unsigned long long)commit->epoch);
    return true;
}

/* What a commit put into queues is not in the view yet. */
static void leave_out_queued(struct machine *machine, const struct commit *commit)
{
    struct delta_entry entry;
    for (uint32_t i = 0; i < commit->count; i++)
        for (struct bytes rest = buffer_bytes(&commit->parts[i]->entries);
             delta_next(&rest, &entry);)
            if (entry.change == DELTA_PUT && key_is_queued(entry.key))
                table_remove(&machine->view, entry.key);
}

bool machine_view_advances(struct machine *machine)
{
    struct list viewed;
    struct random *random = machine->random;
    bool is_behind = machine->viewed.whole < machine->viewed.kept;
    bool is_asked = is_behind && random && random_chance(random, 50); /* for what was left out */
    if (list_is_empty(&machine->unviewed) && !is_asked)
        return false;
    list_init(&viewed);
    machine->viewed.whole = machine->viewed.kept;
    while (!list_is_empty(&machine->unviewed)) {
        struct commit *commit = list_first(&machine->unviewed, struct commit, link);
        list_take(&commit->link);
        for (uint32_t i = 0; i < commit->count; i++)
            table_apply(&machine->whole, commit->parts[i]);
        machine->viewed.kept = commit->epoch;
        list_put_last(&viewed, &commit->link);
        if (random && !random_chance(random, 800))
            break;
    }

    table_copy(&machine->view, &machine->whole);
    if (!random || random_chance(random, 500))
        machine->viewed.whole = machine->viewed.kept;
    else
        list_for_each (&viewed, node)
            leave_out_queued(machine, container_of(node, struct commit, link));
    free_commits(&viewed);
    notify_all(machine, NOTICE_VIEWED, machine->viewed.kept);
    return true;
}

bool machine_is_quiet(const struct machine *machine)
{
    for (uint32_t i = 0; i < machine->workers; i++) {
        const struct machine_worker *worker = &machine->worker[i];
        if (has_posts(worker) || has_notices(worker) || has_loads(worker) || has_loaded(worker) ||
            engine_want(worker->engine) != WANT_NOTHING ||
            engine_epoch(worker->engine) != machine->truth_epoch + 1)
            return false;
    }
    return !machine->committing;
}
