#include "world/http.h"

#include <string.h>

struct str http_header(const struct http_event *e, const char *name) {
	struct str want = str_of(name);
	for (size_t i = 0; i < e->header_count; i++) {
		if (str_eq(e->headers[i].name, want)) return e->headers[i].value;
	}
	return (struct str){ NULL, 0 };
}
