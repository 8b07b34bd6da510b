/* What a report of the root cause says, as control reads it: the best cause, its target, and how good
 * the data was. The bytes come from another process, so every field is checked; what is missing is
 * unknown, never zero. Pure. */
#pragma once

#include "control/policy.h"

#define CAUSE_EVIDENCE_MAX 8
#define CAUSE_PODS_MAX     64

struct quality {
	bool known; /* the report said how good its data was */
	int64_t signals, with_value, stale, absent;
	double oldest_s; /* NaN: unknown */
};

struct cause {
	bool none; /* the report names no cause; `reason` says why */
	struct str reason;
	struct str entity, metric;
	enum cause_kind kind;
	double confidence; /* 0..1 */
	struct str onset;  /* RFC 3339, as it came; may be empty */
	bool demand_grown; /* more is wanted of it than usual; a report that does not say: no */
	bool has_target;   /* a service of ours */
	struct target target;
	struct str evidence[CAUSE_EVIDENCE_MAX];
	size_t evidence_count;
	struct quality quality;
	struct str json; /* the cause's own JSON object; empty when none */
};

/* `data` of an RCA_REPORT. Everything lies in `a` or points into `data`. The first of root_causes is
 * the best. ERR_INVALID names the field. */
MUST_USE enum err cause_read(struct arena *a, struct str data, struct cause *out, struct why *why);
/* Each slice copied into `a`, in place; empty ones become {NULL, 0}. ERR_NOMEM. */
MUST_USE enum err strs_copy(struct arena *a, struct str *const *fields, size_t n);
MUST_USE enum err target_copy(struct arena *a, const struct target *t, struct target *out);
/* A deep copy: `out` lies in `a` alone. ERR_NOMEM. */
MUST_USE enum err cause_copy(struct arena *a, const struct cause *c, struct cause *out);
/* Did the proposal change: another entity, kind or target? */
bool cause_same(const struct cause *a, const struct cause *b);
/* `"none":true`, `with_value` and the like, as JSON members, for records. */
void quality_write(const struct quality *q, struct json_out *o);
