/* Spans that wait for their relatives.
 *
 * The spans of one request come late, out of order and in several batches. Here each leaves what
 * its relatives need and takes what they left: a call and the span that answered it make an edge; a
 * request and the calls inside it make its self time, which is where time goes that was not spent
 * waiting for others. Whoever comes second does the sum, so the order does not matter.
 *
 * A bounded table by (trace, span): groups of eight entries; a full group lets its oldest go. The
 * table doubles (up to a maximum) before it lets go of entries younger than TRACES_YOUNG_NS. It is
 * not part of a checkpoint: a restart forgets requests in flight, nothing more.
 * Thread: its owner's. */
#pragma once

#include "stream/catalog.h"

#define TRACES_YOUNG_NS (20 * NS_PER_SEC)

struct pending;

struct traces {
	struct pending *entries;
	uint16_t *tags;   /* 0: free; apart from the entries, so that a full group is looked through in two cache lines */
	int64_t *born_ns; /* arrival of the first news of each */
	size_t groups, groups_max;
	int64_t forgotten; /* let go while young: the table is too small */
	int64_t joined;
};

struct span_news {
	const unsigned char *trace, *id, *parent; /* 16, 8, 8 bytes; parent all zero: a root */
	enum span_kind kind;
	bool failed;
	uint32_t entity; /* whose span it is */
	uint32_t edge;   /* of a call: where to; NONE: only the answer will tell */
	int64_t slot;    /* number of the slot in which it ended */
	int64_t start_ns, end_ns;
	int64_t now_ns; /* arrival */
};

/* `max`: entries. No memory is taken yet. */
void traces_init(struct traces *t, size_t max);
void traces_done(struct traces *t);
/* Adds what follows from this span to the edges' and the channels' slots of the catalogue. False: it
 * came before, and says nothing new. */
bool traces_add(struct traces *t, struct catalog *c, const struct span_news *s);
