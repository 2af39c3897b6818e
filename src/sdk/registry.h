/* registry.h - what modules have bound, in whatever they run: a host's side of sf_module.
 *
 * Several modules may be configured into one registry, one after the other; it holds references to
 * what they bind. Once configured it is only read, from any thread. */
#ifndef SDK_REGISTRY_H
#define SDK_REGISTRY_H

#include "base/bytes.h"
#include "sdk/host.h"

struct registered_function {
    const struct sf_function *function;
    struct bytes ns, name; /* views into its type */
    bool is_prefix;        /* `name` is only how names begin */
    uint32_t module;       /* the number of the module that bound it */
};

/* Which module bound a router, an ingress or an egress. */
struct registered_by {
    const void *what;
    uint32_t module;
};

struct registry_options {
    bool functions_only; /* routers, ingresses and egresses are refused: `what_runs` says by whom */
    const char *what_runs;
    void *owner;
    const char *(*config)(void *owner, const char *key); /* NULL if there is none; may be NULL */
};

struct registry {
    struct sf_module module; /* what configure functions get */
    struct registry_options options;
    uint32_t modules;
    struct registered_function *functions;
    size_t function_count;
    const struct sf_router **routers;
    size_t router_count;
    const struct sf_ingress **ingresses;
    size_t ingress_count;
    const struct sf_egress **egresses;
    size_t egress_count;
    struct registered_by *owners; /* of those three */
    size_t owner_count;
};

void registry_init(struct registry *registry, const struct registry_options *options);
void registry_destroy(struct registry *registry);

/* Has one module bind what it has. */
SF_CHECK bool registry_add(struct registry *registry, sf_configure configure,
                           struct sf_status *status);

/* The function that serves this type: an exact name, else the longest prefix; NULL if none does. */
const struct sf_function *registry_find(const struct registry *registry, struct bytes ns,
                                        struct bytes name);

/* The number of the module that bound a router, an ingress or an egress. */
uint32_t registry_module_of(const struct registry *registry, const void *what);

/* Splits "namespace/name"; false if it is no such thing. */
bool typename_split(struct bytes text, struct bytes *ret_ns, struct bytes *ret_name);

/* What makes a state that no runtime would take. */
SF_CHECK bool state_name_check(const struct sf_state_name *state, struct sf_status *status);

/* A `config` over strings "KEY=VALUE", ended by NULL: the owner. */
const char *config_of_list(void *owner, const char *key);

/* Copies such a list (NULL: an empty one) for config_free; false if it holds anything else. */
SF_CHECK bool config_copy(const char *const *list, char ***ret_copy, struct sf_status *status);
void config_free(char **copy); /* NULL is fine */

#endif
