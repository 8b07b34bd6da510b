/* The bus in one SQLite file: what its two halves share. For bus/sqlite*.c only.
 *
 * The loop's half (sqlite.c, sqlite_settle.c) matches patterns, keeps who has what and until when, and
 * speaks to the callers. The lane's half (sqlite_lane.c, sqlite_admin.c) owns the database. Between
 * them run requests in group commits (store/group.h); deliveries come back with the batch.
 *
 * An event is one row; a queue holds a small row, an item, for each event that it waits for. An item has
 * due = 0 when it is new or was received once, -1 when it was held back and then received, and else the time
 * when it is to be seen again. What is in flight, and until when, only memory knows: one process owns the
 * file, and after a restart nobody holds anything. On disk are the count of receives, written before a
 * delivery is told, and each delay. Items with due = 0 up to a queue's cursor are in flight, those
 * behind it are new. So receiving changes a counter in place, and an event is copied nowhere.
 *
 * Credit is how many deliveries the lane may still make for a queue: credit and in flight together are
 * at most BUS_IN_FLIGHT_MAX. A settled delivery gives its credit back within the batch that settles it. */
#pragma once

#include "base/list.h"
#include "bus/registry.h"
#include "store/group.h"

enum request_kind { PUBLISH, SETTLE, QUEUE, TICK, LIST, CHANGE };
enum settle_how { SETTLE_ACK, SETTLE_BACK, SETTLE_DEAD };

/* First in whatever a handle's poll may hand out. */
struct message {
	struct list link;
	enum bus_msg_kind kind;
};

#define DUE_NEW   INT64_C(0)
#define DUE_AGAIN INT64_C(-1)

struct delivery {
	struct message message; /* first */
	unsigned queue;
	int64_t due_ns; /* of its item: DUE_NEW or DUE_AGAIN */
	uint64_t position, receipt;
	int64_t receives;
	size_t n;
	char text[];
};

struct bus_request {
	struct group_item item; /* first */
	struct message message;
	enum request_kind kind;
	struct handle *handle; /* who is told; NULL: nobody */
	uint64_t tag;
	int64_t now_ns; /* the bus's time */
	enum err err;   /* this request's own */
	struct why why;
	unsigned queue;
	/* PUBLISH */
	uint64_t queues; /* bit per queue that wants it */
	struct str id, source, type, text;
	/* SETTLE */
	enum settle_how how;
	uint64_t position;
	unsigned slot;
	int64_t was_due; /* of the item now: DUE_NEW or DUE_AGAIN */
	int64_t due_ns;  /* SETTLE_BACK: when it is seen again */
	struct str reason;
	/* QUEUE */
	bool save, revoke;
	int64_t credit; /* QUEUE: to be given; SETTLE: what the lane gave back */
	struct bus_queue_opts opts;
	/* LIST and CHANGE go on in the next batch until they are done. */
	struct bus_list list;
	enum bus_admin admin;
	bool every_queue, again;
	uint64_t at, last; /* where it has come to, where it ends; 0: not begun */
	struct arena arena;
	struct bus_listed *listed;
	size_t count, bytes;
	bool more;
};

/* ---- the lane's half ---- */

struct lane_queue {
	bool open; /* somebody receives */
	int64_t credit;
	uint64_t cursor;
	int64_t rows, dead;
	uint64_t delayed_low; /* none that is held back is for an event below it; 0: none is */
	int64_t receives_max, age_max_ns;
};

/* All that the lane knows; a batch that fails puts back what was before it. */
struct lane_state {
	uint64_t last;   /* newest position; 0: none yet */
	uint64_t oldest; /* of the archive */
	uint64_t low;    /* no queue waits for an event below it */
	int64_t last_at;
	int64_t swept_ns, trimmed_ns, low_ns; /* when that was last looked at */
	bool full;                            /* over the bytes, and nothing may go */
	bool more;                            /* deliveries were cut short */
	unsigned queue_count;
	uint64_t defined; /* bit per queue that is on disk */
	struct lane_queue queues[BUS_QUEUES_MAX];
};

struct queue_shot {
	int64_t rows, dead, oldest_at, next_due; /* times 0: none */
};

/* As of the last commit, for the loop. */
struct bus_shot {
	int64_t archived;
	bool more;
	struct queue_shot queues[BUS_QUEUES_MAX];
};

struct bus_options {
	int64_t queue_bytes, bytes, age_ns, dead_ns;
};

struct bus_lane {
	struct sql sql;
	struct bus_options options;
	int64_t pages_max;
	struct lane_state now, saved;
	int64_t now_ns;   /* of the newest request of this batch */
	size_t published; /* in this batch */
	int64_t delivered_bytes;
	char names[BUS_QUEUES_MAX][BUS_NAME_MAX + 1];
	struct list delivered; /* struct delivery; the loop takes them after a commit */
	struct bus_shot shot;
};

extern const struct sql_schema bus_schema;

enum bus_statement {
	EVENT_IN,
	EVENT_OUT,
	EVENT_OLDEST,
	EVENT_NEWEST,
	EVENT_FROM,
	EVENT_THERE,
	EVENT_OF,
	EVENTS_UP,
	EVENTS_DOWN,
	ITEM_IN,
	ITEM_OUT,
	ITEM_BACK,
	ITEM_RECEIVES,
	ITEM_AGAIN,
	ITEM_OLDEST,
	ITEM_NEXT_DUE,
	ITEM_LOW_AGAIN,
	ITEM_LOW_NEW,
	ITEM_LOW_DELAYED,
	ITEM_OF,
	ITEM_HAS,
	READY,
	DUE,
	OLD_READY,
	OLD_DELAYED,
	BURY,
	QUEUE_IN,
	DEAD_UP,
	DEAD_DOWN,
	DEAD_OUT,
	DEAD_FIRST,
	DEAD_LAST,
	PAGES,
	PAGE_SIZE,
	PAGES_FREE,
	BUS_STATEMENTS
};

/* Reads what there is; the queues' definitions go to `each`. */
typedef enum err bus_queue_found(void *self, unsigned index, const struct bus_queue_opts *o, struct why *why);
MUST_USE enum err bus_lane_load(struct bus_lane *l, int64_t now_ns, bus_queue_found *each, void *self, struct why *why);
enum err bus_lane_run(struct bus_lane *l, struct bus_request *r);
enum err bus_lane_before(struct bus_lane *l);
void bus_lane_after(struct bus_lane *l, enum err e);
void bus_lane_drop_deliveries(struct bus_lane *l);

/* Statements with their first parameters bound. */
sqlite3_stmt *bus_bind1(struct bus_lane *l, enum bus_statement s, int64_t a);
sqlite3_stmt *bus_bind2(struct bus_lane *l, enum bus_statement s, int64_t a, int64_t b);
sqlite3_stmt *bus_bind3(struct bus_lane *l, enum bus_statement s, int64_t a, int64_t b, int64_t c);
/* The columns of the one row (b may be NULL), zeros where there is none. Resets. */
enum err bus_one(sqlite3_stmt *st, int64_t *a, int64_t *b);

/* To the dead letters, with this reason. */
enum err bus_lane_bury(struct bus_lane *l, unsigned queue, int64_t due_ns, uint64_t position, struct str reason);
/* Whether an item has had its time; then `text` says so, before the reason that was last given. */
bool bus_lane_spent(const struct bus_lane *l, unsigned queue, int64_t receives, int64_t at, struct str reason,
                    struct why *text);

/* sqlite_sweep.c */
enum err bus_lane_sweep(struct bus_lane *l);
enum err bus_lane_trim(struct bus_lane *l);
enum err bus_lane_delayed_low(struct bus_lane *l, unsigned queue);

/* sqlite_admin.c */
enum err bus_lane_list(struct bus_lane *l, struct bus_request *r);
enum err bus_lane_change(struct bus_lane *l, struct bus_request *r);
enum err bus_lane_item(struct bus_lane *l, unsigned queue, int64_t due_ns, uint64_t position, int64_t at_ns);
enum err bus_lane_event(struct bus_lane *l, const struct bus_request *r, bool *fresh);

/* ---- the loop's half ---- */

struct slot {
	uint64_t receipt; /* 0: free */
	uint64_t position;
	int64_t due_ns; /* of its item: DUE_NEW or DUE_AGAIN */
	int64_t receives;
	struct mono until;     /* then it is given back */
	struct handle *handle; /* who has it */
	bool settling;         /* the lane has it */
};

struct queue {
	struct bus_queue_opts opts; /* slices in `arena` */
	struct arena arena;
	struct pattern *pattern;
	struct handle *receiver; /* NULL: nobody */
	bool unsaved;            /* on disk it is not, or otherwise */
	int asking;              /* QUEUE requests on their way */
	int64_t credited;        /* what the lane has of credit, as far as the loop heard */
	unsigned in_flight;      /* slots that are not free */
	struct slot slots[BUS_IN_FLIGHT_MAX];
};

struct backend {
	struct world *world;
	struct bus_lane lane;
	struct group *group;
	struct rng rng;
	struct wall base_wall; /* the bus's time is the wall clock at the start and the monotonic from there on */
	struct mono base_mono;
	int handles;
	struct queue queues[BUS_QUEUES_MAX];
	unsigned queue_count;
	struct list arrived;  /* deliveries without a slot */
	struct bus_shot shot; /* as of the last commit */
	uint64_t serial;      /* of receipts */
	struct mono expires;  /* no delivery in flight ends before */
	struct mono retry;    /* what the bus asks of itself and has failed is not repeated before */
	struct mono ticked;   /* the last TICK */
	bool ticking;         /* one is on its way */
	struct buf text;      /* scratch of publish */
	struct arena arena;   /* likewise */
};

struct handle {
	struct bus bus; /* first */
	struct backend *backend;
	struct list done;
	struct message *current;
	struct arena arena; /* of the current delivery's event */
	size_t asked;       /* requests in the group */
	bool fresh;         /* something came since it polled last */
	bool closed;
};

struct mono bus_mono(const struct backend *b);
int64_t bus_now(const struct backend *b);
/* Zeroed, with room for `extra` bytes behind it. */
struct bus_request *bus_request_new(struct backend *b, enum request_kind kind, size_t extra);
void bus_request_free(struct bus_request *r);
/* h NULL: nobody is told. `always`: not refused for what waits. */
enum err bus_request_submit(struct backend *b, struct handle *h, struct bus_request *r, int64_t bytes, bool always);
void bus_tell(struct handle *h, struct message *m); /* poll will hand it out */
struct queue *bus_queue_named(struct backend *b, struct str name, unsigned *index);

/* sqlite_settle.c: deliveries and what becomes of them. */
void bus_deliver(struct backend *b); /* gives places to what arrived */
void bus_expire(struct backend *b);  /* gives back what nobody settled in time */
void bus_settled(struct backend *b, struct bus_request *r, enum err e);
enum err bus_settle(struct handle *h, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason, uint64_t tag);
bool bus_hand_out(struct backend *b, const struct delivery *d); /* false: its time was over before anybody saw it */
void bus_bury(struct backend *b, const struct delivery *d, const char *reason);
void bus_give_back(struct backend *b, struct handle *h); /* all that it has: it has gone */

extern const struct bus_admin_ops bus_sqlite_admin;
