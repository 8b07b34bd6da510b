/* What breaks in the shop: ten faults, how hard, what mends each, and what became of one.
 *
 * A fault lies in something (processes, pods, an image, a database, a link, clients' habits) and acts through it: it
 * takes CPU time, keeps connections, delays packets. What is measured follows; nothing of a fault is told to anybody.
 * Two tables say what there is: shop_fault_infos (magnitudes, what is the right answer) and shop_remedy_of (what each
 * action comes to); tests hold the mechanism to both. Thread: the world's own. */
#pragma once

#include <stdbool.h>

#include "base/rng.h"

struct shop;

enum shop_fault_kind {
	SHOP_LEAK,           /* memory, until the container is killed; in what the pod was given */
	SHOP_CPU_HOG,        /* threads that spin, in every process of a service */
	SHOP_SLOW_DATABASE,  /* each statement takes longer */
	SHOP_ERROR_BURST,    /* wrong state in memory: a share of the requests fails */
	SHOP_POOL_EXHAUSTED, /* a share of the statements does not give its connection back */
	SHOP_DEAD_POD,       /* one process hangs, and stays in the load balancer until its probe tells */
	SHOP_BAD_DEPLOYMENT, /* a new image, rolled out */
	SHOP_SLOW_LINK,      /* between two services: delay, and loss that TCP makes good */
	SHOP_FULL_DISK,      /* of a database: it reads, and does not write */
	SHOP_RETRY_STORM,    /* clients that try again and again keep an overload up after what began it has gone */
	SHOP_FAULTS
};
enum shop_action { SHOP_RESTART, SHOP_DELETE_POD, SHOP_UNDO, SHOP_SCALE, SHOP_ACTIONS };
enum shop_remedy { SHOP_NOTHING, SHOP_HELPS, SHOP_CURES, SHOP_HARMS };

/* What is bad about an image: bits. */
enum shop_form { SHOP_SLOWER = 1, SHOP_FAILING = 2, SHOP_CRASHING = 4, SHOP_UNREADY = 8 };

struct shop_fault_info {
	const char *name;       /* "memory-leak" */
	const char *cause_kind; /* what a right RCA calls it: words of CLI.md, joined by '|' */
	double least, most;     /* range of the magnitude, drawn evenly in its logarithm */
	const char *unit;
};
extern const struct shop_fault_info shop_fault_infos[SHOP_FAULTS];

struct shop_fault {
	enum shop_fault_kind kind;
	int target;       /* service, or database (SLOW_DATABASE, FULL_DISK), by index */
	int source;       /* SLOW_LINK: the service that calls it */
	double magnitude; /* in the table's unit */
	unsigned form;    /* BAD_DEPLOYMENT: bits of enum shop_form */
	bool deployed;    /* LEAK, CPU_HOG, ERROR_BURST, POOL_EXHAUSTED: comes with a deployment, lies in its image */
	int64_t onset_ns; /* when it begins; of what is deployed: when its rollout does */
	/* what became of it; times 0: not yet */
	bool begun, carried, over; /* carried: something has had it; over: nothing has it any more, or it was ended */
	int64_t begun_ns;
	int64_t touched_ns;   /* the first sample that it changed was made */
	int64_t delivered_ns; /* and the first export that held one was acknowledged */
	int64_t visible_ns;   /* the first export whose noise-free expectation it has moved by > 3 SD (docs/design/0008) */
	int64_t over_ns;
	char image[128];  /* deployed: the image that carries it */
	char pod_uid[37]; /* DEAD_POD */
	int bit;          /* the shop's own */
};

/* In a database, or at a service? */
bool shop_fault_at_database(enum shop_fault_kind k);
/* What a right RCA calls this one; what came with a deployment is a deployment. */
const char *shop_fault_causes(const struct shop_fault *f);
/* What an action at the target does about a fault; `deployed`: it lies in an image. */
enum shop_remedy shop_remedy_of(enum shop_fault_kind k, bool deployed, enum shop_action a);
/* The share of requests that a bad image fails, by its magnitude: 0.5 to 50 points for its range. */
double shop_bad_share(double magnitude);
/* Would people notice: latency at least x3, or errors at least +5 points? */
bool shop_fault_large(const struct shop_fault *f);

/* From the range that the world says, else the table's. */
double shop_draw_magnitude(const struct shop *s, enum shop_fault_kind kind, struct rng *rng);
/* Draws target, magnitude and form of a fault of that kind; onset and `deployed` are the caller's. */
struct shop_fault shop_draw_fault(const struct shop *s, enum shop_fault_kind kind, struct rng *rng);
/* Plans it. The fault is the shop's to change, the caller's to read, until the shop is freed. */
const struct shop_fault *shop_plan_fault(struct shop *s, const struct shop_fault *f);
/* It ends by itself, now: whatever has it is sound again. */
void shop_end_fault(struct shop *s, const struct shop_fault *f);
const char *shop_target_name(const struct shop *s, const struct shop_fault *f); /* "payment", "orders-db" */
