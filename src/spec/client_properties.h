/* client_properties.h - properties that are passed on to a client library: a list of single-entry
 * maps (module-yaml.md 3). Their values may be secret and are never shown. */
#ifndef SPEC_CLIENT_PROPERTIES_H
#define SPEC_CLIENT_PROPERTIES_H

#include "spec/reader.h"

property_read client_properties_read; /* struct property_list */

/* The property of that name, or NULL. */
const struct client_property *property_find(const struct property_list *list, const char *name);

/* Appends a copy to a list that has grown by this alone. */
void property_add(struct reader *reader, struct property_list *list, const char *name,
                  const char *value, const struct spec_place *place);

#endif
