/* The contract: lists, pages, selectors, watches. */
#include <stdio.h>

#include "base/clock.h"
#include "sim/kube/contract_impl.h"
#include "sim/memory.h"

static void pages(struct contract_suite *s) {
	char path[900];
	s->promise = "lists come in pages and by selector";
	snprintf(path, sizeof path, "%s?limit=3", s->pods);
	struct doc *d = contract_expect(s, "GET", path, "", "", 200, NULL);
	size_t first = doc_count(doc_get(d, "items"));
	int64_t left = doc_int(doc_path(d, "metadata.remainingItemCount"), 0);
	snprintf(path, sizeof path, "%s?limit=3&continue=%s", s->pods, doc_c(doc_path(d, "metadata.continue")));
	doc_free(d);
	d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s, first == 3 && doc_count(doc_get(d, "items")) == 1 && !*doc_c(doc_path(d, "metadata.continue")),
	               "4 pods are not 3 and 1");
	contract_check(s, left == 1, "%lld are said to be left of 1", (long long)left);
	doc_free(d);
	snprintf(path, sizeof path, "%s?continue=x", s->pods);
	contract_refuse(s, "GET", path, "", "", 400, "BadRequest");
	static const struct {
		const char *query;
		size_t count;
	} selectors[] = { { "labelSelector=app%3Dcart", 4 },
		              { "labelSelector=app!%3Dcart", 0 },
		              { "labelSelector=app%20in%20(cart,x)", 4 },
		              { "labelSelector=!app", 0 },
		              { "fieldSelector=status.phase%3DRunning", 4 },
		              { "fieldSelector=metadata.name%3Dx", 0 } };
	for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
		snprintf(path, sizeof path, "%s?%s", s->pods, selectors[i].query);
		d = contract_expect(s, "GET", path, "", "", 200, NULL);
		contract_check(s, doc_count(doc_get(d, "items")) == selectors[i].count, "%s finds %zu", selectors[i].query,
		               doc_count(doc_get(d, "items")));
		doc_free(d);
	}
}

/* How many events of a type the lines hold; the last version goes to `version`. */
static size_t events_of(struct buf *lines, const char *type, char version[40]) {
	size_t n = 0;
	for (struct str rest = buf_get(lines), line; str_cut(rest, '\n', &line, &rest);) {
		struct doc *d = doc_parse(line, NULL);
		n += !strcmp(doc_c(doc_get(d, "type")), type);
		const char *v = doc_c(doc_path(d, "object.metadata.resourceVersion"));
		if (*v) snprintf(version, 40, "%s", v);
		doc_free(d);
	}
	return n;
}

static void watches(struct contract_suite *s) {
	char path[400], version[40], ignored[40] = "";
	struct buf b;
	bool over = false;
	buf_init(&b, 0);
	s->promise = "a watch tells each change after its version, and ends when its time is up";
	struct doc *d = contract_list(s, s->pods);
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":5}}", 200, NULL));
	contract_wait_rolled_out(s);
	snprintf(path, sizeof path, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=%s", s->pods,
	         version);
	int status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	contract_check(s, status == 200 && events_of(&b, "ADDED", version) == 1 && events_of(&b, "MODIFIED", version) >= 2,
	               "status %d: not one pod added and modified", status);
	contract_check(s, over, "its time is up and it goes on");
	buf_clear(&b);
	doc_free(contract_expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	contract_wait_rolled_out(s);
	s->c->wait(s->c->self, 5 * NS_PER_SEC);
	snprintf(path, sizeof path, "%s?watch=1&timeoutSeconds=3&resourceVersion=%s", s->pods, version);
	status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	contract_check(s, status == 200 && events_of(&b, "ADDED", ignored) == 0 && events_of(&b, "DELETED", ignored) == 1,
	               "resumed, it does not tell the deletion alone");
	buf_done(&b);
}

static void one_moment(struct contract_suite *s) {
	char path[900], pod[300];
	s->promise = "the pages of a list are of one moment";
	static const char last[] = "{\"metadata\":{\"name\":\"zz\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":"
							   "\"registry.local/x\"}]}}";
	snprintf(path, sizeof path, "%s?limit=2", s->pods);
	struct doc *d = contract_expect(s, "GET", path, "", "", 200, NULL);
	snprintf(path, sizeof path, "%s?limit=10&continue=%s", s->pods, doc_c(doc_path(d, "metadata.continue")));
	doc_free(d);
	doc_free(contract_expect(s, "POST", s->pods, JSON, last, 201, NULL));
	d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s, doc_count(doc_get(d, "items")) == 2, "the second page of 4 pods has %zu",
	               doc_count(doc_get(d, "items")));
	doc_free(d);
	snprintf(pod, sizeof pod, "%s/zz", s->pods);
	doc_free(contract_expect(s, "DELETE", pod, JSON, "{\"gracePeriodSeconds\":0}", 200, NULL));
}

/* The number of bookmarks, and whether one says that the first events are all. */
static size_t bookmarks_of(struct buf *lines, bool *initial) {
	size_t n = 0;
	*initial = false;
	for (struct str rest = buf_get(lines), line; str_cut(rest, '\n', &line, &rest);) {
		struct doc *d = doc_parse(line, NULL);
		bool bookmark = !strcmp(doc_c(doc_get(d, "type")), "BOOKMARK");
		const struct doc *notes = doc_path(d, "object.metadata.annotations");
		n += bookmark && *doc_c(doc_path(d, "object.metadata.resourceVersion"));
		*initial = *initial || (bookmark && !strcmp(doc_c(doc_get(notes, "k8s.io/initial-events-end")), "true"));
		doc_free(d);
	}
	return n;
}

static void bookmarks(struct contract_suite *s) {
	char path[400], version[40] = "";
	struct buf b;
	bool over = false, initial = false;
	buf_init(&b, 0);
	s->promise = "a watch may begin with all there is, and tells by a bookmark where it stands";
	snprintf(
		path, sizeof path,
		"%s?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=4",
		s->pods);
	int status = s->c->watch(s->c->self, path, 15 * NS_PER_SEC, &b, &over);
	contract_check(s, status == 200 && over, "status %d, or it does not end", status);
	contract_check(s, events_of(&b, "ADDED", version) == 4, "not the 4 pods there are");
	contract_check(s, bookmarks_of(&b, &initial) && initial, "their end is not told");
	buf_clear(&b);
	snprintf(path, sizeof path, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=8&resourceVersion=%s", s->pods,
	         version);
	status = s->c->watch(s->c->self, path, 15 * NS_PER_SEC, &b, &over);
	(void)bookmarks_of(&b, &initial); /* one more may come before its time is up, and need not */
	contract_check(s, status == 200 && over && !initial && events_of(&b, "ADDED", version) == 0,
	               "from its bookmark on it tells what was told");
	buf_clear(&b);
	snprintf(path, sizeof path, "%s?watch=1&timeoutSeconds=4&resourceVersion=%s", s->pods, version);
	status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	contract_check(s, status == 200 && !bookmarks_of(&b, &initial), "bookmarks that nobody asked for");
	buf_done(&b);
}

static void gone(struct contract_suite *s) {
	char path[400], ignored[40] = "";
	struct buf b;
	bool over = false;
	buf_init(&b, 0);
	s->promise = "what is no longer known is 410, in a watch as an event";
	snprintf(path, sizeof path, "%s?watch=1&timeoutSeconds=4&resourceVersion=1", s->pods);
	int status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	struct str line, rest;
	(void)str_cut(buf_get(&b), '\n', &line, &rest);
	struct doc *d = doc_parse(line, NULL);
	bool told =
		status == 410 || (events_of(&b, "ERROR", ignored) == 1 && doc_int(doc_path(d, "object.code"), 0) == 410 &&
	                      !strcmp(doc_c(doc_path(d, "object.reason")), "Expired"));
	contract_check(s, told && over, "status %d, code %lld", status, (long long)doc_int(doc_path(d, "object.code"), 0));
	doc_free(d);
	buf_done(&b);
}

contract_promise *const contract_reads[] = { pages, one_moment, watches, bookmarks, gone };
const size_t contract_read_count = sizeof contract_reads / sizeof *contract_reads;
