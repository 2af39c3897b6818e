/* inbox_test.c - letters between threads. */
#include "test.h"

#include "loop/inbox.h"

#include "base/mem.h"

#include <pthread.h>

struct note {
    struct letter letter;
    int sender;
    int number;
};

static struct note *note_new(int sender, int number)
{
    struct note *note = mem_new(sizeof *note);
    note->sender = sender;
    note->number = number;
    return note;
}

static void a_chain_gives_letters_in_the_order_in_which_they_were_added(void **state)
{
    (void)state;
    struct letters letters = {0};
    struct note notes[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    assert_null(letters_take(&letters));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            letters_add(&letters, &notes[i].letter);
        for (int i = 0; i < 3; i++)
            assert_ptr_equal(letters_take(&letters), &notes[i].letter);
        assert_null(letters_take(&letters));
        assert_null(letters.last);
    }
}

static void an_empty_chain_wakes_nobody(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct inbox *inbox = inbox_new(loop);
    struct letters none = {0};
    inbox_put(inbox, &none);
    loop_turn(loop, 0);
    assert_null(inbox_take(inbox).first);
    inbox_free(inbox);
    loop_free(loop);
}

static void putting_a_chain_empties_it_and_taking_takes_everything(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct inbox *inbox = inbox_new(loop);
    struct note notes[4];
    for (int i = 0; i < 4; i += 2) {
        struct letters pair = {0};
        letters_add(&pair, &notes[i].letter);
        letters_add(&pair, &notes[i + 1].letter);
        inbox_put(inbox, &pair);
        assert_null(pair.first);
        assert_null(pair.last);
    }
    struct letters all = inbox_take(inbox);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(letters_take(&all), &notes[i].letter);
    assert_null(letters_take(&all));
    assert_null(inbox_take(inbox).first);
    inbox_free(inbox);
    loop_free(loop);
}

enum { SENDERS = 4, NOTES_EACH = 20000 };

struct office {
    struct loop *loop;
    struct inbox *inbox;
    int next[SENDERS];
    int received;
    bool is_in_order;
};

struct sender {
    pthread_t thread;
    struct inbox *inbox;
    int number;
};

/* Chains of 1, 2, 3, 1, ... letters. */
static void *send_notes(void *argument)
{
    struct sender *sender = argument;
    struct letters chain = {0};
    int length = 0;
    for (int i = 0; i < NOTES_EACH; i++) {
        letters_add(&chain, &note_new(sender->number, i)->letter);
        if (++length > i % 3) {
            inbox_put(sender->inbox, &chain);
            length = 0;
        }
    }
    inbox_put(sender->inbox, &chain);
    return NULL;
}

static void on_wake(void *owner)
{
    struct office *office = owner;
    struct letters letters = inbox_take(office->inbox);
    for (struct letter *letter; (letter = letters_take(&letters));) {
        struct note *note = container_of(letter, struct note, letter);
        if (note->number != office->next[note->sender]++)
            office->is_in_order = false;
        office->received++;
        free(note);
    }
}

/* The loop waits without a time-out, so that a letter without a wake-up would stop the test. */
static void letters_of_many_threads_all_come_and_each_sender_in_order(void **state)
{
    (void)state;
    struct office office = {.loop = loop_new(), .is_in_order = true};
    office.inbox = inbox_new(office.loop);
    loop_on_wake(office.loop, on_wake, &office);

    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.inbox = office.inbox, .number = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_notes, &senders[i]), 0);
    }
    while (office.received < SENDERS * NOTES_EACH)
        loop_turn(office.loop, -1);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);

    assert_true(office.is_in_order);
    inbox_free(office.inbox);
    loop_free(office.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_gives_letters_in_the_order_in_which_they_were_added),
        cmocka_unit_test(an_empty_chain_wakes_nobody),
        cmocka_unit_test(putting_a_chain_empties_it_and_taking_takes_everything),
        cmocka_unit_test(letters_of_many_threads_all_come_and_each_sender_in_order),
    };
    return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
