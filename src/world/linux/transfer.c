#include "world/linux/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what comes ---- */

static size_t stop(struct transfer *t, enum err e) {
	t->err = e;
	return 0; /* libcurl reads it as a failed write */
}

static bool read_status(struct transfer *t, struct str line) {
	struct str version, rest, code;
	int64_t status;
	if (!str_cut(line, ' ', &version, &rest)) return false;
	str_cut(str_trim(rest), ' ', &code, &rest);
	if (!str_int(str_trim(code), &status) || status < 100 || status > 999) return false;
	t->x.headers.count = t->x.headers.bytes = 0; /* those of a 100 are forgotten */
	t->x.begin = (struct http_event){ .kind = HTTP_RESPONSE, .status = (int)status };
	return true;
}

/* Called for the status line, each header, the empty line, and after the body for each trailer. */
static size_t on_header(char *p, size_t size, size_t n, void *arg) {
	struct transfer *t = arg;
	struct str line = { p, size * n }, name, value;
	t->progress += (int64_t)line.n;
	struct str text = str_trim(line);
	if (!t->answering && str_starts(line, STR("HTTP/"))) return read_status(t, text) ? line.n : stop(t, ERR_INVALID);
	if (text.n == 0) {
		if (!t->answering && t->x.begin.status >= 200) {
			t->answering = true;
			inbox_head(t->inbox, &t->x);
		}
		return line.n;
	}
	if (!str_cut(text, ':', &name, &value)) return line.n;
	struct headers *h = t->answering ? &t->x.trailers : &t->x.headers;
	return exchange_header(&t->x, h, str_trim(name), str_trim(value)) ? line.n : stop(t, ERR_TOO_LARGE);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
	struct transfer *t = arg;
	struct str bytes = { p, size * n };
	if (t->received_max && t->received + (int64_t)bytes.n > t->received_max) return stop(t, ERR_TOO_LARGE);
	if (bytes.n > exchange_room(&t->x)) {
		t->paused = true; /* these bytes come again when it goes on */
		return CURL_WRITEFUNC_PAUSE;
	}
	if (inbox_body(t->inbox, &t->x, bytes) != OK) return stop(t, ERR_NOMEM);
	t->received += (int64_t)bytes.n;
	t->progress += (int64_t)bytes.n;
	return bytes.n;
}

bool transfer_moved(struct transfer *t) {
	curl_off_t sent = 0;
	curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	/* `progress` is negative zero-based: what was seen before is taken off. */
	int64_t moved = t->progress + sent;
	t->progress = -sent;
	return moved != 0;
}

/* ---- what goes ---- */

static bool is_token(struct str s) {
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!alnum && (!c || !strchr(others, c))) return false;
	}
	return s.n > 0;
}

static bool is_value(struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
	}
	return true;
}

static bool add_line(struct transfer *t, const char *line) {
	struct curl_slist *more = line ? curl_slist_append(t->headers, line) : NULL;
	if (more) t->headers = more;
	return more != NULL;
}

static bool has_header(const struct http_request *r, const char *name) {
	for (size_t i = 0; i < r->header_count; i++) {
		if (str_is(r->headers[i].name, name)) return true;
	}
	return false;
}

static enum err add_headers(struct transfer *t, const struct http_request *r, struct why *why) {
	/* libcurl adds these unless told not to. */
	static const char *const unasked[] = { "accept", "content-type", "expect" };
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];
		/* A value may be a secret: only the name is told. */
		if (!is_token(h->name) || !is_value(h->value))
			return why_set(why, ERR_INVALID, "header '" STR_FMT "' holds a byte that HTTP does not allow",
			               STR_ARG(h->name));
		/* "name;" is how libcurl is asked for an empty one. */
		struct str line = h->value.n
		                      ? str_printf(&t->x.arena, STR_FMT ": " STR_FMT, STR_ARG(h->name), STR_ARG(h->value))
		                      : str_printf(&t->x.arena, STR_FMT ";", STR_ARG(h->name));
		if (!line.p || !add_line(t, str_c(&t->x.arena, line))) return ERR_NOMEM;
	}
	for (size_t i = 0; i < sizeof unasked / sizeof *unasked; i++) {
		if (has_header(r, unasked[i])) continue;
		struct str line = str_printf(&t->x.arena, "%s:", unasked[i]);
		if (!line.p || !add_line(t, str_c(&t->x.arena, line))) return ERR_NOMEM;
	}
	return OK;
}

static enum err set_method(struct transfer *t, const struct http_request *r) {
	CURL *c = t->easy;
	bool head = str_is(r->method, "HEAD");
	bool body = r->body.n || str_is(r->method, "POST") || str_is(r->method, "PUT") || str_is(r->method, "PATCH");
	char *method = str_c(&t->x.arena, r->method);
	if (!method) return ERR_NOMEM;
	if (head) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (body) {
		char *copy = malloc(r->body.n + 1);
		if (!copy) return ERR_NOMEM;
		if (r->body.n) memcpy(copy, r->body.p, r->body.n);
		t->body = (struct str){ copy, r->body.n };
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, copy);
	}
	return curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, head ? NULL : method) == CURLE_OK ? OK : ERR_NOMEM;
}

static void set_blob(CURL *c, CURLoption option, struct str pem) {
	/* Not copied: a key stays where its owner can wipe it. */
	struct curl_blob blob = { .data = (void *)(uintptr_t)pem.p, .len = pem.n, .flags = CURL_BLOB_NOCOPY };
	if (pem.n) curl_easy_setopt(c, option, &blob);
}

static void set_tls(CURL *c, const struct http_tls *tls) {
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Or an encrypted key would be asked for on the terminal. */
	curl_easy_setopt(c, CURLOPT_KEYPASSWD, "");
	if (!tls) return;
	set_blob(c, CURLOPT_CAINFO_BLOB, tls->ca);
	set_blob(c, CURLOPT_SSLCERT_BLOB, tls->cert);
	set_blob(c, CURLOPT_SSLKEY_BLOB, tls->key);
	if (!tls->insecure) return;
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
}

static long ms(int64_t ns) {
	return ns <= 0 ? 0 : (long)((ns - 1) / NS_PER_MS + 1);
}

static void set_rest(struct transfer *t, const struct http_request *r) {
	CURL *c = t->easy;
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, ""); /* nor what the environment says */
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver that hangs */
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, ms(r->connect_timeout_ns));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms(r->timeout_ns));
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->said);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
}

/* ---- where it goes ---- */

static bool part(CURLU *u, CURLUPart which, unsigned int flags, char **out) {
	*out = NULL;
	return curl_url_get(u, which, out, flags) == CURLUE_OK;
}

static enum err check_url(CURLU *u, const char *url, struct why *why) {
	char *scheme = NULL, *user = NULL;
	enum err e = OK;
	CURLUcode code = curl_url_set(u, CURLUPART_URL, url, CURLU_PATH_AS_IS);
	if (code != CURLUE_OK) return why_set(why, ERR_INVALID, "not an http or https URL: %s", curl_url_strerror(code));
	if (!part(u, CURLUPART_SCHEME, 0, &scheme) || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		e = why_set(why, ERR_INVALID, "scheme '%s' is not http or https", scheme ? scheme : "");
	if (!e && (part(u, CURLUPART_USER, 0, &user) || part(u, CURLUPART_PASSWORD, 0, &user)))
		e = why_set(why, ERR_INVALID, "a URL must not hold a user or password: an error would show them; use a header");
	curl_free(scheme);
	curl_free(user);
	return e;
}

/* The URL less query and fragment, which may hold a token. */
static enum err name_it(struct transfer *t, CURLU *u) {
	char *scheme, *host, *port, *path;
	bool all = part(u, CURLUPART_SCHEME, 0, &scheme);
	all = part(u, CURLUPART_HOST, 0, &host) && all;
	all = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) && all;
	all = part(u, CURLUPART_PATH, 0, &path) && all;
	if (all) t->where = str_printf(&t->x.arena, "%s://%s:%s%.80s", scheme, host, port, path).p;
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(path);
	return t->where ? OK : ERR_NOMEM;
}

/* The peer shall show another name than the one we connect to: the URL takes that name, so that it is
 * asked for and checked, and the connection and the Host header keep the old one. */
static enum err rename_peer(struct transfer *t, CURLU *u, const struct http_request *r) {
	char *host, *port, *plain = NULL;
	bool all = part(u, CURLUPART_HOST, 0, &host);
	all = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) && all;
	bool usual = !part(u, CURLUPART_PORT, 0, &plain);
	char *name = str_c(&t->x.arena, r->tls->server_name);
	struct str to = all ? str_printf(&t->x.arena, "::%s:%s", host, port) : (struct str){ NULL, 0 };
	struct str line = !all    ? (struct str){ NULL, 0 }
	                  : usual ? str_printf(&t->x.arena, "host: %s", host)
	                          : str_printf(&t->x.arena, "host: %s:%s", host, port);
	curl_free(host);
	curl_free(port);
	curl_free(plain);
	if (!name || !to.p || !line.p) return ERR_NOMEM;
	if (curl_url_set(u, CURLUPART_HOST, name, 0) != CURLUE_OK) return ERR_INVALID;
	if (!has_header(r, "host") && !add_line(t, line.p)) return ERR_NOMEM;
	t->connect_to = curl_slist_append(NULL, to.p);
	if (!t->connect_to) return ERR_NOMEM;
	curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
	return OK;
}

static enum err set_url(struct transfer *t, const struct http_request *r, struct why *why) {
	char *text = str_c(&t->x.arena, r->url), *final = NULL;
	CURLU *u = curl_url();
	enum err e = text && u ? OK : ERR_NOMEM;
	if (!e) e = check_url(u, text, why);
	if (!e) e = name_it(t, u);
	if (!e && r->tls && r->tls->server_name.n) e = rename_peer(t, u, r);
	if (!e && !part(u, CURLUPART_URL, 0, &final)) e = ERR_NOMEM;
	if (!e && curl_easy_setopt(t->easy, CURLOPT_URL, final) != CURLE_OK) e = ERR_NOMEM;
	curl_free(final);
	curl_url_cleanup(u);
	return e;
}

static void transfer_free(struct exchange *x) {
	struct transfer *t = container_of(x, struct transfer, x);
	transfer_end(t);
	free(t);
}

void transfer_end(struct transfer *t) {
	if (t->easy) curl_easy_cleanup(t->easy);
	t->easy = NULL;
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	t->headers = t->connect_to = NULL;
	free((void *)(uintptr_t)t->body.p);
	t->body = (struct str){ NULL, 0 };
}

static enum err fill(struct transfer *t, const struct http_request *r, struct why *why) {
	if (!is_token(r->method)) return why_set(why, ERR_INVALID, "'" STR_FMT "' is no HTTP method", STR_ARG(r->method));
	t->easy = curl_easy_init();
	if (!t->easy) return ERR_NOMEM;
	enum err e = add_headers(t, r, why);
	if (!e) e = set_url(t, r, why);
	if (!e) e = set_method(t, r);
	if (!e) set_tls(t->easy, r->tls);
	if (!e) set_rest(t, r);
	return e;
}

enum err transfer_new(struct inbox *b, const struct http_request *r, struct transfer **out, struct why *why) {
	struct transfer *t = calloc(1, sizeof *t);
	if (!t) return why_set(why, ERR_NOMEM, "no memory for a request");
	enum err e = inbox_add(b, &t->x, transfer_free);
	if (e) {
		free(t);
		return why_set(why, e, "%zu requests are under way already; try later", b->max);
	}
	t->inbox = b;
	t->x.known = true; /* its id is the caller's from the first moment */
	t->received_max = r->answer_max;
	t->idle_ns = r->idle_timeout_ns;
	why_set(why, OK, "%s", "");
	e = fill(t, r, why);
	if (e) {
		if (why && !why->text[0]) why_set(why, e, "cannot make the request: %s", err_text(e));
		inbox_drop(b, &t->x);
		return e;
	}
	*out = t;
	return OK;
}

/* ---- how it ended ---- */

static enum err err_of(CURLcode code) {
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: return ERR_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT: return ERR_DENIED;
	case CURLE_OUT_OF_MEMORY: return ERR_NOMEM;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING: return ERR_INVALID;
	default: return ERR_CLOSED;
	}
}

void transfer_result(struct transfer *t, CURLcode code) {
	if (code == CURLE_OK && t->answering) {
		inbox_end(t->inbox, &t->x);
		return;
	}
	enum err e = t->err ? t->err : code == CURLE_OK ? ERR_INVALID : err_of(code);
	const char *said = t->err == ERR_TOO_LARGE ? "the answer is larger than allowed"
	                   : t->err                ? err_text(t->err)
	                   : t->said[0]            ? t->said
	                                           : curl_easy_strerror(code);
	struct why why;
	why_set(&why, e, "%s: %s", t->where, said);
	inbox_fail(t->inbox, &t->x, e, why.text);
}
