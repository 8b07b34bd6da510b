/* Who did it: blame flows from what hurts to where it comes from.
 *
 * Every entity that is out of band starts with blame. A service keeps the part of it that its own
 * time (or its own failures) explains and hands the rest along the calls that explain it, in
 * proportion to how much longer (or more often failed) each is than usual; the callee does the same. Time
 * between call and answer that neither side spent is the way between them. A caller that only waits
 * keeps nothing, so an innocent slow caller is not blamed however loud it is. Where no
 * traces tell, the deepest anomalous entity along the calls keeps the blame, at less confidence.
 *
 * What happened at an entity (pods that died, memory at its limit, a rollout just before) raises
 * its share and gives the kind. Confidence is the share of the blame that ended there, times how
 * much of the evidence is in; below RCA_CONFIDENCE_MIN, or when two are too close, no cause is named.
 *
 * Pure: arrays in, a report out, in the caller's arena. Nodes and edges are told by index. */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "model/cause.h"
#include "model/signal.h"
#include "stream/hints.h"

#define RCA_CONFIDENCE_MIN 0.5
#define RCA_MARGIN_MIN     0.15
#define RCA_CAUSES         6
#define RCA_EVIDENCE       8
#define RCA_NONE           UINT32_MAX

enum rca_entity { RCA_SERVICE, RCA_DATABASE, RCA_QUEUE, RCA_EXTERNAL };

/* A mean before and now; `n`: how many requests (or calls) `now` is of. */
struct rca_pair {
	double usual, now;
};

struct rca_signal {
	bool on;       /* out of band */
	bool by_calls; /* as its callers see it; its own telemetry may say nothing of it */
	double score;  /* 1: the boundary */
	int64_t onset_ns, delivered_ns;
	double onset_sd_s, value, expected;
};

/* The copy of the service that stands out most. */
struct rca_part {
	struct str uid, name;
	double seen, bad, slow; /* since the onset */
	bool sick;              /* nearly all of the trouble is its, and the others are well */
};

struct rca_node {
	enum rca_entity kind;
	struct str subject;
	struct rca_signal signals[SIGNAL_KINDS];
	double requests;                       /* since the onset, by spans */
	struct rca_pair seconds, self_seconds; /* per request */
	struct rca_pair bad, own_bad;          /* share of requests */
	bool traced;                           /* the four above are known */
	bool current;                          /* its telemetry has come in since the onset */
	struct rca_part worst;
	uint32_t parts;                     /* copies that served or should */
	uint32_t pods_down, pods_restarted; /* by the orchestrator, since shortly before the onset */
	bool oom, crash_loop;
	struct str pod_down_uid, pod_down_name, reason;
	bool memory_high, cpu_high;                 /* near the limit, whatever the band says */
	double memory_share, cpu_share, runs_out_s; /* NaN: not known */
	unsigned hints;                             /* bits of enum hint, since the onset; of what sends no telemetry: by
	                                               its answers and its callers' lines */
	struct rca_pair cpu;           /* share of the limit, of the copy that uses most since the onset; NaN: not known */
	bool cpu_due, lines_due;       /* usually told, and not yet since the onset */
	double failed, refused;        /* requests since the onset; of the failed: turned away for want of room */
	struct rca_pair asked;         /* calls of it: as many as were to be expected since the onset, and came */
	struct rca_pair callers_asked; /* likewise requests of those who call it */
	uint32_t change;               /* into rca_input.changes; RCA_NONE */
};

struct rca_edge {
	uint32_t from, to;
	double calls;                 /* since the onset */
	struct rca_pair wall_seconds; /* per request of the caller: time spent waiting for these calls */
	struct rca_pair seconds;      /* per call */
	struct rca_pair gap_seconds;  /* per answered call: neither caller's nor callee's */
	struct rca_pair failed;       /* share of calls */
	struct rca_pair blamed;       /* per request of the caller: failed after such a call had */
	struct rca_pair asked;        /* calls: as many as were to be expected since the onset, and came */
	struct rca_pair caller_asked; /* likewise requests of the caller */
	double heard;                 /* share of the calls that the callee's telemetry covers by now */
	double joined;                /* of those: share that a span answered */
	bool sure;                    /* enough of them failed to tell the two below */
	double failed_unanswered;     /* share of failed calls that no span answered */
	double failed_answered_bad;   /* share of failed calls whose answer had failed too */
};

struct rca_change {
	uint32_t node;
	int64_t at_ns;
	struct str what;     /* "rollout of Deployment shop/cart by kubectl" */
	struct str from, to; /* revisions; empty: not told */
};

struct rca_input {
	const struct rca_node *nodes;
	uint32_t node_count;
	const struct rca_edge *edges;
	uint32_t edge_count;
	const struct rca_change *changes;
	uint32_t change_count;
	int64_t onset_ns; /* of the incident */
};

struct rca_cause {
	uint32_t node;
	enum cause_kind kind;
	bool kind_proved;  /* not only by how requests look */
	bool demand_grown; /* more is wanted of it than usual: it is no fault of its own that it has no room */
	bool kind_awaits;  /* what usually tells has not told yet, and could make it another */
	double confidence;
	int metric; /* enum signal_kind; -1: none */
	int64_t onset_ns;
	struct str evidence[RCA_EVIDENCE];
	uint32_t evidence_count;
	bool one_part; /* rca_node.worst or the pod that is down is what is sick */
	struct str part_uid;
	uint32_t change; /* RCA_NONE */
	uint32_t via;    /* the caller it was seen from, for what lies between; RCA_NONE */
};

struct rca_report {
	struct rca_cause causes[RCA_CAUSES]; /* best first */
	uint32_t count;
	bool none;
	struct str reason; /* when none */
	double completeness;
};

/* Ranks; strings lie in `a`. ERR_NOMEM. */
MUST_USE enum err rca_run(struct arena *a, const struct rca_input *in, struct rca_report *out);
