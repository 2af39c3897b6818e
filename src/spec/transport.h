/* transport.h - how an endpoint is called: timeouts, pools (protocol.md 13). */
#ifndef SPEC_TRANSPORT_H
#define SPEC_TRANSPORT_H

#include "spec/reader.h"

/* What an endpoint without `transport` or `timeouts` has. */
struct transport_spec transport_default(enum transport_kind kind);

property_read transport_read;       /* `transport` of v2: struct transport_spec */
property_read okhttp_timeouts_read; /* `timeouts` of v1 and okhttp: struct transport_spec */

/* Reports TLS options of a transport that never uses them, since the URL's scheme is another. */
void transport_check_plain(struct reader *reader, const struct yaml_node *transport);

#endif
