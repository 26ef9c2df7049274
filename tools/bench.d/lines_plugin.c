/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A plugin of qemu's user emulation that counts what an allocator costs on a
 * machine with a processor for every thread: cache lines fetched from other
 * processors, and locked instructions.
 *
 * The model.  Each living thread has a processor of its own, the lowest that
 * is free when it starts, so that a thread may inherit what one that has ended
 * left in the cache.  Caches are without bound.  Of each line the processors
 * that hold it are known and which one wrote last.  Reading a line that is not
 * held and that another has written is a transfer, and so is writing one that
 * others hold; they lose it.  A line that none has written yet, such as one
 * of a fresh page, costs nothing.
 *
 * What is charged to the library is what happens at its instructions and at
 * those of functions that it calls, such as memset or pthread_mutex_lock; the
 * rest is the program's, that of the C library for its own sake included.
 *
 * Threads take turns on the processors that there are.  So that they mix as
 * they would with one each, and alike from run to run, each lets others run
 * after every TURN accesses; by the system's slices alone, some 100 times as
 * long, far less moves, and how much depends on the machine's load.
 *
 * What it is not.  A thread whose turn ends within a lock keeps it for a turn
 * of all others, so more of them meet it than would.  What the kernel touches
 * is not seen, nor what caches drop for want of room.
 *
 * Arguments: library=PATH, whom to charge; calls=OFFSET, the place in that file
 * of the function whose calls are counted; output=PATH.  The interface is
 * declared here since Debian has no package with qemu's header; what is used
 * of it is there in version 1, which qemu 7.2 has.
 */

#include <sys/mman.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;

size_t	 qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *,
	    size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t	 qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
void	*qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(uint32_t);
bool	 qemu_plugin_mem_is_store(uint32_t);
void	 qemu_plugin_register_vcpu_tb_trans_cb(uint64_t,
	    void (*)(uint64_t, struct qemu_plugin_tb *));
void	 qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *,
	    void (*)(unsigned, void *), int, void *);
void	 qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *,
	    void (*)(unsigned, uint32_t, uint64_t, void *), int, int, void *);
void	 qemu_plugin_register_vcpu_syscall_cb(uint64_t, void (*)(uint64_t,
	    unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
	    uint64_t, uint64_t, uint64_t));
void	 qemu_plugin_register_vcpu_syscall_ret_cb(uint64_t,
	    void (*)(uint64_t, unsigned, int64_t, int64_t));
void	 qemu_plugin_register_atexit_cb(uint64_t, void (*)(uint64_t, void *),
	    void *);
int	 qemu_plugin_install(uint64_t, const void *, int, char **);

#define	PUBLIC		__attribute__((visibility("default")))
#define	NO_REGISTERS	0
#define	READ_OR_WRITE	3

#define	LINE		64
#define	PROCESSORS	256
#define	DEPTH		4096
#define	TURN		1000

/* Who holds a line; one of these for each of the program's lines. */
struct line {
	_Atomic uint64_t holders[PROCESSORS / 64];
	_Atomic unsigned writer;	/* of the last write, or 0 */
	_Atomic unsigned alone;		/* the writer when no one else holds it,
					   or 0; processors count from 1 here */
	atomic_flag	 lock;
	char		 pad[23];
};

_Static_assert(sizeof(struct line) == LINE, "a table as large as the memory");

/* The lines of each GiB of addresses, mapped when one is first met. */
#define	GIB_SHIFT	30
#define	GIB		((uint64_t)1 << GIB_SHIFT)
#define	GIBS		((size_t)1 << (47 - GIB_SHIFT))

static _Atomic(char *) table[GIBS];

/* An instruction that accesses memory, and what it cost: [1] within the
 * library or called from there, [0] elsewhere. */
struct site {
	struct site	*next;
	uint64_t	 address;
	const struct module *module;
	uint64_t	 offset;	/* in the module's file */
	uint64_t	 after;		/* the next instruction's address */
	_Atomic uint64_t lines[2];
	_Atomic uint64_t locked[2];
};

/* A mapping of a file. */
struct module {
	struct module	*next;
	uint64_t	 start, end, offset;
	bool		 library;
	char		*path;
};

#define	BUCKETS		65536
#define	SITE_HASH(a)	((a) * 0x9e3779b97f4a7c15ULL >> 48)

static struct site *sites[BUCKETS];
static struct module *modules;
static pthread_mutex_t translating = PTHREAD_MUTEX_INITIALIZER;

/* The thread that has a processor now. */
struct processor {
	unsigned	 number;
	unsigned	 accesses;
	uint64_t	 calls;
	uint64_t	 args[2];	/* of the system call it is in */
	/* Where calls that are not finished return to. */
	unsigned	 depth;
	unsigned	 inside;	/* 1 + the depth at which the library
					   was entered, or 0 */
	uint64_t	 returns[DEPTH];
};

static struct processor processor[PROCESSORS];
static _Atomic uint64_t busy[PROCESSORS / 64];
static __thread struct processor *self
    __attribute__((__tls_model__("initial-exec")));

static const char *library, *output;
static uint64_t calls;

static void
die(const char *what)
{

	fprintf(stderr, "lines: %s\n", what);
	abort();
}

static void *
make(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		die("out of memory");
	return (p);
}

/* The lowest processor that is free becomes this thread's. */
static struct processor *
start(void)
{
	uint64_t bit, was;
	unsigned i;

	for (i = 0; i < PROCESSORS; i++) {
		bit = (uint64_t)1 << (i % 64);
		was = atomic_load(&busy[i / 64]);
		if ((was & bit) == 0 &&
		    (atomic_fetch_or(&busy[i / 64], bit) & bit) == 0)
			break;
	}
	if (i == PROCESSORS)
		die("too many threads");
	self = &processor[i];
	self->number = i;
	self->depth = self->inside = 0;
	return (self);
}

static inline struct processor *
me(void)
{

	return (self != NULL ? self : start());
}

static void
stop(void)
{
	unsigned i = me()->number;

	self = NULL;
	atomic_fetch_and(&busy[i / 64], ~((uint64_t)1 << (i % 64)));
}

static char *
gib_map(_Atomic(char *) *slot)
{
	char *none = NULL, *p;

	p = mmap(NULL, GIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		die("cannot map a table");
	if (atomic_compare_exchange_strong(slot, &none, p))
		return (p);
	munmap(p, GIB);
	return (none);
}

static inline struct line *
line_of(uint64_t address)
{
	_Atomic(char *) *slot = &table[address >> GIB_SHIFT & (GIBS - 1)];
	char *p = atomic_load_explicit(slot, memory_order_acquire);

	if (p == NULL)
		p = gib_map(slot);
	return ((struct line *)(void *)(p + (address & (GIB - 1) &
	    ~(uint64_t)(LINE - 1))));
}

/* Memory that the system takes back or gives afresh: nobody holds it. */
static void
forget(uint64_t address, uint64_t size)
{
	uint64_t part;
	char *p;

	for (; size > 0; address += part, size -= part) {
		part = GIB - (address & (GIB - 1));
		if (part > size)
			part = size;
		p = atomic_load(&table[address >> GIB_SHIFT & (GIBS - 1)]);
		if (p != NULL && madvise(p + (address & (GIB - 1)), part,
		    MADV_DONTNEED) != 0)
			die("cannot clear a table");
	}
}

static void
line_lock(struct line *l)
{

	while (atomic_flag_test_and_set(&l->lock))
		continue;
}

/* A processor that does not hold a line reads it: was it a transfer? */
static bool
line_read(struct line *l, unsigned n)
{
	unsigned writer;

	line_lock(l);
	writer = l->writer;
	l->holders[n / 64] |= (uint64_t)1 << (n % 64);
	if (writer != n + 1)
		l->alone = 0;
	atomic_flag_clear(&l->lock);
	return (writer != 0 && writer != n + 1);
}

/* The same for a write, with others' copies or without. */
static bool
line_write(struct line *l, unsigned n)
{
	bool others = false;
	unsigned i;
	uint64_t mine;

	line_lock(l);
	for (i = 0; i < PROCESSORS / 64; i++) {
		mine = i == n / 64 ? (uint64_t)1 << (n % 64) : 0;
		others |= (l->holders[i] & ~mine) != 0;
		l->holders[i] = mine;
	}
	l->writer = n + 1;
	l->alone = n + 1;
	atomic_flag_clear(&l->lock);
	return (others);
}

static void
access_line(struct processor *p, struct line *l, bool store, struct site *s)
{
	unsigned n = p->number;
	bool moved;

	if (store) {
		if (atomic_load_explicit(&l->alone, memory_order_relaxed) ==
		    n + 1)
			return;
		moved = line_write(l, n);
	} else {
		if (atomic_load_explicit(&l->holders[n / 64],
		    memory_order_relaxed) >> (n % 64) & 1)
			return;
		moved = line_read(l, n);
	}
	if (moved)
		atomic_fetch_add(&s->lines[p->inside != 0], 1);
}

static void
on_access(unsigned cpu, uint32_t info, uint64_t address, void *arg)
{
	uint64_t last = address + (1u << qemu_plugin_mem_size_shift(info)) - 1;
	bool store = qemu_plugin_mem_is_store(info);
	struct processor *p = me();
	struct site *s = arg;

	(void)cpu;
	if (++p->accesses % TURN == 0)
		sched_yield();
	access_line(p, line_of(address), store, s);
	if (address / LINE != last / LINE)
		access_line(p, line_of(last), store, s);
}

static void
on_locked(unsigned cpu, void *arg)
{
	struct processor *p = me();
	struct site *s = arg;

	(void)cpu;
	atomic_fetch_add(&s->locked[p->inside != 0], 1);
}

static void
on_counted(unsigned cpu, void *arg)
{

	(void)cpu;
	(void)arg;
	me()->calls++;
}

static void
on_call(unsigned cpu, void *arg)
{
	struct processor *p = me();
	struct site *s = arg;

	(void)cpu;
	if (p->depth == DEPTH)
		die("calls are too deep");
	p->returns[p->depth++] = s->after;
}

/*
 * The first instruction of a block.  A call has returned if this is what
 * follows it.  Jumps that end a function do not matter: what they lead to
 * returns to the same place.
 */
static void
on_block(unsigned cpu, void *arg)
{
	struct processor *p = me();
	struct site *s = arg;

	(void)cpu;
	if (p->depth > 0 && p->returns[p->depth - 1] == s->address &&
	    --p->depth + 1 < p->inside)
		p->inside = 0;
	if (p->inside == 0 && s->module->library)
		p->inside = p->depth + 1;
}

/* A mapping by its line of /proc/self/maps, if the address is in it. */
static struct module *
module_parse(const char *line, uint64_t at)
{
	unsigned long end, from, offset;
	char path[4096] = "none";
	struct module *m;

	if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095s", &from, &end,
	    &offset, path) < 3 || at < from || at >= end)
		return (NULL);
	m = make(sizeof(*m));
	m->start = from;
	m->end = end;
	m->offset = offset;
	m->library = strcmp(path, library) == 0;
	if ((m->path = strdup(path)) == NULL)
		die("out of memory");
	return (m);
}

/* The file that a host address is mapped from. */
static struct module *
module_read(uint64_t at)
{
	struct module *m = NULL;
	char line[4352];
	FILE *f;

	if ((f = fopen("/proc/self/maps", "r")) == NULL)
		die("cannot read /proc/self/maps");
	while (m == NULL && fgets(line, sizeof(line), f) != NULL)
		m = module_parse(line, at);
	fclose(f);
	if (m == NULL)
		die("code that is mapped nowhere");
	m->next = modules;
	return (modules = m);
}

static struct module *
module_of(uint64_t at)
{
	struct module *m;

	for (m = modules; m != NULL; m = m->next)
		if (at >= m->start && at < m->end)
			return (m);
	return (module_read(at));
}

static struct site *
site_new(uint64_t address, uint64_t at)
{
	struct site **bucket = &sites[SITE_HASH(address)], *s;

	s = make(sizeof(*s));
	s->address = address;
	s->module = module_of(at);
	s->offset = at - s->module->start + s->module->offset;
	s->next = *bucket;
	return (*bucket = s);
}

/* An instruction that crosses a page is seen twice: its first bytes at the end
 * of a block, from which it is then dropped, and all of it in the next. */
static struct site *
site_of(const struct qemu_plugin_insn *insn)
{
	uint64_t address = qemu_plugin_insn_vaddr(insn), after;
	struct site *s = sites[SITE_HASH(address)];

	while (s != NULL && s->address != address)
		s = s->next;
	if (s == NULL)
		s = site_new(address, (uint64_t)(uintptr_t)
		    qemu_plugin_insn_haddr(insn));
	after = address + qemu_plugin_insn_size(insn);
	if (s->after < after)
		s->after = after;
	return (s);
}

/* What an x86 instruction is, after its prefixes. */
struct decoded {
	bool		 lock;
	uint8_t		 opcode;
	uint8_t		 modrm;
};

static struct decoded
decode(const struct qemu_plugin_insn *insn)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
	    0x66, 0x67, 0xf0, 0xf2, 0xf3 };
	const uint8_t *b = qemu_plugin_insn_data(insn);
	size_t i, n = qemu_plugin_insn_size(insn);
	struct decoded d = { false, 0, 0 };

	for (i = 0; i + 1 < n && (memchr(prefixes, b[i], sizeof(prefixes)) !=
	    NULL || (b[i] & 0xf0) == 0x40); i++)
		d.lock |= b[i] == 0xf0;
	d.opcode = b[i];
	if (i + 1 < n)
		d.modrm = b[i + 1];
	return (d);
}

/* lock, or xchg with memory, which needs no prefix. */
static bool
is_locked(struct decoded d)
{

	return (d.lock || ((d.opcode == 0x86 || d.opcode == 0x87) &&
	    d.modrm < 0xc0));
}

/* call, or call through a register or memory. */
static bool
is_call(struct decoded d)
{

	return (d.opcode == 0xe8 ||
	    (d.opcode == 0xff && (d.modrm >> 3 & 7) == 2));
}

static void
instrument(struct qemu_plugin_insn *insn, bool first)
{
	struct decoded d = decode(insn);
	struct site *s = site_of(insn);

	if (first)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_block,
		    NO_REGISTERS, s);
	if (is_call(d))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_call,
		    NO_REGISTERS, s);
	if (s->module->library && s->offset == calls)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_counted,
		    NO_REGISTERS, s);
	if (is_locked(d))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_locked,
		    NO_REGISTERS, s);
	qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS,
	    READ_OR_WRITE, s);
}

static void
on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	pthread_mutex_lock(&translating);
	for (i = 0; i < n; i++)
		instrument(qemu_plugin_tb_get_insn(tb, i), i == 0);
	pthread_mutex_unlock(&translating);
}

/* The system calls of interest, by amd64's numbers. */
enum {
	MMAP = 9, MUNMAP = 11, MREMAP = 25, MADVISE = 28, EXIT = 60
};

static void
on_syscall(uint64_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2,
    uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
    uint64_t a8)
{
	struct processor *p = me();

	(void)id, (void)cpu, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
	p->args[0] = a2;
	p->args[1] = a3;
	if (number == MUNMAP || number == MREMAP ||
	    (number == MADVISE && a3 == MADV_DONTNEED))
		forget(a1, a2);
	else if (number == EXIT)
		stop();
}

static void
on_syscall_end(uint64_t id, unsigned cpu, int64_t number, int64_t result)
{

	(void)id, (void)cpu;
	if (result < 0 && result > -4096)
		return;
	if (number == MMAP)
		forget((uint64_t)result, me()->args[0]);
	else if (number == MREMAP)
		forget((uint64_t)result, me()->args[1]);
}

static void
on_exit_of_all(uint64_t id, void *arg)
{
	uint64_t n = 0;
	struct site *s;
	unsigned i;
	FILE *f;

	(void)id, (void)arg;
	if ((f = fopen(output, "w")) == NULL)
		die("cannot write the output");
	for (i = 0; i < PROCESSORS; i++)
		n += processor[i].calls;
	fprintf(f, "calls %lu\n", (unsigned long)n);
	for (i = 0; i < BUCKETS; i++)
		for (s = sites[i]; s != NULL; s = s->next)
			if ((s->lines[0] | s->lines[1] | s->locked[0] |
			    s->locked[1]) != 0)
				fprintf(f, "%s %lx %lu %lu %lu %lu\n",
				    s->module->path, (unsigned long)s->offset,
				    (unsigned long)s->lines[1],
				    (unsigned long)s->locked[1],
				    (unsigned long)s->lines[0],
				    (unsigned long)s->locked[0]);
	if (fclose(f) != 0)
		die("cannot write the output");
}

PUBLIC int qemu_plugin_version = 1;

PUBLIC int
qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		if (strncmp(argv[i], "library=", 8) == 0)
			library = strdup(argv[i] + 8);
		else if (strncmp(argv[i], "calls=", 6) == 0)
			calls = strtoul(argv[i] + 6, NULL, 16);
		else if (strncmp(argv[i], "output=", 7) == 0)
			output = strdup(argv[i] + 7);
	if (library == NULL || output == NULL || calls == 0) {
		fprintf(stderr, "lines: library, calls and output are "
		    "needed\n");
		return (1);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, on_syscall_end);
	qemu_plugin_register_atexit_cb(id, on_exit_of_all, NULL);
	return (0);
}
