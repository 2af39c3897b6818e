/* settings_inside.h - what the two halves of the settings share: settings.c and settings_file.c. */
#ifndef SPEC_SETTINGS_INSIDE_H
#define SPEC_SETTINGS_INSIDE_H

#include "spec/name_map.h"
#include "spec/settings.h"
#include "statefun/status.h"

struct setting_value {
    char *text;
    char *origin;
    uint64_t number;
};

struct settings {
    struct setting_value values[SETTINGS_COUNT];
    struct name_map others; /* keys of files that are no settings -> text */
};

#define GLOBAL_CONFIG_PREFIX "statefun.module.global-config."

/* The setting with that name, or -1. */
int setting_of_name(const char *name);

/* False when the text does not fit: the status says what was expected. */
SF_CHECK bool settings_set(struct settings *settings, enum setting setting, const char *text,
                           const char *origin, struct sf_status *status);

#endif
