/* SIGKILL under load, at random moments, over and over on one state. */
#include "feed.h"
#include "h2.h"
#include "line.h"

#define ROUNDS   12
#define SERVICES 4 /* that fail; told of again and again, as a sender does who got no answer */
#define SEEN_MAX 4000

static const char operator[] = "Authorization: Bearer secret-of-operator\r\n";
#define PROTO "Content-Type: application/x-protobuf\r\n"

/* What was acknowledged, and so must be there ever after. */
struct seen {
	struct str events[SEEN_MAX], scopes[SEEN_MAX];
	size_t event_count, scope_count;
	struct str head; /* SEQ:HASH that the log named last */
};

static void load(struct flyball *f, struct seen *s, int i) {
	struct t *t = f->t;
	char service[32];
	snprintf(service, sizeof service, "fails-%d", i % SERVICES);
	(void)ask(t, f->otlp_http, "POST", "/v1/traces", PROTO, feed_spans(t, "shop", 20, i % 3));
	(void)ask(t, f->otlp_http, "POST", "/v1/traces", PROTO, feed_spans(t, service, 40, 30));
	(void)grpc_once(t, f->otlp_grpc, GRPC_LOGS, feed_logs(t, "shop", 5));
	if (s->scope_count == SEEN_MAX) return;
	struct str scope = str_printf(t->arena, "n%zu", s->scope_count);
	struct str wish = str_printf(t->arena, "{\"scope\":\"" STR_FMT "\"}", STR_ARG(scope));
	if (ask(t, f->api, "POST", "/api/v1/pause", operator, wish).status == 200) {
		s->scopes[s->scope_count++] = scope;
		wish = str_printf(t->arena, "{\"scope\":\"" STR_FMT "\",\"why\":\"over\"}", STR_ARG(scope));
		(void)ask(t, f->api, "POST", "/api/v1/resume", operator, wish);
	}
}

/* All items of a listing, page by page. */
static size_t list(struct flyball *f, const char *path, const struct json **items, size_t max) {
	struct t *t = f->t;
	struct str after = { 0 };
	size_t n = 0;
	do {
		struct str target =
			str_printf(t->arena, "%s?limit=1000%s" STR_FMT, path, after.n ? "&after=" : "", STR_ARG(after));
		struct answer a = GET(f->api, str_c(t->arena, target));
		if (a.status != 200) FAIL("%s: %d " STR_FMT, path, a.status, STR_ARG(a.body));
		const struct json *page = answer_json(t, &a);
		json_each(item, json_get(page, "items")) {
			if (n == max) FAIL("more than %zu of %s", max, path);
			items[n++] = item;
		}
		const struct json *next = json_get(page, "next");
		bool more = next && next->kind != JSON_NULL && json_get(page, "items")->count;
		after = more ? next->text : (struct str){ 0 };
	} while (after.n);
	return n;
}

static size_t events(struct flyball *f, const struct json **items) {
	return list(f, "/api/v1/events", items, SEEN_MAX);
}

static struct str id_of(const struct json *item) {
	return json_str(json_get(item, "id"));
}

static bool holds(const struct str *all, size_t n, struct str one) {
	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i], one)) return true;
	return false;
}

static void look(struct flyball *f, struct seen *s) {
	struct t *t = f->t;
	const struct json **items = arena_array(t->arena, const struct json *, SEEN_MAX);
	size_t n = events(f, items);
	for (size_t i = 0; i < n; i++)
		if (!holds(s->events, s->event_count, id_of(items[i])) && s->event_count < SEEN_MAX)
			s->events[s->event_count++] = id_of(items[i]);
	struct str seq = rig_log_field(f, "audit.head", "seq"), hash = rig_log_field(f, "audit.head", "hash");
	if (seq.n) s->head = str_printf(t->arena, STR_FMT ":" STR_FMT, STR_ARG(seq), STR_ARG(hash));
}

/* Every event once, and every one that was ever seen. */
static void nothing_lost(struct flyball *f, const struct seen *s) {
	struct t *t = f->t;
	const struct json **items = arena_array(t->arena, const struct json *, SEEN_MAX);
	struct str *ids = arena_array(t->arena, struct str, SEEN_MAX);
	size_t n = events(f, items);
	for (size_t i = 0; i < n; i++) {
		ids[i] = id_of(items[i]);
		if (holds(ids, i, ids[i])) FAIL("event " STR_FMT " is there twice", STR_ARG(ids[i]));
	}
	for (size_t i = 0; i < s->event_count; i++)
		if (!holds(ids, n, s->events[i])) FAIL("event " STR_FMT " is lost", STR_ARG(s->events[i]));
	struct outcome o = s->head.n ? RUN_VERB("audit", "verify", "--server", f->url, "--head", str_c(t->arena, s->head))
	                             : RUN_VERB("audit", "verify", "--server", f->url);
	if (o.code) FAIL("audit verify says %d:\n" STR_FMT STR_FMT, o.code, STR_ARG(o.out), STR_ARG(o.err));
}

/* Commands that were answered with 200 are on the chain. */
static void commands_kept(struct flyball *f, const struct seen *s) {
	struct t *t = f->t;
	const struct json **items = arena_array(t->arena, const struct json *, 4 * SEEN_MAX);
	struct str *scopes = arena_array(t->arena, struct str, 4 * SEEN_MAX);
	size_t n = list(f, "/api/v1/audit", items, 4 * SEEN_MAX);
	for (size_t i = 0; i < n; i++) scopes[i] = json_str(json_get(json_get(items[i], "body"), "scope"));
	for (size_t i = 0; i < s->scope_count; i++)
		if (!holds(scopes, n, s->scopes[i])) FAIL("the pause of " STR_FMT " is lost", STR_ARG(s->scopes[i]));
}

/* One open incident for each service that fails, whatever was killed in between. */
static size_t incidents_single(struct flyball *f) {
	struct t *t = f->t;
	const struct json **items = arena_array(t->arena, const struct json *, SEEN_MAX);
	struct str *open = arena_array(t->arena, struct str, SEEN_MAX);
	size_t n = list(f, "/api/v1/incidents", items, SEEN_MAX), count = 0;
	for (size_t i = 0; i < n; i++) {
		if (json_str(json_get(items[i], "resolved")).n) continue;
		json_each(entity, json_get(items[i], "entities")) {
			struct str name = json_str(entity);
			if (holds(open, count, name)) FAIL("two open incidents of " STR_FMT, STR_ARG(name));
			if (count < SEEN_MAX) open[count++] = name;
		}
	}
	return n;
}

TEST(killed_at_any_moment_it_goes_on_where_it_was) {
	struct seen *s = arena_new(t->arena, struct seen);
	struct flyball f = rig_flyball(
		t, str_c(t->arena, str_printf(t->arena, "traces: {unsampled: true}\n" STR_FMT, STR_ARG(rig_tokens(t)))));
	printf("  seed %llu\n", (unsigned long long)t->seed);
	for (int round = 0, i = 0; round < ROUNDS; round++) {
		f.stays_unready = rng_below(&t->rng, 2) != 0; /* killed before it leads, or later */
		rig_start(&f);
		nothing_lost(&f, s);
		int64_t until = rig_now_ms() + rng_below(&t->rng, 1500);
		do load(&f, s, i++);
		while (rig_now_ms() < until);
		look(&f, s);
		if (rng_below(&t->rng, 2)) load(&f, s, i++); /* what comes after the last look may be cut anywhere */
		rig_sleep_ms(rng_below(&t->rng, 30));
		rig_kill(&f);
	}
	f.stays_unready = false;
	rig_start(&f);
	nothing_lost(&f, s);
	commands_kept(&f, s);
	UNTIL(incidents_single(&f) > 0);
	look(&f, s);
	printf("  %zu events, %zu commands, %zu incidents\n", s->event_count, s->scope_count, incidents_single(&f));
	EXPECT(s->event_count > 0 && s->scope_count > 0);
	EXPECT_INT(rig_stop(&f), 0);
}

RUN(killed_at_any_moment_it_goes_on_where_it_was)
