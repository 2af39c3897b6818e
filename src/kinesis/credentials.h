/* credentials.h - with which keys a call is signed, and in which region: from module.yaml, or where
 * AWS's own clients look.
 *
 *     default   the environment, the profile files, the container's, the instance's metadata
 *     basic     as given
 *     profile   one of the profile files, or of a file that is named
 *
 * Reading them may take some seconds (the metadata are asked over HTTP). No key is ever part of a
 * message. */
#ifndef KINESIS_CREDENTIALS_H
#define KINESIS_CREDENTIALS_H

#include "kinesis/curl.h"
#include "spec/application.h"

struct aws_keys {
    char *access, *secret;
    char *token;         /* of temporary keys; else NULL */
    uint64_t expires_ms; /* wall clock; 0: they do not */
};

SF_CHECK bool aws_keys_find(const struct curl_library *curl,
                            const struct aws_credentials_spec *spec, struct aws_keys *ret_keys,
                            struct sf_status *status);
void aws_keys_clear(struct aws_keys *keys);

/* The region's id, for free(). */
SF_CHECK bool aws_region_find(const struct curl_library *curl, const struct aws_region_spec *spec,
                              char **ret_region, struct sf_status *status);

#endif
