/* yaml_node.c - looking at a tree that yaml.c has built. */
#include "spec/yaml.h"

#include <stdio.h>

const struct yaml_entry *yaml_find(const struct yaml_node *node, const char *key)
{
    if (node->kind != YAML_OBJECT)
        return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (!strcmp(node->entries[i].key, key))
            return &node->entries[i];
    return NULL;
}

const char *yaml_kind_name(const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_BROKEN:
    case YAML_TEXT:
        return "text";
    case YAML_NULL:
        return "no value";
    case YAML_SWITCH:
        return "a truth value";
    case YAML_INTEGER:
    case YAML_FLOAT:
        return "a number";
    case YAML_LIST:
        return "a list";
    case YAML_OBJECT:
        return "an object";
    }
    return "something else";
}

struct yaml_description yaml_describe(const struct yaml_node *node)
{
    struct yaml_description description;
    bool is_scalar = node->text && node->kind != YAML_NULL;
    bool is_hidden = is_scalar && strstr(node->written, "${") && strcmp(node->written, node->text);

    if (!is_scalar)
        snprintf(description.text, sizeof description.text, "%s", yaml_kind_name(node));
    else if (is_hidden)
        snprintf(description.text, sizeof description.text, "text %s (its value is not shown)",
                 text_quoted(node->written).text);
    else if (node->kind == YAML_TEXT)
        snprintf(description.text, sizeof description.text, "text %s",
                 text_quoted(node->written).text);
    else
        snprintf(description.text, sizeof description.text, "%s %.60s",
                 node->kind == YAML_SWITCH ? "the truth value" : "the number", node->written);
    return description;
}
