#include "sim/kube/patch.h"

#include "sim/memory.h"

/* ---- which lists are maps (the types' patchMergeKey and listMapKey markers) ---- */

static const struct {
	const char *list, *keys;
} list_maps[] = {
	{ "containers", "name" },
	{ "initContainers", "name" },
	{ "ephemeralContainers", "name" },
	{ "env", "name" },
	{ "volumes", "name" },
	{ "volumeMounts", "mountPath" },
	{ "imagePullSecrets", "name" },
	{ "conditions", "type" },
	{ "ownerReferences", "uid" },
};

const char *sim_kube_list_keys(const char *list, const struct doc *element) {
	if (!element || element->kind != JSON_OBJECT) return NULL;
	for (size_t i = 0; i < sizeof list_maps / sizeof *list_maps; i++)
		if (!strcmp(list, list_maps[i].list)) return list_maps[i].keys;
	if (!strcmp(list, "ports")) return doc_get(element, "containerPort") ? "containerPort,protocol" : "port,protocol";
	return NULL;
}

bool sim_kube_is_atomic(const char *member) {
	return !strcmp(member, "selector") || !strcmp(member, "nodeSelector");
}

static bool same_keys(const struct doc *a, const struct doc *b, const char *keys) {
	char name[64];
	while (*keys) {
		size_t n = strcspn(keys, ",");
		memcpy(name, keys, n);
		name[n] = '\0';
		struct doc *x = doc_get(a, name), *y = doc_get(b, name);
		/* protocol is TCP unless it says otherwise */
		bool same = !strcmp(name, "protocol") ? !strcmp(x ? doc_c(x) : "TCP", y ? doc_c(y) : "TCP") : doc_equal(x, y);
		if (!same) return false;
		keys += n + (keys[n] == ',');
	}
	return true;
}

struct doc *sim_kube_list_find(const struct doc *array, const char *keys, const struct doc *like) {
	doc_each(e, array) if (same_keys(e, like, keys)) return e;
	return NULL;
}

/* ---- merge patch ---- */

void sim_kube_merge_patch(struct doc *target, const struct doc *patch) {
	doc_each(p, patch) {
		if (p->kind == JSON_NULL) {
			doc_remove(target, p->key);
			continue;
		}
		struct doc *there = doc_get(target, p->key);
		if (p->kind != JSON_OBJECT) {
			doc_set(target, p->key, doc_copy(p));
			continue;
		}
		if (!there || there->kind != JSON_OBJECT) there = doc_set(target, p->key, doc_new(JSON_OBJECT));
		sim_kube_merge_patch(there, p);
	}
}

/* ---- strategic merge patch ---- */

static bool is_directive(const char *key) {
	return key[0] == '$';
}

static bool says(const struct doc *patch, const char *directive) {
	return !strcmp(doc_c(doc_get(patch, "$patch")), directive);
}

/* A copy without directives. */
static struct doc *plain_copy(const struct doc *patch) {
	struct doc *copy = doc_copy(patch);
	if (copy->kind == JSON_OBJECT) {
		doc_remove(copy, "$patch");
		doc_remove(copy, "$retainKeys");
	}
	return copy;
}

static void list_remove_like(struct doc *array, const char *keys, const struct doc *like) {
	size_t at = 0;
	doc_each(e, array) {
		if (same_keys(e, like, keys)) {
			doc_free(doc_take_at(array, at));
			return;
		}
		at++;
	}
}

static enum err merge_list(struct doc *target, const struct doc *patch, const char *keys, struct why *why) {
	doc_each(p, patch) {
		if (says(p, "replace")) continue; /* handled by the caller */
		if (says(p, "delete")) {
			list_remove_like(target, keys, p);
			continue;
		}
		struct doc *there = sim_kube_list_find(target, keys, p);
		enum err e = OK;
		if (there)
			e = sim_kube_strategic_patch(there, p, why);
		else
			doc_push(target, plain_copy(p));
		if (e) return e;
	}
	return OK;
}

static bool replaces_list(const struct doc *patch) {
	doc_each(p, patch) if (says(p, "replace")) return true;
	return false;
}

static enum err patch_list(struct doc *target, const struct doc *p, struct why *why) {
	const char *keys = sim_kube_list_keys(p->key, p->child);
	struct doc *there = doc_get(target, p->key);
	if (!keys || replaces_list(p)) {
		struct doc *copy = doc_set(target, p->key, doc_new(JSON_ARRAY));
		doc_each(e, p) if (!says(e, "replace")) doc_push(copy, plain_copy(e));
		return OK;
	}
	if (!there || there->kind != JSON_ARRAY) there = doc_set(target, p->key, doc_new(JSON_ARRAY));
	return merge_list(there, p, keys, why);
}

/* "$deleteFromPrimitiveList/finalizers": [..] */
static void delete_from_list(struct doc *target, const struct doc *p) {
	struct doc *list = doc_get(target, strchr(p->key, '/') + 1);
	doc_each(gone, p) {
		size_t at = 0;
		doc_each(e, list) {
			if (doc_equal(e, gone)) {
				doc_free(doc_take_at(list, at));
				break;
			}
			at++;
		}
	}
}

static void retain_keys(struct doc *target, const struct doc *keep) {
	for (struct doc *c = target->child, *next; c; c = next) {
		next = c->next;
		bool kept = false;
		doc_each(k, keep) kept = kept || !strcmp(doc_c(k), c->key);
		if (!kept) doc_remove(target, c->key);
	}
}

static enum err patch_member(struct doc *target, const struct doc *p, struct why *why) {
	if (!strncmp(p->key, "$deleteFromPrimitiveList/", 25)) return delete_from_list(target, p), OK;
	if (!strcmp(p->key, "$retainKeys")) return retain_keys(target, p), OK;
	if (is_directive(p->key)) return OK; /* $patch is the parent's; $setElementOrder orders only */
	if (p->kind == JSON_NULL) return doc_remove(target, p->key), OK;
	if (p->kind == JSON_ARRAY) return patch_list(target, p, why);
	struct doc *there = doc_get(target, p->key);
	if (p->kind != JSON_OBJECT || says(p, "replace") || !there || there->kind != JSON_OBJECT) {
		if (says(p, "delete")) return doc_remove(target, p->key), OK;
		if (p->kind != JSON_OBJECT || says(p, "replace")) return doc_set(target, p->key, plain_copy(p)), OK;
		there = doc_set(target, p->key, doc_new(JSON_OBJECT));
	}
	if (says(p, "delete")) return doc_remove(target, p->key), OK;
	return sim_kube_strategic_patch(there, p, why);
}

enum err sim_kube_strategic_patch(struct doc *target, const struct doc *patch, struct why *why) {
	if (target->kind != JSON_OBJECT || patch->kind != JSON_OBJECT)
		return why_set(why, ERR_INVALID, "a patch of an object is an object");
	doc_each(p, patch) {
		enum err e = patch_member(target, p, why);
		if (e) return e;
	}
	return OK;
}

/* ---- JSON patch ---- */

struct place { /* where a pointer leads: a member or an element of `parent`; parent NULL: the whole */
	struct doc *parent, *value;
	char name[256];
	size_t at;
	bool end; /* "-" */
};

static void unescape(const char *p, size_t n, char out[256]) {
	size_t k = 0;
	for (size_t i = 0; i < n && k < 255; i++) {
		if (p[i] == '~' && i + 1 < n)
			out[k++] = p[++i] == '1' ? '/' : '~';
		else
			out[k++] = p[i];
	}
	out[k] = '\0';
}

static bool step_down(struct place *p) {
	p->parent = p->value;
	if (p->parent && p->parent->kind == JSON_OBJECT) {
		p->value = doc_get(p->parent, p->name);
		return true;
	}
	if (!p->parent || p->parent->kind != JSON_ARRAY) return false;
	int64_t at = 0;
	p->end = !strcmp(p->name, "-");
	if (!p->end && (!str_int(str_of(p->name), &at) || at < 0)) return false;
	p->at = p->end ? doc_count(p->parent) : (size_t)at;
	p->value = doc_at(p->parent, p->at);
	return p->at <= doc_count(p->parent);
}

static enum err find_place(struct doc *root, struct str pointer, struct place *out, struct why *why) {
	*out = (struct place){ .value = root };
	const char *p = pointer.p, *end = pointer.p + pointer.n;
	if (pointer.n && *p != '/') return why_set(why, ERR_INVALID, "'" STR_FMT "' is no JSON pointer", STR_ARG(pointer));
	while (p < end) {
		const char *stop = memchr(p + 1, '/', (size_t)(end - p - 1));
		if (!stop) stop = end;
		unescape(p + 1, (size_t)(stop - p - 1), out->name);
		if (!step_down(out)) return why_set(why, ERR_NOT_FOUND, "path '" STR_FMT "' leads nowhere", STR_ARG(pointer));
		p = stop;
	}
	return OK;
}

static enum err put(struct doc **root, struct str pointer, struct doc *value, struct why *why) {
	struct place to;
	enum err e = find_place(*root, pointer, &to, why);
	if (e) {
		doc_free(value);
		return e;
	}
	if (!to.parent) {
		doc_free(*root);
		*root = value;
	} else if (to.parent->kind == JSON_OBJECT) {
		doc_set(to.parent, to.name, value);
	} else {
		doc_insert(to.parent, to.at, value);
	}
	return OK;
}

static enum err take(struct doc *root, struct str pointer, struct doc **out, struct why *why) {
	struct place from;
	enum err e = find_place(root, pointer, &from, why);
	if (e) return e;
	if (!from.parent || !from.value)
		return why_set(why, ERR_NOT_FOUND, "there is nothing at '" STR_FMT "'", STR_ARG(pointer));
	*out = from.parent->kind == JSON_OBJECT ? doc_take(from.parent, from.name) : doc_take_at(from.parent, from.at);
	return OK;
}

static enum err replace(struct doc **root, struct str pointer, struct doc *value, struct why *why) {
	struct doc *old = NULL;
	if (!pointer.n) return put(root, pointer, value, why);
	enum err e = take(*root, pointer, &old, why);
	doc_free(old);
	if (!e) return put(root, pointer, value, why);
	doc_free(value);
	return e;
}

static enum err test(struct doc *root, struct str pointer, const struct doc *value, struct why *why) {
	struct place at;
	enum err e = find_place(root, pointer, &at, why);
	if (e) return e;
	if (doc_equal(at.value, value)) return OK;
	return why_set(why, ERR_CONFLICT, "testing path '" STR_FMT "' value failed", STR_ARG(pointer));
}

static enum err one_op(struct doc **root, const struct doc *op, struct why *why) {
	const char *what = doc_c(doc_get(op, "op"));
	struct str path = doc_str(doc_get(op, "path")), from = doc_str(doc_get(op, "from"));
	const struct doc *value = doc_get(op, "value");
	struct doc *moved = NULL;
	struct place source;
	if (!path.p) return why_set(why, ERR_INVALID, "a JSON patch operation needs 'path'");
	if (!strcmp(what, "test")) return test(*root, path, value, why);
	if (!strcmp(what, "remove")) {
		enum err e = take(*root, path, &moved, why);
		doc_free(moved);
		return e;
	}
	if (!strcmp(what, "move")) {
		enum err e = take(*root, from, &moved, why);
		return e ? e : put(root, path, moved, why);
	}
	if (!strcmp(what, "copy")) {
		enum err e = find_place(*root, from, &source, why);
		if (!e && !source.value) e = why_set(why, ERR_NOT_FOUND, "there is nothing at '" STR_FMT "'", STR_ARG(from));
		return e ? e : put(root, path, doc_copy(source.value), why);
	}
	if (!value) return why_set(why, ERR_INVALID, "JSON patch operation '%s' needs 'value'", what);
	if (!strcmp(what, "add")) return put(root, path, doc_copy(value), why);
	if (!strcmp(what, "replace")) return replace(root, path, doc_copy(value), why);
	return why_set(why, ERR_INVALID, "'%s' is no JSON patch operation", what);
}

enum err sim_kube_json_patch(struct doc **target, const struct doc *ops, struct why *why) {
	if (ops->kind != JSON_ARRAY) return why_set(why, ERR_INVALID, "a JSON patch is an array");
	doc_each(op, ops) {
		enum err e = one_op(target, op, why);
		if (e) return e;
	}
	return OK;
}
