/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sleep/wake protocol for tools/model: every interleaving, in a small ring, of the inlines of
 * end.h and the kernel's wait.c and poll.c, whose names and letters the model uses.
 *
 * Memory: each process has a store buffer for each word, which drains at any time
 * and in any order (PSO, weaker than x86's TSO), a release after the process's earlier
 * stores; a full fence waits for all of them.  Loads are in order, so acquires, and
 * what a release does for earlier loads, are herd7's to check, not this model's.
 * The full fences (L) and (N) are always made here, as if the event index always had the fence
 * bit; fence.pml shows that the publisher sees the bit whenever a task is about to sleep.
 * Words under the kernel's lock, task states and the ends' states are sequentially consistent; a
 * task that takes the lock sees all stores of the last holder.
 *
 * tools/model gives the ring and the seeded bug by -D.  An end that sleeps for ever
 * is an invalid end state.  The value of an element is its position.
 */
#define PRODUCER	0
#define CONSUMER	1
#define PEER(role)	(1 - (role))
/* How an end sleeps. */
#define WAIT		0
#define EDGE		1		/* edge-triggered epoll */
#define EVENTFD		2
#define WATERMARK	3
#define POLL_ONCE	4
#define ARM_ONCE	5
#define POLL		6
/* How a producer waits. */
#define ROOM		7		/* sleeps until there is room for several */
#define ROOM_POLL	8		/* the same by poll, with a watermark */
#define PAIRS		9		/* does not sleep, but retries: two elements or none */

#define NEVER		200		/* S64_MAX */

/* Processes.  Kernel code runs in one of them, with its buffer. */
#define P		0		/* the producer */
#define C		1		/* the consumer */
#define X		2		/* a second thread of an end, or a second producer */
#define K		3		/* irq_work, and the timer */
#define PROCS		4

/* Words. */
#define FRAMES		((CAP + FR - 1) / FR)
#define SLOTS		(FRAMES * FR)
#define TAIL(i)		((i) / FR % FRAMES)
#define CURSOR_P	FRAMES
#define CURSOR_C	(FRAMES + 1)
#define TOLD		(FRAMES + 2)
#define WANTS(role)	(FRAMES + 3 + (role))
#define SLOT(i)		(FRAMES + 5 + (i) % SLOTS)
#ifdef ENOUGH_RULE			/* a full ring is enough, see wait_enough() */
#define FULL_AT		(FRAMES + 5 + SLOTS)
#define WORDS		(FRAMES + 6 + SLOTS)
#else
#define WORDS		(FRAMES + 5 + SLOTS)
#endif

byte mem[WORDS];
byte buf[PROCS * WORDS];		/* 0: nothing, else the value + 1 */
short after[PROCS * WORDS];		/* a release: the words that drain before it */
short pending[PROCS];			/* the words that are in a process's buffer */

/* One lock for each end: its last holder, and what that had in its buffer when it unlocked. */
bit locked[2];
byte holder[2];
short held_back[2];

#define BUF(p, w)	buf[(p) * WORDS + (w)]
#define LOAD(p, w)	(BUF(p, w) -> BUF(p, w) - 1 : mem[w])
#define PUT(p, w, v)	BUF(p, w) = (v) + 1; pending[p] = pending[p] | (1 << (w))
#define STORE(p, w, v)	atomic { !BUF(p, w) -> PUT(p, w, v) }
#define RELEASE(p, w, v) atomic { !BUF(p, w) -> after[(p) * WORDS + (w)] = pending[p]; PUT(p, w, v) }
#define FENCE(p)	!pending[p]

/* Drain any word that may drain. */
active proctype drain()
{
	byte i, j;

end:	do
	:: atomic {
		pending[P] || pending[C] || pending[X] || pending[K];
		do
		:: buf[i] && !after[i] -> break
		:: i < PROCS * WORDS - 1 -> i++
		:: i == PROCS * WORDS - 1 && !(buf[i] && !after[i]) -> break
		od;
		if
		:: buf[i] && !after[i] ->
			mem[i % WORDS] = buf[i] - 1;
			buf[i] = 0;
			pending[i / WORDS] = pending[i / WORDS] & ~(1 << (i % WORDS));
			do
			:: j < WORDS ->
				after[i / WORDS * WORDS + j] =
					after[i / WORDS * WORDS + j] & ~(1 << (i % WORDS));
				j++
			:: else -> j = 0; break
			od;
			do
			:: j < 2 ->
				if
				:: holder[j] == i / WORDS ->
					held_back[j] = held_back[j] & ~(1 << (i % WORDS))
				:: else
				fi;
				j++
			:: else -> j = 0; break
			od
		:: else
		fi;
		i = 0
	}
	od
}

inline lock(p, role)
{
	atomic {
		!locked[role] && (holder[role] == p || !held_back[role]);
		locked[role] = 1
	}
}

inline unlock(p, role)
{
	atomic { holder[role] = p; held_back[role] = pending[p]; locked[role] = 0 }
}

/* The fences, each of which a mutant leaves out. */
#ifdef WITHOUT_L
#define FENCE_L(p)	skip
#else
#define FENCE_L(p)	FENCE(p)
#endif
#ifdef WITHOUT_N
#define FENCE_N(p)	skip
#else
#define FENCE_N(p)	FENCE(p)
#endif
#ifdef WITHOUT_SLEEP_FENCE		/* wait_sleep(): (M), (O) */
#define FENCE_SLEEP(p)	skip
#else
#define FENCE_SLEEP(p)	FENCE(p)
#endif
#ifdef WITHOUT_REAP_FENCE		/* wait_reap() */
#define FENCE_REAP(p)	skip
#else
#define FENCE_REAP(p)	FENCE(p)
#endif
#ifdef WITHOUT_ARM_FENCE		/* wait_arm() */
#define FENCE_ARM(p)	skip
#else
#define FENCE_ARM(p)	FENCE(p)
#endif
#ifdef WITHOUT_POLL_FENCE		/* wait_arm_and_look() */
#define FENCE_POLL(p)	skip
#else
#define FENCE_POLL(p)	FENCE(p)
#endif
#ifdef WITHOUT_FULL_FENCE		/* spscring_publish_full(): (L) */
#define FENCE_FULL(p)	skip
#else
#define FENCE_FULL(p)	FENCE(p)
#endif
#ifdef WITHOUT_A
#define RELEASE_A(p, w, v) STORE(p, w, v)
#else
#define RELEASE_A(p, w, v) RELEASE(p, w, v)
#endif

/* ------------------------------------------------- the kernel's, by role */

bit ended[2];				/* SHUT_DOWN or DEAD */
bit dead, second_done;			/* the producer is dead; the second thread is done */
byte armed[2], asked[2];
bit less[2];				/* a poll that was not ready has armed it */
bit late[2], timer[2];
byte late_at[2];
bit work[2];				/* irq_work is queued */

/* Threads. */
bit waits[PROCS];			/* on the list of waiters */
byte index[PROCS];
bit asleep[PROCS];			/* TASK_INTERRUPTIBLE, and not woken since */
bit polls[PROCS];			/* on the wait queue: epoll, poll() or eventfd */
bit edge[PROCS];			/* a wake-up came since the last epoll_wait() */
bit role_of[PROCS];

#define REACHED(p, role, i) (role == CONSUMER -> LOAD(p, TAIL((i) - 1)) >= (i) : \
						 LOAD(p, CURSOR_C) + CAP >= (i))
#define ENDED(role)	(ended[role] || ended[PEER(role)])
#ifdef ENOUGH_RULE
/* wait_for_room(), wait_enough(); the producer is P alone */
#define FOR_ROOM(p)	(waits[P] || less[PRODUCER] && !REACHED(p, PRODUCER, armed[PRODUCER]))
#define IS_ENOUGH(p, sleeps) (REACHED(p, CONSUMER, LOAD(p, CURSOR_C) + 1) && \
			 (LOAD(p, FULL_AT) == LOAD(p, CURSOR_C) + 1 || (sleeps)))
#define ENOUGH(p, role)	(role == CONSUMER && IS_ENOUGH(p, FOR_ROOM(p)))
#else
#define ENOUGH(p, role)	false
#endif
#ifdef BUG_CONSUMER_BLIND		/* before it sleeps, the consumer does not check the producer */
#define LOOK(p, role, i) (REACHED(p, role, i) || role == CONSUMER && IS_ENOUGH(p, false))
#else
#define LOOK(p, role, i) (REACHED(p, role, i) || ENOUGH(p, role))
#endif
#define OVER(p, role, i) (ENDED(role) || REACHED(p, role, i) || ENOUGH(p, role))
/* wait_pollers_done() */
#define POLLERS_OVER(p, role) (armed[role] && (ENDED(role) || REACHED(p, role, armed[role]) || \
						less[role] && ENOUGH(p, role)))
#define MARK_OF(role)	(role == CONSUMER -> MARK : P_MARK)
#define CURSOR(p, role)	(role == CONSUMER -> LOAD(p, CURSOR_C) : LOAD(p, CURSOR_P))
#define LATE(p, role)	(late[role] && late_at[role] == CURSOR(p, role))

/* wait_publish_event(); the store of the event index drains later */
inline tell(p, role)
{
	atomic {
		!BUF(p, WANTS(role)) -> least = armed[role];
		if
		:: asked[role] && (!least || asked[role] < least) -> least = asked[role]
		:: else
		fi;
		q = 0;
		do
		:: q < PROCS ->
			if
			:: waits[q] && role_of[q] == role && (!least || index[q] < least) ->
				least = index[q]
			:: else
			fi;
			q++
		:: else -> break
		od;
		if
		:: !least -> least = NEVER
		:: least && role == PRODUCER -> least = least - CAP
		:: else
		fi;
		PUT(p, WANTS(role), least);
		least = 0; q = 0
	}
}

/* ring_seen(): for the consumer, the producer's cursor, or the tail of the cursor's frame */
#define FRAME_END(i)	(((i) / FR + 1) * FR)
inline see(p, role)
{
	if
	:: role == PRODUCER -> seen = LOAD(p, CURSOR_C) + CAP
	:: else ->
#ifndef BUG_SEEN_IN_FRAME
		seen = LOAD(p, CURSOR_P);
#endif
		least = LOAD(p, TAIL(cursor));
		if
		:: least > FRAME_END(cursor) -> least = FRAME_END(cursor)
		:: else
		fi;
		if
		:: seen < least -> seen = least
		:: else
		fi;
		if
		:: seen < cursor -> seen = cursor
		:: else
		fi;
		least = 0
	fi
}

/* wait_arm_poll() */
inline arm_poll(p, role, is_ready)
{
	see(p, role);
	if
#ifdef BUG_POLL_REPLACES
	:: is_ready -> armed[role] = seen + 1
#else
	/* keep an index that another poll armed and that is reached: its kick is still to come */
	:: is_ready && armed[role] && armed[role] <= seen
	:: is_ready && !(armed[role] && armed[role] <= seen) -> armed[role] = seen + 1
#endif
	:: else ->
#ifdef TIMEOUT
		if
		:: seen <= cursor -> armed[role] = cursor + 1
		:: else -> armed[role] = cursor + MARK; timer[role] = 1
		fi;
#else
		armed[role] = cursor + MARK_OF(role);
#endif
		less[role] = 1
	fi;
	seen = 0
}

/* wait_wake_pollers(), where their index is reached */
inline fire(p, role)
{
	armed[role] = 0;
	less[role] = 0;
#ifdef TIMEOUT
	kept = cursor;
	cursor = CURSOR(p, role);
	if
	:: !all && !LATE(p, role) && !OVER(p, role, cursor + MARK) -> arm_poll(p, role, false)
	:: else -> pollers = 1
	fi;
	cursor = kept;
	kept = 0
#else
	pollers = 1
#endif
}

/* wait_any_done() */
inline anyone_over(p, role)
{
	atomic {
		again = POLLERS_OVER(p, role);
		again = again || asked[role] && OVER(p, role, asked[role]);
		do
		:: q < PROCS ->
			again = again || waits[q] && role_of[q] == role && OVER(p, role, index[q]);
			q++
		:: else -> q = 0; break
		od
	}
}

/* wait_reap(), under the lock: one step for each check, as the peer goes on meanwhile */
inline reap(p, role)
{
	do
	:: all = (rounds == REAP_ROUNDS); rounds++;
	   do
	   :: q < PROCS ->
		atomic {
			if
			:: waits[q] && role_of[q] == role && (all || OVER(p, role, index[q])) ->
				waits[q] = 0;
				asleep[q] = 0
			:: else
			fi;
			q++
		}
	   :: else -> q = 0; break
	   od;
	   atomic {
		if
		:: armed[role] && (all || LATE(p, role)) || POLLERS_OVER(p, role) -> fire(p, role)
		:: else
		fi
	   };
	   atomic {
		if
		:: asked[role] && (all || OVER(p, role, asked[role])) -> asked[role] = 0; pollers = 1
		:: else
		fi
	   };
	   tell(p, role);
	   FENCE_REAP(p);
#ifdef BUG_NO_SECOND_LOOK
	   break
#else
	   anyone_over(p, role);
	   if
	   :: again && rounds <= REAP_ROUNDS -> again = 0
	   :: else -> again = 0; break
	   fi
#endif
	od;
	atomic { rounds = 0; all = 0 }
}

/* wait_wake_locked() */
inline wake_locked(p, role)
{
	reap(p, role);
	atomic {
		if
		:: pollers ->
			pollers = 0;
			do
			:: q < PROCS ->
				edge[q] = edge[q] || polls[q] && role_of[q] == role;
				q++
			:: else -> q = 0; break
			od
		:: else
		fi
	}
}

inline wake(p, role)
{
	lock(p, role);
	wake_locked(p, role);
	unlock(p, role)
}

/* wait_recheck_consumer(): the producer sleeps, has stored its index, and has fenced */
inline tell_consumer(p, role)
{
#if defined(ENOUGH_RULE) && !defined(BUG_PRODUCER_SILENT)
	if
	:: role == PRODUCER && (waits[C] || less[CONSUMER]) ->
		lock(p, CONSUMER);
		anyone_over(p, CONSUMER);
		if
		:: again -> again = 0; wake_locked(p, CONSUMER)
		:: else
		fi;
		unlock(p, CONSUMER)
	:: else
	fi
#else
	skip
#endif
}

/* wait_ready(): the states of the ends first, then the index */
inline look(p, role, i)
{
	over = ENDED(role);
	atomic {
		reached = LOOK(p, role, i);
		over = over || reached
	}
}

/* wait_add(): refuses an index that is reached */
inline wait_add(p, role, i)
{
	lock(p, role);
#ifndef BUG_ADDS_REACHED
	reached = LOOK(p, role, i);
#endif
	if
	:: reached -> over = 1
	:: else -> waits[p] = 1; index[p] = i; tell(p, role)
	fi;
	unlock(p, role)
}

/* wait_remove(): raises the event index; a peer that has not seen this kicks too early */
inline wait_remove(p, role)
{
	lock(p, role);
	if
	:: waits[p] ->
		waits[p] = 0;
		tell(p, role)
	:: else
	fi;
	unlock(p, role)
}

/* wait_sleep(): sets reached if @i is.  @may_leave: a signal or the deadline may end the wait. */
inline wait_sleep(p, role, i, may_leave)
{
	look(p, role, i);
	if
	:: over
	:: else ->
		do
		::
#ifndef BUG_STATE_LATE
		   asleep[p] = 1;
#endif
		   if
		   :: waits[p]
		   :: else ->
			wait_add(p, role, i);
			if
			:: over -> break
			:: else
			fi
		   fi;
#ifdef BUG_STATE_LATE
		   asleep[p] = 1;
#endif
		   FENCE_SLEEP(p);
		   tell_consumer(p, role);
		   look(p, role, i);
		   if
		   :: over -> break
		   :: else
		   fi;
		   if
		   :: !asleep[p]
		   :: may_leave -> look(p, role, i); break
		   fi;
		   look(p, role, i);
		   if
		   :: over -> break
		   :: else
		   fi
		od;
		asleep[p] = 0;
		wait_remove(p, role)
	fi;
	over = 0
}

/* wait_arm() */
inline wait_arm(p, role, i)
{
	lock(p, role);
	/* the kick for an index that is reached already is on its way, and would disarm this one */
	if
	:: asked[role] && OVER(p, role, asked[role]) -> wake_locked(p, role)
	:: else
	fi;
	if
	:: !asked[role] || i < asked[role] -> asked[role] = i
	:: else
	fi;
	over = OVER(p, role, i);
	if
	:: over
	:: else ->
		tell(p, role);
		unlock(p, role);
		FENCE_ARM(p);
		lock(p, role);
		over = OVER(p, role, i)
	fi;
	if
	:: over -> over = 0; wake_locked(p, role)
	:: else
	fi;
	unlock(p, role)
}

/* wait_arm_and_look() */
inline arm_and_look(p, role, is_ready)
{
	atomic {
#ifdef BUG_ARMS_WHEN_NOT_READY
		if
		:: is_ready -> armed[role] = 0
		:: else -> arm_poll(p, role, false)
		fi
#else
		arm_poll(p, role, is_ready)
#endif
	};
	tell(p, role);
	unlock(p, role);
	FENCE_POLL(p);
	lock(p, role);
	mask = LOOK(p, role, mark)
}

/* wait_arm_and_look(): mask is set if the end is ready, or the peer has ended */
inline wait_poll(p, role)
{
	lock(p, role);
	atomic {
		cursor = CURSOR(p, role);
		mark = (LATE(p, role) || ended[PEER(role)] -> cursor + 1 : cursor + MARK_OF(role))
	};
	mask = LOOK(p, role, mark);
	arm_and_look(p, role, mask);
#ifndef BUG_FIRST_UNSEEN
	if
	:: !mask && armed[role] && REACHED(p, role, armed[role]) -> arm_and_look(p, role, false)
	:: else
	fi;
#endif
	atomic {
		if
		:: mask -> timer[role] = 0
		:: else -> mask = ended[PEER(role)]
		fi;
		cursor = 0; mark = 0
	};
	unlock(p, role);
	if
	:: !mask -> tell_consumer(p, role)
	:: else
	fi
}

/* epoll_wait(), poll(): polls the end after a wake-up only; edge-triggered epoll, just once */
inline epoll_wait(p, role)
{
	mask = 0;
	do
	:: atomic { edge[p] -> edge[p] = 0 };
	   wait_poll(p, role);
	   if
	   :: mask -> mask = 0; break
	   :: else
	   fi
	od
}

/* join the queue and poll the end once: EPOLL_CTL_ADD, or poll() before it sleeps */
inline epoll_add(p, role)
{
	polls[p] = 1;
	wait_poll(p, role);
	edge[p] = edge[p] || mask
}

/* wait_forget() */
inline wait_forget(p, role)
{
	lock(p, role);
	armed[role] = 0;
	less[role] = 0;
	asked[role] = 0;
	late[role] = 0;
	tell(p, role);
	unlock(p, role)
}

/* spscring_kick(), at once or by irq_work */
inline kick(p, role)
{
#ifdef LATE_KICKS
	FENCE(p);
	work[role] = 1
#else
	wake(p, role)
#endif
}

#define LOCALS		byte least, q, seen, cursor, kept, mark, rounds; \
			bit all, pollers, again, over, reached, mask

/* irq_work and hrtimers */
active proctype kernel()
{
	LOCALS;

end:	do
#ifdef LATE_KICKS
	:: atomic { work[CONSUMER] -> work[CONSUMER] = 0 }; wake(K, CONSUMER)
	:: atomic { work[PRODUCER] -> work[PRODUCER] = 0 }; wake(K, PRODUCER)
#endif
#ifdef TIMEOUT
	:: timer[CONSUMER] ->
		lock(K, CONSUMER);
		if
		:: timer[CONSUMER] -> timer[CONSUMER] = 0; late[CONSUMER] = 1;
			late_at[CONSUMER] = CURSOR(K, CONSUMER);
			wake_locked(K, CONSUMER)
		:: else
		fi;
		unlock(K, CONSUMER)
#endif
	:: false
	od
}

/* ------------------------------------------------------------ the inlines */

#ifdef BUG_KICK_BEYOND			/* > instead of >= */
#define COMES_TO(pos, want) (pos > want)
#elif defined(BUG_KICK_CROSSED)		/* only if this publish crossed the index */
#define COMES_TO(pos, want) (pos == want)
#else
#define COMES_TO(pos, want) (pos >= want)
#endif

/* spscring_after_publish(), spscring_after_release(), after one element */
inline wake_peer(p, role)
{
	atomic {
		want = LOAD(p, WANTS(role));
		if
		:: want != kicked && COMES_TO(pos, want) -> kicked = want
		:: else ->
#ifdef BUG_NOTE_EARLY			/* last kicked is set before the kick is decided */
			kicked = want;
#endif
			want = 0
		fi
	};
	if
	:: want -> want = 0; kick(p, role)
	:: else
	fi
}

#ifdef BUG_STALE_FULL
#define HAS_SLEPT	false
#else
#define HAS_SLEPT	(want != slept)
#endif

/* spscring_refresh_head(): by the published head; now and then, and after a sleep, by the cursor */
inline refresh(p)
{
	atomic {
		limit = (LOAD(p, TOLD) + CAP > limit -> LOAD(p, TOLD) + CAP : limit);
		if
		:: limit != pos -> fails = 0
		:: else ->
			want = LOAD(p, WANTS(PRODUCER));
			if
			:: !fails || HAS_SLEPT -> limit = LOAD(p, CURSOR_C) + CAP
			:: else
			fi;
			slept = want;
			want = 0;
			fails = (limit == pos -> (fails + 1) % LOOK_EVERY : 0)
		fi
	}
}

/* spscring_push(), where there is room; @may_die: between any two of its stores */
inline push(p, may_die)
{
	STORE(p, SLOT(pos), pos);
	pos++;
	RELEASE_A(p, TAIL(pos - 1), pos);
	if
	:: may_die -> goto died
	:: true
	fi;
	RELEASE(p, CURSOR_P, pos);
	if
	:: may_die -> goto died
	:: true
	fi;
	FENCE_L(p);
	wake_peer(p, CONSUMER)
}

#if P_HOW == PAIRS
/*
 * spscring_publish_full(), where the exact cursor leaves no room for two elements; once for each
 * cursor.
 */
inline find_room(p)
{
	do
	:: atomic { LOAD(p, CURSOR_C) + CAP >= pos + 2 -> limit = pos + 2 }; break
	:: atomic { LOAD(p, CURSOR_C) + CAP < pos + 2 -> slept = LOAD(p, CURSOR_C) };
		STORE(p, FULL_AT, slept + 1);
		FENCE_FULL(p);
		atomic {
			want = LOAD(p, WANTS(CONSUMER));
			if
			:: want == NEVER || want <= pos -> want = 0
			:: else
			fi
		};
#ifndef BUG_FULL_UNTOLD
		if
		:: want -> kick(p, CONSUMER)
		:: else
		fi;
#endif
		want = 0;
		LOAD(p, CURSOR_C) != slept
	od;
	slept = 0
}
#endif

/* Push all that is left, and sleep while there is no room. */
inline produce(p, may_die)
{
	role_of[p] = PRODUCER;
#if P_HOW == EDGE
	epoll_add(p, PRODUCER);
#endif
#if P_HOW == ROOM
	do
	:: pos == N -> break
	:: else -> wait_sleep(p, PRODUCER, pos + P_MARK, false); limit = pos + 1; push(p, may_die)
	od
#elif P_HOW == ROOM_POLL
	do
	:: pos == N -> break
	:: else ->
		edge[p] = 0;
		epoll_add(p, PRODUCER);
		epoll_wait(p, PRODUCER);
		polls[p] = 0;
		push(p, may_die)
	od
#elif P_HOW == PAIRS
	do
	:: pos == N -> break
	:: else -> find_room(p); push(p, may_die); push(p, may_die)
	od
#else
	do
	:: pos == N -> break
	:: pos != N && pos != limit -> push(p, may_die)
	:: pos != N && pos == limit ->
		refresh(p);
		if
		:: pos != limit
		:: else ->
#if P_HOW == EDGE
			epoll_wait(p, PRODUCER)
#else
			wait_sleep(p, PRODUCER, pos + 1, false)
#endif
		fi
	od
#endif
}

/* spscring_pop(), where there is an element */
#define THERE(p)	(LOAD(p, TAIL(pos)) > pos)
inline pop(p)
{
	assert(LOAD(p, SLOT(pos)) == pos);
	pos++;
	RELEASE(p, CURSOR_C, pos);
	if
	:: pos >= publish_at -> publish_at = pos + TELL; RELEASE(p, TOLD, pos)
	:: else
	fi;
	FENCE_N(p);
	wake_peer(p, PRODUCER)
}

/* -------------------------------------------------------------- the ends */

active proctype producer()
{
	LOCALS;
	byte pos, limit, fails, want, slept, kicked;

	produce(P, DIES);
#if SHUTS_DOWN == PRODUCER + 1
	FENCE(P);
	ended[PRODUCER] = 1;
	wake(P, CONSUMER);
#endif
	goto gone;
died:	/* its buffer drains before ring_close_end() stores DEAD */
	FENCE(P);
	polls[P] = 0;
#ifndef BUG_FORGET_LATE
	wait_forget(P, PRODUCER);
#endif
	atomic { ended[PRODUCER] = 1; dead = 1 };
	wake(P, CONSUMER);
#ifdef BUG_FORGET_LATE
	wait_forget(P, PRODUCER);
#endif
gone:	skip
}

#if DIES
/* Take the dead producer's end over: ring_recover_producer(), then a new handle. */
active proctype successor()
{
	LOCALS;
	byte pos, limit, fails, want, slept, kicked;

end:	dead;
	atomic {
		do
		:: LOAD(X, TAIL(pos)) > pos -> pos++
		:: pos < LOAD(X, CURSOR_P) -> pos++
		:: else -> break
		od;
		limit = pos
	};
	RELEASE(X, CURSOR_P, pos);
	FENCE(X);
	ended[PRODUCER] = 0;
	produce(X, false);
died:	skip
}
#endif

active proctype consumer()
{
	LOCALS;
	byte pos, some, want, kicked, publish_at = TELL;

	role_of[C] = CONSUMER;
#if C_HOW == EDGE
	epoll_add(C, CONSUMER);
#elif C_HOW == EVENTFD
	polls[C] = 1;
#elif C_HOW == POLL_ONCE		/* another thread of the consumer sleeps, and starts first */
	wait_poll(C, CONSUMER);
	second_done;
#elif C_HOW == ARM_ONCE
	wait_arm(C, CONSUMER, N + 1);
	second_done;
#endif
	do
	:: pos == N -> break
	:: else ->
#if C_HOW == WATERMARK			/* by WAIT, for several at a time */
		some = (pos + CAP < N -> pos + CAP : N);
		wait_sleep(C, CONSUMER, some, false);
		pop(C)
#elif C_HOW == EDGE
		epoll_wait(C, CONSUMER);
		do
		:: pos < N && THERE(C) -> pop(C)
		:: else -> break
		od
#else
		if
		:: THERE(C) -> pop(C)
		:: else ->
#if C_HOW == EVENTFD
			wait_arm(C, CONSUMER, pos + 1);
			atomic { edge[C] -> edge[C] = 0 }
#elif C_HOW == POLL
			wait_arm(C, CONSUMER, pos + 1);
			if
			:: THERE(C)
			:: else ->
				edge[C] = 0;
				epoll_add(C, CONSUMER);
				epoll_wait(C, CONSUMER);
				polls[C] = 0
			fi
#else
			wait_sleep(C, CONSUMER, pos + 1, false);
			/* the producer is dead, or has shut down */
			assert(reached || DIES || SHUTS_DOWN);
			if
			:: !reached -> !ended[PRODUCER]
			:: else
			fi
#endif
		fi
#endif
	od;
#if SHUTS_DOWN == PRODUCER + 1
	/* and the end of the stream is found */
	wait_sleep(C, CONSUMER, pos + 1, false);
	assert(!reached && ended[PRODUCER])
#elif SHUTS_DOWN
	ended[CONSUMER] = 1;
	wake(C, PRODUCER);
#ifndef BUG_OWN_END_SLEEPS
	wake(C, CONSUMER)
#endif
#endif
}

#ifdef X_INDEX
/* Another thread that waits at the consumer's end. */
active proctype second()
{
	LOCALS;

	role_of[X] = CONSUMER;
#if C_HOW == POLL_ONCE || C_HOW == ARM_ONCE
	epoll_add(X, CONSUMER);
	epoll_wait(X, CONSUMER);
	second_done = 1
#else
#ifdef X_ARMS
	wait_arm(X, CONSUMER, X_INDEX);
#endif
	wait_sleep(X, CONSUMER, X_INDEX, X_LEAVES);
	assert(reached || X_LEAVES || ended[CONSUMER])
#endif
}
#endif
