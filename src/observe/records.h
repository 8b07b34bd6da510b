/* The observer's own records of a checkpoint: detectors ("FBOW"), incidents and their events ("FBOI").
 * Only src/observe/ includes this. */
#pragma once

#include "observe/observer_in.h"

void records_save(const struct observer *ob, struct buf *out);
MUST_USE enum err records_load(struct observer *ob, struct str bytes, struct why *why);
/* Lets go of everything that refers to the stream's numbers. */
void records_forget(struct observer *ob);
/* Incidents and as many of their events, oldest first, as fit in `bytes_max`. Returns the number of the newest
 * change that is in it: ob->keep_wanted when all is. */
uint64_t incidents_save(const struct observer *ob, struct buf *out, size_t bytes_max);
MUST_USE enum err incidents_load(struct observer *ob, struct str bytes, struct why *why);
