#include "siege.h"

#include <unistd.h>

#define SPANS  3
#define POINTS 5
#define LOGS   2

#define PROTO "Content-Type: application/x-protobuf\r\n"

static void accepted(struct siege *s, const char *what, const struct answer *a) {
	struct t *t = s->t;
	if (a->status != 200 || a->body.n)
		FAIL("round %lld: %s was answered with %d:\n" STR_FMT, (long long)s->rounds, what, a->status, STR_ARG(a->body));
}

void siege_whole(struct siege *s) {
	struct t *t = s->t;
	struct answer a = ask(t, s->f.otlp_http, "POST", "/v1/traces", PROTO, feed_spans(t, "shop", SPANS, 0));
	accepted(s, "a whole request of spans", &a);
	s->spans += SPANS;
	a = ask(t, s->f.otlp_http, "POST", "/v1/metrics", PROTO "Content-Encoding: gzip\r\n",
	        feed_gzip(t, feed_gauges(t, "shop", POINTS)));
	accepted(s, "a whole request of points in gzip", &a);
	s->points += POINTS;
	int status = grpc_once(t, s->f.otlp_grpc, GRPC_LOGS, feed_logs(t, "shop", LOGS));
	if (status) FAIL("round %lld: a whole call of gRPC ended with %d", (long long)s->rounds, status);
	s->logs += LOGS;
	EXPECT_INT(GET(s->f.api, "/healthz").status, 200);
	s->rounds++;
}

int siege_files(const struct siege *s) {
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)s->f.pid);
	return rig_count_files(path);
}

double siege_cpu_s(const struct siege *s) {
	struct t *t = s->t;
	char path[64];
	long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)s->f.pid);
	struct str text = rig_read(t, path);
	const char *at = memrchr(text.p, ')', text.n);
	EXPECT(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system) == 2);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct siege siege_begin(struct t *t, const char *yaml) {
	struct siege s = { .t = t };
	s.f = rig_flyball(t, str_c(t->arena, str_printf(t->arena, SIEGE_LIMITS "%s", yaml ? yaml : "")));
	rig_start(&s.f);
	for (int i = 0; i < 5; i++) siege_whole(&s);
	s.files = siege_files(&s);
	s.memory_kib = rig_memory_kib(&s.f, "VmRSS");
	return s;
}

static void counted(struct siege *s, const char *signal, int64_t want) {
	struct t *t = s->t;
	char name[80];
	snprintf(name, sizeof name, "flyball_ingest_records_total{signal=\"%s\"}", signal);
	double got = metric(t, s->f.api, name);
	if (got != (double)want) FAIL("%s is %g; acknowledged were %lld", name, got, (long long)want);
}

void siege_end(struct siege *s) {
	struct t *t = s->t;
	siege_whole(s);
	counted(s, "traces", s->spans);
	counted(s, "metrics", s->points);
	counted(s, "logs", s->logs);
	int64_t high = rig_memory_kib(&s->f, "VmHWM"), now = rig_memory_kib(&s->f, "VmRSS");
	printf("  %lld rounds of whole requests; memory %lld KiB in peace, %lld at most, %lld now\n", (long long)s->rounds,
	       (long long)s->memory_kib, (long long)high, (long long)now);
	if (!SANITIZED) EXPECT(high - s->memory_kib <= SIEGE_MEMORY_KIB);
	UNTIL(siege_files(s) <= s->files);
	double before = siege_cpu_s(s);
	rig_sleep_ms(1000);
	if (!SANITIZED) EXPECT(siege_cpu_s(s) - before < 0.5); /* nothing of it goes on */
	EXPECT_INT(RUN_VERB("audit", "verify", "--server", s->f.url).code, 0);
	EXPECT_INT(rig_stop(&s->f), 0);
}
