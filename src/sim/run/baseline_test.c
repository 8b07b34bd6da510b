#include "sim/run/baseline.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/test.h"

#define PERIOD (10 * NS_PER_SEC)

/* Learns 1000 looks at a duration of about 0.1 s and an error share of about 1 %. */
static struct baseline *learned(struct t *t, int *duration, int *errors) {
	struct baseline *b = baseline_new(PERIOD);
	*duration = baseline_series(b, STR("cart"), "duration", false, PERIOD);
	*errors = baseline_series(b, STR("cart"), "errors", false, PERIOD);
	for (int i = 0; i < 1000; i++) {
		baseline_ratio(b, *duration, rng_between(&t->rng, 9, 11), 100);
		baseline_ratio(b, *errors, rng_between(&t->rng, 0, 2), 100);
		EXPECT(baseline_look(b, NULL, 0) == 0);
	}
	baseline_learned(b);
	return b;
}

TEST(an_alarm_comes_with_the_third_breach_in_a_row_and_once, .seeds = 20) {
	int duration, errors;
	struct baseline_alarm a[4];
	struct baseline *b = learned(t, &duration, &errors);
	double slow[] = { 50, 50, 10, 50, 50, 50, 50, 10 };
	for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
		baseline_ratio(b, duration, slow[i], 100);
		baseline_ratio(b, errors, 1, 100);
		size_t n = baseline_look(b, a, 4);
		EXPECT(n == (i == 5));
		if (n) EXPECT(!strcmp(a[0].service, "cart") && !strcmp(a[0].signal, "duration") && a[0].value == 0.5);
		if (n) EXPECT(a[0].threshold > 0.1 && a[0].threshold <= 0.11);
	}
	baseline_free(b);
}

TEST(a_slow_exporter_delays_alarms_and_silence_raises_none) {
	struct baseline_alarm a[4];
	int duration, errors, alarm_at = -1;
	struct baseline *b = learned(t, &duration, &errors);
	EXPECT(baseline_series(b, STR("cart"), "duration", false, 6 * PERIOD) == duration);
	for (int i = 0; i < 30; i++) {
		if (i == 6) baseline_ratio(b, duration, 50, 100); /* one export, then nothing more */
		if (baseline_look(b, a, 4)) alarm_at = i;
	}
	EXPECT(alarm_at == 8);
	baseline_free(b);
}

TEST(low_is_bad_for_levels_and_thresholds_outlive_a_save) {
	struct baseline_alarm a[4];
	struct baseline *b = baseline_new(PERIOD), *c = baseline_new(PERIOD);
	struct buf bytes;
	struct dec d;
	struct why why;
	int ready = baseline_series(b, STR("cart"), "ready", true, PERIOD);
	(void)baseline_series(b, STR("new"), "duration", false, PERIOD); /* never seen: no threshold */
	for (int i = 0; i < 100; i++) {
		baseline_level(b, ready, 3);
		baseline_look(b, NULL, 0);
	}
	baseline_learned(b);
	buf_init(&bytes, 0);
	struct enc e = enc_begin(&bytes, "TEST", 1);
	baseline_save(b, &e);
	enc_end(&e);
	EXPECT_OK(dec_begin(&d, buf_get(&bytes), "TEST", 1, NULL, &why));
	EXPECT_OK(baseline_load(c, &d));
	EXPECT_OK(dec_end(&d));
	for (int i = 0; i < 3; i++) {
		baseline_level(c, baseline_series(c, STR("cart"), "ready", true, PERIOD), 2);
		baseline_ratio(c, baseline_series(c, STR("new"), "duration", false, PERIOD), 1e6, 1);
		EXPECT(baseline_look(c, a, 4) == (i == 2));
	}
	EXPECT(a[0].threshold == 3 && a[0].value == 2);
	EXPECT_OK(dec_begin(&d, buf_get(&bytes), "TEST", 1, NULL, &why));
	d.end -= 9;
	EXPECT_ERR(baseline_load(c, &d), ERR_CORRUPT);
	buf_done(&bytes);
	baseline_free(b);
	baseline_free(c);
	baseline_free(NULL);
}

RUN(an_alarm_comes_with_the_third_breach_in_a_row_and_once, a_slow_exporter_delays_alarms_and_silence_raises_none,
    low_is_bad_for_levels_and_thresholds_outlive_a_save)
