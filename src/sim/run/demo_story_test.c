#include "sim/run/demo_story.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "sim/run/demo_table.h"

#define EVENT(at, type, subject, data) \
	"{\"type\":\"" type "\",\"time\":\"2035-01-01T00:" at "Z\",\"subject\":\"" subject "\",\"data\":" data "}"
#define SIGNAL                                                                                    \
	"{\"entity\":\"service/"                                                                      \
	"cart\",\"signal\":\"errors\",\"value\":0.0994,\"expected\":0.0002,\"low\":0,\"high\":0.005," \
	"\"score\":2}"

static const char told[] = "[" EVENT("09:00.000", "INCIDENT_OPENED", "service/other", "{\"incident\":\"OLD\",\"signals\":[]}") "," EVENT(
	"10:04.000", "INCIDENT_OPENED", "service/cart",
	"{\"incident\":\"01AAAAAAAAAAAAAAAAAAAAAAAA\",\"severity\":0.63,\"signals\":[" SIGNAL
	"]}") "," EVENT("10:04.500", "ANOMALY_DETECTED", "service/frontend",
                    "{\"entity\":\"service/frontend\",\"signal\":\"errors\"}") "," EVENT("10:05.500", "RCA_REPORT",
                                                                                         "service/cart",
                                                                                         "{\"incident\":"
                                                                                         "\"01AAAAAAAAAAAAAAAAAAAAAAAA"
                                                                                         "\",\"none\":false,\"root_"
                                                                                         "causes\":[{\"entity\":"
                                                                                         "\"service/cart\",\"kind\":"
                                                                                         "\"errors\",\"confidence\":0."
                                                                                         "97,\"evidence\":[\"calls "
                                                                                         "from service/frontend and "
                                                                                         "from service/checkout to "
                                                                                         "service/cart take 512.6 ms, "
                                                                                         "usually 4.9 ms (66 "
                                                                                         "calls)\"]}]}") "," EVENT("10:"
                                                                                                                   "05."
                                                                                                                   "60"
                                                                                                                   "0",
                                                                                                                   "ACT"
                                                                                                                   "ION"
                                                                                                                   "_PL"
                                                                                                                   "ANN"
                                                                                                                   "ED",
                                                                                                                   "ser"
                                                                                                                   "vic"
                                                                                                                   "e/"
                                                                                                                   "car"
                                                                                                                   "t",
                                                                                                                   "{\""
                                                                                                                   "act"
                                                                                                                   "ion"
                                                                                                                   "\":"
                                                                                                                   "\"0"
                                                                                                                   "1BB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "BBB"
                                                                                                                   "B\""
                                                                                                                   ",\""
                                                                                                                   "kin"
                                                                                                                   "d\""
                                                                                                                   ":\""
                                                                                                                   "rol"
                                                                                                                   "lou"
                                                                                                                   "t_"
                                                                                                                   "res"
                                                                                                                   "tar"
                                                                                                                   "t\""
                                                                                                                   ",\""
                                                                                                                   "dec"
                                                                                                                   "isi"
                                                                                                                   "on"
                                                                                                                   "\":"
                                                                                                                   "\"d"
                                                                                                                   "o\""
                                                                                                                   ",\""
                                                                                                                   "cau"
                                                                                                                   "se"
                                                                                                                   "\":"
                                                                                                                   "{},"
                                                                                                                   "\"s"
                                                                                                                   "umm"
                                                                                                                   "ary"
                                                                                                                   "\":"
                                                                                                                   "\"r"
                                                                                                                   "est"
                                                                                                                   "art"
                                                                                                                   " De"
                                                                                                                   "plo"
                                                                                                                   "yme"
                                                                                                                   "nt "
                                                                                                                   "sho"
                                                                                                                   "p/"
                                                                                                                   "car"
                                                                                                                   "t "
                                                                                                                   "(3 "
                                                                                                                   "pod"
                                                                                                                   "s, "
                                                                                                                   "rol"
                                                                                                                   "lin"
                                                                                                                   "g)"
                                                                                                                   "\","
                                                                                                                   "\"g"
                                                                                                                   "ate"
                                                                                                                   "s\""
                                                                                                                   ":[{"
                                                                                                                   "\"n"
                                                                                                                   "ame"
                                                                                                                   "\":"
                                                                                                                   "\"p"
                                                                                                                   "oli"
                                                                                                                   "cy"
                                                                                                                   "\","
                                                                                                                   "\"v"
                                                                                                                   "erd"
                                                                                                                   "ict"
                                                                                                                   "\":"
                                                                                                                   "\"p"
                                                                                                                   "ass"
                                                                                                                   "\"}"
                                                                                                                   ",{"
                                                                                                                   "\"n"
                                                                                                                   "ame"
                                                                                                                   "\":"
                                                                                                                   "\"c"
                                                                                                                   "irc"
                                                                                                                   "uit"
                                                                                                                   "_br"
                                                                                                                   "eak"
                                                                                                                   "er"
                                                                                                                   "\","
                                                                                                                   "\"v"
                                                                                                                   "erd"
                                                                                                                   "ict"
                                                                                                                   "\":"
                                                                                                                   "\"n"
                                                                                                                   "ot_"
                                                                                                                   "con"
                                                                                                                   "fig"
                                                                                                                   "ure"
                                                                                                                   "d\""
                                                                                                                   "}]"
                                                                                                                   "}") "," EVENT("10:05.700",
                                                                                                                                  "ACTION_LOG",
                                                                                                                                  "service/cart",
                                                                                                                                  "{\"state\":\"applied\",\"why\":\"the API server confirmed it\"}") "," EVENT("10:44.000",
                                                                                                                                                                                                               "ACTION_LOG",
                                                                                                                                                                                                               "service/cart",
                                                                                                                                                                                                               "{\"state\":\"verified\",\"why\":\"back in band\",\"verification\":{\"since\":\"2035-01-01T00:10:28.000Z\"}}") "]";

static struct demo_chapter chapter(struct t *t) {
	struct demo_chapter c = { .number = 1, .fault = "error-burst", .target = "cart", .entity = "service/cart" };
	c.causes = "errors|deployment";
	c.words = "a third of its requests fail";
	c.curable = true;
	c.delivered_s = 0.4;
	c.alarm_s[0] = NAN;
	c.alarm_s[1] = 27.4;
	EXPECT(wall_parse("2035-01-01T00:10:00Z", 20, &c.onset) && wall_parse("2035-01-01T00:17:00Z", 20, &c.end));
	return c;
}

static const struct json *parsed(struct t *t, const char *text) {
	const struct json *j = NULL;
	struct why why = { "" };
	if (json_parse(t->arena, str_of(text), &j, &why)) fprintf(stderr, "%s\n", why.text);
	EXPECT(j != NULL);
	return j;
}

/* No line is longer than 100 columns, colours apart. */
static void narrow(struct t *t, const char *text) {
	size_t wide = 0;
	for (const char *p = text; *p; p++) {
		while (*p == '\033') p = strchr(p, 'm') + 1;
		if (!*p) break;
		wide = *p == '\n' ? 0 : wide + (((unsigned char)*p & 0xc0) != 0x80);
		EXPECT(wide <= 100);
	}
}

TEST(a_story_is_told_from_events_and_nothing_else) {
	struct demo_chapter c = chapter(t);
	struct demo_outcome o;
	struct buf b;
	for (int color = 0; color < 2; color++) {
		buf_init(&b, 0);
		demo_tell(&c, parsed(t, told), (struct demo_style){ .color = color }, &b, &o);
		demo_table(&c, &o, 1, (struct demo_style){ .color = color }, &b);
		buf_byte(&b, 0);
		EXPECT((strchr(b.p, '\033') != NULL) == color);
		narrow(t, b.p);
		if (!color) {
			EXPECT(strstr(b.p, "   +4.0 s  seen      service/cart: errors 9.9 %, usually 0.02 %\n"));
			EXPECT(strstr(b.p, "   +5.5 s  cause     service/cart, errors, 97 % sure\n"));
			EXPECT(strstr(b.p, "the same incident also holds: service/frontend errors"));
			EXPECT(strstr(b.p, "gates     1 pass (policy), 1 not configured\n"));
			EXPECT(strstr(b.p, "  +44.0 s  verified  back in band, since +28.0 s\n"));
			EXPECT(!strstr(b.p, "OLD") && !strstr(b.p, "4.9\n"));
			EXPECT(strstr(b.p, "ten-second alarms  27.4 s") && strstr(b.p, "no alarm"));
			EXPECT(strstr(b.p, "15 min assumed  16 min")); /* 27.4 + 900 + the cure's own 38.4 s */
		}
		buf_done(&b);
	}
	EXPECT(o.detected_s == 4 && o.cause_s == 5.5 && o.resolved_s == 44 && o.right && o.incidents == 1 &&
	       o.actions == 1);
	EXPECT(!strcmp(o.action, "01BBBBBBBBBBBBBBBBBBBBBBBB") && !strcmp(o.incident, "01AAAAAAAAAAAAAAAAAAAAAAAA"));
}

TEST(what_was_missed_or_left_to_people_is_said) {
	struct demo_chapter c = chapter(t);
	struct demo_outcome o;
	struct buf b;
	buf_init(&b, 0);
	demo_tell(&c, parsed(t, "[]"), (struct demo_style){ 0 }, &b, &o);
	demo_table(&c, &o, 1, (struct demo_style){ 0 }, &b);
	buf_byte(&b, 0);
	EXPECT(strstr(b.p, "Flyball did not see it") && strstr(b.p, "missed") && strstr(b.p, "not resolved"));
	buf_clear(&b);
	demo_tell(
		&c,
		parsed(t, "[" EVENT(
					  "10:06.000", "ACTION_PLANNED", "service/cart",
					  "{\"kind\":null,\"cause\":{\"entity\":\"x\"},\"decision\":\"tell\",\"summary\":\"escalation, no "
					  "action: nobody can\"}") "]"),
		(struct demo_style){ 0 }, &b, &o);
	demo_table(&c, &o, 1, (struct demo_style){ 0 }, &b);
	buf_byte(&b, 0);
	EXPECT(strstr(b.p, "people    nobody can\n") && o.escalated && strstr(b.p, "told at 6.0 s"));
	EXPECT(strstr(b.p, "by people"));
	buf_done(&b);
}

RUN(a_story_is_told_from_events_and_nothing_else, what_was_missed_or_left_to_people_is_said)
