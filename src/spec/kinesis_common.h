/* kinesis_common.h - what the Kinesis ingress and egress read in the same way (module-yaml.md 7).
 */
#ifndef SPEC_KINESIS_COMMON_H
#define SPEC_KINESIS_COMMON_H

#include "spec/reader.h"

property_read aws_region_read;      /* struct aws_region_spec */
property_read aws_credentials_read; /* struct aws_credentials_spec */
property_read kinesis_stream_read;  /* char *: a name that Kinesis allows */

struct kinesis_client_spec kinesis_client_default(void);

/* `clientConfigProperties`: those that mean something here go into the struct kinesis_client_spec
 * that the property's offset names, others get a warning. */
property_read kinesis_client_read;

#endif
