#include "control/glob.h"

/* The last star is the only one that ever needs another try: what lies before it has matched
 * already, and a longer run there could only match less. */
bool glob_match(struct str pattern, struct str s) {
	size_t p = 0, i = 0, star = SIZE_MAX, retry = 0;
	while (i < s.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			retry = i;
		} else if (p < pattern.n && pattern.p[p] == s.p[i]) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*') p++;
	return p == pattern.n;
}
