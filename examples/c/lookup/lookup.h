/* lookup.h - asks a service outside, without holding anybody up. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <statefun/statefun.h>

/* For names/host, whose id is the name of a host: what is its address? */
extern const struct sf_type ask_type;

/* The service: puts the answer into `ret_answer`, or why there is none (false). May take its time;
 * is called on several threads. The resolver of the C library, unless a test puts something else
 * here. */
enum { ANSWER_SIZE = 128 };
extern bool (*lookup_service)(const char *host, char ret_answer[ANSWER_SIZE]);

bool lookup_configure(struct sf_module *module, struct sf_status *status);

#endif
