#include "sim/kube/select.h"

#include <string.h>

struct term {
	struct str key, values; /* values: joined by commas */
	enum { HAS, HAS_NOT, IN, NOT_IN } op;
};

/* Up to the next comma that is not in parentheses. */
static struct str next_term(struct str *rest) {
	size_t i = 0, depth = 0;
	while (i < rest->n && (depth || rest->p[i] != ',')) {
		depth += rest->p[i] == '(';
		depth -= rest->p[i] == ')' && depth;
		i++;
	}
	struct str term = { rest->p, i };
	*rest = i < rest->n ? (struct str){ rest->p + i + 1, rest->n - i - 1 } : (struct str){ NULL, 0 };
	return str_trim(term);
}

static bool is_key(struct str s) {
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", s.p[i])) return false;
	return s.n > 0;
}

static bool parse_set(struct str s, struct term *t) { /* "key in (a,b)" */
	struct str word, rest;
	if (!str_cut(s, ' ', &t->key, &rest)) return false;
	rest = str_trim(rest);
	if (!str_cut(rest, '(', &word, &rest) || !rest.n || rest.p[rest.n - 1] != ')') return false;
	word = str_trim(word);
	t->values = (struct str){ rest.p, rest.n - 1 };
	t->op = str_is(word, "notin") ? NOT_IN : IN;
	return is_key(t->key) && (str_is(word, "in") || str_is(word, "notin"));
}

static bool parse_term(struct str s, struct term *t) {
	*t = (struct term){ .op = HAS };
	if (s.n && s.p[s.n - 1] == ')') return parse_set(s, t);
	if (s.n > 1 && s.p[0] == '!') {
		t->op = HAS_NOT;
		t->key = str_trim((struct str){ s.p + 1, s.n - 1 });
		return is_key(t->key);
	}
	if (!str_cut(s, '=', &t->key, &t->values)) return is_key(t->key = s);
	t->op = t->key.n && t->key.p[t->key.n - 1] == '!' ? NOT_IN : IN;
	if (t->op == NOT_IN) t->key.n--;
	if (t->values.n && t->values.p[0] == '=') t->values = (struct str){ t->values.p + 1, t->values.n - 1 };
	t->key = str_trim(t->key);
	t->values = str_trim(t->values);
	return is_key(t->key);
}

bool sim_kube_selector_valid(struct str selector) {
	struct term t;
	while (selector.n)
		if (!parse_term(next_term(&selector), &t)) return false;
	return true;
}

static bool in_values(struct str values, struct str value) {
	struct str head;
	do {
		if (!str_cut(values, ',', &head, &values)) values = (struct str){ NULL, 0 };
		if (str_eq(str_trim(head), value)) return true;
	} while (values.p);
	return false;
}

static bool holds(const struct term *t, struct str value) {
	switch (t->op) {
	case HAS: return value.p != NULL;
	case HAS_NOT: return !value.p;
	case IN: return value.p && in_values(t->values, value);
	default: return !value.p || !in_values(t->values, value);
	}
}

bool sim_kube_labels_selected(struct str selector, const struct doc *labels) {
	struct term t;
	char key[300];
	while (selector.n) {
		if (!parse_term(next_term(&selector), &t) || t.key.n >= sizeof key) return false;
		memcpy(key, t.key.p, t.key.n);
		key[t.key.n] = '\0';
		if (!holds(&t, doc_str(doc_get(labels, key)))) return false;
	}
	return true;
}

bool sim_kube_fields_selected(struct str selector, const struct doc *object) {
	struct term t;
	char path[300];
	while (selector.n) {
		if (!parse_term(next_term(&selector), &t) || t.key.n >= sizeof path) return false;
		memcpy(path, t.key.p, t.key.n);
		path[t.key.n] = '\0';
		struct str value = doc_str(doc_path(object, path));
		if (!holds(&t, value.p ? value : STR(""))) return false;
	}
	return true;
}

/* What objects can be selected by, beside name and namespace (pkg/apis/core, their SelectableFields). */
static const struct {
	const char *plural, *field;
} selectable[] = {
	{ "pods", "spec.nodeName" },
	{ "pods", "spec.restartPolicy" },
	{ "pods", "spec.schedulerName" },
	{ "pods", "status.phase" },
	{ "pods", "status.podIP" },
	{ "pods", "status.nominatedNodeName" },
	{ "nodes", "spec.unschedulable" },
	{ "events", "involvedObject.kind" },
	{ "events", "reason" },
	{ "events", "involvedObject.namespace" },
	{ "events", "type" },
	{ "events", "involvedObject.name" },
	{ "events", "reportingComponent" },
	{ "events", "involvedObject.uid" },
};

static bool is_selectable(struct str field, const char *plural) {
	if (str_is(field, "metadata.name") || str_is(field, "metadata.namespace")) return true;
	for (size_t i = 0; i < sizeof selectable / sizeof *selectable; i++)
		if (!strcmp(selectable[i].plural, plural) && str_is(field, selectable[i].field)) return true;
	return false;
}

struct str sim_kube_field_unknown(struct str selector, const char *plural) {
	struct term t;
	while (selector.n)
		if (!parse_term(next_term(&selector), &t) || !is_selectable(t.key, plural)) return t.key;
	return (struct str){ NULL, 0 };
}
