/* A world as a file: read, checked, written, described.
 *
 * YAML, as docs/world.md describes it; the tables in world_form.c are its parser, its check, its documentation and its
 * JSON Schema. What cannot run is refused with file, line and key: unknown names (with the nearest), calls that go in
 * a ring, numbers that cannot be, services that are asked for more than they can do. Pure: the caller reads the file.
 * Nothing but src/sim (and src/cli for it) knows this format. */
#pragma once

#include "base/hash.h"
#include "sim/shop/form.h"
#include "sim/shop/world.h"

#define SHOP_FILE_BYTES_MAX ((size_t)8 << 20)
#define SHOP_SERVICES_MOST  1000
#define SHOP_DATABASES_MOST 500
#define SHOP_ENTRIES_MOST   500
#define SHOP_REGIONS_MOST   8
#define SHOP_EVENTS_MOST    100 /* campaigns; and jobs */
#define SHOP_ENDPOINTS_MOST 100 /* of a service */
#define SHOP_CALLS_MOST     100 /* of an endpoint */

extern const struct form shop_world_form;

/* Everything lies in `a`. ERR_INVALID: "FILE:LINE: ...", what would be right; ERR_NOMEM. */
MUST_USE enum err shop_file_read(struct arena *a, struct str text, const char *file, struct shop_world *out,
                                 struct why *why);
/* Can it run? shop_file_read asks; so must whoever makes a world otherwise. `file` is what errors begin with. */
MUST_USE enum err shop_world_check(const struct shop_world *w, const char *file, struct why *why);
void shop_file_write(const struct shop_world *w, bool comments, struct buf *out);
void shop_file_schema(struct buf *out);
/* Of all that it says: two worlds of one hash are the same. */
struct hash128 shop_world_hash(const struct shop_world *w);
/* One value by its path, "telemetry.sampling": for a scenario that changes a world a little. */
MUST_USE enum err shop_world_set(struct arena *a, struct shop_world *w, struct str path, struct str value,
                                 struct why *why);
