/* url.h - checks urlPathTemplate, the URL under which functions are called (protocol.md 3.1 and
 * 14). */
#ifndef SPEC_URL_H
#define SPEC_URL_H

#include "statefun/status.h"

/* The scheme must be http, https, http+unix or https+unix, and {function.name} the only part to be
 * filled in. The status says what was expected, and holds nothing of the URL. `ret_is_tls`: https.
 * The unix schemes are plain HTTP, as they are upstream. */
SF_CHECK bool url_template_check(const char *url, bool *ret_is_tls, struct sf_status *status);

#endif
