#include <stdio.h>

#include "sim/kube/select.h"
#include "sim/kube/server_impl.h"
#include "sim/memory.h"

/* ---- answers ---- */

void sim_kube_answer_json(struct sim_kube_exchange *x, int status, struct str json) {
	struct http_header h[2] = { { STR("content-type"), STR("application/json") }, { STR("retry-after"), STR("1") } };
	struct http_reply r = { .status = status, .headers = h, .header_count = status == 429 ? 2 : 1, .body = json };
	(void)http_server_reply(x->s->http, x->q->id, &r);
}

void sim_kube_answer_doc(struct sim_kube_exchange *x, int status, const struct doc *d) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	doc_write(d, &o);
	sim_kube_answer_json(x, status, buf_get(&b));
	buf_done(&b);
}

void sim_kube_put_status(struct json_out *o, int code, const char *reason, const char *message,
                         const struct doc *causes, const struct sim_kube_route *route) {
	json_begin_object(o);
	json_kv_c(o, "kind", "Status");
	json_kv_c(o, "apiVersion", "v1");
	json_key(o, "metadata");
	json_begin_object(o);
	json_end_object(o);
	json_kv_c(o, "status", "Failure");
	json_kv_c(o, "message", message);
	if (*reason) json_kv_c(o, "reason", reason);
	if (route && route->resource) {
		json_key(o, "details");
		json_begin_object(o);
		if (route->name) json_kv_c(o, "name", route->name);
		if (route->group && *route->group) json_kv_c(o, "group", route->group);
		json_kv_c(o, "kind", route->resource);
		if (causes && causes->child) {
			json_key(o, "causes");
			doc_write(causes, o);
		}
		json_end_object(o);
	}
	json_kv_int(o, "code", code);
	json_end_object(o);
}

void sim_kube_answer_status(struct sim_kube_exchange *x, int code, const char *reason, const char *message,
                            const struct doc *causes) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	sim_kube_put_status(&o, code, reason, message, causes, &x->route);
	x->s->counts.refused++;
	sim_kube_answer_json(x, code, buf_get(&b));
	buf_done(&b);
}

void sim_kube_answer_reply(struct sim_kube_exchange *x, struct sim_kube_reply *r) {
	if (r->reason)
		sim_kube_answer_status(x, r->code, r->reason, r->message, r->causes);
	else
		sim_kube_answer_doc(x, r->code, r->object);
	sim_kube_reply_done(r);
}

/* ---- routes ---- */

const char *sim_kube_query(const struct sim_kube_exchange *x, const char *key) {
	struct str v = url_param(&x->route.url, key);
	return v.p ? str_c(x->a, v) : NULL;
}

bool sim_kube_query_true(const struct sim_kube_exchange *x, const char *key) {
	const char *v = sim_kube_query(x, key);
	return v && (!strcmp(v, "1") || !strcmp(v, "true"));
}

/* The next part of a path, or NULL. */
static const char *part(struct arena *a, struct str *path) {
	struct str head, tail = { NULL, 0 };
	while (path->n && *path->p == '/') path->p++, path->n--;
	if (!path->n) return NULL;
	(void)str_cut(*path, '/', &head, &tail);
	*path = tail;
	return str_c(a, head);
}

static bool find_type(struct sim_kube_route *r) {
	for (int t = 0; t < KUBE_TYPES; t++)
		if (r->resource && !strcmp(sim_kube_types[t].plural, r->resource) &&
		    !strcmp(sim_kube_types[t].group, r->group) && !strcmp(sim_kube_types[t].version, r->version)) {
			r->type = (enum sim_kube_type)t;
			return true;
		}
	return false;
}

/* /api/v1/... and /apis/GROUP/VERSION/...: [namespaces/NS/]RESOURCE[/NAME[/SUB]]. */
static bool parse_resource(struct arena *a, struct str path, struct sim_kube_route *r) {
	const char *root = part(a, &path);
	if (!root) return false;
	if (!strcmp(root, "api"))
		r->group = "";
	else if (!strcmp(root, "apis"))
		r->group = part(a, &path);
	else
		return false;
	r->version = part(a, &path);
	const char *first = part(a, &path), *second = part(a, &path), *third = part(a, &path);
	if (!r->group || !r->version || !first) return false;
	if (!strcmp(first, "namespaces") && third) {
		r->ns = second;
		r->has_namespace = true;
		r->resource = third;
		r->name = part(a, &path);
		r->sub = part(a, &path);
	} else {
		r->resource = first;
		r->name = second;
		r->sub = third;
	}
	r->found = find_type(r);
	return true;
}

static const char *verb_of(const struct sim_kube_exchange *x) {
	const char *m = x->q->method;
	const struct sim_kube_route *r = &x->route;
	if (!strcmp(m, "GET")) return r->watch ? "watch" : r->name ? "get" : "list";
	if (!strcmp(m, "POST")) return "create";
	if (!strcmp(m, "PUT")) return "update";
	if (!strcmp(m, "PATCH")) return "patch";
	return !strcmp(m, "DELETE") ? "delete" : "other";
}

/* ---- who may what ---- */

static bool in_list(const char *list, const char *word) {
	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if ((n == 1 && *list == '*') || (n == strlen(word) && !strncmp(list, word, n))) return true;
	}
	return false;
}

bool sim_kube_allowed(const struct sim_kube_user *u, const char *verb, const char *group, const char *resource,
                      const char *sub, const char *ns) {
	char full[160];
	snprintf(full, sizeof full, "%s%s%s", resource, sub && *sub ? "/" : "", sub ? sub : "");
	for (size_t i = 0; i < u->rule_count; i++) {
		const struct sim_kube_rule *r = &u->rules[i];
		if (r->namespace_ && (!ns || strcmp(r->namespace_, ns))) continue;
		if (in_list(r->verbs, verb) && (in_list(r->groups, group) || (!*group && !*r->groups)) &&
		    in_list(r->resources, full))
			return true;
	}
	return false;
}

const struct sim_kube_rule sim_kube_rules_look[] = {
	{ "get,list,watch", "", "pods", NULL },
	{ "get,list,watch", "apps", "deployments,replicasets", NULL },
	{ "get,list,watch", "autoscaling", "horizontalpodautoscalers", NULL },
};
const struct sim_kube_rule sim_kube_rules_act[] = {
	{ "get,list,watch,delete", "", "pods", NULL },
	{ "get,list,watch,patch", "apps", "deployments", NULL },
	{ "get,list,watch", "apps", "replicasets", NULL },
	{ "get,patch", "apps", "deployments/scale", NULL },
	{ "get,list,watch", "autoscaling", "horizontalpodautoscalers", NULL },
};
const size_t sim_kube_rules_look_count = sizeof sim_kube_rules_look / sizeof *sim_kube_rules_look;
const size_t sim_kube_rules_act_count = sizeof sim_kube_rules_act / sizeof *sim_kube_rules_act;

static bool authorize(struct sim_kube_exchange *x) {
	const struct sim_kube_route *r = &x->route;
	char where[160], what[160];
	if (sim_kube_allowed(x->user, r->verb, r->group, r->resource, r->sub, r->ns)) return true;
	snprintf(where, sizeof where, r->ns ? "in the namespace \"%s\"" : "at the cluster scope%s", r->ns ? r->ns : "");
	snprintf(what, sizeof what, "%s%s%s", r->resource, r->sub ? "/" : "", r->sub ? r->sub : "");
	sim_kube_answer_status(
		x, 403, "Forbidden",
		str_c(x->a, str_printf(x->a,
	                           "%s%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group "
	                           "\"%s\" %s",
	                           r->resource, *r->group ? "." : "", r->group, r->name ? " " : "", r->name ? r->name : "",
	                           x->user->name, r->verb, what, r->group, where)),
		NULL);
	return false;
}

static bool authenticate(struct sim_kube_exchange *x) {
	for (size_t i = 0; i < x->s->user_count; i++)
		if (*x->q->token && !strcmp(x->s->users[i].token, x->q->token)) {
			x->user = &x->s->users[i];
			return true;
		}
	sim_kube_answer_status(x, 401, "Unauthorized", "Unauthorized", NULL);
	return false;
}

/* ---- dispatch ---- */

static bool simple_path(struct sim_kube_exchange *x, struct str path) {
	if (str_is(path, "/healthz") || str_is(path, "/livez") || str_is(path, "/readyz")) {
		struct http_reply r = { .status = 200, .body = STR("ok") };
		(void)http_server_reply(x->s->http, x->q->id, &r);
		return true;
	}
	if (!str_is(path, "/version")) return false;
	sim_kube_answer_json(
		x, 200, STR("{\"major\":\"1\",\"minor\":\"36\",\"gitVersion\":\"v1.36.3\",\"platform\":\"linux/amd64\"}"));
	return true;
}

static bool misbehave(struct sim_kube_exchange *x) {
	const struct sim_kube_server_faults *f = &x->s->faults;
	if (f->failing + f->throttled <= 0) return false;
	double u = rng_unit(&x->s->rng);
	if (u < f->failing) {
		x->s->counts.failing++;
		sim_kube_answer_status(x, 500, "InternalError",
		                       "an error on the server has prevented the request from succeeding", NULL);
		return true;
	}
	if (u >= f->failing + f->throttled) return false;
	x->s->counts.throttled++;
	sim_kube_answer_status(x, 429, "TooManyRequests",
	                       "The server has received too many requests and has asked us to try again", NULL);
	return true;
}

static void route_resource(struct sim_kube_exchange *x) {
	struct sim_kube_route *r = &x->route;
	bool reads = !strcmp(x->q->method, "GET");
	struct str unknown = sim_kube_field_unknown(url_param(&r->url, "fieldSelector"), r->resource);
	if (!sim_kube_selector_valid(url_param(&r->url, "labelSelector")) ||
	    !sim_kube_selector_valid(url_param(&r->url, "fieldSelector"))) {
		sim_kube_answer_status(x, 400, "BadRequest", "unable to parse requirement of a selector", NULL);
	} else if (unknown.n) {
		const char *text = str_c(x->a, str_printf(x->a, "field label not supported: " STR_FMT, STR_ARG(unknown)));
		sim_kube_answer_status(x, 400, "BadRequest", text, NULL);
	} else if (!strcmp(r->verb, "other") ||
	           (!r->name && (!strcmp(r->verb, "patch") || !strcmp(r->verb, "update") || !strcmp(r->verb, "delete")))) {
		sim_kube_answer_status(x, 405, "MethodNotAllowed",
		                       "the server does not allow this method on the requested resource", NULL);
	} else if (r->watch) {
		sim_kube_watch(x);
	} else if (reads && r->sub && !strcmp(r->sub, "scale")) {
		struct sim_kube_reply reply = { 0 };
		sim_kube_do_scale(x->s->kube, r->type, r->ns ? r->ns : "", r->name, KUBE_MERGE, NULL, NULL, &reply);
		sim_kube_answer_reply(x, &reply);
	} else if (reads) {
		if (r->name)
			sim_kube_get(x);
		else
			sim_kube_list(x);
	} else {
		sim_kube_edit(x);
	}
}

/* The subresource is one that the kind has. */
static bool has_part(const struct sim_kube_route *r) {
	if (!r->sub || !strcmp(r->sub, "status")) return true;
	if (!strcmp(r->sub, "eviction")) return r->type == KUBE_PODS;
	return !strcmp(r->sub, "scale") && sim_kube_types[r->type].scale;
}

static void handle(struct sim_kube_exchange *x) {
	struct why why = { "" };
	struct str text = str_printf(x->a, "http://kube%s", x->q->target);
	x->s->counts.requests++;
	if (url_parse(x->a, text, &x->route.url, &why)) {
		sim_kube_answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	if (simple_path(x, x->route.url.path) || !authenticate(x)) return;
	bool parsed = parse_resource(x->a, x->route.url.path, &x->route);
	x->route.watch = sim_kube_query_true(x, "watch");
	x->route.verb = verb_of(x);
	if (parsed && x->route.resource && !strcmp(x->route.resource, "selfsubjectaccessreviews")) {
		sim_kube_review(x);
		return;
	}
	if (!parsed || !x->route.found || !has_part(&x->route)) {
		sim_kube_answer_status(x, 404, "NotFound", "the server could not find the requested resource", NULL);
		return;
	}
	x->s->counts.writes += strcmp(x->q->method, "GET") != 0;
	if (!authorize(x) || misbehave(x)) return;
	route_resource(x);
}

/* ---- the process ---- */

static void request_free(struct sim_kube_request *q) {
	list_remove(&q->link);
	free(q->target);
	buf_done(&q->body);
	free(q);
}

static struct sim_kube_request *find_request(struct sim_kube_server *s, uint64_t id) {
	list_each(it, &s->requests) {
		struct sim_kube_request *q = container_of(it, struct sim_kube_request, link);
		if (q->id == id && !q->left) return q;
	}
	return NULL;
}

static void copy_header(const struct http_event *e, const char *name, char *to, size_t n) {
	struct str v = http_header(e, name);
	snprintf(to, n, STR_FMT, STR_ARG(v));
}

static void begin(struct sim_kube_server *s, const struct http_event *e) {
	struct sim_kube_request *q = must_alloc(sizeof *q);
	char bearer[sizeof q->token + 7];
	q->id = e->id;
	snprintf(q->method, sizeof q->method, STR_FMT, STR_ARG(e->method));
	q->target = must_copy(e->target.p, e->target.n);
	copy_header(e, "authorization", bearer, sizeof bearer);
	if (!strncmp(bearer, "Bearer ", 7)) snprintf(q->token, sizeof q->token, "%s", bearer + 7);
	copy_header(e, "content-type", q->type, sizeof q->type);
	copy_header(e, "user-agent", q->agent, sizeof q->agent);
	buf_init(&q->body, KUBE_BODY_MAX);
	list_push(&s->requests, &q->link);
}

static void serve(struct sim_kube_server *s, struct sim_kube_request *q) {
	struct arena a;
	arena_init(&a, 0);
	struct sim_kube_exchange x = { .s = s, .q = q, .a = &a };
	if (q->body.err)
		sim_kube_answer_status(&x, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", NULL);
	else
		handle(&x);
	arena_done(&a);
	request_free(q);
}

/* Whole: it is served, or waits its turn at a slow server. */
static void received(struct sim_kube_server *s, struct sim_kube_request *q) {
	q->due_ns = s->host->queue->now_ns;
	if (s->faults.slow_ns > 0) {
		s->counts.slow++;
		q->due_ns += (int64_t)(rng_unit(&s->rng) * (double)s->faults.slow_ns);
	}
	if (q->due_ns <= s->host->queue->now_ns) serve(s, q);
}

/* A server that has begun does not always hear that nobody listens any more. */
static void sender_left(struct sim_kube_server *s, struct sim_kube_request *q) {
	q->left = true;
	if (!q->due_ns || rng_below(&s->rng, 2)) request_free(q);
}

static void take(struct sim_kube_server *s, const struct http_event *e) {
	if (e->kind == HTTP_REQUEST) {
		begin(s, e);
		return;
	}
	struct sim_kube_request *q = find_request(s, e->id);
	if (!q) return;
	if (e->kind == HTTP_BODY) buf_str(&q->body, e->body);
	if (e->kind == HTTP_END) received(s, q);
	if (e->kind == HTTP_FAILED) sender_left(s, q);
}

static void wake(void *self) {
	sim_host_wake(((struct sim_kube_server *)self)->host);
}

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct sim_kube_server *s = self;
	s->host = host;
	s->rng = rng_fork(&host->world.rng, "kube-apiserver");
	list_init(&s->requests);
	list_init(&s->watches);
	s->kube->changed = wake;
	s->kube->changed_self = s;
	struct http_listen l = { STR("0.0.0.0"), s->port, false, 10000, 90 * NS_PER_SEC };
	return host->world.servers->listen(host->world.servers, &l, &s->http, why);
}

static bool step(void *self) {
	struct sim_kube_server *s = self;
	struct http_event e;
	while (http_server_poll(s->http, &e)) take(s, &e);
	list_each_safe(it, &s->requests) {
		struct sim_kube_request *q = container_of(it, struct sim_kube_request, link);
		if (q->due_ns && q->due_ns <= s->host->queue->now_ns) serve(s, q);
	}
	list_each_safe(it, &s->watches) (void)sim_kube_watch_pump(s, container_of(it, struct sim_kube_watch, link));
	return false;
}

static struct mono next_due(void *self) {
	struct sim_kube_server *s = self;
	int64_t due = INT64_MAX, now = s->host->queue->now_ns;
	list_each(it, &s->watches) {
		const struct sim_kube_watch *w = container_of(it, struct sim_kube_watch, link);
		int64_t at = w->bookmarks && w->bookmark_ns < w->deadline_ns ? w->bookmark_ns : w->deadline_ns;
		if (w->lagging) at = now + 100 * NS_PER_MS;
		if (at < due) due = at;
	}
	list_each(it, &s->requests) {
		const struct sim_kube_request *q = container_of(it, struct sim_kube_request, link);
		if (q->due_ns && q->due_ns < due) due = q->due_ns;
	}
	return (struct mono){ due == INT64_MAX ? due : due + s->host->clock.booted_ns };
}

static void stop(void *self) {
	struct sim_kube_server *s = self;
	s->kube->changed = NULL;
	list_each_safe(it, &s->requests) request_free(container_of(it, struct sim_kube_request, link));
	list_each_safe(it, &s->watches) sim_kube_watch_free(container_of(it, struct sim_kube_watch, link));
	http_server_close(s->http);
	s->http = NULL;
}

const struct sim_program sim_kube_server_program = { start, step, next_due, stop };
