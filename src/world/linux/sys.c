#include "world/linux/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024

enum err sys_err(int number) {
	switch (number) {
	case 0: return OK;
	case ENOMEM:
	case ENOBUFS: return ERR_NOMEM;
	case EINVAL:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EADDRNOTAVAIL: return ERR_INVALID;
	case EMFILE:
	case ENFILE: return ERR_FULL;
	case ENOENT: return ERR_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY: return ERR_EXISTS;
	case EACCES:
	case EPERM: return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG: return ERR_NOSPACE;
	case EROFS: return ERR_READONLY;
	case EAGAIN:
	case EBUSY:
	case ETXTBSY:
	case EADDRINUSE: return ERR_BUSY;
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN: return ERR_UNREACHABLE;
	case ETIMEDOUT: return ERR_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE: return ERR_CLOSED;
	case ESPIPE:
	case EOPNOTSUPP:
	case ENOSYS: return ERR_UNSUPPORTED;
	default: return ERR_IO;
	}
}

const char *sys_text(int number) {
	const char *text = strerrordesc_np(number);
	return text ? text : "unknown error";
}

static bool numeric(const char *host, int port, struct sys_address *out) {
	struct sockaddr_in *four = (void *)&out->storage;
	struct sockaddr_in6 *six = (void *)&out->storage;
	*out = (struct sys_address){ 0 };
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		out->size = sizeof *four;
		return true;
	}
	if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		out->size = sizeof *six;
		return true;
	}
	return false;
}

bool sys_address_numeric(struct str host, int port, struct sys_address *out) {
	char text[INET6_ADDRSTRLEN];
	if (str_is(host, "localhost")) host = STR("127.0.0.1");
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host = (struct str){ host.p + 1, host.n - 2 };
	if (host.n == 0 || host.n >= sizeof text || port < 0 || port > 65535) return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return numeric(text, port, out);
}

void sys_address_format(const struct sockaddr *a, char *out, size_t n) {
	char host[INET6_ADDRSTRLEN] = "?";
	if (a && a->sa_family == AF_INET) {
		const struct sockaddr_in *four = (const void *)a;
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
		snprintf(out, n, "%s:%d", host, ntohs(four->sin_port));
	} else if (a && a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const void *)a;
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
		snprintf(out, n, "[%s]:%d", host, ntohs(six->sin6_port));
	} else {
		snprintf(out, n, "?");
	}
}

static enum err listen_why(struct why *why, int number, struct str address, int port) {
	enum err e = sys_err(number);
	switch (number) {
	case EADDRINUSE:
		return why_set(why, e,
		               STR_FMT ":%d is in use by another process; stop it (ss -ltnp shows which) or set another port",
		               STR_ARG(address), port);
	case EACCES:
		return why_set(why, e, STR_FMT ":%d: ports below 1024 need CAP_NET_BIND_SERVICE; set a higher port",
		               STR_ARG(address), port);
	case EADDRNOTAVAIL:
		return why_set(why, e, STR_FMT ":%d: this machine has no such address; use 127.0.0.1 or 0.0.0.0",
		               STR_ARG(address), port);
	default: return why_set(why, e, "cannot listen on " STR_FMT ":%d: %s", STR_ARG(address), port, sys_text(number));
	}
}

static int bound_port(int fd) {
	struct sys_address at = { .size = sizeof at.storage };
	if (getsockname(fd, (struct sockaddr *)&at.storage, &at.size) != 0) return 0;
	const struct sockaddr_in *four = (const void *)&at.storage;
	const struct sockaddr_in6 *six = (const void *)&at.storage;
	return ntohs(at.storage.ss_family == AF_INET6 ? six->sin6_port : four->sin_port);
}

enum err sys_listen(struct str address, int port, int *fd, int *bound, struct why *why) {
	struct sys_address at;
	if (!sys_address_numeric(address, port, &at))
		return why_set(why, ERR_INVALID,
		               "cannot listen on '" STR_FMT "' port %d: an IP address and a port from 0 to 65535 are needed",
		               STR_ARG(address), port);
	int s = socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0) return listen_why(why, errno, address, port);

	/* REUSEADDR: a restart must not wait for connections of the run before to time out. */
	const int on = 1;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (at.storage.ss_family == AF_INET6) setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(s, (struct sockaddr *)&at.storage, at.size) != 0 || listen(s, BACKLOG) != 0) {
		enum err e = listen_why(why, errno, address, port);
		close(s);
		return e;
	}
	*fd = s;
	*bound = bound_port(s);
	return OK;
}
