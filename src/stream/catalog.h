/* What there is: entities, running instances, the processes that send, and who calls whom.
 *
 * Entities come from the semantic conventions: a service by service.name, a database by db.*, a
 * queue by messaging.*, something else by its address when no span of ours answers there. An
 * instance is one running copy of a service: a pod where there is Kubernetes, else a process. A
 * source is one set of resource attributes. An edge is a caller and an address that it calls,
 * resolved to an entity by the span that answered. Everything is bounded; what does not fit is
 * counted and left out. Objects stay where they are until they expire. Thread: its owner's.
 *
 * What comes and goes, goes (catalog_expire, each minute; times of arrival):
 *   instance, source  10 minutes after its last word
 *   edge              3 days after the last call, or after a series last named it
 *   entity            14 days after its last word, when no instance, source or edge is left of it, nobody calls
 *                     it and nobody holds it (an open incident does)
 * Edges go after 2 hours already while their table or that of entities is over seven eighths full, entities while
 * theirs is. Numbers are used again, the lowest first: whoever keeps things by number listens to `gone_entities` and
 * `gone_edges`. */
#pragma once

#include "base/str.h"
#include "model/batch.h"
#include "model/signal.h"
#include "stream/channel.h"
#include "stream/hints.h"
#include "stream/index.h"

#define NONE UINT32_MAX

enum entity_kind { ENTITY_SERVICE, ENTITY_DATABASE, ENTITY_QUEUE, ENTITY_EXTERNAL, ENTITY_KINDS };
const char *entity_kind_name(enum entity_kind k); /* "service" "database" "queue" "external" */

/* The orchestrator's object behind a service, as telemetry names it. */
struct workload {
	struct str namespace_, kind, name; /* "shop" "Deployment" "payment"; empty: not told */
};

#define EXAMPLES 4
struct example {
	unsigned char trace[16];
	int64_t at_ns; /* event time; 0: none */
	bool failed;
};

/* When something was told, and how often it usually is. Times of arrival, except at_ns. */
struct pulse {
	int64_t last_ns;   /* arrival of the newest */
	int64_t at_ns;     /* newest event time: the watermark */
	double interval_s; /* between two; 0: not known yet */
	int64_t beats;     /* how many came */
	int64_t since_ns;  /* event time from which on it has told without a gap */
	bool gone;         /* the source says that it ended */
};

struct line_slot {
	float lines, errors;
};

struct entity {
	uint32_t index;
	enum entity_kind kind;
	struct str subject;  /* "service/payment" */
	struct str name;     /* the part behind the kind */
	struct str own_name; /* service.name itself */
	struct str service_namespace, region;
	struct workload workload;
	bool workload_differs; /* its telemetry names more than one */
	struct channel *red[VIAS];
	struct pulse pulses[SIGNAL_KINDS];
	struct example examples[EXAMPLES];
	uint32_t example_next;
	struct line_slot lines[SLOTS];
	int64_t line_newest;
	int64_t hint_ns[HINTS]; /* event time of the newest error of each sort: its lines, or what answered its callers */
	uint32_t first_source, first_instance, first_edge; /* its own, linked by `next`; NONE: none */
	int64_t first_ns, last_ns;                         /* arrival */
	uint32_t holds;                                    /* by whom it may not be let go; not saved */
	bool called;                                       /* by an edge, when it was last looked */
};

enum gauge_kind { GAUGE_CPU, GAUGE_MEMORY, GAUGES };

struct gauge {
	double value;      /* cores, bytes, or a share of the limit */
	double limit;      /* in the same unit; NaN: not known; 1 for shares */
	double own_limit;  /* told by a metric of its own; 0: none */
	bool share;        /* of the metric that serves */
	int64_t at_ns;     /* event time of the newest */
	int64_t before_ns; /* of the one before: CPU is a mean of the time between; 0: not known (not saved) */
	double sum;        /* of the newest moment in the batch in hand: states and pools are told apart by the sender */
	int64_t sum_at_ns;
	uint8_t rank; /* of the metric it came from: the best one that is there serves */
	int64_t rank_ns;
	bool touched;
};

/* CPU that a process counts itself, in its own time: a second witness beside its node's agent. Not saved. */
struct burn {
	int64_t from_ns, to_ns; /* what the newest count is of; 0: none yet */
	double cores, usual;    /* of the newest, and mean of those before; usual 0: none yet */
	uint8_t rank;
	int64_t rank_ns;
};

/* What one instance served lately, in slots of its own. */
struct part {
	float seen, bad, slow, seconds;
};

struct instance {
	uint32_t index;
	uint32_t entity; /* NONE: nothing said yet whose it is */
	uint32_t next;   /* of the same entity */
	struct str uid;  /* of the pod; else service.instance.id or the like */
	bool pod;
	struct str namespace_, name, node;
	struct workload workload;
	struct gauge gauges[GAUGES];
	struct burn burn;
	double cores; /* by its agent, at cores_ns; not saved */
	int64_t cores_ns;
	double cores_limit; /* 0: not known (not saved) */
	struct part parts[SLOTS];
	int64_t part_newest;
	bool told; /* by the orchestrator: the fields below mean something */
	bool ready, gone, was_ready;
	uint32_t restarts, wanted;
	struct str reason;
	int64_t ready_ns, unready_ns, restarted_ns, gone_ns; /* event time of the last change */
	int64_t first_ns, last_ns;                           /* arrival */
	int64_t served_ns;                                   /* arrival of the last span or request metric */
	bool touched;
};

enum telemetry { TELEMETRY_SPANS, TELEMETRY_METRICS, TELEMETRY_LOGS, TELEMETRIES };

struct source {
	struct hash128 key;
	uint32_t entity, instance; /* NONE: not known */
	uint32_t index, next;      /* next of the same entity */
	struct pulse pulses[TELEMETRIES];
	int64_t batch_ns[TELEMETRIES]; /* newest event of the batch in hand; 0: none */
	int64_t last_ns;               /* arrival */
};

enum edge_kind { EDGE_CALL, EDGE_DATABASE, EDGE_PUBLISH, EDGE_CONSUME };

struct edge_slot {
	float calls, failed; /* as the caller saw them */
	float seconds;       /* of calls, as the caller saw them */
	float wall_seconds;  /* of the caller's requests: time covered by these calls and no earlier one */
	float blamed;        /* the caller's requests that failed after one of these calls had */
	float joined;        /* calls whose answering span was found */
	float gap_seconds;   /* of those: the caller's time less the callee's */
	float failed_joined; /* failed calls whose answering span was found: the callee was reached */
	float joined_failed; /* calls whose answering span had failed */
};

struct edge {
	uint32_t index;
	struct hash128 key;
	uint32_t from, to; /* entities; `to` NONE while nothing answered */
	uint32_t next;     /* of the same caller */
	enum edge_kind kind;
	struct str address; /* what the caller calls it; may be empty */
	struct edge_slot slots[SLOTS];
	int64_t newest;
	double calls, joined; /* since the start, ageing */
	int64_t first_ns, last_ns;
};

struct catalog_limits {
	int64_t entities, instances, sources, edges;
};

struct table { /* of pointers; a freed place is used again */
	void **v;
	uint32_t count, cap;
	uint32_t free_from; /* no place below is free */
	struct index by_key;
	bool restoring; /* places are taken at the end only */
};

/* Numbers that were let go. */
struct gone {
	uint32_t *v, count, cap;
};

enum catalog_table { CATALOG_ENTITIES, CATALOG_INSTANCES, CATALOG_SOURCES, CATALOG_EDGES, CATALOG_TABLES };

struct catalog {
	struct catalog_limits limits;
	struct table entities, instances, sources, edges;
	struct gone gone_entities, gone_edges; /* by the last catalog_expire */
	int64_t refused;                       /* things that did not fit */
};

void catalog_init(struct catalog *c, struct catalog_limits limits);
void catalog_done(struct catalog *c);

static inline struct entity *catalog_entity(const struct catalog *c, uint32_t i) {
	return i < c->entities.count ? c->entities.v[i] : NULL;
}
static inline struct instance *catalog_instance(const struct catalog *c, uint32_t i) {
	return i < c->instances.count ? c->instances.v[i] : NULL;
}
static inline struct source *catalog_source(const struct catalog *c, uint32_t i) {
	return i < c->sources.count ? c->sources.v[i] : NULL;
}
static inline struct edge *catalog_edge(const struct catalog *c, uint32_t i) {
	return i < c->edges.count ? c->edges.v[i] : NULL;
}

/* Each finds or makes; NULL: full or no memory (counted). `now_ns`: arrival. */
struct entity *catalog_get_entity(struct catalog *c, enum entity_kind kind, struct str namespace_, struct str name,
                                  int64_t now_ns);
struct instance *catalog_get_instance(struct catalog *c, struct str uid, int64_t now_ns);
struct source *catalog_get_source(struct catalog *c, struct hash128 key, bool *fresh, int64_t now_ns);
struct edge *catalog_get_edge(struct catalog *c, uint32_t from, enum edge_kind kind, struct str address, uint32_t to,
                              int64_t now_ns);
struct entity *catalog_find_entity(const struct catalog *c, struct str subject);
/* Says whose it is; once only. */
void catalog_own_source(struct catalog *c, struct source *s, uint32_t entity);
void catalog_own_instance(struct catalog *c, struct instance *i, uint32_t entity);
/* The entity whose telemetry names this workload; NONE: none does. */
uint32_t catalog_by_workload(const struct catalog *c, const struct workload *w);
/* Lets go of what was not heard of for too long, by the rules above. `now_ns`: arrival. */
void catalog_expire(struct catalog *c, int64_t now_ns);

/* For reading what was saved: the next object made in that table gets this number. False: it cannot. */
bool catalog_restore_at(struct catalog *c, enum catalog_table which, uint32_t at);
void catalog_restored(struct catalog *c);
/* Whether the subject names the namespace too; it stays so when the namesake has gone. False: it has none. */
bool catalog_subject_long(const struct entity *e);
bool catalog_restore_subject(struct entity *e, bool long_form);

/* Replaces a kept string by a copy of another; false: no memory, the old one stays. */
bool text_set(struct str *kept, struct str value);
void text_free(struct str *kept);

struct edge_slot *edge_slot(struct edge *e, int64_t slot_number);
struct edge_slot edge_sum(const struct edge *e, int64_t first, int64_t last);
struct part *instance_part(struct instance *i, int64_t slot_number);
struct part instance_sum(const struct instance *i, int64_t first, int64_t last);
void pulse_beat(struct pulse *p, int64_t received_ns, int64_t at_ns);
