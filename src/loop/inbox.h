/* inbox.h - letters from any thread to the thread of one loop.
 *
 * Letters of one sender arrive in the order in which it put them. The inbox is not bounded: what
 * goes through it is bounded where it is made (the engine's limits, the store's lag). */
#ifndef LOOP_INBOX_H
#define LOOP_INBOX_H

#include "loop/loop.h"

/* Put first into what is sent. */
struct letter {
    struct letter *next;
};

/* A chain of letters, to be put at once: cheaper than one by one. All zeros: empty. */
struct letters {
    struct letter *first;
    struct letter *last;
};

void letters_add(struct letters *letters, struct letter *letter);

/* The oldest letter, taken out; NULL if there is none. */
struct letter *letters_take(struct letters *letters);

struct inbox;

/* Wakes `loop` when letters come into an empty inbox: its thread then takes them all. Inbox
 * and loop must outlive every inbox_put. */
struct inbox *inbox_new(struct loop *loop);
void inbox_free(struct inbox *inbox); /* it must be empty */

/* Any thread. Moves all letters of the chain; an empty chain does nothing. */
void inbox_put(struct inbox *inbox, struct letters *letters);

/* The loop's thread: takes all that has come. */
struct letters inbox_take(struct inbox *inbox);

#endif
