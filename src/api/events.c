/* Events from the bus's archive: pages, and followers by server-sent events. */
#include <string.h>

#include "api/api_impl.h"
#include "base/param.h"

/* since=: a time, or how long ago. */
static bool since_of(struct api *a, struct slot *s) {
	struct str t = target_param(&s->target, "since");
	int64_t ago = 0;
	if (!t.n || wall_parse(t.p, t.n, &s->since)) return true;
	if (!duration_parse(t, &ago) && ago > 0) {
		s->since.ns = clock_wall(a->o.clock).ns - ago;
		return true;
	}
	answer_error(a, s, 400, "since is a time like 2026-01-05T10:00:00Z or a duration like 30m");
	return false;
}

static bool type_ok(struct str type) {
	for (size_t i = 0; i < type.n; i++)
		if (type.p[i] < '!' || type.p[i] > '~') return false;
	return type.n <= 128;
}

static void ask(struct api *a, struct slot *s) {
	struct bus_list q = {
		.type = s->type, .since = s->since, .after = s->position, .newest_first = s->newest, .limit = s->limit
	};
	enum err e = a->o.bus && a->o.bus->admin ? a->o.bus->admin->list(a->o.bus, &q, slot_tag(s)) : ERR_UNSUPPORTED;
	if (!e) {
		s->waits = true;
		return;
	}
	if (s->following)
		s->look_at.ns = a->now.ns + FOLLOW_NS; /* busy: next time */
	else
		answer_err(a, s, e, e == ERR_UNSUPPORTED ? "this bus keeps no archive that could be listed" : NULL);
}

static void follow(struct api *a, struct slot *s) {
	static const struct http_header headers[] = { { { "content-type", 12 }, { "text/event-stream", 17 } },
		                                          { { "cache-control", 13 }, { "no-store", 8 } },
		                                          { { "x-content-type-options", 22 }, { "nosniff", 7 } } };
	if (a->followers == API_FOLLOWERS_MAX) {
		answer_error(a, s, 503,
		             "%d followers are served already; ask again later, or page with after=", API_FOLLOWERS_MAX);
		return;
	}
	struct http_reply r = {
		.status = 200, .headers = headers, .header_count = 3, .body = STR(": flyball\n\n"), .open = true
	};
	if (http_server_reply(a->server, s->id, &r)) {
		slot_free(a, s);
		return;
	}
	s->following = true;
	s->said_at = s->look_at = a->now;
	a->followers++;
}

void start_events(struct api *a, struct slot *s) {
	int64_t after = 0, following = 0;
	struct why why;
	s->type = target_param(&s->target, "type");
	if (!slot_page(a, s) || !since_of(a, s)) return;
	enum err e = target_int(&s->target, "after", 0, 0, INT64_MAX, &after, &why);
	if (!e) e = target_int(&s->target, "follow", 0, 0, 1, &following, &why);
	if (!e && !type_ok(s->type)) e = why_set(&why, ERR_INVALID, "type is a name like INCIDENT_OPENED");
	if (e) {
		answer_err(a, s, e, why.text);
		return;
	}
	/* without `after` the newest page, told in the order of time; who follows since then gets all of it */
	s->newest = !s->position && !target_param(&s->target, "after").p && !(following && s->since.ns);
	if (!s->position) s->position = (uint64_t)after;
	if (following) follow(a, s);
	if (s->id) ask(a, s);
}

/* ---- pages ---- */

/* The event with its position on the bus as one member more. */
static void put_event(struct json_out *o, struct str event, uint64_t position) {
	struct buf *b = o->buf;
	json_put_raw(o, STR("{\"position\":"));
	buf_printf(b, "%llu", (unsigned long long)position);
	if (event.n > 2) buf_byte(b, ',');
	buf_add(b, event.p + 1, event.n - 1);
}

static void page(struct api *a, struct slot *s, const struct bus_msg *m) {
	struct json_out o = json_out(&s->out);
	uint64_t last = s->position;
	bool backwards = m->count > 1 && m->list[0].position > m->list[m->count - 1].position;
	json_begin_object(&o);
	json_key(&o, "items");
	json_begin_array(&o);
	for (size_t i = 0; i < m->count; i++) {
		const struct bus_listed *e = &m->list[backwards ? m->count - 1 - i : i];
		if (e->event.n < 2) continue;
		put_event(&o, e->event, e->position);
		if (e->position > last) last = e->position;
	}
	json_end_array(&o);
	json_kv_int(&o, "next", (int64_t)last); /* there is always a next page: what comes later */
	json_kv_bool(&o, "more", m->more);      /* and there is something on it already */
	json_end_object(&o);
	answer_out(a, s);
}

/* ---- followers ---- */

static bool send(struct api *a, struct slot *s, struct str bytes) {
	enum err e = http_server_send(a->server, s->id, bytes, false);
	if (!e) {
		s->said_at = a->now;
		return true;
	}
	if (e != ERR_AGAIN) slot_free(a, s); /* gone; a slow one is sent the same again at the next look */
	return false;
}

static void say_new(struct api *a, struct slot *s, const struct bus_msg *m) {
	bool backwards = m->count > 1 && m->list[0].position > m->list[m->count - 1].position;
	for (size_t i = 0; i < m->count; i++) {
		CLEANUP(buf_done) struct buf b;
		struct event e;
		const struct bus_listed *l = &m->list[backwards ? m->count - 1 - i : i];
		CLEANUP(arena_done) struct arena scratch;
		arena_init(&scratch, 0);
		buf_init(&b, 0);
		if (l->position <= s->position || event_parse(&scratch, l->event, &e, NULL)) continue;
		buf_printf(&b, "id: %llu\nevent: " STR_FMT "\ndata: " STR_FMT "\n\n", (unsigned long long)l->position,
		           STR_ARG(e.type), STR_ARG(l->event));
		if (!send(a, s, buf_get(&b))) return;
		s->position = l->position;
	}
	s->look_at.ns = a->now.ns + (m->more && !s->newest ? 0 : FOLLOW_NS);
	s->newest = false; /* from here on forward */
}

void listed_events(struct api *a, struct slot *s, const struct bus_msg *m) {
	s->waits = false;
	if (!s->following) {
		if (m->err)
			answer_err(a, s, m->err, m->why);
		else
			page(a, s, m);
		return;
	}
	s->look_at.ns = a->now.ns + FOLLOW_NS;
	if (!m->err) say_new(a, s, m);
}

bool follow_step(struct api *a, struct slot *s) {
	if (s->waits || a->now.ns < s->look_at.ns) return false;
	if (a->now.ns - s->said_at.ns >= FOLLOW_SILENCE_NS && !send(a, s, STR(": still here\n\n"))) {
		if (s->id) s->look_at.ns = a->now.ns + FOLLOW_NS;
		return true;
	}
	ask(a, s);
	return true;
}
