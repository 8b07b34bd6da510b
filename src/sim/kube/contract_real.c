/* The contract against a server that is told: `kube_contract_real URL CA CERT KEY LOOK_TOKEN_FILE`.
 *
 * CA, CERT and KEY are PEM files; the token is of somebody who may look (rules: sim/kube/server.h's
 * kube_rules_look). The API server has to have been started again since its cluster was made: one that has not still
 * knows everything, and need not answer 410. What is broken goes to the log, one line each; exit 1 when anything is. */
#include <stdio.h>

#include "sim/kube/contract.h"
#include "world/linux/linux.h"

#define FILE_MAX   (1 << 20)
#define PATIENT_NS (20 * NS_PER_SEC)

struct real {
	struct world_linux *linux_world;
	struct world *w;
	struct http_client *client;
	const char *url;
	struct http_tls admin, other;
	struct str look_token;
};

static struct mono now(struct real *r) {
	return clock_mono(r->w->clock);
}

static uint64_t submit(struct real *r, const char *user, const char *method, const char *path, const char *type,
                       const char *body) {
	char url[1200], bearer[4096];
	bool admin = str_is(str_of(user), "admin");
	snprintf(url, sizeof url, "%s%s", r->url, path);
	snprintf(bearer, sizeof bearer, "Bearer " STR_FMT,
	         STR_ARG(str_is(str_of(user), "look") ? r->look_token : STR("nobody-knows-me")));
	struct http_header h[2];
	size_t n = 0;
	if (!admin) h[n++] = (struct http_header){ STR("authorization"), str_of(bearer) };
	if (*type) h[n++] = (struct http_header){ STR("content-type"), str_of(type) };
	struct http_request q = { .method = str_of(method), .url = str_of(url), .headers = h, .header_count = n };
	q.body = str_of(body);
	q.tls = admin ? &r->admin : &r->other;
	uint64_t id = 0;
	struct why why = { "" };
	enum err e = http_client_submit(r->client, &q, &id, &why);
	if (e) log_event(r->w->log, LOG_ERROR, "contract.submit", "why=%s", why.text);
	return e ? 0 : id;
}

static int read_answer(struct real *r, uint64_t id, int64_t for_ns, struct buf *b, bool *over) {
	int status = -1;
	struct mono deadline = { now(r).ns + for_ns };
	*over = false;
	while (!*over && now(r).ns < deadline.ns) {
		struct http_event e;
		while (http_client_poll(r->client, &e)) {
			if (e.id != id) continue;
			if (e.kind == HTTP_RESPONSE) status = e.status;
			if (e.kind == HTTP_BODY) buf_str(b, e.body);
			if (e.kind == HTTP_FAILED) log_event(r->w->log, LOG_WARN, "contract.failed", "why=%s", e.why);
			*over = *over || e.kind == HTTP_END || e.kind == HTTP_FAILED;
		}
		if (!*over) world_linux_wait(r->linux_world, deadline);
	}
	if (!*over) http_client_cancel(r->client, id);
	return status;
}

static int ask(void *self, const char *user, const char *method, const char *path, const char *type, const char *body,
               struct doc **out) {
	struct buf b;
	bool over;
	buf_init(&b, 0);
	int status = read_answer(self, submit(self, user, method, path, type, body), PATIENT_NS, &b, &over);
	if (out) *out = doc_parse(buf_get(&b), NULL);
	buf_done(&b);
	return status;
}

static int watch(void *self, const char *path, int64_t for_ns, struct buf *lines, bool *over) {
	return read_answer(self, submit(self, "admin", "GET", path, "", ""), for_ns, lines, over);
}

static void pass(void *self, int64_t ns) {
	struct real *r = self;
	struct mono deadline = { now(r).ns + ns };
	while (now(r).ns < deadline.ns) world_linux_wait(r->linux_world, deadline);
}

static bool read_files(struct real *r, struct arena *a, char **argv) {
	struct str *const to[] = { &r->admin.ca, &r->admin.cert, &r->admin.key, &r->look_token };
	struct why why = { "" };
	for (int i = 0; i < 4; i++) {
		if (!disk_read_file(r->w->disk, a, argv[2 + i], FILE_MAX, to[i], &why)) continue;
		log_event(r->w->log, LOG_ERROR, "contract.file", "why=%s", why.text);
		return false;
	}
	r->look_token = str_trim(r->look_token);
	r->other.ca = r->admin.ca;
	return true;
}

static void tell(struct real *r, struct str lines) {
	for (struct str line; str_cut(lines, '\n', &line, &lines);)
		log_event(r->w->log, LOG_ERROR, "contract.broken", "what=%.*s", STR_ARG(line));
}

static size_t run(struct real *r) {
	char name[64];
	struct buf out;
	size_t kept = 0;
	snprintf(name, sizeof name, "contract-%llx", (unsigned long long)clock_wall(r->w->clock).ns / 1000000);
	struct contract c = { r, ask, watch, pass, name };
	buf_init(&out, 0);
	size_t broken = contract_run(&c, &out, &kept);
	tell(r, buf_get(&out));
	buf_done(&out);
	log_event(r->w->log, broken ? LOG_ERROR : LOG_INFO, "contract.end", "kept=%zu broken=%zu", kept, broken);
	return broken;
}

int main(int argc, char **argv) {
	struct real r = { .url = argc == 6 ? argv[1] : "" };
	struct arena a;
	struct why why = { "" };
	if (argc != 6 || world_linux_open((struct world_linux_opts){ LOG_INFO, 2, 0 }, &r.linux_world, &why)) return 2;
	r.w = world_linux_world(r.linux_world);
	arena_init(&a, 0);
	bool ready = read_files(&r, &a, argv) && !r.w->clients->open(r.w->clients, 16, &r.client);
	size_t broken = ready ? run(&r) : 1;
	http_client_close(r.client);
	arena_done(&a);
	world_linux_close(r.linux_world);
	return broken ? 1 : 0;
}
