/* location.h - files that a module names, found as upstream finds them (protocol.md 13.2).
 *
 * "classpath:NAME" is in the module's own directory, which is what upstream puts on the class path.
 * "file:/PATH" and "file:///PATH" are absolute; anything else is a path as it stands, relative to
 * the working directory. Whether the file is there is for whoever reads it to find out. */
#ifndef SPEC_LOCATION_H
#define SPEC_LOCATION_H

#include "spec/reader.h"

property_read location_read; /* struct file_spec */

#endif
