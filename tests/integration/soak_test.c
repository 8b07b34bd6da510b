/* A steady load for a while: what it costs at the end is what it cost at the beginning. */
#include "siege.h"

#define WARM_S     15 /* tables, pools and the allocator have found their size */
#define SOAK_S     25
#define GROWTH_KIB 2048 /* over the soak: a leak of 10 bytes a record would be more */
#define PROTO      "Content-Type: application/x-protobuf\r\n"

/* A turn of load: kept connections, fresh ones, refusals, reads, all at a steady rate. */
static void turn(struct siege *s, struct line *kept, struct h2 *h, int i) {
	struct t *t = s->t;
	struct call c;
	for (int k = 0; k < 4; k++) {
		struct str body = feed_spans(t, "shop", 100, 0);
		EXPECT(line_print(kept, "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n" PROTO "Content-Length: %zu\r\n\r\n",
		                  body.n) &&
		       line_send(kept, body));
		EXPECT_INT(line_answer(kept).status, 200);
		s->spans += 100;
	}
	struct str logs = grpc_framed(t, feed_logs(t, "shop", 50), false);
	EXPECT_INT(grpc_call(h, GRPC_LOGS, "content-type: application/grpc\n", logs, &c), 0);
	s->logs += 50;
	EXPECT_INT(ask(t, s->f.otlp_http, "POST", "/v1/logs", PROTO, STR("\xff\xff")).status, 400);
	static const char *const reads[] = { "/metrics", "/api/v1/status", "/api/v1/coverage", "/api/v1/events" };
	EXPECT_INT(GET(s->f.api, reads[i % 4]).status, 200);
	siege_whole(s);
	arena_reset(t->arena);
}

/* Turns for so long; what memory it has at the end, as the least of the last seconds: freed pages come and go. */
static int64_t run(struct siege *s, struct line *kept, struct h2 *h, int64_t seconds, int *turns) {
	int64_t until = rig_now_ms() + seconds * 1000, least = INT64_MAX;
	while (rig_now_ms() < until) {
		turn(s, kept, h, (*turns)++);
		int64_t now = rig_memory_kib(&s->f, "VmRSS");
		if (until - rig_now_ms() < 5000 && now < least) least = now;
		rig_sleep_ms(15);
	}
	return least;
}

TEST(a_steady_load_costs_at_the_end_what_it_cost_at_the_beginning) {
	/* What must outlive the turns lies in an arena of its own. */
	struct arena own, *turn_arena = t->arena;
	arena_init(&own, 0);
	t->arena = &own;
	struct siege s = siege_begin(t, NULL);
	struct line kept = line_open(t, s.f.otlp_http);
	struct h2 h = h2_open(t, s.f.otlp_grpc);
	t->arena = turn_arena;
	int turns = 0;
	int64_t before = run(&s, &kept, &h, WARM_S, &turns), files = siege_files(&s);
	int warm = turns;
	int64_t after = run(&s, &kept, &h, SOAK_S, &turns);
	printf("  %d turns of 450 records; memory %lld KiB after %d of them, %lld at the end; %lld files, then %d\n", turns,
	       (long long)before, warm, (long long)after, (long long)files, siege_files(&s));
	if (!SANITIZED) EXPECT(after - before <= GROWTH_KIB);
	UNTIL(siege_files(&s) <= files);
	line_close(&kept);
	h2_close(&h);
	siege_end(&s);
	arena_done(&own);
}

RUN(a_steady_load_costs_at_the_end_what_it_cost_at_the_beginning)
