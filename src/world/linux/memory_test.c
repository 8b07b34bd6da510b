/* Every allocation of ours fails once, in turn, while all the ports are in use: nothing crashes, nothing
 * leaks, nobody waits for ever, and without a failure everything works. The linker puts our own malloc
 * between this program's objects and the system's (see meson.build); libraries keep theirs. */
#include "world/linux/rig.h"
#include "world/vfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

static int64_t until_failure; /* 0: none is due */
static bool failed;

static bool fails(void) {
	if (until_failure == 0 || --until_failure > 0) return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t n) {
	return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
	return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
	return fails() ? NULL : __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t align, size_t n) {
	return fails() ? NULL : __real_aligned_alloc(align, n);
}

static const char h2_request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
								 "\0\0\6\1\4\0\0\0\1\x83\x84\x86\x01\x01h"
								 "\0\0\5\0\1\0\0\0\1hello";

struct scene {
	struct world_linux *linux_;
	struct world *world;
	struct http_server *servers[2];
	struct http_client *client;
	struct lane *lane;
	struct job job;
	struct vfs *vfs;
	sqlite3 *db;
	struct peer raw; /* speaks HTTP/2 */
	uint64_t request, tcp;
	bool answered, ran, worked;
};

static void run_nothing(struct job *j) {
	(void)j;
}

static enum err set_up(struct t *t, struct scene *s, const char *path) {
	enum err e =
		world_linux_open((struct world_linux_opts){ .log_level = LOG_ERROR, .log_fd = 2, .seed = 1 }, &s->linux_, NULL);
	if (e) return e;
	s->world = world_linux_world(s->linux_);
	for (int i = 0; i < 2; i++) {
		struct http_listen o = {
			.address = STR("127.0.0.1"), .http2 = i, .connections_max = 4, .idle_timeout_ns = 200 * NS_PER_MS
		};
		e = s->world->servers->listen(s->world->servers, &o, &s->servers[i], NULL);
		if (e) return e;
	}
	e = s->world->clients->open(s->world->clients, 4, &s->client);
	if (!e) e = s->world->jobs->lane(s->world->jobs, "lane", 4, &s->lane);
	if (!e) e = vfs_open((struct vfs_opts){ s->world->disk, s->world->clock, s->world->rng }, &s->vfs);
	if (!e) e = vfs_database(s->vfs, path, &s->db, NULL);
	if (!e) e = disk_write_file(s->world->disk, str_printf(t->arena, "%s.txt", path).p, STR("text"), NULL);
	return e;
}

static enum err ask(struct t *t, struct scene *s) {
	struct http_header h = { STR("x-name"), STR("value") };
	struct http_request q = {
		.method = STR("POST"),
		.url = str_printf(t->arena, "http://127.0.0.1:%d/path", http_server_port(s->servers[0])),
		.headers = &h,
		.header_count = 1,
		.body = STR("hello"),
		.timeout_ns = NS_PER_SEC,
	};
	s->job.run = run_nothing;
	enum err e = http_client_submit(s->client, &q, &s->request, NULL);
	if (!e) e = lane_submit(s->lane, &s->job);
	if (!e)
		e = s->world->net->ops->connect(s->world->net, STR("localhost"), http_server_port(s->servers[0]), NS_PER_SEC,
		                                &s->tcp, NULL);
	return e;
}

static void serve(struct http_server *server) {
	static const struct http_header h = { STR("x-back"), STR("1") };
	struct http_reply reply = {
		.status = 200, .headers = &h, .header_count = 1, .body = STR("world"), .trailers = &h, .trailer_count = 1
	};
	for (struct http_event e; http_server_poll(server, &e);) {
		if (e.kind == HTTP_END && http_server_reply(server, e.id, &reply) == ERR_NOMEM)
			(void)http_server_reply(server, e.id, &reply); /* it may be tried again */
	}
}

/* Until everything has an end, a good one or a bad one. */
static void turn_until_done(struct t *t, struct scene *s) {
	struct clock *c = s->world->clock;
	bool told = false, good = true;
	for (int64_t until = clock_mono(c).ns + RIG_PATIENCE_NS; !s->raw.closed || !told || !s->ran;) {
		EXPECT(clock_mono(c).ns < until);
		world_linux_wait(s->linux_, (struct mono){ clock_mono(c).ns + 5 * NS_PER_MS });
		for (int i = 0; i < 2; i++) serve(s->servers[i]);
		for (struct http_event e; http_client_poll(s->client, &e);) {
			told = told || e.kind == HTTP_END || e.kind == HTTP_FAILED;
			good = good && e.kind != HTTP_FAILED;
		}
		for (struct net_event e; s->world->net->ops->poll(s->world->net, &e);) {}
		s->ran = s->ran || lane_poll(s->lane) == &s->job;
		peer_read(&s->raw);
		s->raw.closed = s->raw.closed || peer_has(&s->raw, "world");
	}
	s->worked = good && peer_has(&s->raw, "world");
}

static void tear_down(struct scene *s) {
	lane_close(s->lane, NULL);
	if (s->db) sqlite3_close(s->db);
	vfs_close(s->vfs);
	http_client_close(s->client);
	for (int i = 0; i < 2; i++) http_server_close(s->servers[i]);
	world_linux_close(s->linux_);
}

/* True: all of it worked. */
static bool play(struct t *t, const char *path) {
	struct scene s = { 0 };
	struct rig r = { .t = t };
	if (set_up(t, &s, path) == OK && ask(t, &s) == OK) {
		int64_t due = until_failure;
		until_failure = 0;
		peer_open(&r, &s.raw, http_server_port(s.servers[1]));
		until_failure = due;
		EXPECT(send(s.raw.fd, h2_request, sizeof h2_request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof h2_request - 1);
		turn_until_done(t, &s);
		until_failure = 0;
		peer_close(&s.raw);
	}
	until_failure = 0;
	tear_down(&s);
	return s.worked;
}

TEST(any_allocation_may_fail) {
	char dir[] = "/tmp/flyball-memory-XXXXXX";
	EXPECT(mkdtemp(dir));
	char *path = str_c(t->arena, str_printf(t->arena, "%s/state.db", dir));
	EXPECT(play(t, path)); /* what libraries keep for later is there from now on */
	int64_t n = 1;
	do {
		failed = false;
		until_failure = n++;
		bool worked = play(t, path);
		EXPECT(worked || failed);
		arena_reset(t->arena);
		path = str_c(t->arena, str_printf(t->arena, "%s/state.db", dir));
	} while (failed);
	EXPECT(n > 30); /* it did fail, many times */
	EXPECT(play(t, path));
	EXPECT(system(str_c(t->arena, str_printf(t->arena, "rm -r %s", dir))) == 0);
}

RUN(any_allocation_may_fail)
