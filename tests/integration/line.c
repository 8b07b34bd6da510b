#include "line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct line line_open(struct t *t, int port) {
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct line l = { .t = t, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	const int on = 1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (l.fd < 0 || connect(l.fd, (struct sockaddr *)&to, sizeof to) != 0) FAIL("port %d: %s", port, strerror(errno));
	setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	buf_init(&l.in, 0);
	return l;
}

void line_close(struct line *l) {
	if (l->fd >= 0) close(l->fd);
	l->fd = -1;
	buf_done(&l->in);
}

struct str line_unused(const struct line *l) {
	return (struct str){ l->in.p + l->used, l->in.n - l->used };
}

/* Takes what came, without waiting. */
static bool take(struct line *l) {
	char piece[65536];
	ssize_t n = recv(l->fd, piece, sizeof piece, MSG_DONTWAIT);
	if (n > 0) buf_add(&l->in, piece, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) l->closed = true;
	return n > 0;
}

/* An answer may come before the body is sent: it is read, so that neither side waits for the other. */
bool line_send(struct line *l, struct str bytes) {
	struct t *t = l->t;
	int64_t until = rig_now_ms() + PATIENCE_S * 1000;
	while (bytes.n) {
		struct pollfd p = { l->fd, (short)(POLLOUT | (l->closed ? 0 : POLLIN)), 0 };
		if (rig_now_ms() > until) FAIL("nobody took the bytes for %d s", PATIENCE_S);
		poll(&p, 1, 100);
		if (p.revents & POLLIN) take(l);
		if (p.revents & (POLLERR | POLLHUP)) l->closed = true;
		if (p.revents & (POLLERR | POLLHUP) && !(p.revents & POLLOUT)) return false;
		if (!(p.revents & POLLOUT)) continue;
		ssize_t n = send(l->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
		if (n < 0) {
			l->closed = true;
			return false;
		}
		bytes.p += n, bytes.n -= (size_t)n;
	}
	return true;
}

bool line_print(struct line *l, const char *fmt, ...) {
	struct buf b;
	char text[8192];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_init(&b, 0);
	buf_add(&b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
	bool sent = line_send(l, buf_get(&b));
	buf_done(&b);
	return sent;
}

bool line_flood(struct line *l, struct str bytes, size_t n) {
	for (; n > bytes.n; n -= bytes.n)
		if (!line_send(l, bytes)) return false;
	return line_send(l, (struct str){ bytes.p, n });
}

bool line_read(struct line *l, int64_t ms) {
	struct pollfd p = { l->fd, POLLIN, 0 };
	if (l->closed) return false;
	if (poll(&p, 1, (int)ms) <= 0) return false;
	return take(l);
}

bool line_need(struct line *l, size_t n) {
	struct t *t = l->t;
	int64_t until = rig_now_ms() + PATIENCE_S * 1000;
	while (l->in.n - l->used < n) {
		if (!line_read(l, 200) && l->closed) return false;
		if (rig_now_ms() > until)
			FAIL("waited %d s for bytes; there are: " STR_FMT, PATIENCE_S, STR_ARG(line_unused(l)));
	}
	return true;
}

void line_end(struct line *l) {
	(void)line_need(l, SIZE_MAX / 2);
}

/* ---- answers ---- */

static size_t head_end(struct str s) {
	const char *at = s.n ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL;
	return at ? (size_t)(at - s.p) + 4 : 0;
}

static struct str header_of(struct str head, const char *name) {
	struct str rest = head, one;
	for (bool more = true; more;) {
		more = str_cut(rest, '\n', &one, &rest);
		struct str key, value;
		if (!str_cut(one, ':', &key, &value) || key.n != strlen(name) || strncasecmp(key.p, name, key.n) != 0) continue;
		return str_trim(value);
	}
	return (struct str){ 0 };
}

struct str answer_header(struct t *t, const struct answer *a, const char *name) {
	(void)t;
	return header_of(a->head, name);
}

static void chunks(struct line *l, struct buf *out) {
	struct t *t = l->t;
	for (size_t size = 1; size;) {
		char *end = NULL;
		size_t n = 1;
		while (!memchr(line_unused(l).p, '\n', line_unused(l).n))
			if (!line_need(l, n = line_unused(l).n + 1)) return;
		const char *p = line_unused(l).p;
		size = strtoul(p, &end, 16);
		size_t skip = (size_t)((const char *)memchr(p, '\n', line_unused(l).n) - p) + 1;
		if (end == p) FAIL("no chunk: " STR_FMT, STR_ARG(line_unused(l)));
		if (!line_need(l, skip + size + 2)) return;
		buf_add(out, line_unused(l).p + skip, size);
		l->used += skip + size + 2;
	}
}

struct answer line_answer(struct line *l) {
	struct t *t = l->t;
	struct answer a = { 0 };
	size_t n;
	for (;;) {
		while (!(n = head_end(line_unused(l))))
			if (!line_need(l, line_unused(l).n + 1)) return (struct answer){ .closed = true };
		a.head = str_copy(t->arena, (struct str){ line_unused(l).p, n });
		l->used += n;
		if (sscanf(str_c(t->arena, a.head), "HTTP/1.%*d %d", &a.status) != 1)
			FAIL("no answer: " STR_FMT, STR_ARG(a.head));
		if (a.status != 100) break;
	}
	struct buf body;
	int64_t length = 0;
	buf_init(&body, 0);
	if (str_is(header_of(a.head, "transfer-encoding"), "chunked")) {
		chunks(l, &body);
	} else if (str_int(header_of(a.head, "content-length"), &length)) {
		(void)line_need(l, (size_t)length);
		size_t got = line_unused(l).n < (size_t)length ? line_unused(l).n : (size_t)length;
		buf_add(&body, line_unused(l).p, got);
		l->used += got;
	} else if (a.status != 204) {
		line_end(l);
		buf_str(&body, line_unused(l));
		l->used = l->in.n;
	}
	a.body = str_copy(t->arena, buf_get(&body));
	buf_done(&body);
	a.closed = str_is(header_of(a.head, "connection"), "close");
	return a;
}

struct answer ask(struct t *t, int port, const char *method, const char *target, const char *headers, struct str body) {
	struct line l = line_open(t, port);
	struct buf b;
	buf_init(&b, 0);
	buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", method, target, port, headers);
	if (body.p) buf_printf(&b, "Content-Length: %zu\r\n", body.n);
	buf_c(&b, "\r\n");
	if (line_send(&l, buf_get(&b)) && body.n) (void)line_send(&l, body);
	buf_done(&b);
	struct answer a = line_answer(&l);
	line_close(&l);
	return a;
}

const struct json *answer_json(struct t *t, const struct answer *a) {
	const struct json *v = NULL;
	struct why why = { "" };
	if (json_parse(t->arena, a->body, &v, &why)) FAIL("%s: " STR_FMT, why.text, STR_ARG(a->body));
	return v;
}

/* ---- metrics ---- */

static double sum(struct t *t, int api, const char *name, bool family) {
	struct answer a = GET(api, "/metrics");
	struct str rest = a.body, one;
	double found = NAN;
	EXPECT_INT(a.status, 200);
	for (bool more = true; more;) {
		double v = 0;
		more = str_cut(rest, '\n', &one, &rest);
		size_t n = strlen(name);
		if (one.n <= n || memcmp(one.p, name, n) != 0 || (one.p[n] != ' ' && !(family && one.p[n] == '{'))) continue;
		const char *space = memrchr(one.p, ' ', one.n);
		if (str_double((struct str){ space + 1, (size_t)(one.p + one.n - space - 1) }, &v))
			found = isnan(found) ? v : found + v;
	}
	return found;
}

double metric(struct t *t, int api, const char *sample) {
	return sum(t, api, sample, false);
}

double metric_sum(struct t *t, int api, const char *family) {
	double v = sum(t, api, family, true);
	return isnan(v) ? 0 : v;
}
