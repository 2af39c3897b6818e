/* jaas.h - the one-line login configuration of Java's Kafka clients:
 *
 *   org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";  */
#ifndef SPEC_JAAS_H
#define SPEC_JAAS_H

#include "base/arena.h"

struct jaas {
    struct arena arena; /* of all below */
    const char *module; /* name of the class */
    struct jaas_option *options;
};

struct jaas_option {
    struct jaas_option *next;
    const char *name, *value;
};

/* False if the text is no such configuration; then there is nothing to destroy. */
bool jaas_parse(const char *text, struct jaas *ret_jaas);
void jaas_destroy(struct jaas *jaas);

/* An option's value, or NULL. */
const char *jaas_option(const struct jaas *jaas, const char *name);

#endif
