/* Durations and sizes as people write them: the quantities of param.h. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/param.h"

struct unit {
	const char *name;
	int64_t size;
};

/* From large to small: what duration_parse wants of its terms. */
static const struct unit times[] = {
	{ "d", NS_PER_DAY }, { "h", 60 * NS_PER_MIN }, { "m", NS_PER_MIN }, { "s", NS_PER_SEC },
	{ "ms", NS_PER_MS }, { "us", NS_PER_US },      { "ns", 1 },
};
#define TIMES (sizeof times / sizeof *times)

static const struct unit sizes[] = {
	{ "TiB", INT64_C(1) << 40 },
	{ "GiB", 1 << 30 },
	{ "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },
	{ "Ti", INT64_C(1) << 40 },
	{ "Gi", 1 << 30 },
	{ "Mi", 1 << 20 },
	{ "Ki", 1 << 10 },
	{ "TB", 1000000000000 },
	{ "GB", 1000000000 },
	{ "MB", 1000000 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "B", 1 },
};
#define SIZES        (sizeof sizes / sizeof *sizes)
#define SIZES_BINARY 4 /* those that bytes_format writes */

#define FRACTION_MAX 9 /* digits after the point: 10^9 * 10^18 fits in 128 bits */

/* whole.fraction as a count of 10^-places. */
struct amount {
	int64_t value;
	int64_t scale; /* 10^places */
};

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* Digits off the front of *s. False: none, too large, or more than `places` of them. */
static bool digits(struct str *s, int places, struct amount *a) {
	size_t n = 0;
	for (; s->n && is_digit(*s->p); n++, s->p++, s->n--) {
		if (places && n == (size_t)places) return false;
		if (__builtin_mul_overflow(a->value, 10, &a->value)) return false;
		if (__builtin_add_overflow(a->value, *s->p - '0', &a->value)) return false;
		if (places) a->scale *= 10;
	}
	return n > 0;
}

static bool amount(struct str *s, struct amount *a) {
	*a = (struct amount){ 0, 1 };
	if (!digits(s, 0, a)) return false;
	if (!s->n || *s->p != '.') return true;
	s->p++;
	s->n--;
	return digits(s, FRACTION_MAX, a);
}

/* False: past INT64_MAX, or not a whole number of the base unit. */
static bool times_unit(struct amount a, int64_t unit, int64_t *out) {
	__int128 v = (__int128)a.value * unit;
	if (v % a.scale || v / a.scale > INT64_MAX) return false;
	*out = (int64_t)(v / a.scale);
	return true;
}

static struct str letters(struct str *s) {
	struct str word = { s->p, 0 };
	for (; s->n && !is_digit(*s->p); s->p++, s->n--) word.n++;
	return word;
}

static size_t find_unit(const struct unit *units, size_t n, struct str name) {
	for (size_t i = 0; i < n; i++) {
		if (str_is(name, units[i].name)) return i;
	}
	return n;
}

enum err duration_parse(struct str s, int64_t *ns) {
	int64_t sum = 0;
	if (str_is(s, "0")) {
		*ns = 0;
		return OK;
	}
	if (!s.n) return ERR_INVALID;
	for (size_t next = 0; s.n; next++) {
		struct amount a;
		int64_t term;
		if (!amount(&s, &a)) return ERR_INVALID;
		size_t u = find_unit(times, TIMES, letters(&s));
		if (u == TIMES || u < next) return ERR_INVALID;
		if (!times_unit(a, times[u].size, &term) || __builtin_add_overflow(sum, term, &sum)) return ERR_INVALID;
		next = u;
	}
	*ns = sum;
	return OK;
}

void duration_format(int64_t ns, char out[32]) {
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	size_t n = 0;
	if (ns < 0) out[n++] = '-';
	out[n] = '\0';
	for (size_t i = 0; i < TIMES; i++) {
		uint64_t count = left / (uint64_t)times[i].size;
		if (!count) continue;
		left %= (uint64_t)times[i].size;
		/* Every positive duration fits; of a negative one of centuries the last term may not. */
		char term[32];
		int len = snprintf(term, sizeof term, "%llu%s", (unsigned long long)count, times[i].name);
		if (n + (size_t)len > 31) break;
		memcpy(out + n, term, (size_t)len + 1);
		n += (size_t)len;
	}
	if (ns == 0) memcpy(out, "0s", 3);
}

enum err bytes_parse(struct str s, int64_t *bytes) {
	struct amount a;
	int64_t unit = 1;
	if (!s.n || !amount(&s, &a)) return ERR_INVALID;
	if (s.n) {
		size_t u = find_unit(sizes, SIZES, s);
		if (u == SIZES) return ERR_INVALID;
		unit = sizes[u].size;
	}
	return times_unit(a, unit, bytes) ? OK : ERR_INVALID;
}

void bytes_format(int64_t bytes, char out[32]) {
	for (size_t i = 0; bytes && i < SIZES_BINARY; i++) {
		if (bytes % sizes[i].size) continue;
		snprintf(out, 32, "%lld%s", (long long)(bytes / sizes[i].size), sizes[i].name);
		return;
	}
	snprintf(out, 32, "%lldB", (long long)bytes);
}
