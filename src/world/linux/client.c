#include "world/linux/client.h"

#include "world/linux/pace.h"
#include "world/linux/transfer.h"

#include <stdlib.h>

#define IDLE_CONNECTIONS_MAX 16L

struct clients {
	struct http_clients port;
	struct loop *loop;
};

struct client {
	struct http_client client;
	struct loop *loop;
	CURLM *multi;
	struct timer timer; /* libcurl's */
	struct timer look;  /* for those that went silent */
	struct task mend;   /* for those whose socket cannot be watched */
	struct inbox inbox;
	struct list transfers, sockets;
};

struct client_socket {
	struct list node;
	struct watch watch;
	struct client *client;
};

static struct client *self(struct http_client *c) {
	return container_of(c, struct client, client);
}

/* ---- the end of a transfer ---- */

/* libcurl's part is over; what came waits to be polled. */
static void detach(struct client *c, struct transfer *t) {
	if (!t->easy) return;
	curl_multi_remove_handle(c->multi, t->easy);
	list_remove(&t->node);
	transfer_end(t);
}

static void collect(struct client *c) {
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));) {
		if (m->msg != CURLMSG_DONE) continue;
		struct transfer *t = NULL;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		transfer_result(t, code);
		detach(c, t);
	}
}

static void act(struct client *c, curl_socket_t fd, int what) {
	int running;
	curl_multi_socket_action(c->multi, fd, what, &running);
	collect(c);
}

/* ---- libcurl's loop in ours ---- */

static void socket_ready(struct watch *w, uint32_t events) {
	struct client_socket *s = container_of(w, struct client_socket, watch);
	int what = 0;
	if (events & EPOLLIN) what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT) what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_ERR;
	act(s->client, w->fd, what);
}

static void socket_forget(struct client_socket *s) {
	loop_unwatch(s->client->loop, &s->watch);
	list_remove(&s->node);
	free(s);
}

/* Its socket cannot be watched: it would hang. libcurl must not be told from its own callback, since it
 * then gives up all of its transfers. */
static void give_up(struct client *c, CURL *easy, enum err e) {
	struct transfer *t = NULL;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	if (t) t->err = e;
	loop_task(c->loop, &c->mend);
}

static void mend(struct task *task) {
	struct client *c = container_of(task, struct client, mend);
	list_each_safe(n, &c->transfers) {
		struct transfer *t = container_of(n, struct transfer, node);
		if (!t->err) continue;
		transfer_result(t, CURLE_OUT_OF_MEMORY);
		detach(c, t);
	}
}

static struct client_socket *socket_new(struct client *c, curl_socket_t fd) {
	struct client_socket *s = calloc(1, sizeof *s);
	if (!s) return NULL;
	*s = (struct client_socket){ .watch = { .fd = fd, .ready = socket_ready }, .client = c };
	list_push(&c->sockets, &s->node);
	curl_multi_assign(c->multi, fd, s);
	return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
	struct client *c = arg;
	struct client_socket *s = known;
	if (what == CURL_POLL_REMOVE) {
		if (s) socket_forget(s);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (s) loop_unwatch(c->loop, &s->watch);
	if (!s) s = socket_new(c, fd);
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	enum err e = s ? loop_watch(c->loop, &s->watch, events) : ERR_NOMEM;
	if (e) give_up(c, easy, e);
	return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg) {
	(void)multi;
	struct client *c = arg;
	if (ms < 0)
		loop_timer_stop(&c->timer);
	else
		loop_timer(c->loop, &c->timer, (struct mono){ clock_mono(loop_clock(c->loop)).ns + ms * NS_PER_MS });
	return 0;
}

static void timer_due(struct timer *t) {
	act(container_of(t, struct client, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* ---- silence ---- */

static void look_at(struct client *c, struct transfer *t) {
	struct mono now = clock_mono(loop_clock(c->loop));
	bool moved = transfer_moved(t);
	if (moved || t->paused) t->progress_at = now;
	if (!t->idle_ns || now.ns - t->progress_at.ns <= t->idle_ns) return;
	t->err = ERR_TIMEOUT;
	transfer_result(t, CURLE_OPERATION_TIMEDOUT);
	detach(c, t);
}

static void look_later(struct client *c) {
	int64_t shortest = INT64_MAX;
	list_each(n, &c->transfers) {
		const struct transfer *t = container_of(n, struct transfer, node);
		if (t->idle_ns && t->idle_ns < shortest) shortest = t->idle_ns;
	}
	if (shortest == INT64_MAX) return;
	loop_timer(c->loop, &c->look, (struct mono){ clock_mono(loop_clock(c->loop)).ns + pace_look_ns(shortest) });
}

static void look_due(struct timer *timer) {
	struct client *c = container_of(timer, struct client, look);
	list_each_safe(n, &c->transfers) look_at(c, container_of(n, struct transfer, node));
	look_later(c);
}

/* ---- the port ---- */

static enum err client_submit(struct http_client *client, const struct http_request *r, uint64_t *id, struct why *why) {
	struct client *c = self(client);
	struct transfer *t = NULL;
	enum err e = transfer_new(&c->inbox, r, &t, why);
	if (e) return e;
	t->progress_at = clock_mono(loop_clock(c->loop));
	if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
		inbox_drop(&c->inbox, &t->x);
		return why_set(why, ERR_NOMEM, "no memory for a request");
	}
	list_push(&c->transfers, &t->node);
	look_later(c);
	*id = t->x.id;
	return OK;
}

static bool client_poll(struct http_client *client, struct http_event *out) {
	struct client *c = self(client);
	struct exchange *x = inbox_poll(&c->inbox, out);
	if (!x) return false;
	struct transfer *t = container_of(x, struct transfer, x);
	if (out->kind == HTTP_BODY && t->paused && t->easy) {
		t->paused = false;
		curl_easy_pause(t->easy, CURLPAUSE_CONT);
	}
	if (out->kind == HTTP_END) inbox_drop(&c->inbox, x);
	return true;
}

static void client_cancel(struct http_client *client, uint64_t id) {
	struct client *c = self(client);
	struct exchange *x = inbox_find(&c->inbox, id);
	if (!x) return;
	detach(c, container_of(x, struct transfer, x));
	inbox_drop(&c->inbox, x);
}

static void client_close(struct http_client *client) {
	struct client *c = self(client);
	list_each_safe(n, &c->transfers) detach(c, container_of(n, struct transfer, node));
	if (c->multi) curl_multi_cleanup(c->multi);
	list_each_safe(n, &c->sockets) socket_forget(container_of(n, struct client_socket, node));
	loop_timer_stop(&c->timer);
	loop_timer_stop(&c->look);
	loop_task_stop(&c->mend);
	inbox_close(&c->inbox);
	free(c);
}

static const struct http_client_ops ops = {
	.submit = client_submit,
	.poll = client_poll,
	.cancel = client_cancel,
	.close = client_close,
};

static enum err set_multi(struct client *c) {
	c->multi = curl_multi_init();
	if (!c->multi) return ERR_NOMEM;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
	return OK;
}

static enum err open_client(struct http_clients *port, int64_t in_flight_max, struct http_client **out) {
	struct clients *owner = container_of(port, struct clients, port);
	if (in_flight_max < 1 || in_flight_max > 65536) return ERR_INVALID;
	struct client *c = calloc(1, sizeof *c);
	if (!c) return ERR_NOMEM;
	*c = (struct client){ .client = { &ops },
		                  .loop = owner->loop,
		                  .timer = { .fire = timer_due },
		                  .look = { .fire = look_due },
		                  .mend = { .run = mend } };
	list_init(&c->transfers);
	list_init(&c->sockets);
	enum err e = inbox_open(&c->inbox, owner->loop, (size_t)in_flight_max);
	if (!e) e = set_multi(c);
	if (e) {
		client_close(&c->client);
		return e;
	}
	*out = &c->client;
	return OK;
}

enum err clients_open(struct loop *l, struct clients **out) {
	struct clients *c = calloc(1, sizeof *c);
	if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		return ERR_NOMEM;
	}
	*c = (struct clients){ .port = { open_client }, .loop = l };
	*out = c;
	return OK;
}

struct http_clients *clients_port(struct clients *c) {
	return &c->port;
}

void clients_close(struct clients *c) {
	if (!c) return;
	curl_global_cleanup();
	free(c);
}
