/* letter_record.h - dead letters as records of the egress that gets them. */
#ifndef RUNTIME_LETTER_RECORD_H
#define RUNTIME_LETTER_RECORD_H

#include "engine/bindings.h"
#include "spec/application.h"

/* Where the application's dead letters go, and in which form; egresses are numbered as in
 * bindings.h. `application` must outlive it. */
struct letter_route letter_route_of(const struct application *application);

#endif
