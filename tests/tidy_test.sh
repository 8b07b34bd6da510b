#!/usr/bin/env bash
# What tools/tidy promises, each promise broken once in a small tree made for it.
#
# Ends with "N passed, N failed". Needs meson, gcc, clang-format.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0

plant() { # FILE: its text comes on standard input
	mkdir -p "$(dirname "$tree/$1")"
	cat >"$tree/$1"
}

# A tree of one file a layer, in which nothing is wrong.
fresh_tree() {
	rm -rf "${tree:?}"/{src,tools,meson.build}
	mkdir -p "$tree/tools"
	cp "$here/.clang-format" "$tree/"
	plant tools/tidy.allow <<<'src/base/test.c getenv a reason'
	plant meson.build <<-'END'
		project('tidied', 'c', default_options: ['buildtype=debugoptimized'])
		files = run_command('find', meson.current_source_dir() / 'src', '-name', '*.c', check: true).stdout().split()
		static_library('tidied', files, include_directories: 'src')
	END
	plant src/base/a.h <<<'int a(int x);'
	plant src/base/a.c <<-'END'
		#include "base/a.h"

		static const char *const names[] = { "one", "two" };

		int a(int x) { return names[x & 1][0]; }
	END
	plant src/base/test.c <<-'END'
		#include <stdlib.h>

		char *seed(void);
		char *seed(void) { return getenv("SEED"); }
	END
	plant src/world/disk.c <<-'END'
		#include <fcntl.h>
		#include <time.h>

		int disk(void);
		int disk(void) { return open("/dev/null", (int)time(NULL)); }
	END
	plant src/store/s.h <<<'int s(void);'
	plant src/bus/b.c <<-'END'
		#include "base/a.h"
		#include "store/s.h"

		int b(void);
		int b(void) { return a(1); }
	END
	plant src/observe/o.h <<<'int o(void);'
	plant src/sim/sim.h <<<'int sim(void);'
	plant src/cli/main.c <<-'END'
		#include "observe/o.h"
		#include "sim/sim.h"

		int cli(void);
		int cli(void) { return 1; }
	END
	(cd "$tree" && clang-format -i $(find src -name '*.[ch]'))
}

tidy() {
	local again=()
	[ ! -d "$tree/build" ] || again=(--reconfigure)
	{ meson setup "${again[@]}" "$tree/build" "$tree" && ninja -C "$tree/build"; } >"$tree/log" || { cat "$tree/log" && return 1; }
	"$here/tools/tidy" --root "$tree"
}

verdict() { # NAME GOOD OUTPUT
	if [ "$2" = yes ]; then
		passed=$((passed + 1)) && echo "ok    $1"
	else
		failed=$((failed + 1)) && printf 'FAIL  %s\n%s\n' "$1" "$3"
	fi
}

passes() { # NAME [WORDS]
	local out good=no
	if out=$(tidy 2>&1) && grep -q "${2:-0 findings}" <<<"$out"; then good=yes; fi
	verdict "$1" "$good" "$out"
	fresh_tree
}

# Exactly one finding, and it names the file and says what is wrong.
refuses() { # NAME FILE WORDS
	local out good=no
	if ! out=$(tidy 2>&1) && grep -q "^$2: .*$3" <<<"$out" && grep -q ' 1 findings$' <<<"$out"; then good=yes; fi
	verdict "$1" "$good" "$out"
	fresh_tree
}

calls() { # NAME HEADER EXPRESSION WORDS: planted in observe/
	printf '#include <%s>\n\nlong f(void);\nlong f(void) { return (long)%s; }\n' "$2" "$3" >"$tree/src/observe/f.c"
	clang-format -i "$tree/src/observe/f.c"
	refuses "$1" src/observe/f.c "$4"
}

fresh_tree
passes 'a tree in which nothing is wrong'
passes 'the header of the widest reach is told' 'widest reach .*src/base/a.h: 2 of'

plant src/base/a.c <<<'#include "model/m.h"' && plant src/model/m.h <<<'int m(void);'
refuses 'base may include nothing above it' src/base/a.c 'may not include "model/m.h"'
plant src/execute/e.c <<<'#include "observe/o.h"'
refuses 'a stage may not include another' src/execute/e.c 'may not include "observe/o.h"'
plant src/daemon/d.c <<<'#include "sim/sim.h"'
refuses 'nobody but cli includes sim' src/daemon/d.c 'may not include "sim/sim.h"'
plant src/sim/kube/k.c <<<'#include "sim/shop/s.h"' && plant src/sim/shop/s.h <<<'int s(void);'
refuses 'a folder may not include what lies above it in one house' src/sim/kube/k.c 'sim/kube/ may not include "sim/shop/s.h"'
plant src/observe/o.c <<<'#include "o.h"'
refuses 'an include is spelt from src/ on' src/observe/o.c 'spell it from src/ on'
plant src/extra/x.c <<<'int x;'
rm "$tree/src/extra/x.c" && plant src/extra/x.h <<<'int x(void);'
refuses 'a folder without a place in the layers' src/extra/x.h 'no known layer'

calls 'the clock' time.h 'time(NULL)' 'uses time (clock)'
calls 'chance' stdlib.h 'rand()' 'uses rand (random)'
calls 'a socket' sys/socket.h 'socket(AF_INET, SOCK_STREAM, 0)' 'uses socket (net)'
calls 'a file' stdio.h 'fopen("x", "r")' 'uses fopen (file)'
calls 'standard output' stdio.h 'puts("x")' 'uses puts (stdio)'
calls 'the environment' stdlib.h 'getenv("X")' 'uses getenv (env)'
calls 'a process' unistd.h 'fork()' 'uses fork (process)'
calls 'a lock' pthread.h 'pthread_mutex_lock(NULL)' 'uses pthread_mutex_lock (lock)'
plant src/store/q.c <<-'END'
	int sqlite3_open(const char *path, void **db);
	int q(void **db);
	int q(void **db) { return sqlite3_open("x", db); }
END
clang-format -i "$tree/src/store/q.c"
refuses 'SQLite without our VFS' src/store/q.c 'uses sqlite3_open (sqlite)'
plant src/store/q.c <<-'END'
	#define NULL ((void *)0)
	int sqlite3_open_v2(const char *path, void **db, int flags, const char *vfs);
	int q(void **db);
	int q(void **db) { return sqlite3_open_v2("x", db, 6, NULL); }
END
clang-format -i "$tree/src/store/q.c"
refuses 'SQLite on its default VFS' src/store/q.c 'default VFS'

plant src/model/g.c <<<'int counter;'
refuses 'a global' src/model/g.c 'counter is a writable global'
plant src/model/g.c <<<'int next(void);
int next(void) {
	static int last = 7;
	return last++;
}'
clang-format -i "$tree/src/model/g.c"
refuses 'a static variable in a function' src/model/g.c 'last is a writable global'
plant src/model/g.c <<<'__thread int mine;'
refuses 'a variable of a thread' src/model/g.c 'mine is a writable global'
plant src/model/g.c <<<'const char *names[] = { "a", "b" };'
refuses 'a table whose entries can be changed' src/model/g.c 'names is a writable global'

plant src/model/g.c <<<'int   f( void );'
refuses 'formatting' src/model/g.c 'is not formatted'
plant src/model/g.c <<<'int counter;' && echo 'src/model/*.c global' >>"$tree/tools/tidy.allow"
out=$(tidy 2>&1) && good=no || good=$(grep -q 'has no reason' <<<"$out" && echo yes || echo no)
verdict 'an exception without a reason' "$good" "$out"
fresh_tree
plant src/model/g.c <<<'int counter;' && echo 'src/model/*.c global a reason' >>"$tree/tools/tidy.allow"
passes 'an exception with a reason'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
