/* name_map.h - texts and what each of them stands for; finds what was given twice. */
#ifndef SPEC_NAME_MAP_H
#define SPEC_NAME_MAP_H

#include "base/arena.h"
#include "base/map.h"

struct name_map {
    struct map map;
    struct arena arena;
};

void name_map_init(struct name_map *names);
void name_map_destroy(struct name_map *names);

/* What `name` stands for; NULL if nothing. */
const void *name_map_get(const struct name_map *names, const char *name);

/* The same, to be read and set; a new name is copied. */
const void **name_map_slot(struct name_map *names, const char *name);

#endif
