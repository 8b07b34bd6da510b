#include "world/linux/servers.h"

#include "world/linux/sys.h"

#include <stdlib.h>

struct servers {
	struct http_host host;
	struct loop *loop;
};

static enum err check(const struct http_listen *o, struct why *why) {
	if (o->connections_max < 1 || o->connections_max > 65536)
		return why_set(why, ERR_INVALID, "connections_max is %lld; 1 to 65536 are possible",
		               (long long)o->connections_max);
	if (o->idle_timeout_ns < NS_PER_MS)
		return why_set(why, ERR_INVALID, "an idle timeout of %lld ns is too short", (long long)o->idle_timeout_ns);
	return OK;
}

static enum err servers_listen(struct http_host *h, const struct http_listen *o, struct http_server **out,
                               struct why *why) {
	struct servers *s = container_of(h, struct servers, host);
	int fd = -1, port = 0;
	enum err e = check(o, why);
	if (!e) e = sys_listen(o->address, o->port, &fd, &port, why);
	if (e) return e;
	e = o->http2 ? http2_open(s->loop, o, fd, port, out) : http1_open(s->loop, o, fd, port, out);
	return e ? why_set(why, e, "cannot serve on " STR_FMT ":%d: %s", STR_ARG(o->address), port, err_text(e)) : OK;
}

enum err servers_open(struct loop *l, struct servers **out) {
	struct servers *s = calloc(1, sizeof *s);
	if (!s) return ERR_NOMEM;
	*s = (struct servers){ .host = { .listen = servers_listen }, .loop = l };
	*out = s;
	return OK;
}

struct http_host *servers_host(struct servers *s) {
	return &s->host;
}

void servers_close(struct servers *s) {
	free(s);
}
