#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/test.h"

TEST(every_code_has_a_name_and_a_sentence) {
	EXPECT(strcmp(err_name(OK), "OK") == 0 && strcmp(err_text(OK), "success") == 0);
	EXPECT(strcmp(err_name(ERR_IO), "ERR_IO") == 0);
	for (int e = OK; e <= ERR_IO; e++) {
		EXPECT(err_name((enum err)e)[0] && err_text((enum err)e)[0]);
		for (int other = OK; other < e; other++) EXPECT(strcmp(err_text((enum err)e), err_text((enum err)other)) != 0);
	}
	EXPECT(strcmp(err_name((enum err)1000), "ERR_UNKNOWN") == 0 && err_text((enum err) - 1)[0]);
}

TEST(a_sentence_is_set_in_one_step_with_its_code) {
	struct why why = { "" };
	EXPECT_ERR(why_set(&why, ERR_NOT_FOUND, "kafka://%s: no such topic '%s'", "a", "cpu"), ERR_NOT_FOUND);
	EXPECT(strcmp(why.text, "kafka://a: no such topic 'cpu'") == 0);
	EXPECT_ERR(why_set(NULL, ERR_IO, "nobody reads this"), ERR_IO);
	EXPECT_ERR(why_prefix(NULL, ERR_IO, "nor this"), ERR_IO);
}

TEST(prefixes_stack_and_an_empty_sentence_is_the_codes) {
	struct why why = { "" };
	EXPECT_ERR(why_prefix(&why, ERR_IO, "disk %d", 3), ERR_IO);
	EXPECT(strcmp(why.text, "disk 3: input/output error") == 0);
	EXPECT_ERR(why_prefix(&why, ERR_IO, "wal"), ERR_IO);
	EXPECT(strcmp(why.text, "wal: disk 3: input/output error") == 0);
	EXPECT_ERR(why_set(&why, ERR_IO, "again, %s", why.text), ERR_IO); /* its own text as an argument */
	EXPECT(strcmp(why.text, "again, wal: disk 3: input/output error") == 0);
}

TEST(a_long_sentence_ends_in_dots_and_whole_characters, .seeds = 300) {
	char text[600];
	struct why why = { "" };
	size_t n = 0, ascii = (size_t)rng_below(&t->rng, 8);
	while (n < ascii) text[n++] = 'a';
	while (n < 300 + ascii) {
		memcpy(text + n, "\xe2\x82\xac", 3); /* the euro sign */
		n += 3;
	}
	text[n] = '\0';
	(void)why_set(&why, ERR_INVALID, "%s", text);
	size_t got = strlen(why.text);
	EXPECT(got < sizeof why.text && got >= sizeof why.text - 6);
	EXPECT(strcmp(why.text + got - 3, "...") == 0 && (got - 3 - ascii) % 3 == 0);
	EXPECT(memcmp(why.text, text, got - 3) == 0);
	(void)why_prefix(&why, ERR_INVALID, "a prefix that pushes the end out");
	EXPECT(strlen(why.text) < sizeof why.text && strncmp(why.text, "a prefix that", 13) == 0);
}

TEST(a_sentence_stays_one_line) {
	struct why why = { "" };
	(void)why_set(&why, ERR_INVALID, "got '%s'", "a\nb\x1b[31m\x7f");
	EXPECT(strcmp(why.text, "got 'a b [31m '") == 0);
}

static void drop(int **p) {
	if (*p) ++**p;
}

TEST(what_was_taken_is_not_cleaned_up) {
	int kept = 0, dropped = 0, *owner = NULL;
	{
		CLEANUP(drop) int *a = &kept;
		CLEANUP(drop) int *b = &dropped;
		owner = TAKE(a);
		EXPECT(a == NULL && b == &dropped);
	}
	EXPECT(owner == &kept && kept == 0 && dropped == 1);
}

TEST(a_line_is_told_with_its_file) {
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "line 12: unknown key 'x'", "a/b.yaml:12: unknown key 'x'" },
		{ "line 12 is too long", "a/b.yaml: line 12 is too long" },
		{ "line: broken", "a/b.yaml: line: broken" },
		{ "liner 3: x", "a/b.yaml: liner 3: x" },
		{ "", "a/b.yaml: malformed" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct why why;
		(void)why_set(&why, ERR_INVALID, "%s", cases[i].before);
		EXPECT_ERR(why_file(&why, ERR_INVALID, "a/b.yaml"), ERR_INVALID);
		if (i + 1 < sizeof cases / sizeof *cases) EXPECT(strcmp(why.text, cases[i].after) == 0);
		EXPECT(strncmp(why.text, "a/b.yaml:", 9) == 0);
	}
	EXPECT_ERR(why_file(NULL, ERR_INVALID, "x"), ERR_INVALID);
}

RUN(a_line_is_told_with_its_file, every_code_has_a_name_and_a_sentence, a_sentence_is_set_in_one_step_with_its_code,
    prefixes_stack_and_an_empty_sentence_is_the_codes, a_long_sentence_ends_in_dots_and_whole_characters,
    a_sentence_stays_one_line, what_was_taken_is_not_cleaned_up)
