/* Names with `*`: the only wildcard that people need for services, namespaces and workloads. */
#pragma once

#include "base/str.h"

/* `*` stands for any run of bytes, the empty one too; everything else for itself. Linear space,
 * at most |pattern| * |s| steps. */
bool glob_match(struct str pattern, struct str s);
