/* yaml_scalar.h - what a plain YAML scalar means: null, true or false, a number, or text. */
#ifndef SPEC_YAML_SCALAR_H
#define SPEC_YAML_SCALAR_H

#include "spec/yaml.h"

/* Resolves by YAML 1.1 as upstream's reader does: yes, no, on, off, hexadecimal and base 60 numbers
 * are text. Rewrites `text` in place into the form that yaml.h promises. */
enum yaml_kind yaml_scalar_resolve(char *text);

#endif
