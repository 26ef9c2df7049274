#
# SPDX-License-Identifier: BSD-2-Clause
#
# Real C++ programs under the library: containers, exceptions, new_handler.

describe()
{
	atf_set "descr" "${1}"
	atf_set "require.progs" "c++"
	atf_set "timeout" "120"
}

# Compile standard input and run it under the library.
run()
{
	cat >program.cc
	atf_check -e ignore c++ -std=c++17 -O1 -fno-builtin -pthread \
	    -Wno-alloc-size-larger-than -o program program.cc
	# The program itself is sound: it passes on the system's malloc.
	atf_check -o inline:"ok\n" ./program
	atf_check -o inline:"ok\n" env LD_PRELOAD="$(dsm_library)" ./program
}

atf_test_case containers
containers_head()
{
	describe "Containers, strings, streams and threads"
}
containers_body()
{
	run <<'END'
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct alignas(256) wide { char c[300]; };

static thread_local std::map<int, std::string> mine;

static void
work(int seed, long *sum)
{
	std::unordered_map<int, std::vector<std::string>> m;
	std::ostringstream s;

	for (int i = 0; i < 20000; i++) {
		m[i % 997].push_back(std::string((i * seed) % 300, 'x'));
		mine[i % 100] = std::to_string(i);
		if (i % 1000 == 0)
			m.clear();
	}
	for (auto &e : m)
		for (auto &x : e.second)
			*sum += (long)x.size();
	s << *sum;
	std::vector<std::unique_ptr<wide>> w;
	for (int i = 0; i < 1000; i++) {
		w.emplace_back(new wide);
		if (((unsigned long)w.back().get() & 255) != 0)
			std::abort();
	}
	if (s.str() != std::to_string(*sum))
		std::abort();
}

int
main()
{
	std::vector<std::thread> t;
	long sum[8] = {}, check = 0;

	for (int round = 0; round < 2; round++) {
		t.clear();
		for (int i = 0; i < 4; i++)
			t.emplace_back(work, i + 1, &sum[round * 4 + i]);
		for (auto &x : t)
			x.join();
	}
	work(1, &check);
	std::puts(check == sum[0] && sum[0] == sum[4] ? "ok" : "wrong");
}
END
}

atf_test_case bad_alloc
bad_alloc_head()
{
	describe "std::bad_alloc is thrown and can be caught"
}
bad_alloc_body()
{
	run <<'END'
#include <cstdio>
#include <cstdint>
#include <new>

struct alignas(128) wide { char c[128]; };

int
main()
{
	volatile std::size_t huge = SIZE_MAX / 2 - 1000;
	int caught = 0;

	for (int i = 0; i < 1000; i++) {
		try { ::operator delete(::operator new(huge)); }
		catch (const std::bad_alloc &) { caught++; }
		try { ::operator delete[](::operator new[](huge)); }
		catch (const std::bad_alloc &) { caught++; }
		try { ::operator delete(::operator new(huge,
		    std::align_val_t(64)), std::align_val_t(64)); }
		catch (const std::bad_alloc &) { caught++; }
		if (::operator new(huge, std::nothrow) == nullptr)
			caught++;
		if (::operator new[](huge, std::nothrow) == nullptr)
			caught++;
		if (::operator new(huge, std::align_val_t(64),
		    std::nothrow) == nullptr)
			caught++;
		delete new wide;
	}
	if (caught == 6000)
		std::puts("ok");
	else
		std::printf("%d caught\n", caught);
}
END
}

atf_test_case new_handler
new_handler_head()
{
	describe "The new_handler is called until it makes room, goes away or" \
	    "throws"
}
new_handler_body()
{
	run <<'END'
#include <sys/resource.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

static int calls;
static void *reserve;

static void
three_times()
{
	if (++calls == 3)
		std::set_new_handler(nullptr);
	/* It may allocate. */
	std::free(std::malloc(100));
}

struct other {};

static void
throws()
{
	calls++;
	throw other();
}

static void
make_room()
{
	calls++;
	struct rlimit rl;
	getrlimit(RLIMIT_AS, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_AS, &rl);
}

int
main()
{
	volatile std::size_t huge = SIZE_MAX / 2 - 1000, big = 512u << 20;
	bool good = true;

	std::set_new_handler(three_times);
	try { ::operator delete(::operator new(huge)); good = false; }
	catch (const std::bad_alloc &) { }
	good &= calls == 3;

	calls = 0;
	std::set_new_handler(three_times);
	good &= ::operator new(huge, std::nothrow) == nullptr && calls == 3;

	calls = 0;
	std::set_new_handler(throws);
	try { ::operator delete(::operator new(huge)); good = false; }
	catch (const other &) { }
	good &= calls == 1;

	calls = 0;
	struct rlimit rl;
	getrlimit(RLIMIT_AS, &rl);
	rl.rlim_cur = 400u << 20;
	setrlimit(RLIMIT_AS, &rl);
	std::set_new_handler(make_room);
	char *p = static_cast<char *>(::operator new(big));
	good &= calls == 1 && p != nullptr;
	p[0] = p[big - 1] = 1;
	::operator delete(p);
	if (good)
		std::puts("ok");
	else
		std::printf("%d calls\n", calls);
}
END
}

atf_test_case nothrow_handler_throws
nothrow_handler_throws_head()
{
	describe "A new_handler that throws bad_alloc makes nothrow new give" \
	    "a null pointer"
}
nothrow_handler_throws_body()
{
	run <<'END'
#include <cstdint>
#include <cstdio>
#include <new>

static void
throws()
{
	throw std::bad_alloc();
}

int
main()
{
	volatile std::size_t huge = SIZE_MAX / 2 - 1000;

	std::set_new_handler(throws);
	try {
		std::puts(::operator new(huge, std::nothrow) == nullptr ?
		    "ok" : "a block");
	} catch (...) {
		std::puts("thrown");
	}
}
END
}

atf_init_test_cases()
{
	atf_add_test_case containers
	atf_add_test_case bad_alloc
	atf_add_test_case new_handler
	atf_add_test_case nothrow_handler_throws
}
