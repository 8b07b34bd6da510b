/* The driver's insides, shared by the files that make it up. Only src/observe/ includes this.
 *
 *   watch.c      detectors of each entity, fed by the stream's news; findings are their verdicts
 *   instance.c   gauges and pods of single instances; rules for readiness and restarts
 *   usual.c      what requests and calls usually cost, against which a cause is seen
 *   incident.c   findings become incidents, incidents end
 *   cause.c      an incident's surroundings become the arrays of rca/, a report becomes an event
 *   cause_told.c what gauges and errors said since the onset, of each
 *   stale.c      telemetry that stops, models that get ready
 *   tell.c       events as JSON; publish.c: the outbox, until they are durable
 *   checkpoint.c what is saved, and read again; keep.c: open incidents, at each change
 *   view.c       what people are shown */
#pragma once

#include "model/event.h"
#include "observe/anomaly/count.h"
#include "observe/anomaly/duration.h"
#include "observe/anomaly/level.h"
#include "observe/anomaly/share.h"
#include "observe/observer.h"
#include "observe/rca/rca.h"
#include "stream/stream.h"

#define INCIDENTS_MAX   64 /* open or lately resolved; further ones join the nearest, counted */
#define MEMBERS_MAX     48 /* entities of one incident */
#define SYMPTOMS_MAX    96 /* signals of one incident */
#define OUTBOX_MAX      512
#define REPORT_BY_NS    (4000 * NS_PER_MS) /* the first report, counted from opening */
#define REPORT_FROM_NS  (1500 * NS_PER_MS)
#define REPORT_AGAIN_NS (5 * NS_PER_SEC) /* looked at again, for REPORT_UNTIL_NS */
#define REPORT_UNTIL_NS (120 * NS_PER_SEC)
#define REOPEN_NS       (300 * NS_PER_SEC) /* the same trouble within this joins what was */
#define IN_BAND_NS      (10 * NS_PER_SEC)
#define NO_DATA_NS      (600 * NS_PER_SEC)

/* One signal of one entity, as it stands. */
struct finding {
	struct verdict v;
	double severity;
	uint32_t instance;    /* of gauges and pods: which copy; NONE: the service as a whole */
	enum via via;         /* of requests: by what it was judged */
	bool on;              /* over the boundary, until it is back in band */
	bool told;            /* ANOMALY_DETECTED was published for this excursion */
	int64_t on_ns;        /* when it went on */
	int64_t data_ns;      /* newest event time that it has values for */
	int64_t via_ns[VIAS]; /* of requests: the same, each */
	int64_t told_ns;      /* arrival of its newest value */
};

/* What a request, or the calls to one callee, usually cost: aged sums of quiet windows. */
struct usual {
	double requests, seconds, self_seconds, bad, own_bad;
};
struct usual_calls {
	double requests; /* of the caller, in the same windows */
	double calls, seconds, wall_seconds, joined, gap_seconds, failed, blamed;
};

struct watch {
	uint32_t entity;
	struct duration *durations[VIAS];
	struct share *shares[VIAS];
	struct count *rates[VIAS];
	struct count *lines;
	struct finding findings[SIGNAL_KINDS];
	struct level_pool pools[GAUGES]; /* where copies of it stand when they are well */
	struct usual usual;
	int64_t window_ns[VIAS]; /* end of the newest closed window; 0: none yet */
	int64_t lines_ns;
	int64_t quiet_ns;        /* not before this does it learn again */
	int64_t blocked_ns;      /* since when it has not learned; 0: it does */
	int64_t trouble_ns;      /* until then what comes is of an incident that has ended */
	bool stale[TELEMETRIES]; /* told so */
	bool learning_told, ready_told;
	uint32_t incident; /* index of the open incident it is in; NONE */
};

struct instance_watch {
	uint64_t uid; /* hash: whether the place still belongs to it */
	struct level_watch cpu, memory;
	bool cpu_used, memory_used;
};

struct symptom {
	uint32_t entity, instance;
	enum signal_kind signal;
	enum via via;         /* of requests */
	struct verdict first; /* as it was when it came up */
	int64_t on_ns;
	int64_t in_band_ns;   /* event time since which it is in band; 0: it is not */
	bool binding;         /* grave enough to open an incident: its end waits for it */
	bool back;            /* in band for long enough, with values */
	struct verdict after; /* the values on which that was decided */
	bool adopted;
};

enum incident_state { INCIDENT_FREE, INCIDENT_OPEN, INCIDENT_RESOLVED_LATELY };

struct incident {
	enum incident_state state;
	char id[ULID_LEN + 1];
	int64_t opened_ns, onset_ns, delivered_ns, resolved_ns;
	double severity;
	uint32_t members[MEMBERS_MAX], member_count;
	struct symptom symptoms[SYMPTOMS_MAX];
	uint32_t symptom_count;
	uint32_t cause; /* entity that the last report named; NONE: none */
	double confidence;
	enum cause_kind kind;
	int64_t look_ns;           /* when its cause is looked at next; 0: no more */
	int64_t reported_ns;       /* the last report; 0: none yet */
	bool none;                 /* the last report named no cause */
	bool one_part;             /* the last report named one copy */
	bool kind_proved;          /* the last report's kind is no guess; not saved: it may be told again */
	uint32_t events;           /* how many were made of it: their ids follow from this */
	char before[ULID_LEN + 1]; /* the incident that it follows; empty */
};

struct out_event {
	char id[ULID_LEN + 1];
	enum event_type type;
	char subject[300];
	int64_t time_ns;
	double severity;
	struct buf data;
	bool kept;     /* must be in the state store before it is published */
	uint64_t keep; /* number of the write that holds it */
	bool in_flight;
	uint64_t tag;
};

/* Reading at the start, writing later; see checkpoint.c. */
enum saving_state { SAVING_IDLE, SAVING_PARTS, SAVING_MANIFEST };
struct saving {
	enum saving_state state;
	struct buf *parts; /* bytes of each */
	uint32_t count, sent, pending;
	uint64_t generation;
	uint64_t position; /* of the newest batch that is in it */
	bool failed;
};
enum loading_state { LOADING_MANIFEST, LOADING_PARTS, LOADING_INCIDENTS, LOADING_DONE };
struct loading {
	enum loading_state state;
	bool asked;
	uint64_t generation, position;
	uint32_t parts, have;
	struct buf bytes;
	bool applied;    /* the parts are read, or refused */
	struct buf kept; /* the record of incidents, as far as it came */
	char kept_after[96];
};

struct observer_counts {
	int64_t batches, refused, anomalies, incidents, joined, reports, abstained, resolved, events, events_dropped;
	int64_t checkpoints, checkpoint_failures, keep_failures, checkpoint_bytes, services_refused;
};

struct observer {
	struct observer_opts o;
	struct stream *stream;
	struct watch **watches; /* by entity */
	uint32_t watch_cap;
	struct usual_calls **calls; /* by edge */
	uint32_t calls_cap;
	struct instance_watch **instances; /* by instance */
	uint32_t instance_cap;
	struct incident incidents[INCIDENTS_MAX];
	struct out_event *outbox; /* OUTBOX_MAX, oldest first */
	uint32_t out_count;
	uint64_t keep_wanted, keep_sent, keep_done; /* writes of incidents and what they tell */
	bool keep_pending;
	int64_t keep_due_ns; /* not before this is it tried again */
	char untold[200];    /* why incidents cannot be written, so are not told; empty: they can */
	uint64_t next_tag;
	struct saving saving;
	struct loading loading;
	uint64_t position;       /* of the newest batch applied */
	uint64_t saved_position; /* of the newest that a durable manifest holds */
	uint64_t let_go;
	bool broken;         /* no memory for a new start: nothing more is done */
	int64_t bytes_since; /* applied since the last checkpoint began */
	uint64_t generation;
	int64_t now_ns;       /* wall, never behind the stream's */
	int64_t listening_ns; /* since when: what was silent before was perhaps only not heard */
	int64_t pass_ns;      /* when time was last passed on */
	int64_t saved_ns;     /* when the last checkpoint began */
	char damaged[200];    /* why what was saved could not be used; empty: it could */
	double tests;         /* that may open an incident */
	struct observer_counts counts;
	struct arena arena; /* of one report or view */
};

/* ---- watch.c ---- */
struct watch *watch_of(struct observer *ob, uint32_t entity); /* made if need be; NULL: no memory */
struct watch *watch_get(const struct observer *ob, uint32_t entity);
void watch_news(struct observer *ob); /* of the batch just applied */
void watch_pass(struct observer *ob); /* time passes */
bool watch_quiet(const struct observer *ob, const struct watch *w);
enum mood watch_mood(const struct observer *ob, const struct watch *w);
/* By what the entity's requests are judged now; VIAS: by nothing. */
enum via watch_via(const struct observer *ob, const struct entity *e);
/* Makes the detectors of a channel; false: no memory. */
bool watch_detectors(struct watch *w, const struct channel *c);
struct evidence_opts watch_opts(const struct observer *ob);
void watch_free(struct watch *w);
/* A verdict becomes the finding; what goes on is told and joins an incident. */
void finding_set(struct observer *ob, struct watch *w, enum signal_kind k, struct verdict v, uint32_t instance);

/* ---- instance.c ---- */
void instance_news(struct observer *ob);
void instance_pass(struct observer *ob, struct watch *w);
struct instance_watch *instance_watch_of(struct observer *ob, const struct instance *i); /* made if need be */
struct instance_watch *instance_watch_get(const struct observer *ob, const struct instance *i);
/* Whether pods of the service are being replaced: a rollout, a drain, a scaling. */
bool instance_replacing(const struct observer *ob, const struct entity *e);
/* When anything was last heard of any of the service's pods. The orchestrator tells of every pod each 10 s: one that
 * is not heard of for so long, beside others that are, went while nobody looked. */
#define INSTANCE_FORGOTTEN_NS (45 * NS_PER_SEC)
int64_t instance_heard(const struct observer *ob, const struct entity *e);
/* That gauge of the live copy that is farthest from where it should be; score above 1: out of band, and where none is
 * heard of. */
struct verdict instance_after(const struct observer *ob, const struct watch *w, enum signal_kind k);
void instance_release(struct observer *ob, struct watch *w); /* evidence begins anew */
void instance_adopt(struct observer *ob, struct watch *w, enum signal_kind k);

/* ---- usual.c ---- */
/* Learns of the closed window [from, to) of slots. */
void usual_learn(struct observer *ob, struct watch *w, int64_t first_slot, int64_t last_slot);
struct usual_calls *usual_calls_of(struct observer *ob, uint32_t edge); /* made if need be */
struct usual_calls *usual_calls_get(const struct observer *ob, uint32_t edge);
void usual_calls_forget(struct observer *ob, uint32_t edge);

/* ---- incident.c ---- */
double severity_of(enum signal_kind k, const struct verdict *v);
void incident_note(struct observer *ob, struct watch *w, enum signal_kind k);
void incident_pass(struct observer *ob);
struct incident *incident_at(const struct observer *ob, uint32_t index);
bool incident_any_open(const struct observer *ob);
/* Whoever an incident speaks of is not let go by the stream: `by` +1 with each place that names it, -1 after. */
void incident_hold(const struct observer *ob, uint32_t entity, int by);
/* The place is free again. */
void incident_forget(const struct observer *ob, struct incident *in);

/* ---- cause.c ---- */
void cause_look(struct observer *ob, struct incident *in);

/* ---- cause_told.c ---- */
/* Fills what n has of CPU, errors and calls since the onset; first, last: slots. */
void cause_told(const struct observer *ob, struct rca_node *n, const struct entity *e, int64_t onset_ns, int64_t first,
                int64_t last);
void cause_told_edge(const struct observer *ob, struct rca_edge *e, const struct edge *g, int64_t first);

/* ---- stale.c ---- */
void stale_pass(struct observer *ob, struct watch *w);

/* ---- tell.c ---- */
void tell_anomaly(struct observer *ob, const struct watch *w, enum signal_kind k);
void tell_opened(struct observer *ob, struct incident *in);
void tell_resolved(struct observer *ob, struct incident *in, const char *how, int64_t since_ns);
void tell_report(struct observer *ob, struct incident *in, const struct rca_input *x, const struct rca_report *r,
                 const uint32_t *entities);
void tell_stale(struct observer *ob, const struct entity *e, const enum signal_kind *signals, uint32_t n,
                enum signal_state state, const struct pulse *p);
void tell_model(struct observer *ob, struct str subject, const char *state, const char *reason, double progress,
                double eta_s);
/* One signal as docs/events/README.md has it. */
void tell_signal(const struct observer *ob, struct json_out *o, const struct entity *e, enum signal_kind k,
                 const struct verdict *v, bool now);
/* Where an action on the service would act, as telemetry names it. Its strings are the entity's own; `pods` is the
 * caller's and holds what pod_uids points at. */
#define TARGET_PODS_MAX 50
struct target tell_target(const struct observer *ob, const struct entity *e, struct str pods[TARGET_PODS_MAX]);
enum signal_state tell_state(const struct observer *ob, const struct entity *e, enum signal_kind k);

/* ---- publish.c ---- */
/* A new event of the outbox, whose data the caller writes at once; NULL: full, counted. An event of an incident
 * (`in`) has an id that follows from it, so that making it twice makes one; others draw theirs. */
struct out_event *publish_new(struct observer *ob, enum event_type type, struct str subject, double severity,
                              struct incident *in);
/* Whether an event of an incident would find a place; else its maker waits. */
bool publish_room(const struct observer *ob);
bool publish_step(struct observer *ob);
bool publish_done(struct observer *ob, uint64_t tag, enum err e); /* true: the tag was one of ours */
void publish_forget(struct observer *ob); /* events of incidents that were read back and make no sense */
void publish_free(struct observer *ob);

/* ---- checkpoint.c ---- */
enum state_tag { TAG_PART = 1, TAG_MANIFEST, TAG_KEEP, TAG_LOAD };
#define STATE_TAG(kind, n) (((uint64_t)(kind) << 56) | (n))
bool checkpoint_load_step(struct observer *ob);
bool checkpoint_step(struct observer *ob, bool now);
void checkpoint_state_done(struct observer *ob, const struct state_done *d);
void checkpoint_free(struct observer *ob);

/* ---- keep.c ---- */
bool keep_step(struct observer *ob);
void keep_written(struct observer *ob, const struct state_done *d);
bool keep_ask(struct observer *ob, uint64_t tag); /* false: ask again */
bool keep_read(struct observer *ob, const struct state_done *d);

/* The signal's entity. */
static inline struct entity *entity_of(const struct observer *ob, uint32_t entity) {
	return catalog_entity(&ob->stream->catalog, entity);
}
