#include "world/linux/servers.h"

#include "world/linux/sys.h"

#include <stdlib.h>
#include <sys/resource.h>

#define SHARE                                                                                                      \
	4 /* a server's connections take at most one file in so many: the state's, the clients' and other servers' are \
	     safe */

struct servers {
	struct http_host host;
	struct loop *loop;
	int64_t connections_max; /* of each */
};

/* The soft limit is low for the sake of select(), which nobody here uses. */
static int64_t files_max(void) {
	struct rlimit files = { 0 };
	if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
	struct rlimit all = { files.rlim_max, files.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &all) == 0) files = all;
	return files.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)files.rlim_cur;
}

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
	struct http_listen l = *o;
	if (l.connections_max > s->connections_max) l.connections_max = s->connections_max;
	e = o->http2 ? http2_open(s->loop, &l, fd, port, out) : http1_open(s->loop, &l, fd, port, out);
	return e ? why_set(why, e, "cannot serve on " STR_FMT ":%d: %s", STR_ARG(o->address), port, err_text(e)) : OK;
}

enum err servers_open(struct loop *l, struct servers **out) {
	struct servers *s = calloc(1, sizeof *s);
	if (!s) return ERR_NOMEM;
	int64_t share = files_max() / SHARE;
	*s = (struct servers){ .host = { .listen = servers_listen }, .loop = l, .connections_max = share > 1 ? share : 1 };
	*out = s;
	return OK;
}

struct http_host *servers_host(struct servers *s) {
	return &s->host;
}

void servers_close(struct servers *s) {
	free(s);
}
