/* inbox.c - a chain behind a mutex.
 *
 * Whoever puts the first letter into an empty inbox wakes the loop; those who add to it need not,
 * since the loop has not yet taken what it was woken for. The mutex is held for a few instructions,
 * by senders that put a whole chain and a taker that takes everything: a lock-free chain was not
 * worth its proof. */
#include "loop/inbox.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

struct inbox {
    struct loop *loop;
    pthread_mutex_t mutex; /* guards `letters` */
    struct letters letters;
};

void letters_add(struct letters *letters, struct letter *letter)
{
    letter->next = NULL;
    if (letters->last)
        letters->last->next = letter;
    else
        letters->first = letter;
    letters->last = letter;
}

struct letter *letters_take(struct letters *letters)
{
    struct letter *letter = letters->first;
    if (!letter)
        return NULL;
    letters->first = letter->next;
    if (!letters->first)
        letters->last = NULL;
    letter->next = NULL;
    return letter;
}

struct inbox *inbox_new(struct loop *loop)
{
    struct inbox *inbox = mem_new(sizeof *inbox);
    inbox->loop = loop;
    pthread_mutex_init(&inbox->mutex, NULL);
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (!inbox)
        return;
    assert(!inbox->letters.first);
    pthread_mutex_destroy(&inbox->mutex);
    free(inbox);
}

void inbox_put(struct inbox *inbox, struct letters *letters)
{
    if (!letters->first)
        return;

    pthread_mutex_lock(&inbox->mutex);
    bool was_empty = !inbox->letters.first;
    if (was_empty)
        inbox->letters = *letters;
    else {
        inbox->letters.last->next = letters->first;
        inbox->letters.last = letters->last;
    }
    pthread_mutex_unlock(&inbox->mutex);

    *letters = (struct letters){0};
    if (was_empty)
        loop_wake(inbox->loop);
}

struct letters inbox_take(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    struct letters letters = inbox->letters;
    inbox->letters = (struct letters){0};
    pthread_mutex_unlock(&inbox->mutex);
    return letters;
}
