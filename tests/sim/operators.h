/* operators.h - people who look at states and change them from outside, while everything else goes
 * on.
 *
 * Each address has one operator, who does one thing after the other: put, delete, get, list. Puts
 * and deletes are numbered, and the value of a put is its number, to which the function adds how
 * often it has seen it. What is answered must then be seen by whoever looks later, also over
 * crashes; nothing may come back; and what a function was sent before a change must be handled
 * before it. The functions check their part of that (app.c). */
#ifndef SIM_OPERATORS_H
#define SIM_OPERATORS_H

#include "sim/app.h"

struct operators;

struct operators *operators_new(struct app *app, uint64_t seed);
void operators_free(struct operators *operators);

/* Lets one of them do something at the engine that owns the address: `engine_of(owner, id)`. False
 * if nothing was done. */
bool operators_act(struct operators *operators, struct engine *(*engine_of)(void *, struct bytes),
                   void *owner);

/* A message to the address has been accepted for good: its record will come before later changes.
 */
void operators_sent(struct operators *operators, uint32_t number, uint64_t record);

/* Ports: these receipts are theirs. */
bool operators_own(uint64_t receipt);
void operators_found(struct operators *operators, uint64_t receipt,
                     const struct found_state *states, size_t count);
void operators_settle(struct operators *operators, uint64_t receipt, enum settlement settlement);

/* Nobody answers any more what is under way. */
void operators_crash(struct operators *operators);

/* Nothing is under way, and no more is to come. */
bool operators_are_done(const struct operators *operators);

/* Compares what is left in the store with what was answered last. */
void operators_check(const struct operators *operators, const struct table *truth,
                     uint32_t partitions);

#endif
