// SPDX-License-Identifier: GPL-2.0
/* spscring top on a terminal. */
#include <ncurses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

#define HEAD_LINES	3	/* above the rows */
#define BAR_WIDTH	6
#define BAR_CELL	(BAR_WIDTH + 6)	/* with its frame and "100%" */
#define NAME_MIN	8
#define ESCAPE_MS	25	/* for the rest of an arrow key's sequence */

enum colour { PLAIN, CALM, BUSY, FULL };

static bool coloured;

static void leave(void)
{
	if (!isendwin())
		endwin();
}

static void enter(void)
{
	const char *name = getenv("TERM");
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		die("the terminal \"%s\" is not known: set TERM, or use spscring top --batch",
		    name ? name : "");
	set_term(screen);
	/* a message at the end is to be seen on the usual screen */
	before_message = leave;
	atexit(leave);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	coloured = has_colors() && start_color() == OK && use_default_colors() == OK;
	if (coloured) {
		init_pair(CALM, COLOR_GREEN, -1);
		init_pair(BUSY, COLOR_YELLOW, -1);
		init_pair(FULL, COLOR_RED, -1);
	}
}

/* Has the line room for one more cell?  Columns to the right of that are not shown. */
static bool fits(int width)
{
	return getcurx(stdscr) + 1 + width < COLS;
}

/* A cell, cut to its width; the cursor is at its beginning. */
static void put_cell(const char *cell, int width, bool right)
{
	if (!fits(width))
		return;
	printw(right ? " %*.*s" : " %-*.*s", width, width, cell);
}

static void put_bar(double fill)
{
	enum colour colour = fill >= 0.9 ? FULL : fill >= 0.5 ? BUSY : CALM;
	int full = (int)(fill * BAR_WIDTH + 0.5), i;

	if (!fits(BAR_CELL))
		return;
	addstr(" [");
	if (coloured)
		attron(COLOR_PAIR(colour));
	for (i = 0; i < BAR_WIDTH; i++)
		addch(i < full ? '#' : ' ');
	if (coloured)
		attroff(COLOR_PAIR(colour));
	printw("]%3.0f%%", 100 * fill);
}

static int name_width(void)
{
	int width = COLS - 2;
	size_t i;

	for (i = 0; i < top_keys_n; i++)
		width -= 1 + top_keys[i].width;
	return width < NAME_MIN ? NAME_MIN : width;
}

static void put_row(const struct row *row)
{
	char *name = printable(row->ring->name), *producer = holder_text(&row->ring->producer);
	char *consumer = holder_text(&row->ring->consumer), cell[SIZE_TEXT], id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)row->ring->id);
	put_cell(id, top_keys[0].width, true);
	put_cell(name, name_width(), false);
	put_cell(producer, top_keys[2].width, false);
	put_cell(consumer, top_keys[3].width, false);
	put_cell(rate_text(cell, row, row->messages), top_keys[4].width, true);
	put_cell(row->measured ? bytes_text(cell, row->bytes) : "-", top_keys[5].width, true);
	put_bar(ring_fill(row->ring));
	put_cell(rate_text(cell, row, row->losses), top_keys[7].width, true);
	put_cell(rate_text(cell, row, row->sleeps), top_keys[8].width, true);
	put_cell(rate_text(cell, row, row->wakes), top_keys[9].width, true);
	free(name);
	free(producer);
	free(consumer);
}

static void put_heads(const struct top *top)
{
	size_t i;

	move(HEAD_LINES - 1, 0);
	for (i = 0; i < top_keys_n; i++) {
		const struct top_key *k = &top_keys[i];
		bool words = strchr("npcf", k->key);

		attron(k->key == top->key ? A_REVERSE | A_BOLD : A_REVERSE);
		put_cell(k->head, k->width ?: name_width(), !words);
		attrset(A_NORMAL);
	}
}

static void put_sums(const struct top *top)
{
	double messages = 0, bytes = 0, memory = 0;
	char rate[SIZE_TEXT], size[SIZE_TEXT], held[SIZE_TEXT], clock[16], *line;
	time_t today = time(NULL);
	size_t i;

	for (i = 0; i < top->now.n; i++) {
		messages += top->rows[i].messages;
		bytes += top->rows[i].bytes;
		memory += (double)top->rows[i].ring->memory;
	}
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&today));
	line = text("%s  %zu rings of %s; %s messages a second, %sB/s; q quits", clock, top->now.n,
		    bytes_text(held, memory), count_text(rate, messages), bytes_text(size, bytes));
	mvaddnstr(0, 0, line, COLS - 1);
	free(line);
}

static void draw(const struct top *top, size_t first)
{
	int line;

	erase();
	put_sums(top);
	put_heads(top);
	for (line = HEAD_LINES; line < LINES; line++) {
		size_t i = first + (size_t)(line - HEAD_LINES);

		if (i >= top->now.n)
			break;
		move(line, 0);
		put_row(&top->rows[i]);
	}
	refresh();
}

/* How many rows the screen has room for. */
static int page_rows(void)
{
	int rows = LINES - HEAD_LINES;

	return rows < 1 ? 1 : rows;
}

/* Where the first shown row is after a key that scrolls. */
static size_t scroll_by(const struct top *top, size_t first, int by)
{
	long last = (long)top->now.n - page_rows(), to = (long)first + by;

	if (to > last)
		to = last;
	return to < 0 ? 0 : (size_t)to;
}

/* Act on a key.  Returns whether to go on. */
static bool act(struct top *top, int key, size_t *first)
{
	int page = page_rows();
	size_t i;

	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case 'R':
		top->reverse = !top->reverse;
		break;
	case KEY_DOWN:
		*first = scroll_by(top, *first, 1);
		break;
	case KEY_UP:
		*first = scroll_by(top, *first, -1);
		break;
	case KEY_NPAGE:
		*first = scroll_by(top, *first, page);
		break;
	case KEY_PPAGE:
		*first = scroll_by(top, *first, -page);
		break;
	case KEY_HOME:
		*first = 0;
		break;
	default:
		for (i = 0; i < top_keys_n; i++)
			if (top_keys[i].key == key)
				top->key = (char)key;
	}
	top_sort(top);
	*first = scroll_by(top, *first, 0);
	return true;
}

static bool has_hung_up(void)
{
	struct pollfd terminal = { .fd = STDIN_FILENO };

	return poll(&terminal, 1, 0) > 0 && terminal.revents & (POLLHUP | POLLERR | POLLNVAL);
}

void screen_run(struct top *top, double seconds, unsigned long count)
{
	unsigned long n = 0;
	size_t first = 0;

	enter();
	do {
		int64_t next = now() + (int64_t)(seconds * SECOND), left;

		draw(top, first);
		while ((left = next - now()) > 0) {
			int key;

			timeout((int)(left / (SECOND / 1000)) + 1);
			key = getch();
			/* at once, over and over, where the terminal has gone */
			if (key == ERR && has_hung_up())
				return;
			if (key == ERR)
				continue;
			if (!act(top, key, &first))
				return;
			draw(top, first);
		}
		top_sample(top);
		first = scroll_by(top, first, 0);
	} while (!count || ++n < count);
}
