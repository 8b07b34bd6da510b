#include "base/metrics.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

TEST(a_family_reads_as_open_metrics) {
	struct buf b;
	char label[64];
	buf_init(&b, 0);
	struct metrics_out m = metrics_out(&b);
	metrics_family(&m, "flyball_ingest_requests", "counter", "Requests taken.");
	metrics_value(&m, metrics_label(label, sizeof label, "path", STR("/v1/\"x\"\n\\")), 3);
	metrics_one(&m, "flyball_up", "gauge", "Always one.", 1);
	metrics_end(&m);
	EXPECT(str_is(buf_get(&b), "# TYPE flyball_ingest_requests counter\n"
	                           "# HELP flyball_ingest_requests Requests taken.\n"
	                           "flyball_ingest_requests_total{path=\"/v1/\\\"x\\\"\\n\\\\\"} 3\n"
	                           "# TYPE flyball_up gauge\n# HELP flyball_up Always one.\nflyball_up 1\n# EOF\n"));
	buf_done(&b);
}

TEST(a_label_too_long_is_cut_and_still_closed, .seeds = 50) {
	char out[24], value[64];
	size_t n = (size_t)rng_below(&t->rng, 64);
	memset(value, '"', sizeof value);
	metrics_label(out, sizeof out, "k", (struct str){ value, n });
	size_t len = strlen(out);
	EXPECT(len < sizeof out && out[len - 1] == '"' &&
	       (len < 5 || out[len - 2] != '\\' || out[len - 3] == '\\' || n > 0));
}

RUN(a_family_reads_as_open_metrics, a_label_too_long_is_cut_and_still_closed)
