/* curl.h - libcurl, loaded when something first needs it: nobody else pays for it, nor needs it
 * installed.
 *
 * The kinesis room speaks to Amazon Kinesis: calls with their signatures, credentials, regions. It
 * may include spec and base. */
#ifndef KINESIS_CURL_H
#define KINESIS_CURL_H

#define CURL_DISABLE_TYPECHECK /* its macros would hide the functions that are named here */
#include <curl/curl.h>

#include "statefun/status.h"

#define CURL_FUNCTIONS(X)                                                                          \
    X(curl_global_init)                                                                            \
    X(curl_easy_init)                                                                              \
    X(curl_easy_cleanup)                                                                           \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_perform)                                                                           \
    X(curl_easy_strerror)                                                                          \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_multi_init)                                                                             \
    X(curl_multi_cleanup)                                                                          \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_perform)                                                                          \
    X(curl_multi_poll)                                                                             \
    X(curl_multi_wakeup)                                                                           \
    X(curl_multi_info_read)

#undef curl_easy_setopt
#undef curl_easy_getinfo

/* The functions, by their own names: curl->curl_easy_init(). */
struct curl_library {
#define X(name) __typeof__(&name) name;
    CURL_FUNCTIONS(X)
#undef X
};

/* Any thread. The library stays loaded. False says what is missing. */
SF_CHECK bool curl_library_get(const struct curl_library **ret_curl, struct sf_status *status);

#endif
