#include "api/auth.h"

#include <string.h>

#include "base/test.h"

TEST(a_token_opens_what_its_role_may) {
	const struct api_token tokens[] = { { STR("eve"), ROLE_VIEWER, sha256(STR("v")) },
		                                { STR("anna"), ROLE_APPROVER, sha256(STR("a")) },
		                                { STR("olaf"), ROLE_OPERATOR, sha256(STR("o")) } };
	static const struct {
		const char *header;
		enum api_role need;
		enum auth_answer want;
	} cases[] = {
		{ "Bearer v", ROLE_VIEWER, AUTH_OK },
		{ "Bearer v", ROLE_APPROVER, AUTH_ROLE },
		{ "Bearer a", ROLE_APPROVER, AUTH_OK },
		{ "Bearer a", ROLE_OPERATOR, AUTH_ROLE },
		{ "bearer  o ", ROLE_OPERATOR, AUTH_OK },
		{ "BEARER o", ROLE_VIEWER, AUTH_OK },
		{ "Bearer x", ROLE_VIEWER, AUTH_UNKNOWN },
		{ "Bearer ", ROLE_VIEWER, AUTH_MISSING },
		{ "Bearer", ROLE_VIEWER, AUTH_MISSING },
		{ "Basic bzo=", ROLE_VIEWER, AUTH_MISSING },
		{ "o", ROLE_VIEWER, AUTH_MISSING },
		{ "", ROLE_VIEWER, AUTH_MISSING },
		{ "Bearer o extra", ROLE_VIEWER, AUTH_UNKNOWN },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		EXPECT(auth_check(tokens, 3, str_of(cases[i].header), cases[i].need, NULL) == cases[i].want);
	const struct api_token *who = NULL;
	EXPECT(auth_check(tokens, 3, STR("Bearer a"), ROLE_OPERATOR, &who) == AUTH_ROLE && str_is(who->name, "anna"));
	EXPECT(auth_check(tokens, 0, STR("Bearer a"), ROLE_VIEWER, NULL) == AUTH_UNKNOWN);
	EXPECT(auth_check(tokens, 3, (struct str){ 0 }, ROLE_VIEWER, NULL) == AUTH_MISSING);
}

TEST(only_this_machine_is_local) {
	static const char *const local[] = { "localhost", "localhost:8555", "127.0.0.1",          "127.0.0.1:8555",
		                                 "[::1]",     "[::1]:8555",     "flyball.localhost:1" };
	static const char *const foreign[] = { "evil.example",
		                                   "evil.example:8555",
		                                   "127.0.0.1.evil.example",
		                                   "localhost.evil.example",
		                                   "10.0.0.1",
		                                   "[::2]",
		                                   "[::1]evil",
		                                   "",
		                                   "127.0.0.1@evil.x",
		                                   "[::1" };
	for (size_t i = 0; i < sizeof local / sizeof *local; i++) EXPECT(auth_host_is_local(str_of(local[i])));
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		EXPECT(!auth_host_is_local((struct str){ foreign[i], strlen(foreign[i]) }));
	EXPECT(auth_host_is_local((struct str){ 0 })); /* no browser leaves it out */
}

RUN(a_token_opens_what_its_role_may, only_this_machine_is_local)
