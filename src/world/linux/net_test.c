#include "world/linux/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool poll_net(struct rig *r, struct net_event *e) {
	return r->world->net->ops->poll(r->world->net, e);
}

static enum err dial(struct rig *r, const char *host, int port, int64_t timeout_ns, uint64_t *id, struct why *why) {
	return r->world->net->ops->connect(r->world->net, str_of(host), port, timeout_ns, id, why);
}

static enum err say(struct rig *r, uint64_t id, struct str bytes) {
	return r->world->net->ops->send(r->world->net, id, bytes);
}

static void await_open(struct rig *r, uint64_t id) {
	struct t *t = r->t;
	struct net_event e;
	RIG_UNTIL(r, poll_net(r, &e));
	EXPECT(e.kind == NET_OPEN && e.id == id);
}

TEST(bytes_go_both_ways_and_the_end_is_told, .seeds = 10) {
	struct rig r;
	rig_open(&r, t);
	int port;
	int listener = peer_listen(&r, &port);
	struct peer p;
	struct net_event e;
	uint64_t id = 0;
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	EXPECT_OK(dial(&r, hosts[t->seed % 2], port, 5 * NS_PER_SEC, &id, NULL));
	EXPECT_OK(say(&r, id, STR("early "))); /* before it is open */
	await_open(&r, id);
	EXPECT_OK(say(&r, id, STR("hello")));
	RIG_UNTIL(&r, peer_accept(&p, listener));
	RIG_UNTIL(&r, (peer_read(&p), peer_has(&p, "early hello")));

	size_t n = (size_t)rng_below(&t->rng, 500000), got = 0;
	char *bytes = malloc(n + 1);
	for (size_t i = 0; i < n; i++) bytes[i] = (char)rng_below(&t->rng, 256);
	size_t sent = 0;
	while (got < n) {
		ssize_t some = send(p.fd, bytes + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (some > 0) sent += (size_t)some;
		rig_turn(&r);
		while (poll_net(&r, &e)) {
			EXPECT(e.kind == NET_BYTES && e.id == id && memcmp(e.bytes.p, bytes + got, e.bytes.n) == 0);
			got += e.bytes.n;
		}
	}
	peer_close(&p);
	RIG_UNTIL(&r, poll_net(&r, &e));
	EXPECT(e.kind == NET_CLOSED && e.id == id && e.err == ERR_CLOSED);
	EXPECT_ERR(say(&r, id, STR("x")), ERR_CLOSED);
	free(bytes);
	close(listener);
	rig_close(&r);
}

TEST(a_slow_reader_is_told_and_nothing_is_lost) {
	struct rig r;
	rig_open(&r, t);
	int port;
	int listener = peer_listen(&r, &port);
	struct peer p;
	struct net_event e;
	uint64_t id = 0;
	EXPECT_OK(dial(&r, "127.0.0.1", port, 5 * NS_PER_SEC, &id, NULL));
	await_open(&r, id);
	RIG_UNTIL(&r, peer_accept(&p, listener));
	static char piece[100000];
	size_t sent = 0;
	enum err err;
	while ((err = say(&r, id, (struct str){ piece, sizeof piece })) == OK) sent += sizeof piece;
	EXPECT(err == ERR_AGAIN && sent > 1 << 20 && sent < 20 << 20);
	RIG_UNTIL(&r, (peer_read(&p), poll_net(&r, &e)));
	EXPECT(e.kind == NET_WRITABLE && e.id == id);
	RIG_UNTIL(&r, (peer_read(&p), p.got.n == sent));
	peer_close(&p);
	close(listener);
	rig_close(&r);
}

TEST(what_is_not_polled_is_not_read) {
	struct rig r;
	rig_open(&r, t);
	int port;
	int listener = peer_listen(&r, &port);
	struct peer p;
	uint64_t id = 0;
	EXPECT_OK(dial(&r, "127.0.0.1", port, 5 * NS_PER_SEC, &id, NULL));
	await_open(&r, id);
	RIG_UNTIL(&r, peer_accept(&p, listener));
	static char piece[100000];
	size_t sent = 0;
	for (int i = 0; i < 300; i++) {
		ssize_t n = send(p.fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) sent += (size_t)n;
		rig_turn(&r);
	}
	EXPECT(sent < 16 << 20);
	EXPECT(rig_idle_turns(&r) < 10);
	struct net_event e;
	for (size_t got = 0; got < sent;) {
		rig_turn(&r);
		while (poll_net(&r, &e)) got += e.bytes.n;
	}
	peer_close(&p);
	close(listener);
	rig_close(&r);
}

TEST(places_that_are_not_there_fail) {
	struct rig r;
	rig_open(&r, t);
	struct net_event e;
	struct why why;
	uint64_t id = 0;
	int port;
	close(peer_listen(&r, &port));
	EXPECT_OK(dial(&r, "127.0.0.1", port, 5 * NS_PER_SEC, &id, NULL));
	RIG_UNTIL(&r, poll_net(&r, &e));
	EXPECT(e.kind == NET_CLOSED && e.id == id && e.err == ERR_UNREACHABLE);

	EXPECT_OK(dial(&r, "no-such-host.invalid", 80, 5 * NS_PER_SEC, &id, NULL));
	RIG_UNTIL(&r, poll_net(&r, &e));
	EXPECT(e.kind == NET_CLOSED && e.id == id &&
	       (e.err == ERR_UNREACHABLE || e.err == ERR_AGAIN || e.err == ERR_TIMEOUT));

	/* The time-out counts while a name is looked up, and a late answer meets nobody. */
	EXPECT_OK(dial(&r, "another-host.invalid", 80, 1, &id, NULL));
	RIG_UNTIL(&r, poll_net(&r, &e));
	EXPECT(e.kind == NET_CLOSED && e.id == id);

	id = 0;
	EXPECT_ERR(dial(&r, "", 80, NS_PER_SEC, &id, &why), ERR_INVALID);
	EXPECT_ERR(dial(&r, "127.0.0.1", 0, NS_PER_SEC, &id, &why), ERR_INVALID);
	EXPECT_ERR(dial(&r, "127.0.0.1", 70000, NS_PER_SEC, &id, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "70000") && id == 0);
	rig_close(&r);
}

TEST(a_closed_connection_tells_nothing_more) {
	struct rig r;
	rig_open(&r, t);
	int port;
	int listener = peer_listen(&r, &port);
	struct peer p;
	struct net_event e;
	uint64_t id = 0, name = 0;
	EXPECT_OK(dial(&r, "127.0.0.1", port, 5 * NS_PER_SEC, &id, NULL));
	RIG_UNTIL(&r, peer_accept(&p, listener));
	EXPECT_OK(dial(&r, "yet-another-host.invalid", 80, NS_PER_SEC, &name, NULL));
	r.world->net->ops->close(r.world->net, name); /* while its name is looked up */
	rig_turn(&r);
	r.world->net->ops->close(r.world->net, id);
	r.world->net->ops->close(r.world->net, id);
	for (int i = 0; i < 20; i++) rig_turn(&r);
	EXPECT(!poll_net(&r, &e));
	RIG_UNTIL(&r, (peer_read(&p), p.closed));
	peer_close(&p);
	close(listener);
	rig_close(&r);
}

TEST(connections_are_bounded) {
	struct rig r;
	rig_open(&r, t);
	int port;
	int listener = peer_listen(&r, &port);
	uint64_t id;
	int opened = 0;
	struct why why;
	enum err e;
	while ((e = dial(&r, "127.0.0.1", port, 60 * NS_PER_SEC, &id, &why)) == OK && opened < 2000) opened++;
	EXPECT(e == ERR_FULL && opened == 1024);
	rig_close(&r);
	close(listener);
}

RUN(bytes_go_both_ways_and_the_end_is_told, a_slow_reader_is_told_and_nothing_is_lost, what_is_not_polled_is_not_read,
    places_that_are_not_there_fail, a_closed_connection_tells_nothing_more, connections_are_bounded)
