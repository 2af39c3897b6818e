/* curl.c - see curl.h. */
#include "kinesis/curl.h"

#include <dlfcn.h>
#include <pthread.h>

static struct curl_library library;
static struct sf_status library_status;

static bool load(void)
{
    /* Both flavours have the same interface; the first is what Debian's curl uses. */
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    static const char *const functions[] = {
#define X(name) #name,
        CURL_FUNCTIONS(X)
#undef X
    };
    void *handle = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return sf_fail(&library_status, SF_UNSUPPORTED,
                       "Kinesis needs libcurl, which is not installed here (on Debian: apt-get "
                       "install libcurl4)");
    void **to = (void **)&library;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!(to[i] = dlsym(handle, functions[i])))
            return sf_fail(&library_status, SF_UNSUPPORTED,
                           "libcurl is too old for Kinesis: expected 7.75 or newer, found one "
                           "without %s",
                           functions[i]);
    if (library.curl_global_init(CURL_GLOBAL_DEFAULT))
        return sf_fail(&library_status, SF_UNSUPPORTED, "libcurl cannot be set up");
    return true;
}

static void load_once(void)
{
    (void)load(); /* what is wrong is in library_status */
}

bool curl_library_get(const struct curl_library **ret_curl, struct sf_status *status)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_once);
    if (library_status.code) {
        *status = library_status;
        return false;
    }
    *ret_curl = &library;
    return true;
}
