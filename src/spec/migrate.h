/* migrate.h - module files of the old formats, as they would be written today. */
#ifndef SPEC_MIGRATE_H
#define SPEC_MIGRATE_H

#include "base/bytes.h"
#include "spec/diagnostics.h"

/* Appends what a module file is in components; a file that is of components already is appended as
 * it stands. What cannot be brought over is reported, and said in comments. `name` is what messages
 * call the file. */
void module_migrate(const char *name, struct bytes text, struct buffer *to,
                    struct diagnostics *diagnostics);

#endif
