/* Numbers out of slices: whole slice, decimal, no locale, no hexadecimal, no words. */
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool str_int(struct str s, int64_t *out) {
	if (s.n == 0) return false;
	bool negative = *s.p == '-';
	size_t i = negative || *s.p == '+';
	if (i == s.n) return false;
	int64_t v = 0; /* built below zero, where INT64_MIN has room */
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, s.p[i] - '0', &v)) return false;
	}
	if (!negative && v == INT64_MIN) return false;
	*out = negative ? v : -v;
	return true;
}

/* What the text says: digits * 10^exponent. */
struct decimal {
	uint64_t digits;
	int64_t exponent;
	bool negative, exact; /* exact: every digit is in `digits` */
};

static size_t run(const char *p, const char *end, struct decimal *d, int64_t each) {
	const char *from = p;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (d->digits > UINT64_MAX / 10 - 1) {
			d->exact = false;
			continue;
		}
		d->digits = d->digits * 10 + (uint64_t)(*p - '0');
		d->exponent += each;
	}
	return (size_t)(p - from);
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on one side of the point at least. */
static bool decimal_scan(struct str s, struct decimal *d) {
	const char *p = s.p, *end = s.p + s.n;
	*d = (struct decimal){ .exact = true };
	if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
	size_t whole = run(p, end, d, 0), part = 0;
	p += whole;
	if (p < end && *p == '.') {
		p++;
		part = run(p, end, d, -1);
		p += part;
	}
	if (whole + part == 0) return false;
	if (p == end) return true;
	if (*p != 'e' && *p != 'E') return false;
	p++;
	bool down = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+')) p++;
	if (p == end) return false;
	int64_t e = 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9') return false;
		if (e < 100000) e = e * 10 + (*p - '0');
	}
	d->exponent += down ? -e : e;
	return true;
}

/* Both operands are exact, so one rounding is the right one (Clinger: How to read floating point
 * numbers accurately, 1990). */
static bool quick(const struct decimal *d, double *out) {
	static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
		                           1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	if (!d->exact || d->digits > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22) return false;
	double v = (double)d->digits;
	v = d->exponent < 0 ? v / tens[-d->exponent] : v * tens[d->exponent];
	*out = d->negative ? -v : v;
	return true;
}

bool str_double(struct str s, double *out) {
	struct decimal d;
	if (s.n == 0 || s.n > STR_NUMBER_MAX || !decimal_scan(s, &d)) return false;
	if (quick(&d, out)) return true;
	char text[STR_NUMBER_MAX + 1];
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	char *end;
	double v = strtod(text, &end);
	if (*end || !isfinite(v)) return false;
	*out = v;
	return true;
}
