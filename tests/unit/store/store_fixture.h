/* store_fixture.h - a store in a directory of its own, for the tests of it. */
#ifndef STORE_STORE_FIXTURE_H
#define STORE_STORE_FIXTURE_H

#include "fixture.h"

struct fixture {
    char *place, *path;
    struct store_options options;
    struct store *store;
    struct buffer value;
    struct sf_status status;
};

static inline void reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = open_store(&f->options);
}

static inline int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->path = mem_format("%s/data", f->place);
    f->options = small_options(f->path);
    f->store = open_store(&f->options);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    remove_tree(f->place);
    buffer_destroy(&f->value);
    free(f->path);
    free(f->place);
    free(f);
    return 0;
}

static inline struct store_figures figures(struct fixture *f)
{
    struct store_figures figures;
    store_figures(f->store, &figures);
    return figures;
}

#endif
