/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of variable size for tools/model: every interleaving, in a small ring, of the inlines of
 * record.h and the recovery of recover.c, whose names the model uses.
 *
 * Positions count words.  A word of the data knows what it is (a record's word, one
 * of its bytes, or neither yet), by which the model finds a word of the wrong kind; bytes read as
 * a word may have any value.  Each access to memory is a step, and memory is sequentially
 * consistent, because the litmus tests check the orderings.  A word has its sequence number modulo
 * NUMBERS, and a ring holds at most that many records.
 *
 * D words of data, of which CAP are used; OPS calls of the producer, of at most LEN words a
 * record; AHEAD words are cleared ahead, and STEP more are given up when it overwrites.
 */
#define ZERO		0
#define WORD		1		/* published */
#define BYTES		2
#define UNPUBLISHED	3
#define JUNK		31		/* bytes of no record yet */

/* kind, lap, discarded, length or offset, number in full */
#define CELL(kind, lap, gone, len, n) ((kind) + ((lap) << 2) + ((gone) << 3) + ((len) << 4) + ((n) << 7))
#define KIND(w)		((w) & 3)
#define LAP(w)		((w) >> 2 & 1)
#define GONE(w)		((w) >> 3 & 1)
#define LENGTH(w)	((w) >> 4 & 7)
#define NUMBER(w)	((w) >> 7)

#define AT(pos)		((pos) % D)
#define LAP_OF(pos)	((pos) / D % 2)
#define LOW(n)		((n) & (NUMBERS - 1))
#define NEAR(w, n)	((n) + LOW(NUMBER(w) - (n) + NUMBERS / 2) - NUMBERS / 2)

short data[D];
byte cursor_p, number_p, oldest_told, oldest_number;	/* the producer's control block */
byte cursor_c, number_c, overruns;			/* the consumer's */
bit ended;
bit kill_p, kill_c;

byte pushed, published, taken;	/* the truth: numbers given; words at; next to be taken */

/* ------------------------------------------------------------- producer */

#define MIN(a, b)	((a) < (b) -> (a) : (b))
#define PHASE(pos)	LAP_OF(pos)

inline cells(from, count, value)
{
	i = 0;
	do
	:: i < (count) -> d_step { data[AT((from) + i)] = value; i++ }
	:: else -> break
	od;
	i = 0
}

inline overwrite()
{
	d_step {
		do
		:: oldest + CAP < next + STEP && oldest != pos ->
			w = data[AT(oldest)];
			assert(KIND(w) == WORD);
			oldest = oldest + LENGTH(w) + 1;
			if
			:: GONE(w)
			:: else -> oldest_sequence = NUMBER(w) + 1
			fi
		:: else -> break
		od;
		limit = oldest + CAP;
		w = 0
	}
	oldest_number = oldest_sequence;
#ifndef BUG_OLDEST_LATE
	oldest_told = oldest
#endif
}

inline clear()
{
#ifdef BUG_CLEAR_BEYOND
	size = AHEAD;
#else
	size = MIN(AHEAD, limit + D - CAP - next);
#endif
#ifndef BUG_NO_CLEAR
	cells(next, size, ZERO);
#endif
	cleared = next + size;
	size = 0
}

/* make room for @all words from pos on */
inline room(all)
{
	next = pos + (all);
	if
	:: next > limit ->
#ifdef OVERWRITE
		overwrite()
#else
#ifdef BUG_ROOM
		limit = cursor_c + CAP + 1
#else
		limit = cursor_c + CAP
#endif
#endif
	:: else
	fi;
	if
	:: next > limit -> ok = 0
	:: else ->
		if
		:: next + 1 > cleared -> clear()
		:: else
		fi;
		d_step {
			stop = MIN(limit, pos + D - AT(pos) - 1);
			stop = MIN(stop + 1, cleared) - 1;
			ok = 1
		}
	fi;
	next = 0
}

/* The word of a record that is reserved. */
#define LEN_OF(r)	words[r]

inline trim(end, count)
{
	next = (end); size = (count);
	if
	:: next + size != pos + reserved ->
		data[AT(next)] = CELL(UNPUBLISHED, 0, 1, size - 1, 0)
	:: else ->
		reserved = reserved - size;
		if
		:: !reserved -> next++; size--
		:: else
		fi;
		if
		:: size > TRIM ->
			size = 1;
#ifndef BUG_TRIM_CLEARED
			cleared = next + 1;
			stop = pos
#endif
		:: else
		fi;
#ifndef BUG_TRIM
		cells(next, size, ZERO)
#endif
	fi;
	next = 0; size = 0
}

inline set_word(r)
{
	if
	:: r == 0
	:: else -> data[AT(at[r])] = CELL(UNPUBLISHED, 0, gone[r], words[r], 0)
	fi
}

inline reserve(r)
{
	n = 0;
	if
	:: pos + reserved + words[r] + 1 > stop -> room(reserved + words[r] + 1)
	:: else -> ok = 1
	fi;
	if
	:: ok ->
		at[r] = pos + reserved;
		set_word(r);
		reserved = reserved + words[r] + 1;
		cells(at[r] + 1, words[r], CELL(BYTES, 0, 0, 0, JUNK));
		ok = 1
	:: else
	fi
}

/* Shrink or discard a reserved record. */
inline settle(r)
{
	if
	:: gone[r] ->
		gone[r] = 0;
		if
		:: at[r] + words[r] + 1 == pos + reserved -> trim(at[r], words[r] + 1); words[r] = 7
		:: else -> gone[r] = 1; set_word(r)
		fi
	:: else ->
		if
		:: want[r] < words[r] ->
			n = words[r] - want[r];
			words[r] = want[r];
			set_word(r);
			trim(at[r] + words[r] + 1, n)
		:: else
		fi
	fi;
	n = 0
}

inline fill(r)
{
	if
	:: words[r] != 7 && !gone[r] ->
		do
		:: n < words[r] -> d_step {
				data[AT(at[r] + 1 + n)] = CELL(BYTES, 0, 0, n, sequence + records);
				n++
			}
		:: else -> break
		od;
		n = 0;
		records++
	:: else
	fi
}

inline tell()
{
#ifdef BUG_NUMBER_LATE
	cursor_p = pos;
	number_p = sequence;
#else
	number_p = sequence;
	cursor_p = pos;
#endif
}

inline publish_first()
{
	d_step {
		data[AT(pos)] = CELL(WORD, PHASE(pos), gone[0], words[0], sequence);
		pos = pos + reserved;
		sequence = sequence + records;
		published = pos;
		pushed = sequence
	}
}

inline commit()
{
	if
	:: reserved ->
		records = !gone[0];
		next = words[0] + 1;
#ifdef BUG_FIRST_EARLY
		d_step { data[AT(pos)] = CELL(WORD, PHASE(pos), gone[0], words[0], sequence) };
#endif
		do
		:: next < reserved -> d_step {
				w = data[AT(pos + next)];
				assert(KIND(w) == UNPUBLISHED);
				data[AT(pos + next)] = CELL(WORD, PHASE(pos + next), GONE(w), LENGTH(w), sequence + records);
				next = next + LENGTH(w) + 1;
				records = records + !GONE(w);
				w = 0
			}
		:: else -> break
		od;
		publish_first();
#ifdef BUG_OLDEST_LATE
		oldest_told = oldest;
#endif
		reserved = 0; records = 0; next = 0;
		if
		:: true -> tell()
		:: BATCHES -> skip	/* push_n, the next word before the cursor */
		fi
	:: else
	fi;
	d_step { words[0] = 0; words[1] = 0; want[0] = 0; want[1] = 0; at[0] = 0; at[1] = 0; gone[0] = 0; gone[1] = 0 }
}

inline choose(r)
{
	select(n : 0 .. LEN);
	words[r] = n;
	want[r] = n;
	n = 0
}

inline settle_how(r)
{
	if
	:: true
	:: words[r] > 0 && TRIMS -> want[r] = 0
	:: words[r] > 1 && TRIMS -> want[r] = words[r] - 1
	:: TRIMS -> gone[r] = 1
	fi
}

inline producer_init()
{
	d_step {
		pos = cursor_p; limit = pos; stop = pos; cleared = pos;
		sequence = number_p;
		reserved = 0; records = 0; n = 0; i = 0; next = 0; size = 0; w = 0;
		words[0] = 0; words[1] = 0; want[0] = 0; want[1] = 0; at[0] = 0; at[1] = 0; gone[0] = 0; gone[1] = 0;
#ifdef OVERWRITE
		oldest = oldest_told; oldest_sequence = oldest_number;
		limit = oldest + CAP;
#endif
	}
}

/* What ring_recover_records() does; the producer is dead, the consumer may live. */
inline mend()
{
	d_step {
		next = cursor_p; sequence = number_p;
#ifdef OVERWRITE
		oldest = oldest_told;
#else
		oldest = cursor_c;
#endif
#ifndef BUG_MEND_CURSOR
		do
		:: next != oldest + CAP ->
			w = data[AT(next)];
			if
			:: KIND(w) == WORD && LAP(w) == LAP_OF(next) && LENGTH(w) + 1 <= oldest + CAP - next ->
				next = next + LENGTH(w) + 1;
				if
				:: !GONE(w) && NEAR(w, sequence) >= sequence ->
					sequence = NEAR(w, sequence) + 1
				:: else
				fi
			:: else -> break
			fi
		:: else -> break
		od;
		/* the walk ends after the last published record, and counts each pushed one */
		assert(next == published && sequence == pushed);
#endif
		if
		:: next - oldest != D ->
			w = data[AT(next)];
			assert(KIND(w) == ZERO || KIND(w) == WORD && LAP(w) != LAP_OF(next));
			data[AT(next)] = ZERO
		:: else
		fi;
#ifdef OVERWRITE
		if
		:: oldest == next -> oldest_number = sequence
		:: else -> oldest_number = sequence - LOW(sequence - NUMBER(data[AT(oldest)]))
		fi;
#endif
		number_p = sequence;
		cursor_p = next;
	}
	producer_init()
}

inline produce()
{
	do
	:: ops < OPS ->
		ops++;
		choose(0);
		if
		:: true
		:: MANY -> n = 1
		fi;
		if
		:: n ->
			choose(1);
			reserve(0);
			if
			:: ok && reserved + words[1] + 1 <= CAP ->
				reserve(1);
				if
				:: ok -> settle_how(1); settle_how(0);
					if
					:: true -> settle(0); settle(1)
					:: true -> settle(1); settle(0)
					fi
				:: else -> words[1] = 7
				fi
			:: else -> words[1] = 7
			fi
		:: else -> reserve(0); words[1] = 7;
			if
			:: ok -> settle_how(0); settle(0)
			:: else
			fi
		fi;
		if
		:: reserved -> fill(0); fill(1); records = 0
		:: else
		fi;
		commit()
	:: else -> break
	od;
	if
	:: pos != cursor_p -> tell()
	:: else
	fi
}

active proctype producer()
{
	byte pos, limit, stop, cleared, sequence, oldest, oldest_sequence, reserved;
	byte size, next, i, n, records, ops;
	byte words[2], want[2], at[2];
	bit gone[2], ok;
	short w;

	producer_init();
	{ produce() } unless { kill_p };
	if
	:: kill_p -> mend(); produce()
	:: else
	fi;
	ended = 1
}

/* ------------------------------------------------------------- consumer */

#define THERE(word, p)	(KIND(word) == WORD && LAP(word) == LAP_OF(p))
#ifdef BUG_NO_LAP
#undef THERE
#define THERE(word, p)	(KIND(word) == WORD)
#endif

inline consumer_init()
{
	d_step {
		c_pos = cursor_c;
		j = 0; torn = 0; end = 0; c_oldest = 0; c_number = 0; tainted = 0;
		c_word = data[AT(c_pos)]
	}
#ifdef BUG_FIRST_NUMBER
	c_sequence = number_p;
#else
	c_sequence = number_c;
#endif
#ifndef OVERWRITE
	if
	:: THERE(c_word, c_pos) -> c_sequence = NEAR(c_word, c_sequence)
	:: else
	fi;
#endif
	c_word = 0
}

/* number_c before cursor_c */
inline release()
{
	number_c = c_sequence;
	cursor_c = c_pos
}

inline copy()
{
	do
	:: j < LENGTH(c_word) -> d_step {
			torn = torn || data[AT(c_pos + 1 + j)] != CELL(BYTES, 0, 0, j, NUMBER(c_word));
			j++
		}
	:: else -> break
	od;
	j = 0
}

inline consume_records()
{
	do
	:: c_word = data[AT(c_pos)];
		if
		:: !THERE(c_word, c_pos) ->
			/* only a word that means "not yet" may be there */
			assert(KIND(c_word) == ZERO || KIND(c_word) == WORD);
			if
			:: c_pos != cursor_c -> release()
			:: else
			fi;
			if
			:: end -> break
			:: ended -> end = 1
			:: !ended -> c_word = 0; data[AT(c_pos)] != ZERO || ended
			fi
		:: else ->
			end = 0;
			if
			:: GONE(c_word)
			:: else ->
				/* taken from the low bits alone */
				c_sequence = c_sequence + LOW(NUMBER(c_word) - c_sequence);
				assert(c_sequence == NUMBER(c_word));
				/* none is lost; only what a dead consumer had not released comes twice */
				assert(c_sequence <= taken);
				copy();
				assert(!torn);
				d_step { c_sequence++; taken = (c_sequence > taken -> c_sequence : taken) }
			fi;
			c_pos = c_pos + LENGTH(c_word) + 1;
			c_word = 0;
			if
			:: release()
			:: BATCHES && c_pos - cursor_c < CAP -> skip
			fi
		fi
	od;
	assert(c_pos == published && taken == pushed)
}

inline consume_overwritten()
{
	do
	:: c_oldest = oldest_told;
		c_number = oldest_number;
		if
		:: c_oldest > c_pos -> c_pos = c_oldest; cursor_c = c_pos
		:: else
		fi;
		c_word = data[AT(c_pos)];
		if
		:: KIND(c_word) == BYTES || KIND(c_word) == UNPUBLISHED ->
			/* bytes may pass for any word */
			tainted = 1;
			if
			:: c_word = CELL(WORD, LAP_OF(c_pos), 0, 0, 0)
			:: c_word = CELL(WORD, LAP_OF(c_pos), 1, 0, 0)
			:: c_word = ZERO
			fi
		:: else -> tainted = 0
		fi;
		if
		:: THERE(c_word, c_pos) ->
			end = 0;
			if
			:: !GONE(c_word) -> copy()
			:: else
			fi;
			c_oldest = 0;
#ifndef BUG_NO_SECOND_LOOK
			c_oldest = oldest_told;
#endif
			if
			:: c_oldest > c_pos	/* overtaken */
			:: else ->
				assert(!torn && !tainted);
				if
				:: GONE(c_word)
				:: else ->
#ifdef BUG_NUMBER_OLDEST
					j = c_number + LOW(NUMBER(c_word) - c_number) - c_sequence;
#else
					c_number = (c_number > c_sequence -> c_number : c_sequence);
					j = NEAR(c_word, c_number) - c_sequence;
#endif
					c_sequence = c_sequence + j;
					overruns = overruns + (j < 128 -> j : 0);
					assert(c_sequence == NUMBER(c_word));
					d_step { c_sequence++; taken = (c_sequence > taken -> c_sequence : taken) };
					j = 0
				fi;
				c_pos = c_pos + LENGTH(c_word) + 1;
				release()
			fi;
			torn = 0
		:: else ->
			c_oldest = oldest_told;
			if
			:: c_oldest > c_pos	/* overtaken */
			:: else ->
				assert(!tainted);
				if
				:: end -> break
				:: !end && ended ->
					c_word = data[AT(c_pos)];
					c_oldest = oldest_told;
					if
#ifdef BUG_ENDED_FINAL
					:: true -> break
#else
					:: !THERE(c_word, c_pos) && c_oldest <= c_pos -> break
#endif
					:: else
					fi
				:: !ended -> c_word = 0; c_oldest = 0; ended || data[AT(c_pos)] != ZERO || oldest_told > c_pos
				fi
			fi
		fi;
		c_word = 0; c_oldest = 0; c_number = 0; tainted = 0
	od;
	assert(c_pos == published)
}

inline consume()
{
#ifdef OVERWRITE
	consume_overwritten()
#else
	consume_records()
#endif
}

active proctype consumer()
{
	byte c_pos, c_sequence, c_oldest, c_number, j;
	short c_word;
	bit torn, end, tainted;

	consumer_init();
	{ consume() } unless { kill_c };
	if
	:: kill_c -> consumer_init(); consume()
	:: else
	fi
}

active proctype killer()
{
	if
	:: DIES == 1 -> kill_p = 1
	:: DIES == 2 -> kill_c = 1
	:: true
	fi
}
