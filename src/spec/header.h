/* header.h - what an endpoint's requests carry besides: `headers` and `bearerToken`, extensions for
 * gateways that want to know who calls. Values may be secret and are never shown. */
#ifndef SPEC_HEADER_H
#define SPEC_HEADER_H

#include "spec/reader.h"

/* Both add to a struct header_list. */
property_read headers_read;
property_read bearer_token_read;

#endif
