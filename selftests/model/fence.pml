/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The adaptive fence for tools/model, which sleep.pml takes for granted.  In sleep.pml a publisher
 * makes the full fence (L), or (N), each time.  Here the publisher makes the fence only while the
 * event index has the fence bit, and a sleeper that sets the bit has the publisher's CPUs
 * interrupted.
 *
 *	publisher			sleeper, in the kernel
 *	---------			----------------------
 *	STORE.rel tail			lock; word = least index | FENCE; unlock
 *	w = LOAD word			FENCE was set:   FENCE (M)
 *	FENCE or index reached:		it was not:      FENCE (M), read the targets, interrupt
 *	  FENCE (L), w = LOAD word	  them, each makes a full barrier (V); lock; look for
 *	index reached, not kicked:	  all; unlock
 *	  KICK				last look; sleep
 *
 *	kernel publisher, after the tail: if its CPU is not the noted one, note it, FENCE (W)
 *	kick, timer: lock; wake all that may go on; word = least index, bit as it is; FENCE; again
 *	a while after the last arming, if nobody waits: the bit is cleared
 *
 * One direction of a ring is modelled: the other differs only in that the consumer's cursor takes
 * the place of the tail.  The tail counts elements, which have no content.
 *
 * Memory: a store buffer for each CPU, by words (PSO, weaker than x86's TSO): tails in order,
 * the word or the note at any time.  A full fence, an interrupt and a migration wait until
 * the CPU's buffer is empty.  A task that takes the lock sees all stores of the last holder.
 *
 * A sleeper may find FENCE set while another's interrupts are in flight.  It then relies on the
 * check for all waiters that the other makes after them.  The protocol has one redundant rule,
 * and tools/model has rings that are clean without it:
 *	FENCE_ALONE		"or index reached": whatever can be reached says FENCE
 *
 * Not in it: task states, the index that a kick was for and the rest of sleep.pml; interrupts
 * sent under the lock, or waited for with interrupts off; loads out of order, which are herd7's.
 *
 * tools/model gives the ends and the seeded bug by -D.  A sleeper that is not woken is an
 * invalid end state.
 */
/* Publishers. */
#define USER		1		/* a process that maps the ring: mm_cpumask */
#define KERNEL		2		/* kernel code: the CPU it has noted */
#define CALL		3		/* write(), by a process that may map nothing */
/* Sleepers. */
#define WAIT		1		/* for each index from FROM to TO */
#define LEAVES		2		/* the same, and a signal may end the wait */
#define POLL		3		/* poll(): until MARK elements are there */
#define EDGE		4		/* edge-triggered epoll: takes what is there, TO elements */
#define ARM		5		/* WAIT_ARM and an eventfd, for each index from FROM to TO */

#define NOBODY		15
#define NONE		2		/* no CPU */

/* CPUs: two of the publisher, one of each sleeper, one of the interrupts. */
#define CPU(me)		(2 + (me))
#define CLEARER		5
#define TIMER		6
#define IRQ_WORK	7

/* ---------------------------------------------------------------- memory */

byte tail, pos;				/* in memory; as the publisher has stored it */
#ifdef BUG_BEGINS_UNTOLD		/* fence_set, but without the bit in the word */
byte word = NOBODY * 2;
#else
byte word = NOBODY * 2 + BEGINS_SET;
#endif
byte note = NONE;
byte word_buf, note_buf;		/* 0: nothing, else the value + 1 */
byte word_cpu;				/* whose buffer */
byte pcpu;				/* where the publisher runs: tail and note are in its buffer */

bit locked;
byte held_back;				/* the tail at the last unlock by the publisher */

#define FENCE(c)	(!(word_buf && word_cpu == (c)) && \
			 !((c) == pcpu && (tail < pos || note_buf)))
#define TAIL(c)		((c) == pcpu -> pos : tail)
#define WORD(c)		(word_buf && word_cpu == (c) -> word_buf - 1 : word)

#define HAS_FENCE(w)	((w) & 1)
#define INDEX(w)	((w) / 2)

active proctype drain()
{
end:	do
	:: atomic { tail < pos -> tail++ }
	:: atomic { word_buf -> word = word_buf - 1; word_buf = 0 }
	:: atomic { note_buf -> note = note_buf - 1; note_buf = 0 }
	od
}

#define CAN_LOCK(c)	(!locked && (!word_buf || word_cpu == (c)) && \
			 (tail >= held_back || (c) == pcpu))

inline lock(c)
{
	atomic { CAN_LOCK(c) -> locked = 1 }
}

inline unlock(c)
{
	atomic {
		held_back = (c == pcpu -> pos : held_back);
		locked = 0
	}
}

/* ------------------------------------------- the kernel's, under the lock */

bit fence_set = BEGINS_SET;		/* FENCE is in the word */
byte armed, asked, mark = MARK;		/* the pollers'; 0: none */
byte cursor;
bit waits[3];
byte index[3];
bit edge[3];				/* woken on the wait queue */
#ifdef FIRST
bit timer_runs;				/* from the first record on */
#else
bit timer_runs = 1;
#endif

/* For each process that maps the publisher's writable pages: its mm_cpumask. */
byte mask[2];
byte kind = PUBLISHER;			/* of the process that holds the end */
bit dead;
bit work;
#ifdef BUG_KICKED_INHERITED
byte last_kicked;
#endif

#define ANYONE_WAITS	(waits[0] || waits[1] || waits[2] || armed || asked)
#define OVER(c, i)	(TAIL(c) >= (i))
#define ANYONE_OVER(c)	(waits[0] && OVER(c, index[0]) || waits[1] && OVER(c, index[1]) || \
			 waits[2] && OVER(c, index[2]) || armed && OVER(c, armed) || \
			 asked && OVER(c, asked))

/* wait_publish_event(); @arms: the caller is about to sleep */
inline tell(c, arms)
{
	atomic {
		!word_buf -> least = (armed -> armed : NOBODY);
		least = (asked && asked < least -> asked : least);
		least = (waits[0] && index[0] < least -> index[0] : least);
		least = (waits[1] && index[1] < least -> index[1] : least);
		least = (waits[2] && index[2] < least -> index[2] : least);
#ifdef BUG_RAISE_SETS			/* raising the index sets the bit, and interrupts nobody */
		fence_set = fence_set || !(arms);
#endif
#ifdef BUG_RAISE_CLEARS			/* only a caller that arms stores the bit */
		word_buf = 1 + least * 2 + (fence_set && arms);
#else
		word_buf = 1 + least * 2 + fence_set;
#endif
		word_cpu = c;
		least = 0
	}
}

inline wake_pollers()
{
	edge[0] = 1;
	edge[1] = 1;
	edge[2] = 1
}

/*
 * wait_wake_pollers(): the pollers' index is reached; with a timeout, the watermark is armed then.
 * With SIGIO, nobody polls the end again, so the kernel arms it anew here, in any context.
 */
inline fire(c)
{
	armed = 0;
#ifdef FIRST
	if
	:: !OVER(c, mark) -> armed = mark; timer_runs = 1
	:: else -> wake_pollers()
	fi
#else
#ifdef SIGIO
	armed = TAIL(c) + 1;
#endif
	wake_pollers()
#endif
}

/* wait_reap(), repeated as long as some waiter may go on */
inline reap(c)
{
	do
	:: atomic {
		waits[0] = waits[0] && !OVER(c, index[0]);
		waits[1] = waits[1] && !OVER(c, index[1]);
		waits[2] = waits[2] && !OVER(c, index[2])
	   };
	   atomic {
		if
		:: armed && OVER(c, armed) -> fire(c)
		:: else
		fi;
		if
		:: asked && OVER(c, asked) -> asked = 0; wake_pollers()
		:: else
		fi
	   };
	   tell(c, 0);
#ifndef WITHOUT_REAP_FENCE
	   FENCE(c);
#endif
#ifdef BUG_NO_SECOND_LOOK
	   break
#else
	   if
	   :: ANYONE_OVER(c)
	   :: else -> break
	   fi
#endif
	od
}

inline wake(c)
{
	lock(c);
	reap(c);
	unlock(c)
}

/* ------------------------------------------------------------------ arming */

/* Under the lock, before the event index is published: does this armer interrupt? */
inline arm_fence()
{
	atomic {
		shoot = !fence_set;
#ifdef BUG_NO_SHOOT
		shoot = 0;
#endif
		fence_set = 1
	}
}

#define TARGET_NOTE	(note == NONE -> 0 : 1 << note)

/* the CPUs of every mm that maps the pages, read under their lock; and the noted CPU */
inline read_targets()
{
#ifdef BUG_ONE_MM			/* those of the first mm alone */
	targets = mask[0];
#else
	targets = mask[0] | mask[1];
#endif
#ifndef BUG_NO_NOTE
	targets = targets | TARGET_NOTE
#endif
}

/* interrupt these CPUs and wait for the handlers, each of which makes a full barrier */
inline interrupt()
{
#ifndef WITHOUT_HANDLER_FENCE
	if
	:: targets & 1 -> FENCE(0)
	:: else
	fi;
	if
	:: targets & 2 -> FENCE(1)
	:: else
	fi;
#endif
	targets = 0
}

/* After the lock: from here on the publisher sees the word, or this end sees its tail. */
inline fence(c)
{
	if
	:: shoot ->
#ifdef BUG_TARGETS_EARLY
		read_targets();
		FENCE(c);
#else
#ifndef WITHOUT_SHOOT_FENCE
		FENCE(c);
#endif
		read_targets();
#endif
		interrupt();
		lock(c);
		shoot = 0;
#ifndef WITHOUT_LOOK_FOR_ALL
		if
		:: ANYONE_OVER(c) -> reap(c)
		:: else
		fi;
#endif
		unlock(c)
	:: else ->
#ifndef WITHOUT_SLEEP_FENCE
		FENCE(c)
#else
		skip
#endif
	fi
}

/* wait_sleep() */
inline wait_for(c, i)
{
	lock(c);
	if
	:: OVER(c, i) -> unlock(c)
	:: else ->
		atomic { waits[me] = 1; index[me] = i };
		arm_fence();
		tell(c, 1);
		unlock(c);
		fence(c);
		if
		:: OVER(c, i)
		:: else ->
			if
			:: !waits[me]
			:: kind_of == LEAVES
			fi
		fi;
		/* wait_remove(): raises the event index */
		if
		:: waits[me] ->
			lock(c);
			if
			:: waits[me] -> waits[me] = 0; tell(c, 0)
			:: else
			fi;
			unlock(c)
		:: else
		fi
	fi
}

/* wait_arm(), then a last check by the program, and read() of the eventfd */
inline arm_for(c, i)
{
	lock(c);
	if
	:: asked && OVER(c, asked) -> reap(c)
	:: else
	fi;
	if
	:: OVER(c, i) -> unlock(c)
	:: else ->
		atomic { asked = (!asked || i < asked -> i : asked) };
		arm_fence();
		tell(c, 1);
		unlock(c);
		fence(c);
		lock(c);
		if
		:: asked && OVER(c, asked) -> reap(c)
		:: else
		fi;
		unlock(c);
		do
		:: OVER(c, i) -> break
		:: atomic { edge[me] -> edge[me] = 0 }; break
		od
	fi
}

/*
 * wait_poll(): always arms.  Its result is for the watermark.  The armed index may be less (the
 * first element, with which the timeout begins), and is checked as well.
 */
inline poll(c)
{
	lock(c);
	atomic {
		ready = OVER(c, mark);
		if
		:: ready && armed && OVER(c, armed)
		:: ready && !(armed && OVER(c, armed)) ->
			armed = (!armed || TAIL(c) + 1 < armed -> TAIL(c) + 1 : armed)
		:: else ->
#ifdef FIRST
			timer_runs = timer_runs || OVER(c, cursor + 1);
			armed = (OVER(c, cursor + 1) -> mark : cursor + 1)
#else
			armed = mark
#endif
		fi
	};
	arm_fence();
	tell(c, 1);
	unlock(c);
	fence(c);
	lock(c);
	ready = OVER(c, mark);
#ifndef BUG_LOOKS_AT_MARK
	if
	:: !ready && armed && OVER(c, armed) -> reap(c)
	:: else
	fi;
#endif
	unlock(c)
}

proctype sleeper(byte me; byte kind_of; byte from; byte to)
{
	byte i, targets, least;
	bit shoot, ready;

	if
	:: kind_of == WAIT || kind_of == LEAVES ->
		i = from;
		do
		:: i <= to -> wait_for(CPU(me), i); i++
		:: else -> break
		od
	:: kind_of == ARM ->
		i = from;
		do
		:: i <= to -> arm_for(CPU(me), i); i = (OVER(CPU(me), i) -> i + 1 : i)
		:: else -> break
		od
	:: kind_of == POLL ->
		do
		:: edge[me] = 0;
		   poll(CPU(me));
		   if
		   :: ready -> break
		   :: else -> edge[me]
		   fi
		od
	:: kind_of == EDGE ->
		/* EPOLL_CTL_ADD polls the end once; after that epoll polls it only after a wake-up */
		poll(CPU(me));
		edge[me] = edge[me] || ready;
		do
		:: cursor >= to -> break
		:: else ->
#ifdef SIGIO
			atomic { edge[me] -> edge[me] = 0 };
#else
			do
			:: atomic { edge[me] -> edge[me] = 0 };
			   poll(CPU(me));
			   if
			   :: ready -> break
			   :: else
			   fi
			od;
#endif
			do
			:: atomic { OVER(CPU(me), cursor + 1) -> cursor++; mark++ }
			:: else -> break
			od
		od
	fi;
	i = 0; ready = 0
}

/* Some time after the last arming. */
#ifdef BUG_CLEARS_ARMED
#define NOT_YET		0
#else
#define NOT_YET		ANYONE_WAITS
#endif
active proctype clearer()
{
	byte n = CLEARS, least;

end:	do
	:: atomic {
		n && fence_set && !(NOT_YET) && CAN_LOCK(CLEARER) -> locked = 1;
		n--;
		fence_set = 0
	   };
	   tell(CLEARER, 1);
	   unlock(CLEARER)
	od
}

#if TIMES
/*
 * The watermark's timer: what is there is enough, or the wait is for another first element.
 * Either way the pollers' index changes, and mostly falls.
 */
active proctype timer()
{
	byte n = TIMES, least;

end:	do
	:: atomic {
		n && armed && timer_runs && CAN_LOCK(TIMER) -> locked = 1;
		n--;
		mark = LOW;
		armed = LOW
	   };
	   reap(TIMER);
	   unlock(TIMER)
	od
}
#endif

#if KICKS == 2
active proctype irq_work()
{
	byte least;

end:	do
	:: atomic { work -> work = 0 }; wake(IRQ_WORK)
	od
}
#endif

/* -------------------------------------------------------------- publishers */

/*
 * A migration makes a full barrier on the CPU that the publisher leaves.  mm_cpumask has the new
 * CPU before the process runs there; the old one may stay in it, or not.
 */
inline migrate()
{
	if
	:: atomic {
		moves && FENCE(pcpu) -> moves--;
		if
		:: kind == USER && holds ->
#ifdef BUG_MASK_LATE			/* an architecture that sets mm_cpumask late */
			skip
#else
			if
			:: mask[me] = 1 << (1 - pcpu)
			:: mask[me] = 3
			fi
#endif
		:: else
		fi;
		pcpu = 1 - pcpu
	   }
	:: skip
	fi
}

/*
 * spscring_note_cpu(): a kernel publisher notes its CPU in the end, and its handle remembers what
 * it noted.  The publisher may be preempted anywhere.
 */
inline take_note()
{
	if
	:: kind == KERNEL ->
		here = pcpu;
		migrate();
		if
		:: noted == here
		:: else ->
			noted = here;
			migrate();
#ifdef BUG_FENCE_BEFORE_NOTE
			FENCE(pcpu);
#endif
			atomic { !note_buf -> note_buf = here + 1 };
#if !defined(WITHOUT_NOTE_FENCE) && !defined(BUG_FENCE_BEFORE_NOTE)
			migrate();
			FENCE(pcpu)
#endif
		fi;
		here = 0
	:: else
	fi
}

#ifdef BUG_KICK_BEYOND
#define REACHED(w)	(INDEX(w) < pos)
#else
#define REACHED(w)	(INDEX(w) <= pos)
#endif

#ifdef FENCE_ALONE			/* an index that can be reached has the bit anyway */
#define OR_REACHED(w)	false
#else
#define OR_REACHED(w)	REACHED(w)
#endif

inline may_die()
{
	if
	:: dies && pos < N -> goto died
	:: skip
	fi
}

inline publish()
{
#ifdef BUG_NOTE_BEFORE_TAIL
	take_note();
	migrate();
#endif
	pos++;
	may_die();
	migrate();
#ifndef BUG_NOTE_BEFORE_TAIL
	take_note();
	migrate();
#endif
	w = WORD(pcpu);
	if
#ifdef BUG_CALL_UNFENCED
	:: HAS_FENCE(w) || OR_REACHED(w) ->
#else
	:: HAS_FENCE(w) || OR_REACHED(w) || kind == CALL ->
#endif
#ifndef WITHOUT_L
		FENCE(pcpu);
		migrate();
#endif
#ifndef BUG_NO_SECOND_LOAD
		w = WORD(pcpu)
#endif
	:: else
	fi;
	if
	:: REACHED(w) && INDEX(w) != kicked ->
		kicked = INDEX(w);
#ifdef BUG_KICKED_INHERITED
		last_kicked = kicked;
#endif
		may_die();
#if KICKS == 2
		atomic { FENCE(pcpu) -> work = 1 }
#else
		wake(pcpu)
#endif
	:: else
	fi;
	w = 0
}

proctype publisher(byte me; bit dies)
{
	byte w, kicked, moves = MOVES, here, least;
	bit holds = 1;
#ifdef BUG_NOTE_COPIED			/* a handle that noted this CPU before another handle noted its own */
	byte noted = pcpu;
#else
	byte noted = NONE;
#endif
#ifdef BUG_KICKED_INHERITED
	kicked = last_kicked;
#endif

	do
	:: pos == N -> break
	:: pos < N -> migrate(); publish()
	od;
	goto gone;
died:	/* other tasks have run on this CPU by then, so its buffer is empty */
	FENCE(pcpu);
	dead = 1;
gone:	w = 0; kicked = 0; moves = 0
}

#if SUCCESSOR
/* Map the ring beside the first publisher, and take over on another CPU when that is dead. */
active proctype successor()
{
#if SUCCESSOR == USER
	mask[1] = 1 << (1 - pcpu);
#endif
end:	dead;
	atomic {
		pcpu = 1 - pcpu;
		kind = SUCCESSOR;
#if PUBLISHER == USER
		if
		:: mask[0] = 0
		:: skip
		fi;
#endif
#if SUCCESSOR == USER
		mask[1] = mask[1] | 1 << pcpu;
#endif
	};
	run publisher(1, 0)
}
#endif

init {
	atomic {
#if PUBLISHER == USER
		mask[0] = 1;
#endif
		run publisher(0, DIES);
		run sleeper(0, S1, FROM1, TO1);
#if S2
		run sleeper(1, S2, FROM2, TO2);
#endif
#if S3
		run sleeper(2, S3, FROM3, TO3)
#endif
	}
}
