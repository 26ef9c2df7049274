/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The remote protocol: frees of a slab's slots by threads of other arenas.
 *
 * NF freers each free one slot in each of NW words of one slab; every slot is
 * theirs, so the slab starts full and ends empty.  A collector, which stands
 * for whoever holds the bin lock, takes the inbox or sweeps the words
 * directly, at any time.
 *
 * Claims: a closed slab is never pushed, a slab is never pushed twice, and
 * when all is quiet every freed slot has been collected and the slab is
 * closed.
 *
 * The model is sequentially consistent.  On real machines the add to
 * "arrived" releases (the OR before it must be seen by whoever takes the
 * announcement) and the exchanges acquire.
 *
 * BROKEN: the slab closes without waiting for owed == 0.  Must fail.
 */
#ifndef NF
#define	NF	3
#endif
#ifndef NW
#define	NW	2
#endif

byte word[NW];		/* remote bitmap, one bit for each freer */
byte arrived;		/* announcements not yet taken */
bool inbox;		/* the slab is on its bin's inbox */
bool closed;
byte done;		/* freers that have finished */

proctype freer(byte mask)
{
	byte w = 0;
	bool first;
	byte a;

	do
	:: w == NW -> break
	:: else ->
		/* fetch_or */
		d_step { first = (word[w] == 0); word[w] = word[w] | mask; }
		if
		:: first ->
			/* fetch_add */
			d_step { a = arrived; arrived = arrived + 1; }
			if
			:: a == 0 ->
				atomic {	/* push */
					assert(!closed);
					assert(!inbox);
					inbox = true;
				}
			:: else
			fi
		:: else
		fi;
		w++
	od;
	done++
}

proctype collector()
{
	byte n, w, m, nfree = 0;
	short owed = 0;
	bool popped, sweep = false;

	do
	:: closed -> break
	:: !closed ->
		n = 0;
		popped = false;
		if
		:: inbox ->		/* exchange(inbox, NULL) */
			inbox = false;
			popped = true;
			sweep = false
		:: !inbox || !sweep ->	/* a direct sweep, but never twice
					   past a full inbox */
			sweep = true
		fi;
		if
		:: popped ->		/* exchange(arrived, 0) */
			d_step { n = arrived; arrived = 0; }
		:: else
		fi;
		w = 0;
		do
		:: w == NW -> break
		:: else ->		/* exchange(word, 0) */
			d_step { m = word[w]; word[w] = 0; }
			if
			:: m != 0 ->
				owed++;
				nfree = nfree + (m & 1) + ((m >> 1) & 1) +
				    ((m >> 2) & 1)
			:: else
			fi;
			w++
		od;
		owed = owed - n;
		assert(!popped || owed >= 0);
		if
#ifdef BROKEN
		:: nfree == NF * NW -> closed = true
#else
		:: nfree == NF * NW && owed == 0 -> closed = true
#endif
		:: else
		fi
	od
}

init {
	atomic {
		run freer(1);
		run freer(2);
#if NF > 2
		run freer(4);
#endif
		run collector();
	}
	(done == NF);
	(closed);
	assert(arrived == 0 && !inbox && word[0] == 0 && word[NW - 1] == 0)
}

ltl ends { <> closed }
