/* list.h - a doubly linked ring of nodes that live inside what they link.
 *
 * A list head is a node that belongs to no element. A node that is in no list points to itself once
 * list_init has run, so taking it out twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/mem.h"

#include <stdbool.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_put_before(struct list *where, struct list *node)
{
    node->previous = where->previous;
    node->next = where;
    where->previous->next = node;
    where->previous = node;
}

static inline void list_put_last(struct list *list, struct list *node)
{
    list_put_before(list, node);
}

static inline void list_put_first(struct list *list, struct list *node)
{
    list_put_before(list->next, node);
}

static inline void list_take(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* Of a node that is in that list. */
static inline void list_move_last(struct list *list, struct list *node)
{
    if (list->previous == node)
        return;
    list_take(node);
    list_put_last(list, node);
}

/* The first node taken out, or NULL. */
static inline struct list *list_take_first(struct list *list)
{
    if (list_is_empty(list))
        return NULL;
    struct list *node = list->next;
    list_take(node);
    return node;
}

#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_last(head, type, member)  container_of((head)->previous, type, member)

/* `node` may not be taken out meanwhile; with _safe it may. */
#define list_for_each(head, node)                                                                  \
    for (struct list *node = (head)->next; node != (head); node = node->next)
#define list_for_each_safe(head, node)                                                             \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);              \
         node = node##_next, node##_next = node->next)

#endif
