/* What of a request's head is taken.
 *
 * The library is lenient: it takes a second Content-Length, one beside a Transfer-Encoding, codings it does not know,
 * spaces before a colon. Two readers on the way (a proxy and this) may then see a message end at two places, and
 * the rest of it as a request of its own (request smuggling). RFC 9112, sections 5.1, 6.1 and 6.3, and RFC 9110,
 * section 5.5, let a server refuse all of that, and so it is. */
#include "world/linux/http1.h"

#include <string.h>

/* RFC 9110, section 5.6.2. */
static bool is_token(struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))) return false;
	}
	return s.n > 0;
}

static bool is_value(struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f) return false;
	}
	return true;
}

static int count(const struct http_event *e, const char *name) {
	int n = 0;
	for (size_t i = 0; i < e->header_count; i++) n += str_is(e->headers[i].name, name);
	return n;
}

static bool is_chunked(struct str coding) {
	static const char want[] = "chunked";
	for (size_t i = 0; i < coding.n && i < sizeof want - 1; i++)
		if ((coding.p[i] | 0x20) != want[i]) return false;
	return coding.n == sizeof want - 1;
}

const char *http1_refused(const struct http_event *e, const char *version) {
	int lengths = count(e, "content-length"), codings = count(e, "transfer-encoding");
	for (size_t i = 0; i < e->header_count; i++) {
		if (!is_token(e->headers[i].name)) return "a header's name has a byte that is not allowed\n";
		if (!is_value(e->headers[i].value)) return "a header's value has a byte that is not allowed\n";
	}
	if (count(e, "host") > 1) return "more than one Host header\n";
	if (lengths > 1) return "more than one Content-Length header\n";
	if (lengths && codings) return "Content-Length and Transfer-Encoding in one request\n";
	if (codings > 1 || (codings && !is_chunked(http_header(e, "transfer-encoding"))))
		return "a Transfer-Encoding other than chunked\n";
	if (codings && strcmp(version, "HTTP/1.1") != 0) return "Transfer-Encoding in a request of HTTP/1.0\n";
	return NULL;
}
