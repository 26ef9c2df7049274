/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * System calls that fail when a test says so: those for memory that come from
 * the library which malloc is in, and from nowhere else.
 *
 * A seccomp filter turns such a call into SIGSYS.  The handler asks the test,
 * and either makes the call itself, from where the filter lets it pass, or
 * puts the error in its place.  It cannot be undone, but forked children can
 * have it.
 */

#ifndef _INJECT_H_
#define	_INJECT_H_

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#ifndef SYS_process_madvise
#define	SYS_process_madvise	440
#endif

/* What the test says to a call: 0 to let it pass, or an error number, or
 * INJECT_NOTHING: it is not done, and says it was.  In a signal handler. */
#define	INJECT_NOTHING	(-1)
typedef int inject_decide_t(long nr, const long *args);

static inject_decide_t	*inject_decide;

#if defined(__x86_64__)
#define	INJECT_ARCH	AUDIT_ARCH_X86_64
#define	INJECT_RESULT(uc)	((uc)->uc_mcontext.gregs[REG_RAX])

static void
inject_args(const ucontext_t *uc, long *a)
{
	static const int regs[] = {
		REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9
	};
	int i;

	for (i = 0; i < 6; i++)
		a[i] = (long)uc->uc_mcontext.gregs[regs[i]];
}

/* In this program's own text, and so outside the library's. */
static long __attribute__((__noinline__))
inject_call(long nr, const long *a)
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile ("syscall" : "=a" (r) : "0" (nr), "D" (a[0]),
	    "S" (a[1]), "d" (a[2]), "r" (r10), "r" (r8), "r" (r9) :
	    "rcx", "r11", "memory");
	return (r);
}
#elif defined(__aarch64__)
#define	INJECT_ARCH	AUDIT_ARCH_AARCH64
#define	INJECT_RESULT(uc)	((uc)->uc_mcontext.regs[0])

static void
inject_args(const ucontext_t *uc, long *a)
{
	int i;

	for (i = 0; i < 6; i++)
		a[i] = (long)uc->uc_mcontext.regs[i];
}

static long __attribute__((__noinline__))
inject_call(long nr, const long *a)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile ("svc 0" : "+r" (x0) : "r" (x8), "r" (x1), "r" (x2),
	    "r" (x3), "r" (x4), "r" (x5) : "memory");
	return (x0);
}
#endif

#ifdef INJECT_ARCH
static void
inject_handler(int sig, siginfo_t *si, void *arg)
{
	ucontext_t *uc = arg;
	long a[6];
	int error;

	(void)sig;
	inject_args(uc, a);
	error = inject_decide == NULL ? 0 :
	    inject_decide(si->si_syscall, a);
	INJECT_RESULT(uc) = error == INJECT_NOTHING ? 0 :
	    error != 0 ? -error : inject_call(si->si_syscall, a);
}

struct inject_range {
	uintptr_t	in, start, end;
};

static int
inject_segment(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct inject_range *r = arg;
	uintptr_t a;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		a = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		if (info->dlpi_phdr[i].p_type != PT_LOAD ||
		    (info->dlpi_phdr[i].p_flags & PF_X) == 0 ||
		    r->in < a || r->in >= a + info->dlpi_phdr[i].p_memsz)
			continue;
		r->start = a;
		r->end = a + info->dlpi_phdr[i].p_memsz;
		return (1);
	}
	return (0);
}
#endif

/* False where this cannot be had. */
static bool
inject_start(void)
{
#ifdef INJECT_ARCH
	struct inject_range r;
	struct sigaction sa;

	memset(&r, 0, sizeof(r));
	r.in = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
	if (dl_iterate_phdr(inject_segment, &r) == 0 ||
	    r.start >> 32 != r.end >> 32)
		return (false);
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = inject_handler;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	if (sigaction(SIGSYS, &sa, NULL) != 0)
		return (false);
#define	INJECT_LOAD(f)							\
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,				\
	    (uint32_t)offsetof(struct seccomp_data, f))
	struct sock_filter filter[] = {
		INJECT_LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INJECT_ARCH, 0, 12),
		INJECT_LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(
		    struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)(r.start >> 32), 0, 4),
		INJECT_LOAD(instruction_pointer),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r.start, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r.end, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		sizeof(filter) / sizeof(filter[0]), filter
	};

	return (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
#else
	return (false);
#endif
}

#endif /* !_INJECT_H_ */
