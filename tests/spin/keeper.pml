/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Deadlines and those who sleep until them: dsm_decay.h, dsm_keeper.h.
 *
 * A holder of dirty memory has a deadline, and one word, "deadline", is the
 * earliest of all, or what a scan has left of it: a scan stores "never", looks
 * at every holder, and lowers the word to what it finds.  A holder that is
 * being visited is passed over; whose visit ends lowers the word.
 *
 * Keepers sleep one at a time, on watch.  The one on watch reads the count of
 * alarms, looks at its era, and whether anything is due; says until when it
 * sleeps; looks at the word again; and sleeps while the count is what it was.
 * Who lowers the word looks until when the sleeper sleeps, then says that
 * nobody does, raises the count and wakes.  Who switches keepers off ends the
 * era, then raises the alarm.
 *
 * Who starts and stops keepers is "busy"; who is in a hook does not wait for
 * that.  He says first what he wants, then tries to be busy; who is done looks
 * after that whether what is wanted is still what there is.
 *
 * At a fork nobody is within the gate (fork.pml is about that: here entering
 * it is one step), but a keeper may be on watch.  In the child all others are
 * gone; CHILD follows that.
 *
 * Claims: when all is quiet, what is dirty has a deadline, the word is no later
 * than any, and a keeper sleeps no longer than until it; with keepers off there
 * are none, and with keepers on there is one, or the next free of memory is to
 * start it.  Nobody is left waiting.
 *
 * SWITCH and CHILD have nobody who makes memory dirty meanwhile, but DUE memory
 * at the start, as others may have: with more of everything at a time the
 * search takes gigabytes.
 *
 * Sequentially consistent, as the operations on these words are: the word and
 * the time of sleep, a store and then a load on either side, and so "on" and
 * "busy".
 *
 * BROKEN=1: the sleeper does not look at the word after it has said until when.
 * BROKEN=2: who lowers the word looks at the sleeper before.
 * BROKEN=3: the alarms are counted after the look at what is due.
 * BROKEN=4: an alarm is not counted.
 * BROKEN=5: a scan stores "never" after its looks.
 * BROKEN=6: whose visit ends does not look for what was armed meanwhile.
 *						(DUE, two keepers)
 * BROKEN=7: a keeper forgets the holders that it does not visit.
 * BROKEN=8: the alarm is raised before the era ends.	(SWITCH)
 * BROKEN=9: the era is looked at before alarms are counted. (SWITCH)
 * BROKEN=10: who was busy does not look whether to stop.	(SWITCH)
 * BROKEN=11: nor whether to start.			(SWITCH)
 * BROKEN=12: a child does not look whether the watch is taken. (CHILD)
 * BROKEN=13: a child has its parent's keepers.		(CHILD)
 * Each must fail.
 */
#ifndef BROKEN
#define	BROKEN	0
#endif
#define	NH	2		/* holders */
#if defined(SWITCH) || defined(CHILD)
#define	NARM	0
#else
#ifndef NARM
#define	NARM	2		/* threads that make them dirty, */
#endif
#endif
#ifndef NTICK
#define	NTICK	0		/* and that look for what is overdue */
#endif
#ifndef NKEEP
#define	NKEEP	1		/* keepers at the start */
#endif
#ifdef SWITCH
#define	NSWITCH	2
#define	TIME	1
#else
#define	NSWITCH	0
#define	TIME	2		/* it is this late at the most, */
#endif
#define	NEVER	15		/* and never so late */
#define	ERAS	6

byte now = 1;
byte deadline = NEVER;
byte until;			/* 0: nobody sleeps */
byte alarms;
byte next[NH];
bool busy[NH];			/* a visit is on */
bool dirty[NH];
bool left;			/* a visit has left something over */

bool watch;			/* a lock */
bool asleep;
bool on = true;
bool claimed;			/* keeper.busy */
bool needed;
byte n = NKEEP;			/* keepers of this era */
byte era;
byte alive[ERAS];		/* of each era */

bool gate;
byte inside;
bool child;
byte done;

#define	UNTIL_FORK	unless { child && !born }

inline enter()
{
	atomic { !gate -> inside++ }
}

inline leave()
{
	inside--
}

inline rouse()
{
	until = 0;
#if BROKEN != 4
	alarms++;
#endif
	asleep = false
}

/* decay_lower(): a loop of compare and swap is one step in effect. */
inline lower(when)
{
#if BROKEN == 2
	seen = until;
#endif
	d_step {
		was = deadline;
		if
		:: when < was -> deadline = when
		:: else
		fi
	}
	if
	:: when < was ->
#if BROKEN != 2
		seen = until;
#endif
		if
		:: when < seen -> rouse()
		:: else
		fi
	:: else
	fi;
	d_step { was = 0; seen = 0 }
}

/* decay_due() */
inline due(h, when)
{
	d_step {
		if
		:: when < next[h] -> next[h] = when
		:: else
		fi
	}
	lower(when)
}

/* decay_next() */
inline look(h, t)
{
	t = NEVER;
	if
	:: busy[h]
	:: !busy[h] -> t = next[h]
	fi
}

/* decay_begin() to decay_end() */
inline visit(h)
{
	t = next[h];
	ok = false;
	if
	:: t <= now -> d_step { ok = !busy[h]; busy[h] = true }
	:: t > now
	fi;
	if
	:: ok ->
		next[h] = NEVER;
		if		/* the visit */
		:: dirty[h] = false
		:: d_step { !left -> left = true }
		fi;
		over = dirty[h];
		busy[h] = false;
		if
		:: over -> w = now + 1; due(h, w)
		:: !over
		fi;
#if BROKEN != 6
		look(h, t);
		lower(t)
#endif
	:: !ok ->
		look(h, t);
		lower(t)
	fi;
	d_step { t = 0; w = 0; ok = false; over = false }
}

/* Something of a holder becomes dirty: decay_arm(). */
inline arm(h)
{
	dirty[h] = true;
	if
	:: next[h] != NEVER
	:: next[h] == NEVER -> w = now + 1; due(h, w); w = 0
	fi
}

/* keeper_due(): what to visit, within the gate; or NH. */
inline find()
{
	s = NH;
	if
	:: deadline > now
	:: deadline <= now ->
		enter();
#if BROKEN != 5
		deadline = NEVER;
#endif
		look(0, t);
		if
		:: t <= now -> s = 0; first = t
		:: t > now -> first = now + 1
		fi;
		look(1, t);
		if
		:: t < first -> s = 1
		:: t >= first
		fi;
#if BROKEN != 7
		if
		:: s != 0 -> look(0, t); lower(t)
		:: s == 0
		fi;
		if
		:: s != 1 -> look(1, t); lower(t)
		:: s == 1
		fi;
#endif
#if BROKEN == 5
		deadline = NEVER;
#endif
		d_step { t = 0; first = 0 }
		if
		:: s == NH -> leave()
		:: s != NH
		fi
	fi
}

/* decay_sleep() */
inline sleep()
{
	t = deadline;
	until = t;
	w = now;
#if BROKEN == 3
	a = alarms;
#endif
#if BROKEN != 1
	was = deadline;
#else
	was = t;
#endif
	if
	:: was >= t && w < t ->
		d_step {	/* a futex */
			assert(!asleep);
			asleep = alarms == a
		}
end_asleep:	(!asleep || now >= t);
		asleep = false
	:: else
	fi;
	d_step { until = 0; t = 0; w = 0; was = 0; a = 0; s = 0 }
}

inline claim(wait, got)
{
	if
	:: wait -> atomic { !claimed -> claimed = true; got = true }
	:: !wait -> d_step { got = !claimed; claimed = true }
	fi
}

/* keeper_stop() */
inline stop(wait)
{
	e = era;
#if BROKEN == 8
	rouse();
	era++;
#else
	era++;
	rouse();
#endif
	if
	:: wait -> (alive[e] == 0)
	:: !wait
	fi;
	n = 0
}

inline add()
{
	d_step { assert(era < ERAS); alive[era] = alive[era] + 1; n++ }
	run keeper(era, child)
}

/* keeper_release() */
inline release()
{
	do
	:: true ->
		if
		:: n != 0 && !on -> stop(false)
		:: else
		fi;
		needed = on && n == 0;
		claimed = false;
		ok = false;
#if BROKEN != 10
		ok = n != 0 && !on;
#endif
#if BROKEN != 11
		ok = ok || needed != (on && n == 0);
#endif
		if
		:: ok -> claim(false, ok)
		:: !ok
		fi;
		if
		:: ok
		:: !ok -> break
		fi
	od
}

proctype keeper(byte mine; bool born)
{
	byte a, first, s, seen, t, w, was;
	bool ok, over;

	{
	do
	:: true ->
end_watch:	atomic { !watch -> watch = true }
		do
		:: true ->
#if BROKEN == 9
			if
			:: era != mine -> s = NH; break
			:: era == mine
			fi;
#endif
			a = alarms;
#if BROKEN != 9
			if
			:: era != mine -> s = NH; break
			:: era == mine
			fi;
#endif
			find();
			if
			:: s != NH -> break
			:: s == NH
			fi;
			sleep()
		od;
		watch = false;
		a = 0;
		if
		:: s == NH -> break
		:: s != NH -> visit(s); s = 0; leave()
		fi
	od;
	alive[mine] = alive[mine] - 1
	} UNTIL_FORK
}

/* A thread that frees memory. */
proctype armer()
{
	byte seen, w, was;
	bool born;

	{
	enter();
	if
	:: arm(0)
	:: arm(1)
	fi;
	leave();
	done++
	} UNTIL_FORK
}

/* One that finds the deadline passed: set_overdue(). */
proctype ticker()
{
	byte seen, t, w, was;
	bool born, ok, over;

	{
	enter();
	if
	:: deadline <= now ->
		deadline = NEVER;
		visit(0);
		visit(1)
	:: deadline > now
	fi;
	leave();
	done++
	} UNTIL_FORK
}

proctype hours()
{
	do
	:: now < TIME -> now++
	:: now == TIME -> break
	od
}

/* keeper_turn(), keeper_settle(): who is in a hook does not wait. */
proctype switcher(bool hook)
{
	byte e;
	bool born, got, ok;

	{
	if
	:: on = false
	:: on = true
	fi;
	claim(!hook, got);
	if
	:: got ->
		if
		:: !hook && n != 0 && !on -> stop(true)
		:: else
		fi;
		if
		:: !hook && on && n == 0 -> add()
		:: else
		fi;
		release()
	:: !got
	fi;
	done++
	} UNTIL_FORK
}

/* In the child: keeper_forked(), then a free of memory. */
proctype forker()
{
	byte e, seen, w, was;
	bool ok;

	/* One that was let go may be there still. */
	if
	:: on = false; claim(true, ok); stop(false); release()
	:: skip
	fi;
	atomic { !gate -> gate = true }
	(inside == 0);
	child = true;
	if
#if BROKEN == 12
	:: !on && n == 0 && !claimed
#else
	:: !on && n == 0 && !claimed && !watch
#endif
	:: else ->
		rouse();
		era++;
		watch = false;
#if BROKEN != 13
		n = 0;
#endif
		release()
	fi;
	alive[0] = 0;		/* for the claims alone */
	gate = false;
	on = true;
	claim(true, ok);
	if
	:: n == 0 -> add()
	:: else
	fi;
	release();
	enter();
	arm(0);
	leave();
	done++
}

#define	SOUND(h)							\
	((!dirty[h] || next[h] != NEVER) && deadline <= next[h] && !busy[h])

init {
	atomic {
		byte i = 0;

		next[0] = NEVER;
		next[1] = NEVER;
#if defined(DUE) || defined(SWITCH) || defined(CHILD)
		/* There is something to visit, and all of it goes. */
		left = true;
		dirty[0] = true;
		next[0] = 1;
		deadline = 1;
#endif
		alive[0] = NKEEP;
		do
		:: i == NKEEP -> break
		:: else -> run keeper(0, false); i++
		od;
		i = 0;
		do
		:: i == NARM -> break
		:: else -> run armer(); i++
		od;
		i = 0;
		do
		:: i == NTICK -> break
		:: else -> run ticker(); i++
		od;
#ifdef SWITCH
		run switcher(false);
		run switcher(true);
#endif
#ifdef CHILD
		run forker();
#endif
		run hours()
	}
	/* All is quiet. */
	timeout;
#ifdef CHILD
	assert(done >= 1 && child);
#else
	assert(done == NARM + NTICK + NSWITCH);
#endif
	assert(SOUND(0) && SOUND(1) && !claimed);
	assert(on || n == 0);
	assert(alive[era] == n);
	assert(!on || n != 0 || needed);
	/* Who sleeps is on watch, for no longer than he may. */
	assert(n == 0 || (watch && asleep && until != 0 &&
	    until <= deadline && deadline > now));
	assert(n != 0 || (!watch && !asleep && until == 0))
}

/* Nobody goes round and round. */
ltl ends { <> [] (done == NARM + NTICK && asleep) }
