/* The decision log: a chain of hashes over everything that was decided, by whom, and why.
 *
 * Entry n carries the hash of entry n-1; its own hash is SHA-256(prev || canonical JSON), where prev
 * is the 32 bytes of the hash before (32 zero bytes for the first) and the canonical JSON is the entry
 * without its `hash`: members in the order seq at prev kind by action incident body, no white space, strings as
 * base/json writes them, numbers as they were written. A changed entry breaks the chain; a cut tail
 * is found by the stored head; a chain that was rewritten whole is found by any head that was published
 * outside before. Pure: verifying needs the entries and nothing else. docs/design/0006 tells more. */
#pragma once

#include "base/hash.h"
#include "base/json.h"

#define AUDIT_KEY_LEN 26 /* "audit/" and 20 digits, so that byte order is the order of seq */

struct audit_entry {
	uint64_t seq; /* 1.. */
	struct wall at;
	struct str kind;     /* "incident_opened" "decision" "move" "escalated" "command" ... */
	struct str by;       /* who: "flyball", or a token's name */
	struct str action;   /* ULID; empty: null */
	struct str incident; /* ULID; empty: null */
	struct str body;     /* one JSON value; empty: null */
};

struct audit_head {
	uint64_t seq; /* 0: nothing yet */
	struct sha256 hash;
};

void audit_key(uint64_t seq, char out[AUDIT_KEY_LEN + 1]);
/* Appends the entry's JSON to `out` and moves the head on. e->seq is given: head->seq + 1. */
void audit_append(struct audit_head *head, const struct audit_entry *e, struct buf *out);
void audit_head_write(const struct audit_head *h, struct buf *out); /* {"seq":n,"hash":"hex"} */
MUST_USE enum err audit_head_read(struct arena *a, struct str json, struct audit_head *out, struct why *why);
/* "SEQ:HEX" or the JSON form, as people copy it from a log line. */
MUST_USE enum err audit_head_parse(struct arena *a, struct str text, struct audit_head *out, struct why *why);

/* Walks a log from its first entry on. */
struct audit_verifier {
	struct audit_head at;
	struct audit_head published; /* seq 0: none */
	bool met;                    /* the published head's entry was seen, with its hash */
};
struct audit_verifier audit_verifier(struct audit_head published);
/* One entry's JSON, in order. ERR_CORRUPT: *why says which and how: a gap, a wrong prev, a changed entry, another
 * hash than was published; ERR_INVALID: not an entry. */
MUST_USE enum err audit_verify_next(struct audit_verifier *v, struct arena *scratch, struct str entry, struct why *why);
/* After the last entry, against the stored head (NULL: none is known). ERR_CORRUPT: the tail was cut. */
MUST_USE enum err audit_verify_end(const struct audit_verifier *v, const struct audit_head *stored, struct why *why);
