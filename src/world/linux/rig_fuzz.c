#include "world/linux/rig_fuzz.h"

#include "world/linux/sys.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fuzz *fuzz_world(bool http2) {
	static struct fuzz f;
	if (f.world) return &f;
	struct http_listen o = {
		.address = STR("127.0.0.1"), .http2 = http2, .connections_max = 16, .idle_timeout_ns = 200 * NS_PER_MS
	};
	enum err e = world_linux_open((struct world_linux_opts){ .log_fd = 2, .seed = 1 }, &f.linux_, NULL);
	assert(!e);
	f.world = world_linux_world(f.linux_);
	e = f.world->servers->listen(f.world->servers, &o, &f.server, NULL);
	assert(!e);
	e = f.world->clients->open(f.world->clients, 4, &f.client);
	assert(!e);
	e = sys_listen(STR("127.0.0.1"), 0, &f.listener, &f.port, NULL);
	assert(!e);
	return &f;
}

static void turn(struct fuzz *f, bool sleeps) {
	int64_t now = clock_mono(f->world->clock).ns;
	world_linux_wait(f->linux_, (struct mono){ sleeps ? now + NS_PER_MS : 0 });
}

static int dial(int port) {
	struct sys_address to;
	bool ok = sys_address_numeric(STR("127.0.0.1"), port, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert(ok && fd >= 0);
	/* From another of the loopback's addresses each time: a pair of addresses rests for a minute. */
	static uint32_t from;
	from = from % 60000 + 1;
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010000u + from) };
	int failed = bind(fd, (struct sockaddr *)&own, sizeof own);
	assert(!failed);
	failed = connect(fd, (struct sockaddr *)&to.storage, to.size);
	assert(!failed || errno == EINPROGRESS);
	/* Closed at once: a run makes more connections than there are ports to wait for. */
	const struct linger now = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	return fd;
}

static void answer(struct fuzz *f, const struct http_event *e, uint8_t choice) {
	static const struct http_header trailers[] = { { STR("grpc-status"), STR("0") } };
	struct http_reply reply = {
		.status = 200, .body = STR("fine"), .trailers = trailers, .trailer_count = 1, .open = choice & 4
	};
	bool early = choice & 1;
	if (e->kind != HTTP_END && !(early && e->kind == HTTP_REQUEST) && !(choice & 2 && e->kind == HTTP_BODY)) return;
	if (http_server_reply(f->server, e->id, &reply) == OK && reply.open)
		(void)http_server_send(f->server, e->id, STR("more"), true);
}

/* Sends what the socket takes; true when all is sent, or the peer has gone. */
static bool push(int fd, const uint8_t **p, size_t *n) {
	ssize_t some = *n ? send(fd, *p, *n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (some < 0) return errno != EAGAIN;
	*p += some;
	*n -= (size_t)some;
	return *n == 0;
}

static bool closed(int fd) {
	char bytes[4096];
	ssize_t n;
	while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {}
	return n == 0 || errno != EAGAIN;
}

void fuzz_server(struct fuzz *f, const uint8_t *bytes, size_t n, uint8_t choice) {
	int fd = dial(http_server_port(f->server));
	bool sent = false;
	int quiet = 0;
	for (int i = 0; !closed(fd); i++) {
		assert(i < 5000); /* nobody waits for ever */
		if (!sent) sent = push(fd, &bytes, &n);
		if (sent && ++quiet == 4)
			shutdown(fd, SHUT_WR); /* once all of it was read: libmicrohttpd misses an end beside data */
		turn(f, quiet > 4);
		struct http_event e;
		while (http_server_poll(f->server, &e)) answer(f, &e, choice);
	}
	close(fd);
	turn(f, false);
	for (struct http_event e; http_server_poll(f->server, &e);) answer(f, &e, choice);
}

void fuzz_client(struct fuzz *f, const uint8_t *bytes, size_t n, uint8_t choice) {
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", f->port);
	struct http_request q = { .method = choice & 1 ? STR("HEAD") : STR("GET"),
		                      .url = str_of(url),
		                      .timeout_ns = 200 * NS_PER_MS,
		                      .answer_max = choice & 2 ? 100 : 0 };
	uint64_t id = 0;
	enum err err = http_client_submit(f->client, &q, &id, NULL);
	assert(!err);
	int fd = -1;
	bool sent = false, ended = false;
	for (int i = 0; !ended; i++) {
		assert(i < 5000);
		if (fd < 0) fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0 && !sent && (sent = push(fd, &bytes, &n))) shutdown(fd, SHUT_WR);
		turn(f, sent && i > 4);
		for (struct http_event e; http_client_poll(f->client, &e);) ended = e.kind == HTTP_END || e.kind == HTTP_FAILED;
	}
	if (fd >= 0) {
		const struct linger now = { 1, 0 };
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(fd);
	}
	turn(f, false);
}
