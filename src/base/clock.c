#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

static struct mono fake_mono(struct clock *c) {
	return ((struct fake_clock *)c)->mono;
}
static struct wall fake_wall(struct clock *c) {
	return ((struct fake_clock *)c)->wall;
}

void fake_clock_init(struct fake_clock *c, struct wall start) {
	*c = (struct fake_clock){ .clock = { fake_mono, fake_wall }, .wall = start };
}

void fake_clock_advance(struct fake_clock *c, int64_t ns) {
	assert(ns >= 0);
	c->mono.ns += ns;
	c->wall.ns += ns;
}

/* Days since 1970-01-01 and back, proleptic Gregorian (Hinnant: chrono-compatible low-level date
 * algorithms). Years begin in March, so that the leap day comes last. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

struct civil {
	unsigned y, m, d;
};

static struct civil civil_from_days(int64_t days) {
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t m = mp < 10 ? mp + 3 : mp - 9;
	return (struct civil){ (unsigned)(yoe + era * 400 + (m <= 2)), (unsigned)m,
		                   (unsigned)(doy - (153 * mp + 2) / 5 + 1) };
}

void wall_format(struct wall t, char out[32]) {
	int64_t days = t.ns / NS_PER_DAY, rest = t.ns % NS_PER_DAY;
	if (rest < 0) {
		rest += NS_PER_DAY;
		days--;
	}
	struct civil c = civil_from_days(days);
	unsigned ms = (unsigned)(rest / NS_PER_MS % 1000), s = (unsigned)(rest / NS_PER_SEC);
	/* The remainders change nothing; they show the compiler that it fits. */
	snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", c.y % 10000, c.m % 100, c.d % 100, s / 3600 % 24,
	         s / 60 % 60, s % 60, ms);
}

/* A cursor that never passes the end; the first mismatch sticks. */
struct scan {
	const char *p, *end;
	bool bad;
};

static int digits(struct scan *s, int n) {
	int v = 0;
	for (; n > 0; n--, s->p++) {
		if (s->p == s->end || *s->p < '0' || *s->p > '9') {
			s->bad = true;
			return 0;
		}
		v = v * 10 + (*s->p - '0');
	}
	return v;
}

static bool accept(struct scan *s, const char *set) {
	for (; s->p < s->end && *set; set++) {
		if (*s->p != *set) continue;
		s->p++;
		return true;
	}
	return false;
}

static void expect(struct scan *s, const char *set) {
	if (!accept(s, set)) s->bad = true;
}

/* Nanoseconds of ".123456789"; 0 without a point. */
static int64_t fraction(struct scan *s) {
	if (!accept(s, ".")) return 0;
	int64_t ns = digits(s, 1) * (NS_PER_SEC / 10);
	for (int64_t unit = NS_PER_SEC / 100; unit && s->p < s->end && *s->p >= '0' && *s->p <= '9'; unit /= 10) {
		ns += (*s->p++ - '0') * unit;
	}
	return ns;
}

/* Seconds east of UTC: "Z", "+02:00". */
static int64_t offset(struct scan *s) {
	if (accept(s, "Zz")) return 0;
	bool east = accept(s, "+");
	if (!east) expect(s, "-");
	int h = digits(s, 2);
	expect(s, ":");
	int m = digits(s, 2);
	if (h > 23 || m > 59) s->bad = true;
	return (east ? 1 : -1) * (h * INT64_C(3600) + m * INT64_C(60));
}

static int days_in(int y, int m) {
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	return days[m - 1] + (m == 2 && leap);
}

static int64_t date(struct scan *s) {
	int y = digits(s, 4);
	expect(s, "-");
	int m = digits(s, 2);
	expect(s, "-");
	int d = digits(s, 2);
	if (s->bad || m < 1 || m > 12 || d < 1 || d > days_in(y, m)) {
		s->bad = true;
		return 0;
	}
	return days_from_civil(y, m, d);
}

static int64_t time_of_day(struct scan *s) {
	int h = digits(s, 2);
	expect(s, ":");
	int m = digits(s, 2);
	expect(s, ":");
	int sec = digits(s, 2);
	if (h > 23 || m > 59 || sec > 60) s->bad = true;
	return h * INT64_C(3600) + m * INT64_C(60) + sec;
}

bool wall_parse(const char *p, size_t n, struct wall *out) {
	if (!p) return false;
	struct scan s = { p, p + n, false };
	int64_t seconds = date(&s) * 86400;
	expect(&s, "Tt ");
	seconds += time_of_day(&s);
	int64_t ns = fraction(&s);
	seconds -= offset(&s);
	if (s.bad || s.p != s.end) return false;

	/* Toward zero first, so that the earliest instants do not overflow on the way. */
	if (seconds < 0 && ns > 0) {
		seconds++;
		ns -= NS_PER_SEC;
	}
	int64_t at;
	if (__builtin_mul_overflow(seconds, NS_PER_SEC, &at) || __builtin_add_overflow(at, ns, &at)) return false;
	out->ns = at;
	return true;
}
