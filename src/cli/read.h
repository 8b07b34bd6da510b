/* What the verbs that read share. */
#pragma once

#include "cli/cli.h"

/* One GET, from the server or from what a daemon left behind (--state). EXIT_DONE, or printed. */
int read_get(struct cli *c, struct str path, const struct json **out);
