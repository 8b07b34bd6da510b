#include "world/linux/rig.h"

#include "world/linux/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void rig_open(struct rig *r, struct t *t) {
	*r = (struct rig){ .t = t };
	EXPECT_OK(world_linux_open((struct world_linux_opts){ .log_level = LOG_WARN, .log_fd = 2, .seed = t->seed },
	                           &r->linux_, NULL));
	r->world = world_linux_world(r->linux_);
}

void rig_close(struct rig *r) {
	world_linux_close(r->linux_);
}

int64_t rig_now(struct rig *r) {
	return clock_mono(r->world->clock).ns;
}

void rig_turn(struct rig *r) {
	world_linux_wait(r->linux_, (struct mono){ rig_now(r) + NS_PER_MS });
}

int rig_idle_turns(struct rig *r) {
	for (int i = 0; i < 20; i++) rig_turn(r); /* what is under way arrives */
	int64_t until = rig_now(r) + 300 * NS_PER_MS;
	int turns = 0;
	for (; rig_now(r) < until; turns++) world_linux_wait(r->linux_, (struct mono){ until });
	return turns;
}

struct http_server *rig_listen(struct rig *r, struct http_listen o) {
	struct t *t = r->t;
	struct http_server *s = NULL;
	struct why why = { "" };
	if (!o.address.n) o.address = STR("127.0.0.1");
	if (!o.connections_max) o.connections_max = 64;
	if (!o.idle_timeout_ns) o.idle_timeout_ns = 10 * NS_PER_SEC;
	EXPECT_OK(r->world->servers->listen(r->world->servers, &o, &s, &why));
	return s;
}

struct http_client *rig_client(struct rig *r) {
	struct t *t = r->t;
	struct http_client *c = NULL;
	EXPECT_OK(r->world->clients->open(r->world->clients, 64, &c));
	return c;
}

static size_t copy_headers(struct rig *r, struct http_header *to, size_t max, const struct http_event *e) {
	size_t n = e->header_count < max ? e->header_count : max;
	for (size_t i = 0; i < n; i++) {
		to[i].name = str_copy(r->t->arena, e->headers[i].name);
		to[i].value = str_copy(r->t->arena, e->headers[i].value);
	}
	return n;
}

static struct http_event copy_head(struct rig *r, const struct http_event *e) {
	struct http_event head = *e;
	struct http_header *h = arena_array(r->t->arena, struct http_header, HTTP_HEADERS_MAX);
	head.headers = h;
	head.header_count = copy_headers(r, h, HTTP_HEADERS_MAX, e);
	head.method = str_copy(r->t->arena, e->method);
	head.target = str_copy(r->t->arena, e->target);
	head.peer = str_copy(r->t->arena, e->peer);
	return head;
}

void answer_done(struct answer *a) {
	buf_done(&a->body);
}

void answer_take(struct rig *r, struct answer *a, size_t count, const struct http_event *e) {
	struct t *t = r->t;
	size_t i = 0;
	while (i < count && a[i].id != e->id) i++;
	EXPECT(i < count);
	a += i;
	EXPECT(!a->done && !a->failed); /* nothing comes after the end */
	switch (e->kind) {
	case HTTP_RESPONSE:
		EXPECT(a->status == 0);
		a->status = e->status;
		a->head = copy_head(r, e);
		break;
	case HTTP_BODY:
		EXPECT(a->status && e->body.n > 0 && e->body.n <= HTTP_PIECE_MAX);
		a->pieces++;
		buf_str(&a->body, e->body);
		break;
	case HTTP_END:
		EXPECT(a->status);
		a->trailer_count = copy_headers(r, a->trailers, 8, e);
		a->done = true;
		break;
	case HTTP_FAILED:
		a->failed = true;
		a->err = e->err;
		why_set(&a->why, e->err, "%s", e->why);
		break;
	default: test_fail(t, __FILE__, __LINE__, "a client has no such event");
	}
}

bool rig_poll_client(struct rig *r, struct http_client *c, struct answer *a, size_t count) {
	struct http_event e;
	if (!http_client_poll(c, &e)) return false;
	answer_take(r, a, count, &e);
	return true;
}

void asked_done(struct asked *a) {
	buf_done(&a->body);
}

static void take_part(struct rig *r, struct asked *a, const struct http_event *e) {
	struct t *t = r->t;
	EXPECT(!a->failed);
	switch (e->kind) {
	case HTTP_BODY:
		EXPECT(!a->whole && e->body.n > 0 && e->body.n <= HTTP_PIECE_MAX);
		a->pieces++;
		buf_str(&a->body, e->body);
		break;
	case HTTP_END:
		EXPECT(!a->whole);
		a->whole = true;
		a->trailer_count = copy_headers(r, a->trailers, 8, e);
		break;
	case HTTP_FAILED:
		a->failed = true;
		a->err = e->err;
		why_set(&a->why, e->err, "%s", e->why);
		break;
	default: test_fail(t, __FILE__, __LINE__, "a server has no such event here");
	}
}

bool rig_poll_server(struct rig *r, struct http_server *s, struct asked *a, size_t count) {
	struct t *t = r->t;
	struct http_event e;
	if (!http_server_poll(s, &e)) return false;
	size_t i = 0;
	if (e.kind == HTTP_REQUEST) {
		while (i < count && a[i].id) i++;
		EXPECT(i < count);
		a[i].id = e.id;
		a[i].head = copy_head(r, &e);
		return true;
	}
	while (i < count && a[i].id != e.id) i++;
	EXPECT(i < count);
	take_part(r, &a[i], &e);
	return true;
}

void peer_open(struct rig *r, struct peer *p, int port) {
	struct t *t = r->t;
	struct sys_address to;
	*p = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	buf_init(&p->got, 0);
	EXPECT(p->fd >= 0 && sys_address_numeric(STR("127.0.0.1"), port, &to));
	EXPECT(connect(p->fd, (struct sockaddr *)&to.storage, to.size) == 0); /* into the backlog */
}

void peer_read(struct peer *p) {
	char bytes[65536];
	while (!p->closed) {
		ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) return;
		if (n <= 0) p->closed = true;
		if (n > 0) buf_add(&p->got, bytes, (size_t)n);
	}
}

bool peer_send(struct rig *r, struct peer *p, struct str bytes) {
	struct t *t = r->t;
	int64_t until = rig_now(r) + RIG_PATIENCE_NS;
	while (bytes.n) {
		ssize_t n = send(p->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) return false;
		if (n > 0) bytes = (struct str){ bytes.p + n, bytes.n - (size_t)n };
		if (n < 0) rig_turn(r);
		EXPECT(rig_now(r) < until);
	}
	return true;
}

bool peer_has(const struct peer *p, const char *text) {
	return p->got.n && memmem(p->got.p, p->got.n, text, strlen(text));
}

void peer_close(struct peer *p) {
	close(p->fd);
	buf_done(&p->got);
}

int peer_listen(struct rig *r, int *port) {
	struct t *t = r->t;
	int fd = -1;
	EXPECT_OK(sys_listen(STR("127.0.0.1"), 0, &fd, port, NULL));
	return fd;
}

bool peer_accept(struct peer *p, int listener) {
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) return false;
	*p = (struct peer){ .fd = fd };
	buf_init(&p->got, 0);
	return true;
}
