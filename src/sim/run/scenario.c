#include "sim/run/scenario.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/param.h"
#include "sim/shop/fault.h"

#define TIMES_MAX 1000

static const char *const words[WORDS] = { "incident",   "cause",    "action", "resolved",
	                                      "escalation", "approval", "stale",  "write" };

struct parse {
	struct arena *a;
	const char *name;
	struct why *why;
	struct scenario *s;
	struct str rest; /* of the line */
	uint32_t line;
	int64_t last_at_ns;
};

static enum err bad(const struct parse *p, const char *what, struct str word) {
	return why_set(p->why, ERR_INVALID, "%s:%u: %s%s" STR_FMT "%s", p->name, p->line, what, word.n ? " '" : "",
	               STR_ARG(word), word.n ? "'" : "");
}

/* The next word of the line, or the empty slice. */
static struct str next(struct parse *p) {
	size_t n = 0;
	p->rest = str_trim(p->rest);
	while (n < p->rest.n && p->rest.p[n] != ' ' && p->rest.p[n] != '\t') n++;
	struct str word = { p->rest.p, n };
	p->rest = (struct str){ p->rest.p + n, p->rest.n - n };
	return word;
}

static bool accept(struct parse *p, const char *word) {
	struct parse ahead = *p;
	if (!str_is(next(&ahead), word)) return false;
	p->rest = ahead.rest;
	return true;
}

static enum err duration(struct parse *p, int64_t *out) {
	struct str word = next(p);
	return duration_parse(word, out) ? bad(p, "a duration like 30s or 5m belongs here, not", word) : OK;
}

static enum err number(struct parse *p, double *out) {
	struct str word = next(p);
	return str_double(word, out) && *out >= 0 ? OK : bad(p, "a number belongs here, not", word);
}

static enum err whole(struct parse *p, int64_t *out) {
	struct str word = next(p);
	return str_int(word, out) && *out >= 0 ? OK : bad(p, "a whole number belongs here, not", word);
}

/* ---- steps ---- */

static bool magnitude(enum plan_unit unit, struct str word, double *out) {
	int64_t ns = 0;
	if (unit == PLAN_FACTOR && word.n > 1 && word.p[0] == 'x')
		return str_double((struct str){ word.p + 1, word.n - 1 }, out) && *out > 0;
	if (unit == PLAN_SHARE && word.n > 1 && word.p[word.n - 1] == '%') {
		bool ok = str_double((struct str){ word.p, word.n - 1 }, out) && *out >= 0 && *out <= 100;
		*out /= 100;
		return ok;
	}
	if (unit == PLAN_TIMES) return str_int(word, &ns) && ns > 0 && ns <= TIMES_MAX && (*out = (double)ns, true);
	bool back = unit == PLAN_SECONDS && word.n > 1 && word.p[0] == '-';
	if (back) word = (struct str){ word.p + 1, word.n - 1 };
	if (unit != PLAN_SECONDS || duration_parse(word, &ns)) return false;
	*out = (double)ns / 1e9 * (back ? -1 : 1);
	return true;
}

static bool takes_target(enum plan_kind k) {
	return k < PLAN_SHOP_FAULTS || (plan_is_life(k) && k != PLAN_BURST);
}

/* "after N effects", or "after each N effects until T": the step that this is said of is the line's only one. */
static enum err after(struct parse *p, struct plan_step *s) {
	bool each = accept(p, "each");
	int64_t effects = 0;
	enum err e = whole(p, &effects);
	if (e) return e;
	if (!accept(p, "effects")) return bad(p, "after N takes the word 'effects'", (struct str){ 0 });
	if (!each) return s->effects = effects, OK;
	struct scenario_each *f = &p->s->each;
	if (!plan_is_death(s->kind))
		return bad(p, "only Flyball's deaths come after each:", str_of(plan_table[s->kind].name));
	if (f->effects) return bad(p, "a scenario has one 'after each'", (struct str){ 0 });
	if (!effects) return bad(p, "after each takes a number of effects from 1", (struct str){ 0 });
	if (!accept(p, "until")) return bad(p, "after each takes an end: until 7m", (struct str){ 0 });
	f->effects = effects;
	return duration(p, &f->until_ns);
}

/* [TARGET] [MAGNITUDE] [for D] [after [each] N effects] */
static enum err step_details(struct parse *p, struct plan_step *s) {
	const struct plan_info *info = &plan_table[s->kind];
	bool measured = false;
	for (;;) {
		struct str word = next(p);
		enum err e = OK;
		if (!word.n) break;
		if (str_is(word, "for")) {
			e = duration(p, &s->for_ns);
		} else if (str_is(word, "after")) {
			e = after(p, s);
		} else if (magnitude(info->unit, word, &s->magnitude)) {
			measured = true;
		} else if (s->kind == PLAN_BAD_DEPLOYMENT && *s->target && plan_form_parse(word, &s->form)) {
			continue;
		} else if (takes_target(s->kind) && !*s->target && word.n < sizeof s->target) {
			snprintf(s->target, sizeof s->target, STR_FMT, STR_ARG(word));
		} else {
			e = bad(p, "this says nothing about the fault:", word);
		}
		if (e) return e;
	}
	if (plan_is_life(s->kind) && takes_target(s->kind) && !*s->target)
		return bad(p, "needs to know which one:", str_of(info->name));
	if (!s->for_ns && (s->kind == PLAN_SLEEP || s->kind == PLAN_BURST || s->kind == PLAN_GAP))
		return bad(p, "needs a length like 'for 5m':", str_of(info->name));
	static const char *const wants[] = { "", "needs a factor like x6", "needs a share like 40%",
		                                 "needs a time like 20m", "needs a number of times like 12" };
	bool needless = s->form && !(s->form & (SHOP_SLOWER | SHOP_FAILING)); /* it crashes, or is never ready */
	bool drawn = s->kind < PLAN_SHOP_FAULTS && !*s->target;               /* where nothing is said the shop draws all */
	if (info->unit != PLAN_NOTHING && !measured && !needless && !drawn)
		return bad(p, wants[info->unit], str_of(info->name));
	return OK;
}

static enum err step_kind(struct parse *p, struct plan_step *s) {
	struct str word = next(p);
	bool fault = str_is(word, "fault");
	if (fault) word = next(p);
	bool known = plan_kind_parse(word, &s->kind) && fault == (s->kind < PLAN_FAULTS);
	if (!known && fault)
		return why_set(p->why, ERR_INVALID, "%s:%u: there is no fault '" STR_FMT "', did you mean '%s'?", p->name,
		               p->line, STR_ARG(word), plan_fault_nearest(word));
	if (!known) return bad(p, "'fault NAME', a piece of ordinary life, approve or reject belongs here, not", word);
	return step_details(p, s);
}

static enum err line_at(struct parse *p) {
	struct plan_step s = { 0 };
	int64_t each = p->s->each.effects; /* changed by a line that begins a family */
	enum err e = duration(p, &s.at_ns);
	if (!e) e = step_kind(p, &s);
	if (e) return e;
	p->last_at_ns = s.at_ns;
	if (each != p->s->each.effects) {
		p->s->each.step = s;
		return p->s->each.until_ns > s.at_ns ? OK : bad(p, "until is a time after the line's own", (struct str){ 0 });
	}
	return plan_add(&p->s->plan, &s) ? OK : bad(p, "too many steps", (struct str){ 0 });
}

static enum err line_when(struct parse *p) {
	struct str word = next(p);
	struct plan_step s = { 0 };
	bool dry = str_is(word, "dry_run");
	int64_t each = p->s->each.effects;
	if (!dry && !str_is(word, "effect")) return bad(p, "when takes dry_run or effect, not", word);
	enum err e = step_kind(p, &s);
	if (!e && each != p->s->each.effects) e = bad(p, "after each belongs to an 'at'", (struct str){ 0 });
	if (!e) p->s->when[dry ? SCENARIO_DRY_RUN : SCENARIO_EFFECT] = s;
	return e;
}

void plan_write(const struct fault_plan *p, struct buf *out) {
	for (size_t i = 0; i < p->count; i++) {
		char text[200], at[32];
		duration_format(p->steps[i].at_ns, at);
		plan_step_text(&p->steps[i], text, sizeof text);
		buf_printf(out, "at %s %s%s\n", at, p->steps[i].kind < PLAN_FAULTS ? "fault " : "", text);
	}
}

/* ---- expectations ---- */

static enum err condition(struct parse *p, struct str word, struct scenario_expect *x) {
	static const struct {
		const char *sign;
		enum scenario_op op;
	} ops[] = { { "!=", OP_IS_NOT }, { ">=", OP_AT_LEAST }, { "<=", OP_AT_MOST }, { "=", OP_IS } };
	if (x->condition_count == SCENARIO_CONDITIONS_MAX) return bad(p, "too many conditions", word);
	struct scenario_condition *c = &x->conditions[x->condition_count];
	for (size_t i = 1; i < word.n; i++) {
		for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
			struct str sign = str_of(ops[k].sign), tail = { word.p + i, word.n - i };
			if (!str_starts(tail, sign)) continue;
			*c = (struct scenario_condition){ { word.p, i }, { tail.p + sign.n, tail.n - sign.n }, ops[k].op, 0 };
			if (ops[k].op >= OP_AT_LEAST && !str_double(c->value, &c->number)) return bad(p, "not a number:", c->value);
			x->condition_count++;
			return OK;
		}
	}
	if (x->word != WORD_ACTION || x->condition_count)
		return bad(p, "a condition like key=value belongs here, not", word);
	*c = (struct scenario_condition){ STR("kind"), word, OP_IS, 0 };
	x->condition_count++;
	return OK;
}

/* never two actions on one target within D */
static enum err two_actions(struct parse *p, struct scenario_expect *x) {
	static const char *const rest[] = { "actions", "on", "one", "target", "within" };
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		if (!accept(p, rest[i])) return bad(p, "'two actions on one target within D' was expected", (struct str){ 0 });
	x->word = WORD_TWO_ACTIONS;
	return duration(p, &x->spacing_ns);
}

static enum err line_expect(struct parse *p, bool never, struct str line) {
	struct scenario *s = p->s;
	struct scenario_expect *x = &s->expects[s->expect_count];
	*x = (struct scenario_expect){ .line = line, .number = p->line, .never = never, .until_ns = INT64_MAX };
	if (accept(p, "within")) {
		int64_t within = 0;
		enum err e = duration(p, &within);
		if (e) return e;
		x->from_ns = p->last_at_ns;
		x->until_ns = p->last_at_ns + within;
	}
	struct str word = next(p);
	while (x->word < WORD_TWO_ACTIONS && !str_is(word, words[x->word])) x->word++;
	if (x->word == WORD_TWO_ACTIONS && (!never || !str_is(word, "two")))
		return bad(p, "incident, cause, action, resolved, escalation, approval, stale or write belongs here, not",
		           word);
	enum err e = x->word == WORD_TWO_ACTIONS ? two_actions(p, x) : OK;
	for (word = next(p); !e && word.n; word = next(p)) e = condition(p, word, x);
	if (!e) s->expect_count++;
	return e;
}

/* ---- the rest ---- */

static enum err line_mode(struct parse *p) {
	static const char *const modes[] = { "auto", "approve", "observe" };
	struct str word = next(p);
	for (size_t i = 0; i < 3; i++) {
		if (!str_is(word, modes[i])) continue;
		p->s->mode = (enum scenario_mode)i;
		return OK;
	}
	return bad(p, "mode takes auto, approve or observe, not", word);
}

static enum err line_set(struct parse *p) {
	struct scenario *s = p->s;
	struct scenario_setting set = { .section = next(p), .file = p->name, .line = (int)p->line };
	set.key = next(p);
	set.value = next(p);
	if (!str_is(set.section, "handler") && !str_is(set.section, "policy") && !str_is(set.section, "observe") &&
	    !str_is(set.section, "world"))
		return bad(p, "set takes handler, policy, observe or world, a key and a value, not", set.section);
	if (!set.key.n || !set.value.n) return bad(p, "set takes a key and a value", (struct str){ 0 });
	if (s->setting_count == sizeof s->settings / sizeof *s->settings) return bad(p, "too many settings", set.key);
	s->settings[s->setting_count++] = set;
	return OK;
}

static enum err one_line(struct parse *p, struct str line) {
	struct scenario *s = p->s;
	int64_t seed = 0;
	struct str word = next(p);
	enum err e = OK;
	if (!word.n) return OK;
	if (str_is(word, "at")) return line_at(p);
	if (str_is(word, "when")) return line_when(p);
	if (str_is(word, "expect") || str_is(word, "never")) return line_expect(p, str_is(word, "never"), line);
	if (str_is(word, "set"))
		e = line_set(p);
	else if (str_is(word, "mode"))
		e = line_mode(p);
	else if (str_is(word, "for"))
		e = duration(p, &s->length_ns);
	else if (str_is(word, "rate"))
		e = number(p, &s->rate);
	else if (str_is(word, "seed"))
		e = whole(p, &seed), s->seed = (uint64_t)seed;
	else if (str_is(word, "cold"))
		s->cold = true;
	else
		return bad(p, "a line begins with seed, mode, rate, cold, for, set, at, when, expect or never, not", word);
	if (e) return e;
	word = next(p);
	return word.n ? bad(p, "there is a word too many:", word) : OK;
}

enum err scenario_parse(struct arena *a, struct str text, const char *name, struct scenario *out, struct why *why) {
	struct scenario *s = arena_new(a, struct scenario);
	struct parse p = { .a = a, .name = name, .why = why, .s = s };
	if (!s) return ERR_NOMEM;
	if (text.n > SCENARIO_BYTES_MAX) return why_set(why, ERR_INVALID, "%s: longer than 64 KiB", name);
	*s = (struct scenario){ .name = str_of(name), .seed = 1, .length_ns = 20 * NS_PER_MIN };
	for (size_t i = 0; i < SCENARIO_WHENS; i++) s->when[i].at_ns = -1;
	s->expects = arena_array(a, struct scenario_expect, SCENARIO_LINES_MAX);
	if (!s->expects) return ERR_NOMEM;
	for (struct str rest = text, line; rest.n;) {
		struct str tail, comment;
		(void)str_cut(rest, '\n', &line, &tail);
		rest = tail;
		(void)str_cut(line, '#', &line, &comment);
		p.rest = line = str_trim(line);
		if (++p.line > SCENARIO_LINES_MAX) return why_set(why, ERR_INVALID, "%s: more than 256 lines", name);
		enum err e = one_line(&p, line);
		if (e) return e;
	}
	if (s->length_ns < NS_PER_SEC || s->length_ns > 14 * NS_PER_DAY)
		return why_set(why, ERR_INVALID, "%s: 'for' takes 1s to 14d", name);
	*out = *s;
	return OK;
}
