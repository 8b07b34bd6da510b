#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/test.h"

static bool parses(const char *text, int64_t ns) {
	struct wall w = { -1 };
	return wall_parse(text, strlen(text), &w) && w.ns == ns;
}

static bool refused(const char *text) {
	struct wall w = { 77 };
	return !wall_parse(text, strlen(text), &w) && w.ns == 77;
}

TEST(a_fake_clock_moves_only_by_hand) {
	struct fake_clock c;
	fake_clock_init(&c, (struct wall){ 1000 });
	EXPECT(clock_mono(&c.clock).ns == 0 && clock_wall(&c.clock).ns == 1000);
	fake_clock_advance(&c, 5);
	EXPECT(clock_mono(&c.clock).ns == 5 && clock_wall(&c.clock).ns == 1005);
	c.wall.ns = 3; /* the wall clock is stepped, the other is not */
	EXPECT(clock_mono(&c.clock).ns == 5 && clock_wall(&c.clock).ns == 3);
}

TEST(known_instants) {
	char text[32];
	wall_format((struct wall){ 0 }, text);
	EXPECT(strcmp(text, "1970-01-01T00:00:00.000Z") == 0);
	wall_format((struct wall){ -1 }, text);
	EXPECT(strcmp(text, "1969-12-31T23:59:59.999Z") == 0);
	wall_format((struct wall){ INT64_MIN }, text);
	EXPECT(strcmp(text, "1677-09-21T00:12:43.145Z") == 0);
	wall_format((struct wall){ INT64_MAX }, text);
	EXPECT(strcmp(text, "2262-04-11T23:47:16.854Z") == 0);
	EXPECT(parses("2026-01-05T10:03:12.25Z", INT64_C(1767607392250000000)));
	EXPECT(parses("1985-04-12T23:20:50.52Z", INT64_C(482196050520000000)));        /* RFC 3339, 5.8 */
	EXPECT(parses("1996-12-19T16:39:57-08:00", INT64_C(851042397000000000)));      /* RFC 3339, 5.8 */
	EXPECT(parses("1990-12-31T23:59:60Z", INT64_C(662688000000000000)));           /* RFC 3339, 5.8 */
	EXPECT(parses("1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130000000))); /* RFC 3339, 5.8 */
	EXPECT(parses("2000-02-29t00:00:00z", INT64_C(951782400000000000)));
	EXPECT(parses("1970-01-01 00:00:00.000000001Z", 1));
	EXPECT(parses("1677-09-21T00:12:43.145224192Z", INT64_MIN));
	EXPECT(parses("2262-04-11T23:47:16.854775807Z", INT64_MAX));
}

TEST(what_is_not_a_time_is_refused) {
	static const char *const bad[] = {
		"",
		"2026",
		"2026-01-05",
		"2026-01-05T10:03:12",
		"2026-1-5T10:03:12Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-05T24:00:00Z",
		"2026-01-05T10:60:00Z",
		"2026-01-05T10:00:61Z",
		"2026-01-05T10:00:00.Z",
		"2026-01-05T10:00:00.1234567890Z",
		"2026-01-05T10:00:00+24:00",
		"2026-01-05T10:00:00+10:60",
		"2026-01-05T10:00:00+1000",
		"2026-01-05T10:00:00Z ",
		"+026-01-05T10:00:00Z",
		" 2026-01-05T10:00:00Z",
		"2026-01-05T10:00:00",
		"2026-01-05T10:00:00ZZ",
		"2026-01-05T1-:00:00Z",
		"1677-09-21T00:12:43.145224191Z",
		"2262-04-11T23:47:16.854775808Z",
		"0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z",
		"1677-09-21T00:12:42Z",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(refused(bad[i]));
	struct wall w;
	EXPECT(!wall_parse("2026-01-05T10:03:12Z", 19, &w) && !wall_parse(NULL, 0, &w));
}

/* The C library's calendar is the twin. */
TEST(format_agrees_with_gmtime_and_parse_reads_it_back, .seeds = 5000) {
	struct wall at = { (int64_t)rng_next(&t->rng) }, back;
	char got[32], want[64];
	wall_format(at, got);
	int64_t ms = at.ns / NS_PER_MS - (at.ns % NS_PER_MS < 0);
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	EXPECT(gmtime_r(&s, &tm));
	size_t n = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(want + n, sizeof want - n, ".%03dZ", (int)(ms - s * 1000));
	EXPECT(strcmp(got, want) == 0);
	if (at.ns < INT64_MIN + NS_PER_SEC) return; /* its millisecond lies before the first instant */
	EXPECT(wall_parse(got, strlen(got), &back) && back.ns == ms * NS_PER_MS);
}

TEST(every_offset_names_the_same_instant, .seeds = 500) {
	char text[80];
	int64_t ns = rng_below(&t->rng, INT64_C(4000000000)) * NS_PER_SEC + rng_below(&t->rng, NS_PER_SEC);
	int minutes = (int)rng_below(&t->rng, 24 * 60);
	bool east = rng_below(&t->rng, 2);
	time_t s = (time_t)(ns / NS_PER_SEC + (east ? 60 : -60) * minutes);
	struct tm tm;
	EXPECT(gmtime_r(&s, &tm));
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%09d%c%02d:%02d", (int)(ns % NS_PER_SEC), east ? '+' : '-', minutes / 60,
	         minutes % 60);
	EXPECT(parses(text, ns));
}

RUN(a_fake_clock_moves_only_by_hand, known_instants, what_is_not_a_time_is_refused,
    format_agrees_with_gmtime_and_parse_reads_it_back, every_offset_names_the_same_instant)
