/* client_properties.c - see client_properties.h. */
#include "spec/client_properties.h"

static const char expected[] = "a list of single-entry maps, such as '- security.protocol: SSL'";

/* One element of the list. */
static const char *read_one(struct reader *reader, const char *key, const struct yaml_node *node,
                            void *item)
{
    const struct yaml_entry *entry = single_entry_find(reader, key, node, expected);
    if (!entry || entry->value->kind == YAML_BROKEN)
        return NULL;
    const struct yaml_node *value = entry->value;
    if (!value->text || value->kind == YAML_NULL) {
        reader_error(reader, &value->place, "%s: expected text or a number, found %s",
                     text_quoted(entry->key).text, yaml_kind_name(value));
        return NULL;
    }
    *(struct client_property *)item =
        (struct client_property){.name = reader_copy(reader, bytes_of(entry->key)),
                                 .value = reader_copy(reader, bytes_of(value->text)),
                                 .place = entry->key_place};
    return entry->key;
}

bool client_properties_read(struct reader *reader, const struct property *property,
                            const struct yaml_node *node, void *to)
{
    static const struct named_list kind = {expected, sizeof(struct client_property), read_one};
    struct property_list *list = to;
    return named_list_read(reader, property->key, node, &kind, &list->items, &list->count);
}

const struct client_property *property_find(const struct property_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].name, name))
            return &list->items[i];
    return NULL;
}

void property_add(struct reader *reader, struct property_list *list, const char *name,
                  const char *value, const struct spec_place *place)
{
    list->items = reader_room(reader, list->items, list->count, sizeof *list->items);
    list->items[list->count++] = (struct client_property){
        reader_copy(reader, bytes_of(name)), reader_copy(reader, bytes_of(value)), *place};
}
