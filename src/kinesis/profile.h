/* profile.h - one value out of AWS's profile files (~/.aws/credentials and ~/.aws/config). */
#ifndef KINESIS_PROFILE_H
#define KINESIS_PROFILE_H

#include "base/bytes.h"

/* The value of `key` in a section of the text of such a file, for free(); NULL if there is none.
 * The section may be called "NAME" or, as in a config file, "profile NAME". */
char *profile_value(struct bytes text, const char *profile, const char *key);

#endif
