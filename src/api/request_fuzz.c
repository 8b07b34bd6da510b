/* Any bytes as a request's target, Host and Authorization header: taken apart or refused, and routed at most once. */
#include <assert.h>

#include "api/api_impl.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct arena a;
	struct request_target t;
	struct why why = { "" };
	const struct route *route = NULL;
	const char *allow = NULL;
	struct str text = { (const char *)data, size }, star = { 0 };
	struct api_token token = { .name = STR("x"), .hash = sha256(STR("secret")) };
	arena_init(&a, 4 << 20);
	enum err e = target_parse(&a, text, &t, &why);
	assert(!e || why.text[0]);
	if (!e && !route_find(STR("GET"), &t, &route, &star, &allow)) assert(route && allow);
	(void)auth_host_is_local(text);
	assert(auth_check(&token, 1, text, ROLE_VIEWER, NULL) != AUTH_OK || str_ends(str_trim(text), STR("secret")));
	arena_done(&a);
	return 0;
}
