/* What the real SDK sends is read as Google's library reads it: tests/corpus/otlp/README.md. */
#include <inttypes.h>
#include <string.h>

#include "base/test.h"
#include "ingest/otlp.h"
#include "ingest/test_render.h"

/* The files' bytes, put into this object by the assembler: a test needs no file to be there. */
#define FILE_BYTES(name, file)                                                                \
	__asm__(".section .rodata\n" #name "_begin: .incbin \"" CORPUS "/otlp/" file "\"\n" #name \
	        "_end: .byte 0\n.previous\n");                                                    \
	extern const char name##_begin[], name##_end[]

#define RECORDING(name, file)            \
	FILE_BYTES(name##_bin, file ".bin"); \
	FILE_BYTES(name##_txt, file ".txt"); \
	FILE_BYTES(name##_rejected, file ".rejected")

RECORDING(cumulative, "metrics-cumulative");
RECORDING(delta, "metrics-delta");
RECORDING(exponential, "metrics-exponential");
RECORDING(logs, "logs");
RECORDING(traces, "traces");

struct recording {
	const char *name;
	enum otlp_signal signal;
	const char *bin, *bin_end, *txt, *txt_end, *rejected, *rejected_end;
};
#define ENTRY(name, signal)                                                                                       \
	{                                                                                                             \
#name, signal, name##_bin_begin, name##_bin_end, name##_txt_begin, name##_txt_end, name##_rejected_begin, \
			name##_rejected_end                                                                                   \
	}
static const struct recording recordings[] = {
	ENTRY(cumulative, OTLP_METRICS), ENTRY(delta, OTLP_METRICS), ENTRY(exponential, OTLP_METRICS),
	ENTRY(logs, OTLP_LOGS),          ENTRY(traces, OTLP_TRACES),
};

static struct str slice(const char *p, const char *end) {
	return (struct str){ p, (size_t)(end - p) };
}

/* The first line in which two texts differ. */
static void tell(const struct recording *r, struct str got, struct str want) {
	struct str a, b;
	do {
		str_cut(got, '\n', &a, &got);
		str_cut(want, '\n', &b, &want);
	} while (str_eq(a, b) && a.n);
	fprintf(stderr, "%s:\n got " STR_FMT "\nwant " STR_FMT "\n", r->name, STR_ARG(a), STR_ARG(b));
}

static void check(struct t *t, const struct recording *r, struct otlp *o, struct pack *p) {
	struct otlp_result result;
	struct why why = { "" };
	struct packed *batches;
	size_t n;
	struct buf got;
	int64_t rejected;
	buf_init(&got, 0);
	EXPECT_OK(otlp_decode(o, r->signal, slice(r->bin, r->bin_end), (struct wall){ 1 }, p, &result, &why));
	EXPECT_OK(pack_end(p, &batches, &n));
	EXPECT(n == 1);
	EXPECT(render_batch(buf_get(&batches[0].bytes), &got));
	struct str want = slice(r->txt, r->txt_end);
	if (!str_eq(buf_get(&got), want)) tell(r, buf_get(&got), want);
	EXPECT(str_eq(buf_get(&got), want));
	int64_t lines = 0;
	for (size_t i = 0; i < want.n; i++) lines += want.p[i] == '\n';
	EXPECT(result.accepted == lines && batches[0].records == lines && lines > 3);
	EXPECT(str_int(str_trim(slice(r->rejected, r->rejected_end)), &rejected));
	EXPECT(otlp_rejected(&result) == rejected && result.rejected[OTLP_KIND] == rejected);
	buf_done(&got);
}

TEST(every_recording_is_read_to_the_letter) {
	struct otlp *o = NULL;
	struct pack *p = NULL;
	EXPECT_OK(otlp_new((struct otlp_opts){ .batch_bytes_max = 1 << 24 }, &o));
	EXPECT_OK(pack_new(&p));
	for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) check(t, &recordings[i], o, p);
	pack_free(p);
	otlp_free(o);
}

/* A request may be cut anywhere: then it is refused, or it is what a whole but shorter one says. Never
 * more records than the whole has. */
TEST(a_recording_cut_anywhere_is_refused_or_shorter) {
	struct otlp *o = NULL;
	struct pack *p = NULL;
	EXPECT_OK(otlp_new((struct otlp_opts){ .batch_bytes_max = 1 << 24 }, &o));
	EXPECT_OK(pack_new(&p));
	for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) {
		const struct recording *r = &recordings[i];
		struct str whole = slice(r->bin, r->bin_end);
		struct otlp_result all, some;
		struct why why;
		EXPECT_OK(otlp_decode(o, r->signal, whole, (struct wall){ 1 }, p, &all, &why));
		int refused = 0;
		for (size_t n = 0; n < whole.n; n++) {
			char *cut = arena_copy(t->arena, whole.p, n); /* of its own, so that a read past its end shows */
			enum err e = otlp_decode(o, r->signal, (struct str){ cut, n }, (struct wall){ 1 }, p, &some, &why);
			EXPECT(e == OK || e == ERR_INVALID);
			if (e) EXPECT(strstr(why.text, "malformed protobuf"));
			refused += e == ERR_INVALID;
			EXPECT(some.accepted <= all.accepted);
			arena_reset(t->arena);
		}
		EXPECT(refused > (int)whole.n * 9 / 10);
	}
	pack_free(p);
	otlp_free(o);
}

RUN(every_recording_is_read_to_the_letter, a_recording_cut_anywhere_is_refused_or_shorter)
