#include "stream/hints.h"

#include <ctype.h>
#include <string.h>

#include "base/test.h"

static bool says(const char *text, enum hint h) {
	return hints_of_text(str_of(text)) >> h & 1;
}

/* What the libraries themselves print, with their numbers drawn: the words decide, not the figures. */
TEST(what_libraries_say_of_an_empty_pool_is_understood, .seeds = 20) {
	static const char *const texts[] = {
		"HikariPool-1 - Connection is not available, request timed out after #ms (total=10, active=10, idle=0)",
		"QueuePool limit of size # overflow 10 reached, connection timed out, timeout 30.00",
		"Knex: Timeout acquiring a connection. The pool is probably full (#).",
		"timeout exceeded when trying to connect (#)",
		"Timed out after # ms while waiting for a connection to server",
		"redis: connection pool timeout after # ms",
		"FATAL: sorry, too many clients already (#)",
		"FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute (#)",
		"The connection pool has been exhausted, either raise 'Max Pool Size' (currently #)",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[300] = "";
		const char *at = strchr(texts[i], '#');
		snprintf(text, sizeof text, "%.*s%d%s", (int)(at - texts[i]), texts[i], (int)rng_below(&t->rng, 100000),
		         at + 1);
		EXPECT(says(text, HINT_POOL) && !says(text, HINT_DISK) && !says(text, HINT_MEMORY));
		for (char *p = text; *p; p++)
			if (rng_below(&t->rng, 2)) *p = (char)toupper((unsigned char)*p);
		EXPECT(says(text, HINT_POOL));
	}
}

TEST(a_full_disk_is_told_by_text_and_by_code) {
	EXPECT(says("write /data/x: no space left on device", HINT_DISK));
	EXPECT(says("Error: ENOSPC: write", HINT_DISK) && says("open: Read-only file system", HINT_DISK));
	EXPECT(hint_of_code(STR("postgresql"), STR("53100")) == HINT_DISK);
	EXPECT(hint_of_code(STR("mysql"), STR("1114")) == HINT_DISK);
	EXPECT(hint_of_code(STR("postgresql"), STR("1114")) == HINTS); /* a number means what its system means by it */
	EXPECT(hint_of_code(STR("postgresql"), STR("53300")) == HINT_POOL);
	EXPECT(hint_of_code(STR("postgresql"), STR("")) == HINTS && hint_of_code(STR(""), STR("timeout")) == HINTS);
}

TEST(ordinary_errors_hint_at_nothing) {
	EXPECT(!hints_of_text(STR("POST /orders failed: order 4711 has no items")));
	EXPECT(!hints_of_text(STR("")));
	EXPECT(!says("connection to db closed by peer", HINT_POOL));
	EXPECT(!says("host not found when trying to connect", HINT_POOL));
}

RUN(what_libraries_say_of_an_empty_pool_is_understood, a_full_disk_is_told_by_text_and_by_code,
    ordinary_errors_hint_at_nothing)
