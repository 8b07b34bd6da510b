#include "sim/run/demo_table.h"

#include <math.h>
#include <stdio.h>

#include "sim/sim.h"

static void seconds(double s, const char *never, char out[32]) {
	if (isnan(s))
		snprintf(out, 32, "%s", never);
	else if (s < 100)
		snprintf(out, 32, "%.1f s", s);
	else if (s < 600)
		snprintf(out, 32, "%.0f s", s);
	else
		snprintf(out, 32, "%.0f min", s / 60);
}

static void told(double s, char out[32]) {
	char at[32];
	seconds(s, "", at);
	snprintf(out, 32, "%s%.20s", isnan(s) ? "told" : "told at ", at);
}

static struct demo_row flyball(const struct demo_chapter *c, const struct demo_outcome *o) {
	struct demo_row r = { .name = "Flyball" };
	seconds(o->detected_s, "missed", r.detected);
	seconds(o->cause_s, isnan(o->detected_s) ? "-" : "not named", r.cause);
	if (!isnan(o->cause_s)) {
		char at[32];
		seconds(o->cause_s, "", at);
		snprintf(r.cause, sizeof r.cause, "%.20s, %s", at, o->right ? "right" : "wrong");
	}
	bool theirs = isnan(o->resolved_s) && o->escalated && !o->actions;
	if (theirs)
		told(o->told_s, r.people);
	else
		snprintf(r.people, sizeof r.people, "none needed");
	if (!theirs && isnan(o->resolved_s)) snprintf(r.people, sizeof r.people, "-");
	seconds(o->resolved_s, theirs ? "by people" : "not resolved", r.resolved);
	if (!c->curable && !theirs && isnan(o->resolved_s)) snprintf(r.resolved, sizeof r.resolved, "no cure known");
	return r;
}

/* Alarms name no cause. A person is assumed to look from then on; the cure itself takes what Flyball's took. */
static struct demo_row alarm(const char *name, double alarm_s, const struct demo_chapter *c,
                             const struct demo_outcome *o) {
	struct demo_row r = { .name = name, .cause = "-" };
	double mending_s = o->resolved_s - o->acted_s;
	seconds(alarm_s, "no alarm", r.detected);
	if (isnan(alarm_s)) {
		snprintf(r.people, sizeof r.people, "nobody called");
		snprintf(r.resolved, sizeof r.resolved, "-");
		return r;
	}
	snprintf(r.people, sizeof r.people, "%.0f min assumed", SIM_PEOPLE_S / 60);
	if (c->curable && !isnan(mending_s))
		seconds(alarm_s + SIM_PEOPLE_S + mending_s, "", r.resolved);
	else
		snprintf(r.resolved, sizeof r.resolved, "by people");
	return r;
}

void demo_rows(const struct demo_chapter *c, const struct demo_outcome *o, struct demo_row out[DEMO_ROWS]) {
	out[0] = flyball(c, o);
	out[1] = alarm("ten-second alarms", c->alarm_s[1], c, o);
	out[2] = alarm("one-minute alarms", c->alarm_s[0], c, o);
	out[3] = (struct demo_row){ .name = "to beat (median)", .cause = "-", .people = "-" };
	seconds(DEMO_BEAT_DETECT_S, "", out[3].detected);
	seconds(DEMO_BEAT_RESOLVE_S, "", out[3].resolved);
	if (!c->curable) snprintf(out[3].resolved, sizeof out[3].resolved, "-");
}

/* At most 76 columns. */
static void put_row(const char *name, const struct demo_row *r, struct buf *out) {
	buf_printf(out, "  %-19s%-12s%-16s%-16s%s\n", name, r->detected, r->cause, r->people, r->resolved);
}

void demo_table(const struct demo_chapter *c, const struct demo_outcome *o, size_t n, struct demo_style style,
                struct buf *out) {
	static const struct demo_row head = { NULL, "detected", "cause named", "people", "resolved" };
	const char *bold = demo_paint(style, DEMO_BOLD), *off = demo_paint(style, DEMO_PLAIN);
	buf_printf(out, "\n%sIn short%s, since each fault began\n%s", bold, off, demo_paint(style, DEMO_DIM));
	put_row("", &head, out);
	buf_c(out, off);
	for (size_t i = 0; i < n; i++) {
		struct demo_row rows[DEMO_ROWS];
		char title[200];
		demo_rows(&c[i], &o[i], rows);
		snprintf(title, sizeof title, "%.60s on %.60s", c[i].fault, c[i].target);
		buf_c(out, bold);
		demo_paragraph(title, style, out);
		buf_c(out, off);
		for (size_t k = 0; k < DEMO_ROWS; k++) {
			if (!k) buf_c(out, bold);
			put_row(rows[k].name, &rows[k], out);
			if (!k) buf_c(out, off);
		}
	}
	buf_byte(out, '\n');
	demo_paragraph(
		"Alarms: static thresholds on the same telemetry; they name no cause and mend nothing. A person's time "
		"is an assumption; the cure then takes as long as Flyball's. To beat: bounds on medians over many "
		"seeds (`flyball experiment mttd`), set by the published experiment.",
		style, out);
}

/* ---- for programs ---- */

static void json_line(void *self, const struct demo_line *l) {
	struct json_out *o = self;
	json_begin_object(o);
	json_kv_double(o, "at_s", l->at_s);
	json_kv_c(o, "what", l->word);
	json_kv_c(o, "text", l->text);
	json_end_object(o);
}

static void json_figures(const struct demo_chapter *c, const struct demo_outcome *f, struct json_out *o) {
	json_kv_double(o, "detected_s", f->detected_s);
	json_kv_double(o, "cause_s", f->cause_s);
	json_kv_c(o, "cause", *f->cause ? f->cause : NULL);
	json_kv_bool(o, "cause_right", f->right);
	json_kv_double(o, "acted_s", f->acted_s);
	json_kv_double(o, "resolved_s", f->resolved_s);
	json_kv_double(o, "told_people_s", f->told_s);
	json_kv_double(o, "in_band_s", f->over_s);
	json_kv_c(o, "incident", *f->incident ? f->incident : NULL);
	json_kv_c(o, "action", *f->action ? f->action : NULL);
	json_kv_double(o, "alarms_10s_s", c->alarm_s[1]);
	json_kv_double(o, "alarms_1min_s", c->alarm_s[0]);
	json_kv_double(o, "people_assumed_s", SIM_PEOPLE_S);
}

void demo_tell_json(const struct demo_chapter *c, const struct json *events, struct demo_outcome *outcome,
                    struct json_out *o) {
	struct demo_teller t;
	json_begin_object(o);
	json_kv_c(o, "fault", c->fault);
	json_kv_c(o, "target", c->entity);
	json_kv_c(o, "words", c->words);
	json_kv_wall(o, "onset", c->onset);
	json_key(o, "story");
	json_begin_array(o);
	demo_teller_begin(&t, c, (struct demo_sink){ json_line, o }, outcome);
	if (c->delivered_s >= 0) demo_teller_arrived(&t, c->delivered_s);
	json_each(event, events) demo_teller_event(&t, event);
	demo_teller_end(&t);
	json_end_array(o);
	json_figures(c, outcome, o);
	json_end_object(o);
}
