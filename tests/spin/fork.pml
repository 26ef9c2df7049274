/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The fork protocol: dsm_gate.h, and dsm_cache.c.
 *
 * A slow path sets the "inside" flag of its cache, then looks at the fork
 * word.  If another thread's id stands there, it clears its flag, sleeps until
 * the word changes and begins again.  A forker stores its id in the word,
 * then waits until every other cache's flag is clear; meanwhile it may enter
 * slow paths itself, for other fork handlers allocate.  A second forker waits
 * for the word like a slow path.
 *
 * A thread that has no cache is on no list that the forker could look at.  It
 * is a stray: it is counted while it is inside.  A thread's first slow path
 * begins as a stray's, which puts the new cache on the list, and goes on with
 * the cache's flag, set before the count falls.  A thread's last begins with
 * its cache's flag and goes on as a stray's, which was counted before the
 * flag was cleared, and gives the cache away.  So the forker waits until there
 * are no strays, which makes the list of caches stable; then looks at the
 * caches; and then waits for strays once more.
 *
 * Claims: at the moment of the fork no thread is inside, and the registry is
 * whole; nobody is left sleeping and nothing deadlocks; everyone comes to an
 * end.
 *
 * Sequentially consistent.  On real machines the flag and the look at the
 * word, and the word and the look at the flags, are a store followed by a
 * load: both sides need a full fence.
 *
 * BROKEN=1: the slow path looks at the word before it sets its flag.
 * BROKEN=2: the slow path keeps its flag while it waits.
 * BROKEN=3: the forker is not exempt.
 * BROKEN=4: the forker does not wait for strays before it looks at caches.
 * BROKEN=5: the forker does not wait for strays after it.
 * BROKEN=6: the waiter looks and sleeps in two steps.
 * BROKEN=7: a thread that ends clears its flag before it is a stray.
 * BROKEN=8: a new thread is no stray any more before it sets its flag.
 * Each must fail.
 */
#ifndef BROKEN
#define	BROKEN	0
#endif
#ifndef NT
#define	NT	3		/* threads; 0 and 1 may fork */
#endif
#ifndef NFORKERS
#define	NFORKERS 2
#endif
#ifndef NSLOW
#define	NSLOW	2		/* slow paths of a thread */
#endif
#define	NONE	255

byte forkword = NONE;
bool registered[NT];
bool inside[NT];
bool asleep[NT];
bool reglocked;
byte strays;			/* threads inside without a cache */
byte critical;			/* threads in a critical section */
byte inregistry;		/* threads that change the registry */
byte done;

/* Sleep while the word is v: a futex. */
inline sleep_while(me, v)
{
#if BROKEN == 6
	if
	:: forkword == v -> asleep[me] = true
	:: forkword != v
	fi;
#else
	atomic {
		if
		:: forkword == v -> asleep[me] = true
		:: else
		fi
	}
#endif
	(!asleep[me])
}

inline wake_all()
{
	d_step {
		i = 0;
		do
		:: i == NT -> break
		:: else -> asleep[i] = false; i++
		od;
		i = 0
	}
}

inline slow_enter(me, w)
{
	do
	:: true ->
#if BROKEN == 1
		w = forkword;
		if
		:: w == NONE || w == me -> inside[me] = true; break
		:: else
		fi;
#else
		inside[me] = true;
		w = forkword;
		if
#if BROKEN == 3
		:: w == NONE -> break
#else
		:: w == NONE || w == me -> break
#endif
		:: else
		fi;
#if BROKEN != 2
		inside[me] = false;
#endif
#endif
		sleep_while(me, w)
	od;
	critical++
}

inline slow_leave(me)
{
	critical--;
	inside[me] = false
}

inline reg_lock()
{
	atomic { !reglocked -> reglocked = true }
	inregistry++
}

inline reg_unlock()
{
	inregistry--;
	reglocked = false
}

/* The same without a cache. */
inline stray_enter(me, w)
{
	do
	:: true ->
		strays++;
		w = forkword;
		if
		:: w == NONE || w == me -> break
		:: else
		fi;
		strays--;
		sleep_while(me, w)
	od;
	critical++
}

proctype thread(byte me; bool forks)
{
	byte n = 0, i = 0, w;

	/* First use: make a cache. */
	stray_enter(me, w);
	reg_lock();
	registered[me] = true;
	reg_unlock();
#if BROKEN == 8
	strays--;
	inside[me] = true;
#else
	inside[me] = true;
	strays--;
#endif
	slow_leave(me);

	do
	:: n == NSLOW -> break
	:: n != NSLOW ->
		slow_enter(me, w);
		slow_leave(me);
		n++
	od;

	if
	:: forks ->
		/* Before the fork. */
		do
		:: true ->
			d_step {	/* compare and swap */
				w = forkword;
				if
				:: w == NONE -> forkword = me
				:: else
				fi
			}
			if
			:: w == NONE -> break
			:: else -> sleep_while(me, w)
			fi
		od;
		slow_enter(me, w);	/* another handler allocates */
		slow_leave(me);
#if BROKEN != 4
		(strays == 0);
#endif
		do
		:: i == NT -> break
		:: i != NT ->
			if
			:: registered[i] && i != me -> (!inside[i])
			:: else
			fi;
			i++
		od;
		i = 0;
#if BROKEN != 5
		(strays == 0);
#endif
		/* The fork. */
		atomic { assert(critical == 0); assert(inregistry == 0) }
		/* After it, in the parent. */
		slow_enter(me, w);
		slow_leave(me);
		forkword = NONE;
		wake_all()
	:: !forks
	fi;

	/* Exit: flush the cache, then give it away. */
	slow_enter(me, w);
#if BROKEN == 7
	inside[me] = false;
	strays++;
#else
	strays++;
	inside[me] = false;
#endif
	reg_lock();
	registered[me] = false;
	reg_unlock();
	critical--;
	strays--;
	done++
}

init {
	atomic {
		byte j = 0;

		do
		:: j == NT -> break
		:: else -> run thread(j, j < NFORKERS); j++
		od
	}
	(done == NT);
	assert(forkword == NONE && critical == 0 && strays == 0 &&
	    !reglocked)
}

ltl ends { <> (done == NT) }
