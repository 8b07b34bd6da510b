#include "sim/run/demo_view.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "model/event.h"
#include "sim/memory.h"

void demo_view_init(struct demo_view *v) {
	*v = (struct demo_view){
		.nodes = must_array(DEMO_NODES_MAX, sizeof *v->nodes),
		.edges = must_array(DEMO_EDGES_MAX, sizeof *v->edges),
	};
	map_init(&v->by_entity, DEMO_NODES_MAX);
}

void demo_view_done(struct demo_view *v) {
	map_done(&v->by_entity);
	free(v->nodes);
	free(v->edges);
	*v = (struct demo_view){ 0 };
}

static struct demo_node *find(const struct demo_view *v, struct str entity) {
	return map_get(&v->by_entity, entity);
}

static bool remember(struct demo_view *v, struct demo_node *n) {
	return map_put(&v->by_entity, str_of(n->entity), n, NULL) == OK;
}

/* ---- the graph ---- */

static struct demo_node *keep(struct demo_view *v, struct str entity) {
	struct demo_node *n = find(v, entity);
	if (n) return n;
	if (entity.n && entity.n < sizeof n->entity && v->node_count < DEMO_NODES_MAX) {
		n = &v->nodes[v->node_count];
		*n = (struct demo_node){ .entity = "" };
		snprintf(n->entity, sizeof n->entity, STR_FMT, STR_ARG(entity));
		if (remember(v, n)) {
			v->node_count++;
			return n;
		}
	}
	v->left_out++;
	return NULL;
}

/* What this answer no longer names has gone. Before edges: they are indices. */
static void drop_gone(struct demo_view *v) {
	size_t kept = 0, were = v->node_count;
	for (size_t i = 0; i < were; i++)
		if (v->nodes[i].round == v->round) v->nodes[kept++] = v->nodes[i];
	v->node_count = kept;
	if (kept == were) return;
	map_done(&v->by_entity);
	map_init(&v->by_entity, DEMO_NODES_MAX);
	for (size_t i = 0; i < kept; i++) v->left_out += !remember(v, &v->nodes[i]);
}

static void keep_edges(struct demo_view *v, const struct json *edges) {
	v->edge_count = 0;
	json_each(e, edges) {
		const struct demo_node *from = find(v, json_str(json_get(e, "from"))),
							   *to = find(v, json_str(json_get(e, "to")));
		if (!from || !to || from == to) continue; /* an address that nobody answers to is no node */
		if (v->edge_count == DEMO_EDGES_MAX) {
			v->left_out++;
			continue;
		}
		v->edges[v->edge_count++] = (struct demo_edge){ (uint32_t)(from - v->nodes), (uint32_t)(to - v->nodes) };
	}
}

static uint64_t shape_of(const struct demo_view *v) {
	uint64_t h = v->node_count;
	for (size_t i = 0; i < v->node_count; i++) h = h * 31 + hash64(str_of(v->nodes[i].entity));
	return h * 31 + hash64((struct str){ (char *)v->edges, v->edge_count * sizeof *v->edges });
}

void demo_view_graph(struct demo_view *v, const struct json *answer, struct wall now) {
	v->round++;
	v->now = now;
	v->left_out = 0;
	json_each(it, json_get(answer, "nodes")) {
		struct demo_node *n = keep(v, json_str(json_get(it, "entity")));
		if (!n) continue;
		n->round = v->round;
		n->member = json_str(json_get(it, "incident")).n > 0;
	}
	drop_gone(v);
	keep_edges(v, json_get(answer, "edges"));
	v->shape = shape_of(v);
}

/* ---- who sends no data ---- */

/* Signals were expected of it, and of none there is a value. */
static bool blind(const struct json *signals) {
	bool any = false;
	json_each(s, signals) {
		struct str state = json_str(json_get(s, "state"));
		any = true;
		if (str_is(state, "value") || str_is(state, "zero")) return false;
	}
	return any;
}

void demo_view_coverage(struct demo_view *v, const struct json *answer) {
	static const char *const lists[] = { "services", "others" };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		json_each(it, json_get(answer, lists[i])) {
			struct demo_node *n = find(v, json_str(json_get(it, "entity")));
			if (n) n->blind = blind(json_get(it, "signals"));
		}
	}
}

/* ---- events ---- */

/* The node that an event is about: its subject, else the service that the action or cause maps to (a pod's). */
static struct demo_node *about(const struct demo_view *v, struct str subject, const struct json *target) {
	char name[96];
	struct demo_node *n = find(v, subject);
	struct str service = json_str(json_get(target, "service"));
	snprintf(name, sizeof name, "service/" STR_FMT, STR_ARG(service));
	return n || !service.n ? n : find(v, str_of(name));
}

static void opened(struct demo_view *v, const struct json *data) {
	json_each(it, json_get(data, "entities")) {
		struct demo_node *n = find(v, json_str(it));
		if (n) n->member = true;
	}
}

static void named(struct demo_view *v, const struct json *data) {
	const struct json *cause = json_at(json_get(data, "root_causes"), 0);
	struct str incident = json_str(json_get(data, "incident"));
	struct demo_node *n = about(v, json_str(json_get(cause, "entity")), json_get(cause, "target"));
	if (json_bool(json_get(data, "none"), true)) return;
	for (size_t i = 0; i < v->node_count; i++)
		if (str_is(incident, v->nodes[i].incident)) v->nodes[i].cause = false; /* a later report knows better */
	if (!n) return;
	n->cause = true;
	snprintf(n->incident, sizeof n->incident, STR_FMT, STR_ARG(incident));
}

static void acted(struct demo_view *v, const struct json *event) {
	static const char *const running[] = { "claimed", "acting", "applied", "verifying", "undoing" };
	const struct json *data = json_get(event, "data");
	struct str state = json_str(json_get(data, "state"));
	struct demo_node *n = about(v, json_str(json_get(event, "subject")), json_get(data, "target"));
	if (!n) return;
	n->healing = false;
	for (size_t i = 0; i < sizeof running / sizeof *running; i++) n->healing |= str_is(state, running[i]);
	if (str_is(state, "verified")) n->verified = v->now;
}

static void resolved(struct demo_view *v, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str incident = json_str(json_get(data, "incident"));
	for (size_t i = 0; i < v->node_count; i++) {
		struct demo_node *n = &v->nodes[i];
		if (!n->cause || !str_is(incident, n->incident)) continue;
		n->cause = false;
		if (str_is(json_str(json_get(data, "how")), "in_band")) n->verified = v->now;
	}
}

void demo_view_event(struct demo_view *v, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str time = json_str(json_get(event, "time"));
	struct wall at = v->now;
	if (wall_parse(time.p, time.n, &at) && at.ns > v->now.ns) v->now = at;
	switch (event_type_of(json_str(json_get(event, "type")))) {
	case EVENT_INCIDENT_OPENED: opened(v, data); return;
	case EVENT_RCA_REPORT: named(v, data); return;
	case EVENT_ACTION_LOG: acted(v, event); return;
	case EVENT_INCIDENT_RESOLVED: resolved(v, event); return;
	default: return;
	}
}

/* ---- states ---- */

enum demo_state demo_state_of(const struct demo_view *v, const struct demo_node *n) {
	if (n->healing) return DEMO_HEALING;
	if (n->cause) return DEMO_CAUSE;
	if (n->verified.ns && v->now.ns - n->verified.ns < DEMO_VERIFIED_NS) return DEMO_VERIFIED;
	if (n->member) return DEMO_SUSPECT;
	return n->blind ? DEMO_NO_DATA : DEMO_WELL;
}

const char *demo_state_name(enum demo_state s) {
	static const char *const names[] = { "no data", "well", "suspect", "cause", "being healed", "verified" };
	return names[s];
}

const char *demo_node_name(const struct demo_node *n) {
	const char *slash = strchr(n->entity, '/');
	return slash ? slash + 1 : n->entity;
}
