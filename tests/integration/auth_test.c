/* Who may do what over the API: every route of docs/api.yaml against every kind of caller. */
#include "feed.h"
#include "line.h"

#include <signal.h>

#define ID "00000000000000000000000000" /* of nothing: past the door that is 404 */

enum caller { NOBODY, WRONG, VIEWER, APPROVER, OPERATOR, CALLERS };

static const char *const callers[CALLERS] = {
	"",
	"Authorization: Bearer secret-of-nobody\r\n",
	"Authorization: Bearer secret-of-viewer\r\n",
	"Authorization: Bearer secret-of-approver\r\n",
	"Authorization: Bearer secret-of-operator\r\n",
};

/* Statuses in the order of the callers: where reading is open, and where `read_needs_token` is set. */
static const struct {
	const char *method, *path;
	int open[CALLERS], closed[CALLERS];
} routes[] = {
#define OPEN(path, status)                                         \
	{                                                              \
		"GET", path, { status, status, status, status, status }, { \
			status, status, status, status, status                 \
		}                                                          \
	}
#define READ(path, status)                                         \
	{                                                              \
		"GET", path, { status, status, status, status, status }, { \
			401, 401, status, status, status                       \
		}                                                          \
	}
#define APPROVE(path, status)                              \
	{                                                      \
		"POST", path, { 401, 401, 403, status, status }, { \
			401, 401, 403, status, status                  \
		}                                                  \
	}
#define OPERATE(path, status)                           \
	{                                                   \
		"POST", path, { 401, 401, 403, 403, status }, { \
			401, 401, 403, 403, status                  \
		}                                               \
	}
	OPEN("/healthz", 200),
	OPEN("/readyz", 200),
	READ("/metrics", 200),
	READ("/api/v1/status", 200),
	READ("/api/v1/coverage", 200),
	READ("/api/v1/graph", 200),
	READ("/api/v1/incidents", 200),
	READ("/api/v1/incidents/{id}", 404),
	READ("/api/v1/actions", 200),
	READ("/api/v1/actions/{id}", 404),
	READ("/api/v1/explain/{id}", 404),
	READ("/api/v1/events", 200),
	READ("/api/v1/audit", 200),
	READ("/api/v1/audit/verify", 200),
	APPROVE("/api/v1/actions/{id}/approve", 404),
	APPROVE("/api/v1/actions/{id}/reject", 404),
	OPERATE("/api/v1/actions/{id}/undo", 404),
	APPROVE("/api/v1/incidents/{id}/ack", 404),
	APPROVE("/api/v1/incidents/{id}/wrong", 404),
	APPROVE("/api/v1/incidents/{id}/mute", 404),
	OPERATE("/api/v1/pause", 200),
	OPERATE("/api/v1/resume", 200), /* what `pause` just paused */
};
#define ROUTES (sizeof routes / sizeof *routes)

static bool listed(const char *method, struct str path) {
	for (size_t i = 0; i < ROUTES; i++)
		if (strcmp(routes[i].method, method) == 0 && str_is(path, routes[i].path)) return true;
	return false;
}

/* "  /path:" and below it "    get:" or "    post:". */
TEST(the_table_has_every_route_of_the_document) {
	struct str rest = rig_read(t, SOURCE_ROOT "/docs/api.yaml"), line, path = { 0 };
	size_t found = 0;
	for (bool more = true; more;) {
		more = str_cut(rest, '\n', &line, &rest);
		if (str_starts(line, STR("  /"))) path = (struct str){ line.p + 2, line.n - 3 };
		bool get = str_is(line, "    get:"), post = str_is(line, "    post:");
		bool other = str_is(line, "    put:") || str_is(line, "    delete:") || str_is(line, "    patch:");
		if (other || ((get || post) && !listed(get ? "GET" : "POST", path)))
			FAIL("docs/api.yaml has '" STR_FMT "' of " STR_FMT ", which the table here lacks", STR_ARG(str_trim(line)),
			     STR_ARG(path));
		found += get || post;
	}
	EXPECT_INT(found, ROUTES);
}

static const char *filled(struct t *t, const char *path) {
	struct str before, after;
	if (!str_cut(str_of(path), '{', &before, &after)) return path;
	(void)str_cut(after, '}', &(struct str){ 0 }, &after);
	return str_c(t->arena, str_printf(t->arena, STR_FMT ID STR_FMT, STR_ARG(before), STR_ARG(after)));
}

static void check(struct flyball *f, size_t i, enum caller who, int want, const char *when) {
	struct t *t = f->t;
	bool post = strcmp(routes[i].method, "POST") == 0;
	struct answer a = ask(t, f->api, routes[i].method, filled(t, routes[i].path), callers[who],
	                      post ? STR("{\"why\":\"checked\"}") : (struct str){ 0 });
	if (a.status != want)
		FAIL("%s %s, caller %d, %s: %d, not %d\n" STR_FMT, routes[i].method, routes[i].path, (int)who, when, a.status,
		     want, STR_ARG(a.body));
	if (want == 401) EXPECT(str_is(answer_header(t, &a, "www-authenticate"), "Bearer"));
	if (want == 401 || want == 403) EXPECT_HAS(a.body, "\"error\":");
}

static int64_t entries(struct flyball *f) {
	struct t *t = f->t;
	struct answer a = ask(t, f->api, "GET", "/api/v1/audit/verify", callers[VIEWER], (struct str){ 0 });
	return json_int(json_get(answer_json(t, &a), "seq"), -1);
}

/* Neither the log, nor what was answered, nor a file of the state has a secret in it. */
static void no_secret_in(struct flyball *f) {
	static const char *const files[] = { "state.db", "state.db-wal", "bus.db", "bus.db-wal" };
	struct t *t = f->t;
	EXPECT(!rig_has(rig_log(f), "secret-of"));
	for (size_t i = 0; i < 4; i++) {
		const char *path = rig_path(t, f->state, files[i]);
		if (rig_exists(path)) EXPECT(!rig_has(rig_read(t, path), "secret-of"));
	}
}

static void all(struct flyball *f, bool closed) {
	struct t *t = f->t;
	for (int who = NOBODY; who < CALLERS; who++) {
		int64_t before = entries(f);
		for (size_t i = 0; i < ROUTES; i++)
			check(f, i, (enum caller)who, closed ? routes[i].closed[who] : routes[i].open[who],
			      closed ? "reading needs a token" : "reading is open");
		if (who < OPERATOR) EXPECT_INT(entries(f), before); /* whoever was refused left no trace of a change */
		if (who == OPERATOR) EXPECT(entries(f) > before);   /* while pause and resume are decisions on record */
	}
}

TEST(every_route_answers_every_caller_as_the_table_says) {
	struct flyball f = rig_flyball(t, str_c(t->arena, rig_tokens(t)));
	rig_start(&f);
	all(&f, false);
	rig_write(t, f.config,
	          str_printf(t->arena, "listen: {otlp_grpc: 0, otlp_http: 0, api: 0, read_needs_token: true}\n" STR_FMT,
	                     STR_ARG(rig_tokens(t))));
	kill(f.pid, SIGHUP);
	UNTIL(GET(f.api, "/api/v1/status").status == 401);
	all(&f, true);
	no_secret_in(&f);
	EXPECT_INT(rig_stop(&f), 0);
	no_secret_in(&f);
}

/* Ways in that are none. */
TEST(a_token_counts_in_its_header_alone) {
	static const char *const headers[] = {
		"Cookie: token=secret-of-operator\r\n",
		"Authorization: Basic c2VjcmV0LW9mLW9wZXJhdG9y\r\n",
		"Authorization: secret-of-operator\r\n",
		"Authorization: Bearer\r\n",
		"Authorization: Bearer secret-of-operatorX\r\n",
		"Authorization: Bearer secret-of-operato\r\n",
		"Authorization: Bearer SECRET-OF-OPERATOR\r\n",
		"X-Authorization: Bearer secret-of-operator\r\n",
		"Authorization: Bearer secret-of-nobody\r\nAuthorization: Bearer secret-of-operator\r\n",
	};
	struct flyball f = rig_flyball(t, str_c(t->arena, rig_tokens(t)));
	rig_start(&f);
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		EXPECT_INT(ask(t, f.api, "POST", "/api/v1/pause", headers[i], STR("{}")).status, 401);
	EXPECT_INT(ask(t, f.api, "POST", "/api/v1/pause?token=secret-of-operator", "", STR("{}")).status, 400);
	/* a hash from the configuration is no token */
	struct str yaml = rig_read(t, f.config);
	const char *at = memmem(yaml.p, yaml.n, "sha256: ", 8);
	struct str header = str_printf(t->arena, "Authorization: Bearer %.64s\r\n", at + 8);
	EXPECT_INT(ask(t, f.api, "POST", "/api/v1/pause", str_c(t->arena, header), STR("{}")).status, 401);
	EXPECT_HAS(GET(f.api, "/api/v1/status").body, "\"paused\":false");
	no_secret_in(&f);
	EXPECT_INT(rig_stop(&f), 0);
}

/* A follower's token may be taken away while it follows. */
TEST(followers_are_sent_away_when_reading_begins_to_need_a_token) {
	struct flyball f = rig_flyball(t, str_c(t->arena, rig_tokens(t)));
	rig_start(&f);
	struct line l = line_open(t, f.api);
	EXPECT(line_print(&l, "GET /api/v1/events?follow=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
	EXPECT(line_need(&l, 20));
	EXPECT_HAS(line_unused(&l), "200 OK");
	rig_write(t, f.config,
	          str_printf(t->arena, "listen: {otlp_grpc: 0, otlp_http: 0, api: 0, read_needs_token: true}\n" STR_FMT,
	                     STR_ARG(rig_tokens(t))));
	kill(f.pid, SIGHUP);
	UNTIL((line_read(&l, 10), rig_has(line_unused(&l), "\r\n0\r\n\r\n"))); /* the last chunk */
	line_close(&l);
	EXPECT_INT(rig_stop(&f), 0);
}

/* What an operator writes is one value of one line. */
TEST(words_of_a_wish_forge_no_line_of_the_log) {
	struct flyball f = rig_flyball(t, str_c(t->arena, rig_tokens(t)));
	rig_start(&f);
	EXPECT_INT(ask(t, f.api, "POST", "/api/v1/pause", callers[OPERATOR],
	               STR("{\"scope\":\"shop\\nlevel=error event=forged x=y\",\"why\":\"a\\nevent=forged2 b\"}"))
	               .status,
	           200);
	rig_log_wait(&f, "event=control.command");
	EXPECT(!rig_has(rig_log(&f), "\nlevel=error event=forged") && !rig_has(rig_log(&f), "\nevent=forged2"));
	EXPECT_HAS(rig_log(&f), " scope=\"shop\\nlevel=error event=forged x=y\"");
	EXPECT_INT(rig_stop(&f), 0);
}

RUN(the_table_has_every_route_of_the_document, every_route_answers_every_caller_as_the_table_says,
    a_token_counts_in_its_header_alone, followers_are_sent_away_when_reading_begins_to_need_a_token,
    words_of_a_wish_forge_no_line_of_the_log)
