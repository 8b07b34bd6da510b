#include <stdio.h>
#include <string.h>

#include "cli/setup.h"

#define ANSWER_MAX    (64 << 20)
#define LOCAL_WAIT_NS NS_PER_MIN

struct exchange {
	int status;
	struct buf body;
	enum err err;
	char why[200];
	bool over;
};

static void take(struct exchange *x, const struct http_event *e) {
	if (e->kind == HTTP_RESPONSE) x->status = e->status;
	if (e->kind == HTTP_BODY) buf_str(&x->body, e->body);
	if (e->kind == HTTP_END || e->kind == HTTP_FAILED) x->over = true;
	if (e->kind != HTTP_FAILED) return;
	x->err = e->err;
	snprintf(x->why, sizeof x->why, "%s", e->why ? e->why : err_text(e->err));
}

static enum err exchange(struct cli *c, const struct http_request *r, struct exchange *x, struct why *why) {
	struct http_client *client = NULL;
	uint64_t id = 0;
	enum err e = c->world->clients->open(c->world->clients, 1, &client);
	if (!e) e = http_client_submit(client, r, &id, why);
	while (!e && !x->over) {
		struct http_event event;
		while (!x->over && http_client_poll(client, &event)) take(x, &event);
		if (x->over) break;
		if (c->world->process->ops->stopping(c->world->process)) e = why_set(why, ERR_CLOSED, "interrupted");
		bool did = c->local && daemon_step(c->local);
		struct mono now = clock_mono(c->world->clock);
		if (!did) world_linux_wait(c->real, (struct mono){ now.ns + (c->local ? 10 * NS_PER_MS : NS_PER_SEC) });
	}
	http_client_close(client);
	if (!e && x->err) e = why_set(why, x->err, "%s", x->why);
	return e;
}

/* What the server said went wrong, as a sentence. */
static struct str reason(struct cli *c, const struct exchange *x) {
	const struct json *body = NULL;
	if (json_parse(&c->arena, str_copy(&c->arena, buf_get(&x->body)), &body, NULL)) return STR("");
	const struct json *e = json_get(body, "error");
	struct str s = json_str(e);
	return s.p ? s : json_str(json_get(e, "message"));
}

static int code_of(int status, bool changes) {
	switch (status) {
	case 401:
	case 403: return EXIT_REFUSED;
	case 404: return EXIT_NEGATIVE;
	case 409: return changes ? EXIT_REFUSED : EXIT_USAGE; /* reading: an ID that begins more than one thing */
	default: return status >= 500 ? EXIT_UNREACHABLE : EXIT_USAGE;
	}
}

static int answered(struct cli *c, const struct http_request *r, struct exchange *x, const struct json **out) {
	struct why why = { "" };
	if (x->status / 100 != 2) {
		struct str words = reason(c, x);
		int code = code_of(x->status, !str_is(r->method, "GET"));
		if (words.n && !c->verbose) return cli_fail(c, code, STR_FMT, STR_ARG(words));
		return cli_fail(c, code, STR_FMT " answered %d%s" STR_FMT, STR_ARG(r->url), x->status, words.n ? ": " : "",
		                STR_ARG(words));
	}
	struct str text = str_copy(&c->arena, buf_get(&x->body));
	if (json_parse(&c->arena, text, out, &why))
		return cli_fail(c, EXIT_UNREACHABLE, STR_FMT " did not answer JSON (%s); is --server a Flyball?",
		                STR_ARG(c->server), why.text);
	return EXIT_DONE;
}

static int call(struct cli *c, struct str method, struct str path, struct str body, const struct json **out) {
	struct http_header headers[2];
	size_t n = 0;
	struct why why = { "" };
	struct exchange x = { 0 };

	if (c->token.n)
		headers[n++] =
			(struct http_header){ STR("authorization"), str_printf(&c->arena, "Bearer " STR_FMT, STR_ARG(c->token)) };
	if (body.n) headers[n++] = (struct http_header){ STR("content-type"), STR("application/json") };
	struct http_request r = {
		.method = method,
		.url = str_printf(&c->arena, STR_FMT STR_FMT, STR_ARG(c->server), STR_ARG(path)),
		.headers = headers,
		.header_count = n,
		.body = body,
		.connect_timeout_ns = 5 * NS_PER_SEC,
		.timeout_ns = 60 * NS_PER_SEC,
		.answer_max = ANSWER_MAX,
	};
	buf_init(&x.body, ANSWER_MAX);
	enum err e = exchange(c, &r, &x, &why);
	int code = e ? cli_fail(c, e == ERR_INVALID ? EXIT_USAGE : EXIT_UNREACHABLE,
	                        "cannot reach " STR_FMT
	                        ": %s; is `flyball run` up there? --server or FLYBALL_SERVER names another",
	                        STR_ARG(c->server), why.text[0] ? why.text : err_text(e))
	             : answered(c, &r, &x, out);
	buf_done(&x.body);
	return code;
}

int client_get(struct cli *c, struct str path, const struct json **out) {
	return call(c, STR("GET"), path, (struct str){ 0 }, out);
}

int client_post(struct cli *c, struct str path, struct str body, const struct json **out) {
	return call(c, STR("POST"), path, body.n ? body : STR("{}"), out);
}

/* Every part that was asked for has read what lies there. */
static int local_ready(struct cli *c) {
	int64_t until = clock_mono(c->world->clock).ns + LOCAL_WAIT_NS;
	while (!daemon_ready(c->local)) {
		if (daemon_step(c->local)) continue;
		if (c->world->process->ops->stopping(c->world->process)) return cli_fail(c, EXIT_UNREACHABLE, "interrupted");
		struct mono now = clock_mono(c->world->clock);
		if (now.ns > until) return cli_fail(c, EXIT_UNREACHABLE, "what is saved could not be read within a minute");
		world_linux_wait(c->real, (struct mono){ now.ns + 10 * NS_PER_MS });
	}
	return EXIT_DONE;
}

int client_local(struct cli *c, unsigned roles) {
	struct why why = { "" };
	struct config *config = arena_new(&c->arena, struct config);
	bool there = false;
	struct str dir = args_get(&c->args, "state");
	if (!dir.p || c->local) return EXIT_DONE;
	if (!config) return cli_fail(c, EXIT_UNREACHABLE, "out of memory");
	char *file = str_c(&c->arena, str_printf(&c->arena, STR_FMT "/state.db", STR_ARG(dir)));
	enum err e = c->world->disk->ops->exists(c->world->disk, file, &there);
	if (e || !there)
		return cli_fail(c, EXIT_USAGE, "%s is not there: is " STR_FMT " a state directory of Flyball?", file,
		                STR_ARG(dir));
	e = config_parse(&c->arena, STR("listen: {api: 0}"), "(defaults)", config, &why);
	if (!e) e = setup_state(c, &c->arena, config, &why);
	if (!e) e = daemon_open(c->world, config, roles, &c->local, &why);
	if (e == ERR_BUSY)
		return cli_fail(c, EXIT_UNREACHABLE, "%s; to ask the daemon that runs there, leave out --state", why.text);
	if (e) return cli_fail(c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e));
	c->server = str_printf(&c->arena, "http://127.0.0.1:%d", daemon_port(c->local, "api"));
	return local_ready(c);
}
