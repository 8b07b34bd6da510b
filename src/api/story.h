/* The whole story of an incident, in the order of time: what was seen, what was taken for its cause and
 * on what evidence, what was decided by which gates, what was done, how it ended, and what would have been
 * needed where nothing was done. As JSON, with a `text` for people. Pure: rows in, words out. */
#pragma once

#include "base/json.h"

struct story_facts {
	const struct json *incident;       /* incident/ULID; NULL: it has expired */
	const struct json *const *actions; /* action/ULID, in the order they were proposed */
	size_t action_count;
	struct str about; /* the action that was asked for; empty: the incident */
};

/* {"id","about","state","cause","story":[{"at","what","more":[...]}],"needed":[...],"incident","actions","text"}.
 * Scratch memory is taken from `a`. What a row lacks is left out of the story. */
void story_write(struct arena *a, const struct story_facts *f, struct buf *out);
