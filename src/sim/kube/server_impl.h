/* Between the files of the simulated API server. */
#pragma once

#include "base/url.h"
#include "sim/kube/impl.h"
#include "sim/kube/server.h"

#define KUBE_BODY_MAX (3 * 1024 * 1024)

struct sim_kube_request {
	struct list link;
	uint64_t id;
	char method[16];
	char *target;
	char token[256], type[96], agent[96];
	struct buf body;
	int64_t due_ns; /* the virtual moment at which a slow server takes it up; 0: it is not whole yet */
	bool left;      /* its sender has given up */
};

/* A request taken apart. Strings live in the arena. */
struct sim_kube_route {
	const char *verb; /* RBAC's */
	bool found, watch, has_namespace;
	enum sim_kube_type type;
	const char *group, *version, *resource, *ns, *name, *sub;
	struct url url;
};

struct sim_kube_watch {
	struct list link, all;
	uint64_t id; /* of the exchange */
	enum sim_kube_type type;
	char ns[64];
	char *labels, *fields;
	uint64_t position;
	bool bookmarks;
	int64_t deadline_ns, bookmark_ns; /* virtual moments */
	bool lagging;                     /* the peer is slow: try again */
};

struct sim_kube_exchange { /* what a handler needs */
	struct sim_kube_server *s;
	struct sim_kube_request *q;
	struct sim_kube_route route;
	struct arena *a;
	const struct sim_kube_user *user;
};

/* ---- server.c ---- */
const char *sim_kube_query(const struct sim_kube_exchange *x, const char *key); /* NULL: not given */
bool sim_kube_query_true(const struct sim_kube_exchange *x, const char *key);
void sim_kube_answer_json(struct sim_kube_exchange *x, int status, struct str json);
void sim_kube_answer_doc(struct sim_kube_exchange *x, int status, const struct doc *d);
void sim_kube_answer_status(struct sim_kube_exchange *x, int code, const char *reason, const char *message,
                            const struct doc *causes);
void sim_kube_answer_reply(struct sim_kube_exchange *x, struct sim_kube_reply *r); /* and ends the reply */
void sim_kube_put_status(struct json_out *o, int code, const char *reason, const char *message,
                         const struct doc *causes, const struct sim_kube_route *route);
bool sim_kube_allowed(const struct sim_kube_user *u, const char *verb, const char *group, const char *resource,
                      const char *sub, const char *ns);
/* ---- read.c, watch.c, edit.c ---- */
void sim_kube_list(struct sim_kube_exchange *x);
void sim_kube_get(struct sim_kube_exchange *x);
void sim_kube_watch(struct sim_kube_exchange *x);
bool sim_kube_watch_pump(struct sim_kube_server *s, struct sim_kube_watch *w); /* false: it is over and freed */
void sim_kube_watch_free(struct sim_kube_watch *w);
void sim_kube_edit(struct sim_kube_exchange *x);
void sim_kube_review(struct sim_kube_exchange *x);
