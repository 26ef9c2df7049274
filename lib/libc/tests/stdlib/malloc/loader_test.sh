#
# SPDX-License-Identifier: BSD-2-Clause
#
# The library and the dynamic linker: malloc before constructors have run,
# dlopen and dlmopen, auditing, plugins with a scope of their own, interposers
# that allocate in the functions that an allocator might call, and tools that
# bring an allocator of their own.
#
# Debian's libjemalloc2 (5.3.0) fails before_constructors, dlopened, dlmopened,
# audited, own_scope and interposers: it crashes, or cannot be opened for its
# thread-local storage.

# compile output flag ...: the program or library on standard input
compile()
{
	local output=${1}
	shift
	cat >"${output}.c"
	atf_check cc -D_GNU_SOURCE -O1 -g -Wall -Wextra -fno-builtin \
	    -o "${output}" "${output}.c" "${@}"
}

# A program that allocates in two threads, and looks at what it gets.
exercise()
{
	compile exercise -pthread <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
use(void *arg)
{
	char *p[1000];
	size_t i, j;

	for (j = 0; j < 20; j++) {
		for (i = 0; i < 1000; i++) {
			p[i] = malloc(i * 7 + j);
			if (p[i] == NULL)
				exit(1);
			memset(p[i], (int)i, i * 7 + j);
		}
		for (i = 1; i < 1000; i++) {
			if (p[i][0] != (char)i || p[i][i * 7 + j - 1] !=
			    (char)i)
				exit(1);
			p[i] = realloc(p[i], i * 9 + 1);
			free(p[i]);
		}
		free(p[0]);
		free(calloc(1, 3000000));
	}
	return (arg);
}

int
main(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, use, NULL) != 0)
		return (1);
	use(NULL);
	pthread_join(t, NULL);
	puts("fine");
	return (0);
}
END
}

atf_test_case before_constructors
before_constructors_head()
{
	atf_set "descr" "malloc in the resolver of an indirect function, in" \
	    "DT_PREINIT_ARRAY, and in a constructor before the library's own"
	atf_set "require.progs" "cc"
}
before_constructors_body()
{
	# Its own relocations must be done by then: those of indirect
	# functions come last, if malloc is not reached through the PLT.
	compile early.so -shared -fPIC -fno-plt -Wl,-z,now <<'END'
#include <stdlib.h>
#include <string.h>

char *early;

static int
function(void)
{

	return (early != NULL && strcmp(early, "early") == 0);
}

/* Runs while other libraries have still to be relocated. */
static int (*
resolve(void))(void)
{

	early = malloc(6);
	memcpy(early, "early", 6);
	early = realloc(early, 100000);
	return (function);
}

static int indirect(void) __attribute__((__ifunc__("resolve")));

int
called(void)
{

	return (indirect());
}

static void __attribute__((__constructor__(101)))
construct(void)
{

	free(malloc(500));
}
END
	compile program -fno-plt -Wl,-z,now <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *mine;

static void
before(void)
{

	mine = malloc(70);
	memset(mine, 7, 70);
}

__attribute__((__section__(".preinit_array"), __used__))
static void (*preinit)(void) = before;

static int
function(void)
{

	return (1);
}

static int (*
resolve(void))(void)
{

	free(malloc(10));
	return (function);
}

static int indirect(void) __attribute__((__ifunc__("resolve")));

int
main(void)
{
	int (*f)(void);
	char **p;

	f = (int (*)(void))dlsym(RTLD_DEFAULT, "called");
	p = dlsym(RTLD_DEFAULT, "early");
	if (f == NULL || p == NULL || !f() || !indirect() || mine[69] != 7)
		return (1);
	free(*p);
	free(mine);
	puts("fine");
	return (0);
}
END
	atf_check -o inline:"fine\n" \
	    env LD_PRELOAD="./early.so $(dsm_library)" ./program
	atf_check -o inline:"fine\n" \
	    env LD_BIND_NOW=1 LD_PRELOAD="./early.so $(dsm_library)" ./program
}

# A program that opens a library and uses its malloc beside its own.
opener()
{
	compile opener -pthread <<'END'
#include <sys/wait.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*its_malloc)(size_t), *(*its_realloc)(void *, size_t);
static void (*its_free)(void *);

static void *
use(void *arg)
{
	char *p[2000], *q[2000];
	int i, j;

	for (j = 0; j < 20; j++) {
		for (i = 0; i < 2000; i++) {
			p[i] = its_malloc(i + 1);
			q[i] = malloc(i + 1);
			memset(p[i], i, i + 1);
			memset(q[i], i, i + 1);
		}
		for (i = 0; i < 2000; i++) {
			if (memcmp(p[i], q[i], i + 1) != 0)
				exit(1);
			its_free(its_realloc(p[i], i * 2 + 1));
			free(q[i]);
		}
	}
	return (arg);
}

int
main(int argc, char *argv[])
{
	pthread_t t[4];
	void *h;
	int i, j, status;
	pid_t pid;

	for (j = 0; j < 3; j++) {
		h = argc == 3 ? dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW) :
		    dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		if (h == NULL) {
			fprintf(stderr, "%s\n", dlerror());
			return (2);
		}
		its_malloc = (void *(*)(size_t))dlsym(h, "malloc");
		its_realloc = (void *(*)(void *, size_t))dlsym(h, "realloc");
		its_free = (void (*)(void *))dlsym(h, "free");
		if (its_malloc == malloc)
			return (3);
		for (i = 0; i < 4; i++)
			if (pthread_create(&t[i], NULL, use, NULL) != 0)
				return (4);
		/* A name space does not hear of the others' forks: there it
		 * takes a moment when nobody allocates. */
		for (i = 0; argc == 3 && i < 4; i++)
			pthread_join(t[i], NULL);
		pid = fork();
		if (pid == 0) {
			alarm(60);
			use(NULL);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			return (5);
		for (i = 0; argc != 3 && i < 4; i++)
			pthread_join(t[i], NULL);
		dlclose(h);
	}
	puts("fine");
	return (0);
}
END
}

atf_test_case dlopened
dlopened_head()
{
	atf_set "descr" "A program on the C library's malloc opens the" \
	    "library, uses both, and closes it"
	atf_set "require.progs" "cc"
}
dlopened_body()
{
	opener
	atf_check -o inline:"fine\n" ./opener "$(dsm_library)"
}

atf_test_case dlmopened
dlmopened_head()
{
	atf_set "descr" "A program opens the library in a name space of its" \
	    "own, also when it is preloaded"
	atf_set "require.progs" "cc"
}
dlmopened_body()
{
	opener
	atf_check -o inline:"fine\n" ./opener "$(dsm_library)" new
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" \
	    ./opener "$(dsm_library)" new
}

atf_test_case audited
audited_head()
{
	atf_set "descr" "Programs that an auditing module watches, which" \
	    "allocates itself"
	atf_set "require.progs" "cc"
}
audited_body()
{
	exercise
	compile audit.so -shared -fPIC <<'END'
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *names[100];

unsigned int
la_version(unsigned int version)
{

	free(malloc(1000));
	return (version);
}

unsigned int
la_objopen(struct link_map *map, Lmid_t id, uintptr_t *cookie)
{
	static unsigned int n;

	(void)id;
	(void)cookie;
	if (n < 100)
		names[n++] = strdup(map->l_name);
	return (LA_FLG_BINDTO | LA_FLG_BINDFROM);
}

uintptr_t
la_symbind64(Elf64_Sym *sym, unsigned int ndx, uintptr_t *ref, uintptr_t *def,
    unsigned int *flags, const char *name)
{

	(void)ndx;
	(void)ref;
	(void)def;
	(void)flags;
	if (strcmp(name, "malloc") == 0 && write(2, "bound\n", 6) != 6)
		_exit(1);
	free(malloc(strlen(name)));
	return (sym->st_value);
}
END
	atf_check -o inline:"fine\n" -e match:bound env \
	    LD_PRELOAD="$(dsm_library)" LD_AUDIT=./audit.so ./exercise
}

atf_test_case own_scope
own_scope_head()
{
	atf_set "descr" "What a plugin opened with RTLD_DEEPBIND allocates" \
	    "by the C library's malloc can be freed and resized"
	atf_set "require.progs" "cc"
}
own_scope_body()
{
	compile plugin.so -shared -fPIC <<'END'
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *
make(size_t size)
{
	void *p;

	p = malloc(size);
	memset(p, (int)size, size);
	return (p);
}

void *
which(void)
{

	return ((void *)malloc);
}
END
	compile host -pthread <<'END'
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*make)(size_t);

static void *
use(void *arg)
{
	static const size_t sizes[] = { 1, 24, 100, 1000, 5000, 100000,
	    200000, 5000000 };
	char *p, *q;
	size_t i, j;

	for (j = 0; j < 200; j++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			free(make(sizes[i]));
			p = make(sizes[i]);
			if (malloc_usable_size(p) < sizes[i])
				exit(2);
			q = realloc(p, sizes[i] + 50);
			if (q[0] != (char)sizes[i] ||
			    q[sizes[i] - 1] != (char)sizes[i])
				exit(3);
			free(q);
		}
	return (arg);
}

int
main(void)
{
	pthread_t t[3];
	void *(*which)(void), *h;
	int i;

	h = dlopen("./plugin.so", RTLD_NOW | RTLD_DEEPBIND);
	if (h == NULL)
		return (1);
	make = (void *(*)(size_t))dlsym(h, "make");
	which = (void *(*)(void))dlsym(h, "which");
	if (which() == (void *)malloc)
		puts("the same malloc");
	for (i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, use, NULL) != 0)
			return (1);
	use(NULL);
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts("fine");
	return (0);
}
END
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" ./host
}

atf_test_case interposers
interposers_head()
{
	atf_set "descr" "An interposer allocates in mmap, open, the clock" \
	    "and others, before the library or after it"
	atf_set "require.progs" "cc"
}
interposers_body()
{
	exercise
	compile meddle.so -shared -fPIC <<'END'
#include <sys/mman.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* As careless as can be: every call allocates, also the first. */
static void *
next(const char *name)
{
	void *f;

	free(malloc(100));
	free(malloc(100000));
	f = dlsym(RTLD_NEXT, name);
	return (f);
}
#define	CALL(name, type, args) (((type)next(name)) args)

int
clock_gettime(clockid_t id, struct timespec *ts)
{

	return (CALL("clock_gettime", int (*)(clockid_t, struct timespec *),
	    (id, ts)));
}

void *
mmap(void *a, size_t n, int p, int f, int fd, off_t o)
{

	return (CALL("mmap", void *(*)(void *, size_t, int, int, int, off_t),
	    (a, n, p, f, fd, o)));
}

int
munmap(void *a, size_t n)
{

	return (CALL("munmap", int (*)(void *, size_t), (a, n)));
}

int
madvise(void *a, size_t n, int advice)
{

	return (CALL("madvise", int (*)(void *, size_t, int), (a, n, advice)));
}

int
open(const char *path, int flags, ...)
{

	return (CALL("open", int (*)(const char *, int, ...),
	    (path, flags, 0600)));
}

ssize_t
readlink(const char *path, char *buf, size_t n)
{

	return (CALL("readlink", ssize_t (*)(const char *, char *, size_t),
	    (path, buf, n)));
}

char *
getenv(const char *name)
{

	return (CALL("getenv", char *(*)(const char *), (name)));
}

long
sysconf(int name)
{

	return (CALL("sysconf", long (*)(int), (name)));
}

ssize_t
write(int fd, const void *buf, size_t n)
{

	return (CALL("write", ssize_t (*)(int, const void *, size_t),
	    (fd, buf, n)));
}

int
sched_getaffinity(pid_t pid, size_t n, cpu_set_t *set)
{

	return (CALL("sched_getaffinity", int (*)(pid_t, size_t, cpu_set_t *),
	    (pid, n, set)));
}
END
	for preload in "./meddle.so $(dsm_library)" \
	    "$(dsm_library) ./meddle.so"; do
		atf_check -o inline:"fine\n" env LD_PRELOAD="${preload}" \
		    ./exercise
		atf_check -o match:"^fine" -e ignore env \
		    LD_PRELOAD="${preload}" \
		    MALLOC_CONF="stats_print:true,dirty_decay_ms:0" ./exercise
	done
}

atf_test_case interposing_programs
interposing_programs_head()
{
	atf_set "descr" "libfaketime, fakeroot and libeatmydata beside the" \
	    "library"
	atf_set "require.progs" "cc"
}
interposing_programs_body()
{
	local any=no lib

	exercise
	export LD_PRELOAD="$(dsm_library)"
	if command -v faketime >/dev/null; then
		any=yes
		atf_check -o inline:"2001\n" \
		    faketime '2001-02-03 04:05:06' date +%Y
		atf_check -o inline:"fine\n" \
		    faketime '2001-02-03 04:05:06' ./exercise
	fi
	if command -v fakeroot >/dev/null; then
		any=yes
		atf_check -o inline:"fine\n65534\n" fakeroot sh -c \
		    './exercise && touch f && chown nobody f && stat -c %u f'
	fi
	if command -v eatmydata >/dev/null; then
		any=yes
		atf_check -o inline:"fine\n" eatmydata ./exercise
		atf_check eatmydata sh -c 'sort exercise.c >sorted && sync'
	fi
	unset LD_PRELOAD
	[ ${any} = yes ] || atf_skip "none is installed"
}

# A program that uses memory that it has freed.
offender()
{
	compile offender "${@}" <<'END'
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	char *volatile p;

	p = malloc(100);
	free(p);
	printf("%d\n", p[1]);
	return (0);
}
END
}

# Functions of the library's that tools do not know.
unknown()
{
	compile unknown <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	void (*sized)(void *, size_t), (*alsized)(void *, size_t, size_t);
	void *(*f)(void *, size_t), *p;

	sized = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
	alsized = (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT,
	    "free_aligned_sized");
	f = (void *(*)(void *, size_t))dlsym(RTLD_DEFAULT, "reallocf");
	if (sized == NULL || alsized == NULL || f == NULL)
		return (1);
	sized(malloc(100), 100);
	alsized(aligned_alloc(64, 128), 64, 128);
	p = f(malloc(100), 100000);
	free(p);
	puts("fine");
	return (0);
}
END
}

atf_test_case valgrind
valgrind_head()
{
	atf_set "descr" "valgrind finds what it finds without the library"
	atf_set "require.progs" "cc readelf valgrind"
	atf_set "timeout" "120"
}
valgrind_body()
{
	# It cannot read what newer compilers write for debuggers.
	readelf -p .comment "$(dsm_library)" | grep -q clang &&
	    atf_skip "built by clang"
	exercise
	offender -Wno-use-after-free
	atf_check -o ignore -e match:"Invalid read of size 1" \
	    -e match:"inside a block of size 100 free'd" \
	    env LD_PRELOAD="$(dsm_library)" valgrind -q ./offender
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" \
	    valgrind -q --error-exitcode=9 ./exercise
	unknown
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" ./unknown
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" \
	    valgrind -q --leak-check=full --error-exitcode=9 ./unknown
}

atf_test_case sanitizers
sanitizers_head()
{
	atf_set "descr" "Sanitizers find what they find without the library"
	atf_set "require.progs" "clang"
	atf_set "timeout" "120"
}
sanitizers_body()
{
	exercise
	offender -Wno-use-after-free
	atf_check clang -w -g -fsanitize=address -o asan offender.c
	atf_check -s exit:1 -o ignore -e match:"heap-use-after-free" \
	    env LD_PRELOAD="$(dsm_library)" ./asan
	unknown
	atf_check clang -g -fsanitize=address -o sane unknown.c
	atf_check -o inline:"fine\n" env LD_PRELOAD="$(dsm_library)" ./sane
	for s in address thread; do
		atf_check clang -g -fsanitize=${s} -pthread -o sane exercise.c
		atf_check -o inline:"fine\n" env \
		    LD_PRELOAD="$(dsm_library)" ./sane
	done
}

# What a compiler sees of malloc it could move across a switch of threads.
atf_test_case link_time
link_time_head()
{
	atf_set "descr" "Fibers that move between threads, with the library's" \
	    "sources optimised into them at link time"
	atf_set "timeout" "300"
}
link_time_body()
{
	local cc dir sources tests top

	top=$(dsm_tree)
	[ -n "${top}" ] || atf_skip "the sources are not here"
	dir=${top}/lib/libc/stdlib/malloc
	tests=${top}/lib/libc/tests/stdlib/malloc
	sources=$(ls "${dir}"/dsmalloc/dsm_*.c | grep -v freebsd)
	for cc in gcc clang; do
		command -v ${cc} >/dev/null || continue
		# shellcheck disable=SC2086
		atf_check -e ignore ${cc} -O3 -flto -w -std=gnu11 \
		    -DMALLOC_PRODUCTION -fvisibility=hidden -fno-builtin \
		    -I"${top}/tests/aarch64/include" -I"${dir}" \
		    -I"${dir}/dsmalloc" -o fibers-${cc} \
		    "${tests}/process_test.c" ${sources} -pthread
		atf_check -o match:"^1 passed, 0 failed" ./fibers-${cc} \
		    -x signals -x vforked -x cloned -x no_threads
	done
}

# Only a process of its own has mounts of its own.
atf_test_case no_proc
no_proc_head()
{
	atf_set "descr" "Neither /proc nor /sys is there"
	atf_set "require.progs" "cc unshare"
}
no_proc_body()
{
	exercise
	cat >inside <<'END'
set -e
mount -t tmpfs none /proc
mount -t tmpfs none /sys
[ ! -e /proc/self ]
exec env LD_PRELOAD="${1}" ./exercise
END
	unshare -rm true || atf_skip "unshare does not work here"
	atf_check -o inline:"fine\n" unshare -rm sh inside "$(dsm_library)"
	atf_check -o match:"^fine" -e match:"End dsmalloc statistics" env \
	    MALLOC_CONF=stats_print:true unshare -rm sh inside \
	    "$(dsm_library)"
	# The line of an abort, too.
	compile twice <<'END'
#include <stdlib.h>

int
main(void)
{
	char *volatile p;

	p = malloc(200000);
	free(p);
	free(p);
	return (0);
}
END
	sed 's/exercise/twice/' <inside >inside.twice
	atf_check -s signal:abrt -e match:"double free" \
	    unshare -rm sh inside.twice "$(dsm_library)"
}

atf_init_test_cases()
{
	atf_add_test_case before_constructors
	atf_add_test_case dlopened
	atf_add_test_case dlmopened
	atf_add_test_case audited
	atf_add_test_case own_scope
	atf_add_test_case interposers
	atf_add_test_case interposing_programs
	atf_add_test_case valgrind
	atf_add_test_case sanitizers
	atf_add_test_case link_time
	atf_add_test_case no_proc
}
