/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The hand-over at thread exit: who empties an arena's inbox when its last
 * thread goes away while others still free its blocks.
 *
 * Two arenas, a thread bound to each, and pushers bound to none.  Whoever
 * frees a block of another arena pushes it on that arena's inbox; if the
 * arena has no thread left, the pusher collects the inbox itself, by trylock.
 * A thread that exits flushes its cache (which pushes on the other arena's
 * inbox), lowers its own arena's thread count, and only then drains its own
 * arena's inbox.  A thread never waits for a lock here: it leaves a mark
 * *before* its trylock, and a holder looks at the mark *after* it has
 * unlocked and, if it is set, tries again.  So either the trylock succeeds,
 * or the holder who made it fail has yet to look.  Holders who hold the lock
 * for another reason (a fill) look too.
 *
 * Claim: when all is quiet, nothing is left in an inbox of an arena that has
 * no threads.
 *
 * Sequentially consistent.  On real machines the push and the load of the
 * thread count, and the lowering of the count and the load of the inbox, are
 * a store followed by a load, so both sides need a full fence; so do the mark
 * and the trylock, and the unlock and the look at the mark.
 *
 * BROKEN=1: the thread drains before it lowers the count.
 * BROKEN=2: the mark is left after the trylock has failed.
 * BROKEN=3: the holder does not look at the mark after unlocking.
 * BROKEN=4: only collectors look; a fill does not.
 * Each must fail.
 */
#ifndef BROKEN
#define	BROKEN	0
#endif
#define	NA	2		/* arenas */
#ifndef NPUSHERS
#define	NPUSHERS 1
#endif
#define	NPUSH	2		/* blocks pushed by each pusher, alternating */
#define	NPROC	(NPUSHERS + 3)

byte inbox[NA];			/* blocks waiting */
byte threads[NA];
bool locked[NA];
bool mark[NA];
byte done;

inline trylock(a, ok)
{
	d_step { ok = !locked[a]; locked[a] = true; }
}

inline unlock(a)
{
	atomic { assert(locked[a]); locked[a] = false; }
}

/* Take what is there, or leave word to whoever has the lock. */
inline collect(a, ok)
{
#if BROKEN != 2
	mark[a] = true;
#endif
	do
	:: true ->
		trylock(a, ok);
		if
		:: !ok ->
#if BROKEN == 2
			mark[a] = true;
#endif
			break
		:: ok
		fi;
		mark[a] = false;
		inbox[a] = 0;
		unlock(a);
#if BROKEN == 3
		break
#else
		if
		:: mark[a]
		:: !mark[a] -> break
		fi
#endif
	od
}

inline push(a, ok)
{
	inbox[a] = inbox[a] + 1;
	if
	:: threads[a] == 0 -> collect(a, ok)
	:: threads[a] != 0
	fi
}

proctype thread(byte me)
{
	bool ok;

	push(1 - me, ok);		/* flush the cache */
#if BROKEN == 1
	collect(me, ok);
	threads[me] = threads[me] - 1;
#else
	threads[me] = threads[me] - 1;
	collect(me, ok);
#endif
	done++
}

proctype pusher()
{
	bool ok;
	byte n = 0;

	do
	:: n == NPUSH -> break
	:: n != NPUSH ->
		if			/* either arena */
		:: push(0, ok)
		:: push(1, ok)
		fi;
		n++
	od;
	done++
}

/* Someone who has the lock of arena 0 for other reasons. */
proctype filler()
{
	bool ok;

	trylock(0, ok);
	if
	:: ok ->
		unlock(0);
#if BROKEN != 3 && BROKEN != 4
		if
		:: mark[0] -> collect(0, ok)
		:: !mark[0]
		fi
#endif
	:: !ok
	fi;
	done++
}

init {
	atomic {
		byte i = 0;

		threads[0] = 1;
		threads[1] = 1;
		run thread(0);
		run thread(1);
		run filler();
		do
		:: i == NPUSHERS -> break
		:: else -> run pusher(); i++
		od
	}
	(done == NPROC);
	assert(threads[0] == 0 && threads[1] == 0);
	assert(!locked[0] && !locked[1]);
	assert(inbox[0] == 0 && inbox[1] == 0)
}

ltl ends { <> (done == NPROC) }
