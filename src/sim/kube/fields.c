#include "sim/kube/fields.h"

#include <stdio.h>

#include "sim/kube/patch.h"
#include "sim/memory.h"

#define FIELD_MAX 512 /* one step of a path, as it stands in FieldsV1 */

/* ---- sets ---- */

static void field_name(char out[FIELD_MAX], const char *member) {
	snprintf(out, FIELD_MAX, "f:%s", member);
}

/* k:{"name":"x"}, keys sorted as they stand in the list of keys. */
static void element_name(char out[FIELD_MAX], const struct doc *element, const char *keys) {
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "k:");
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	for (char name[64]; *keys;) {
		size_t n = strcspn(keys, ",");
		memcpy(name, keys, n);
		name[n] = '\0';
		json_key(&o, name);
		const struct doc *value = doc_get(element, name);
		if (value)
			doc_write(value, &o);
		else
			json_put_c(&o, "TCP"); /* protocol, the only key with a default */
		keys += n + (keys[n] == ',');
	}
	json_end_object(&o);
	snprintf(out, FIELD_MAX, STR_FMT, STR_ARG(buf_get(&b)));
	buf_done(&b);
}

static void set_of(const struct doc *value, struct doc *set);

static bool is_set_list(const char *member) {
	return !strcmp(member, "finalizers");
}

static void set_of_list(const struct doc *list, struct doc *set) {
	const char *keys = sim_kube_list_keys(list->key, list->child);
	char name[FIELD_MAX];
	doc_each(e, list) {
		if (keys) {
			element_name(name, e, keys);
			struct doc *sub = doc_set(set, name, doc_new(JSON_OBJECT));
			doc_set(sub, ".", doc_new(JSON_OBJECT));
			set_of(e, sub);
		} else if (is_set_list(list->key)) {
			snprintf(name, sizeof name, "v:\"%s\"", doc_c(e));
			doc_set(set, name, doc_new(JSON_OBJECT));
		}
	}
}

/* Every field of an object, down to its leaves. */
static void set_of(const struct doc *value, struct doc *set) {
	char name[FIELD_MAX];
	doc_each(c, value) {
		field_name(name, c->key);
		struct doc *sub = doc_set(set, name, doc_new(JSON_OBJECT));
		if (c->kind == JSON_OBJECT && !sim_kube_is_atomic(c->key)) set_of(c, sub);
		if (c->kind == JSON_ARRAY) set_of_list(c, sub);
	}
}

static bool is_leaf(const struct doc *set) {
	return !set->child;
}

static void set_union(struct doc *into, const struct doc *from) {
	doc_each(c, from) {
		struct doc *there = doc_get(into, c->key);
		if (!there)
			doc_set(into, c->key, doc_copy(c));
		else
			set_union(there, c);
	}
}

/* Takes `gone`'s leaves out of `set`; what becomes empty by that goes too. */
static void set_subtract(struct doc *set, const struct doc *gone) {
	doc_each(g, gone) {
		struct doc *there = doc_get(set, g->key);
		if (!there) continue;
		if (is_leaf(g)) {
			if (is_leaf(there)) doc_remove(set, g->key);
			continue;
		}
		if (is_leaf(there)) continue;
		set_subtract(there, g);
		if (is_leaf(there)) doc_remove(set, g->key);
	}
}

/* ---- objects by the steps of a set ---- */

static struct doc *step_into(const struct doc *value, const char *step) {
	if (step[0] == 'f') return doc_get(value, step + 2);
	if (step[0] == 'v') {
		doc_each(e, value) if (e->kind == JSON_STRING && !strncmp(step + 3, e->text, e->text_n) &&
		                       !strcmp(step + 3 + e->text_n, "\"")) return e;
		return NULL;
	}
	struct doc *like = doc_parse(str_of(step + 2), NULL), *found = NULL;
	if (!like) return NULL;
	doc_each(e, value) {
		bool same = e->kind == JSON_OBJECT;
		doc_each(k, like) {
			const struct doc *there = doc_get(e, k->key);
			same = same && (there ? doc_equal(there, k) : !strcmp(doc_c(k), "TCP"));
		}
		if (same) found = e;
	}
	doc_free(like);
	return found;
}

/* Drops from `set` what `object` does not hold. */
static void set_keep_existing(struct doc *set, const struct doc *object) {
	for (struct doc *c = set->child, *next; c; c = next) {
		next = c->next;
		if (!strcmp(c->key, ".")) continue;
		struct doc *value = step_into(object, c->key);
		bool had_children = c->child != NULL;
		if (value && had_children) set_keep_existing(c, value);
		if (!value || (had_children && !c->child)) doc_remove(set, c->key);
	}
}

/* The leaves of `now`'s set whose values differ from `before`'s. */
static void set_changed(struct doc *set, const struct doc *before, const struct doc *now) {
	for (struct doc *c = set->child, *next; c; c = next) {
		next = c->next;
		if (!strcmp(c->key, ".")) {
			if (before) doc_remove(set, c->key);
			continue;
		}
		struct doc *old = step_into(before, c->key), *new = step_into(now, c->key);
		if (c->child) {
			set_changed(c, old, new);
			if (!c->child) doc_remove(set, c->key);
		} else if (doc_equal(old, new)) {
			doc_remove(set, c->key);
		}
	}
}

/* ---- managedFields ---- */

/* What nobody owns: the object's identity and what the server itself writes. */
static void strip(struct doc *set) {
	static const char *const meta[] = { "f:name",
		                                "f:namespace",
		                                "f:uid",
		                                "f:resourceVersion",
		                                "f:generation",
		                                "f:creationTimestamp",
		                                "f:managedFields",
		                                "f:selfLink",
		                                "f:deletionTimestamp",
		                                "f:deletionGracePeriodSeconds" };
	doc_remove(set, "f:apiVersion");
	doc_remove(set, "f:kind");
	struct doc *m = doc_get(set, "f:metadata");
	for (size_t i = 0; m && i < sizeof meta / sizeof *meta; i++) doc_remove(m, meta[i]);
	if (m && is_leaf(m)) doc_remove(set, "f:metadata");
}

static struct doc *fields_of(const struct doc *object) {
	struct doc *set = doc_new(JSON_OBJECT);
	set_of(object, set);
	strip(set);
	return set;
}

static struct doc *entries(struct doc *object) {
	struct doc *meta = doc_make(object, "metadata"), *list = doc_get(meta, "managedFields");
	return list && list->kind == JSON_ARRAY ? list : doc_set(meta, "managedFields", doc_new(JSON_ARRAY));
}

static bool is_entry(const struct doc *e, const struct sim_kube_manager *m, const char *operation) {
	return !strcmp(doc_c(doc_get(e, "manager")), m->name) && !strcmp(doc_c(doc_get(e, "operation")), operation) &&
	       !strcmp(doc_c(doc_get(e, "subresource")), m->subresource);
}

static struct doc *entry(struct doc *list, const struct sim_kube_manager *m, const char *operation) {
	doc_each(e, list) if (is_entry(e, m, operation)) return e;
	return NULL;
}

static void write_entry(struct doc *list, const struct sim_kube_manager *m, const char *operation, struct doc *set) {
	struct doc *e = entry(list, m, operation);
	if (!e) e = doc_push(list, doc_new(JSON_OBJECT));
	doc_set_c(e, "manager", m->name);
	doc_set_c(e, "operation", operation);
	doc_set_c(e, "apiVersion", m->api_version);
	doc_set_c(e, "time", m->time);
	doc_set_c(e, "fieldsType", "FieldsV1");
	doc_set(e, "fieldsV1", set);
	if (*m->subresource) doc_set_c(e, "subresource", m->subresource);
}

static void drop_empty_entries(struct doc *list) {
	for (size_t i = 0; i < doc_count(list);) {
		struct doc *set = doc_get(doc_at(list, i), "fieldsV1");
		if (set && set->child)
			i++;
		else
			doc_free(doc_take_at(list, i));
	}
}

void sim_kube_fields_update(const struct doc *before, struct doc *now, const struct sim_kube_manager *m) {
	struct doc *list = entries(now), *changed = fields_of(now);
	set_changed(changed, before, now);
	doc_each(e, list) {
		struct doc *set = doc_get(e, "fieldsV1");
		set_keep_existing(set, now);
		if (!is_entry(e, m, "Update")) set_subtract(set, changed);
	}
	struct doc *mine = entry(list, m, "Update");
	if (changed->child) {
		struct doc *set = mine ? doc_copy(doc_get(mine, "fieldsV1")) : doc_new(JSON_OBJECT);
		set_union(set, changed);
		write_entry(list, m, "Update", set);
	}
	doc_free(changed);
	drop_empty_entries(list);
}

/* ---- apply ---- */

static void path_text(char *path, size_t n, const char *step) {
	size_t at = strlen(path);
	if (step[0] == 'f')
		snprintf(path + at, n - at, ".%s", step + 2);
	else
		snprintf(path + at, n - at, "[%s]", step + 2);
}

static void push_cause(struct doc *causes, const struct doc *other, const char *field) {
	char message[300];
	struct doc *cause = doc_push(causes, doc_new(JSON_OBJECT));
	const char *sub = doc_c(doc_get(other, "subresource"));
	snprintf(message, sizeof message, "conflict with \"%s\"%s%s%s using %s", doc_c(doc_get(other, "manager")),
	         *sub ? " with subresource \"" : "", sub, *sub ? "\"" : "", doc_c(doc_get(other, "apiVersion")));
	doc_set_c(cause, "reason", "FieldManagerConflict");
	doc_set_c(cause, "message", message);
	doc_set_c(cause, "field", field);
}

/* Leaves in both sets whose value the config would change; they are added to `taken`. */
static void conflicts(const struct doc *mine, const struct doc *theirs, const struct doc *config,
                      const struct doc *live, const struct doc *other, const char *path, struct doc *taken,
                      struct doc *causes) {
	doc_each(c, mine) {
		const struct doc *there = doc_get(theirs, c->key);
		if (!there || !strcmp(c->key, ".")) continue;
		char longer[1024];
		snprintf(longer, sizeof longer, "%s", path);
		path_text(longer, sizeof longer, c->key);
		const struct doc *new = step_into(config, c->key), *old = step_into(live, c->key);
		if (c->child && there->child) {
			struct doc *sub = doc_set(taken, c->key, doc_new(JSON_OBJECT));
			conflicts(c, there, new, old, other, longer, sub, causes);
			if (!sub->child) doc_remove(taken, c->key);
		} else if (is_leaf(c) && is_leaf(there) && !doc_equal(new, old)) {
			doc_set(taken, c->key, doc_new(JSON_OBJECT));
			push_cause(causes, other, longer);
		}
	}
}

/* The config's values put into the object; lists that are maps element by element. */
static void merge_config(struct doc *into, const struct doc *config) {
	doc_each(c, config) {
		struct doc *there = doc_get(into, c->key);
		const char *keys = c->kind == JSON_ARRAY ? sim_kube_list_keys(c->key, c->child) : NULL;
		if (c->kind == JSON_OBJECT && there && there->kind == JSON_OBJECT && !sim_kube_is_atomic(c->key)) {
			merge_config(there, c);
		} else if (keys && there && there->kind == JSON_ARRAY) {
			doc_each(e, c) {
				struct doc *same = sim_kube_list_find(there, keys, e);
				if (same)
					merge_config(same, e);
				else
					doc_push(there, doc_copy(e));
			}
		} else {
			doc_set(into, c->key, doc_copy(c));
		}
	}
}

static void remove_step(struct doc *value, const char *step, struct doc *child) {
	if (step[0] == 'f') {
		doc_remove(value, step + 2);
		return;
	}
	for (size_t i = 0; i < doc_count(value); i++)
		if (doc_at(value, i) == child) doc_free(doc_take_at(value, i));
}

/* Removes from the object what the set holds; an element whose "." is held goes whole. */
static void remove_fields(struct doc *value, const struct doc *set) {
	doc_each(c, set) {
		struct doc *child = strcmp(c->key, ".") ? step_into(value, c->key) : NULL;
		if (!child) continue;
		if (is_leaf(c) || doc_get(c, "."))
			remove_step(value, c->key, child);
		else
			remove_fields(child, c);
	}
}

/* What this manager applied before, does not apply now, and nobody else owns. */
static struct doc *abandoned(struct doc *list, const struct doc *own_entry, const struct doc *mine) {
	struct doc *set = own_entry ? doc_copy(doc_get(own_entry, "fieldsV1")) : doc_new(JSON_OBJECT);
	set_subtract(set, mine);
	doc_each(e, list) if (e != own_entry) set_subtract(set, doc_get(e, "fieldsV1"));
	return set;
}

enum err sim_kube_fields_apply(const struct doc *live, const struct doc *config, const struct sim_kube_manager *m,
                               bool force, struct doc **out, struct doc *causes, struct why *why) {
	struct doc *result = live ? doc_copy(live) : doc_new(JSON_OBJECT), *mine = fields_of(config);
	struct doc *list = entries(result);
	doc_each(e, list) {
		if (is_entry(e, m, "Apply")) continue;
		struct doc *taken = doc_new(JSON_OBJECT), *theirs = doc_get(e, "fieldsV1");
		conflicts(mine, theirs, config, live, e, "", taken, causes);
		if (force) set_subtract(theirs, taken);
		doc_free(taken);
	}
	if (causes->child && !force) {
		(void)why_set(why, ERR_CONFLICT, "Apply failed with %zu conflict%s: %s: %s", doc_count(causes),
		              causes->child->next ? "s" : "", doc_c(doc_get(causes->child, "message")),
		              doc_c(doc_get(causes->child, "field")));
		doc_free(mine);
		doc_free(result);
		return ERR_CONFLICT;
	}
	struct doc *own_entry = entry(list, m, "Apply"), *gone = abandoned(list, own_entry, mine);
	remove_fields(result, gone);
	merge_config(result, config);
	list = entries(result); /* a config has none of its own: checked at the door */
	own_entry = entry(list, m, "Apply");
	if (!own_entry || !doc_equal(doc_get(own_entry, "fieldsV1"), mine) || !doc_equal(live, result))
		write_entry(list, m, "Apply", doc_copy(mine));
	drop_empty_entries(list);
	doc_free(gone);
	doc_free(mine);
	*out = result;
	return OK;
}

struct str sim_kube_fields_owner(const struct doc *object, const char *path) {
	char step[FIELD_MAX];
	doc_each(e, doc_path(object, "metadata.managedFields")) {
		const struct doc *set = doc_get(e, "fieldsV1");
		for (const char *p = path; *p && set;) {
			size_t n = strcspn(p, ".");
			snprintf(step, sizeof step, "f:%.*s", (int)n, p);
			set = doc_get(set, step);
			p += n + (p[n] == '.');
		}
		if (set) return doc_str(doc_get(e, "manager"));
	}
	return (struct str){ NULL, 0 };
}
