// SPDX-License-Identifier: GPL-2.0
/*
 * The list of all rings: its columns, which rings it has, and whom it names as their holders.
 *
 * SPSCRING_KO_DIR	where spscring_driver.ko and spscring_loop.ko are
 */
#include <grp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "list.h"
#include "../kmod/tests/spscring_peer.h"

#define SOMEBODY	65534

FIXTURE(list)
{
	int ring, in, out;
	unsigned long long id;
};

FIXTURE_SETUP(list)
{
	SKIP_WITHOUT_DEVICE();
	if (access(LIST, R_OK))
		SKIP(return, LIST ": %s; is debugfs mounted?", strerror(errno));
	/* FENCE: no timer changes a counter by itself */
	ASSERT_EQ(0, open_ends(RING(.capacity = 100, .element_size = 8, .name = "list",
				    .flags = SPSCRING_CREATE_FENCE),
			       &self->ring, &self->in, &self->out));
	self->id = info_of(self->ring).id;
	ASSERT_GT(self->id, 0);
}

FIXTURE_TEARDOWN(list)
{
	close_ends(&self->ring, &self->in, &self->out);
}

static const char *decimal(long long value)
{
	static char texts[4][24];
	static int next;
	char *to = texts[next++ % 4];

	snprintf(to, sizeof(texts[0]), "%lld", value);
	return to;
}

/* ---------------------------------------------------------------- columns */

static const char * const columns[] = {
	"id", "name", "kind", "mode", "sleep", "owner", "uid", "element_size", "capacity", "memory",
	"length", "free", "head", "tail", "producer", "producer_pid", "producer_generation",
	"consumer", "consumer_pid", "consumer_generation", "broken", "drops", "overruns",
	"high_water", "sequence", "full", "empty",
	"producer_spins", "producer_sleeps", "producer_polls", "producer_kicks", "producer_wakes",
	"producer_interrupts", "producer_clears", "producer_refused",
	"consumer_spins", "consumer_sleeps", "consumer_polls", "consumer_kicks", "consumer_wakes",
	"consumer_interrupts", "consumer_clears", "consumer_refused",
};

/* The first line names all columns; each line has as many; the ids count up. */
TEST_F(list, shape)
{
	char *text = list_text(), *line;
	unsigned long long last = 0, id;
	size_t i, tabs, head = 0;

	ASSERT_NE(NULL, text);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		EXPECT_GE(list_column(text, columns[i]), 0)
			TH_LOG("column %zu of the table", i);
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		ASSERT_NE(NULL, strchr(line, '\n'));
		for (i = 0, tabs = 0; line[i] != '\n'; i++)
			tabs += line[i] == '\t';
		if (line == text) {
			head = tabs;
			continue;
		}
		EXPECT_EQ(head, tabs);
		id = strtoull(line, NULL, 10);
		EXPECT_GT(id, last);
		last = id;
	}
	EXPECT_GE(last, self->id);
	free(text);
}

static void expect_field(struct __test_metadata *_metadata, const char *text,
			 unsigned long long id, const char *name, const char *value)
{
	EXPECT_STREQ(value, list_field(text, id, name))
		TH_LOG("column %s of ring %llu", name, id);
}

static void expect_number(struct __test_metadata *_metadata, const char *text,
			  unsigned long long id, const char *name, long long value)
{
	expect_field(_metadata, text, id, name, decimal(value));
}

/* The values are those of INFO. */
TEST_F(list, values)
{
	struct spscring_producer p;
	struct spscring_consumer c;
	struct spscring_info info;
	char *text;
	__u64 v;

	ASSERT_EQ(0, map_producer(self->in, &p, NULL));
	ASSERT_EQ(0, map_consumer(self->out, &c, NULL));
	for (v = 0; v < 7; v++)
		ASSERT_EQ(0, spscring_push(&p, &v));
	ASSERT_EQ(0, spscring_pop(&c, &v));
	ASSERT_EQ(0, spscring_pop(&c, &v));
	EXPECT_EQ(-ETIMEDOUT, spscring_wait_elements(&c, 10, 1));
	info = info_of(self->ring);
	text = list_text();
	ASSERT_NE(NULL, text);
#define NUMBER(name, value)	expect_number(_metadata, text, self->id, name, value)
#define FIELD(name, value)	expect_field(_metadata, text, self->id, name, value)
	FIELD("name", "list");
	FIELD("kind", "elements");
	FIELD("mode", "wait");
	FIELD("sleep", "fence");
	FIELD("owner", "user");
	NUMBER("uid", getuid());
	NUMBER("element_size", 8);
	NUMBER("capacity", 100);
	NUMBER("memory", info.geometry.memory);
	NUMBER("length", 5);
	NUMBER("free", 95);
	NUMBER("head", 2);
	NUMBER("tail", 7);
	FIELD("producer", "held");
	FIELD("consumer", "held");
	NUMBER("producer_pid", getpid());
	NUMBER("consumer_pid", getpid());
	NUMBER("producer_generation", 1);
	NUMBER("consumer_generation", 1);
	NUMBER("broken", 0);
	NUMBER("drops", 0);
	NUMBER("high_water", info.loss.high_water);
	NUMBER("sequence", 0);
	NUMBER("consumer_sleeps", info.consumer_sleep.sleeps);
	NUMBER("producer_kicks", info.producer_sleep.kicks);
	free(text);

	EXPECT_EQ(0, spscring_shutdown(self->in, SPSCRING_SHUTDOWN_BROKEN));
	text = list_text();
	FIELD("producer", "shut-down");
	NUMBER("broken", 1);
	free(text);
}

/* kind, mode and sleep name the flags; of records, losses are counted. */
TEST_F(list, flags)
{
	static const struct { __u32 flags; const char *kind, *mode, *sleep; } rings[] = {
		{ SPSCRING_CREATE_BUSY_POLL, "elements", "wait", "busy-poll" },
		{ SPSCRING_CREATE_FENCE, "elements", "wait", "fence" },
		{ SPSCRING_CREATE_RECORDS, "records", "wait", "adaptive" },
		{ SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_DROP, "records", "drop", "adaptive" },
		{ SPSCRING_CREATE_RECORDS | SPSCRING_CREATE_OVERWRITE | SPSCRING_CREATE_FENCE,
		  "records", "overwrite", "fence" },
	};
	struct spscring_record_producer p;
	unsigned long long id;
	__u32 flags;
	char *text;
	size_t i;
	int ring;

	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		flags = rings[i].flags;
		ring = spscring_open(RING(.capacity = 64, .flags = flags,
					  .element_size = flags & SPSCRING_CREATE_RECORDS ? 0 : 8));
		ASSERT_GE(ring, 0);
		id = info_of(ring).id;
		if (flags & SPSCRING_CREATE_DROP) {
			ASSERT_EQ(0, record_map_producer(claim_end(ring, SPSCRING_PRODUCER, 0), &p,
							 NULL));
			while (!spscring_record_push(&p, "", 1))
				;
		}
		text = list_text();
		expect_field(_metadata, text, id, "name", "");
		expect_field(_metadata, text, id, "kind", rings[i].kind);
		expect_field(_metadata, text, id, "mode", rings[i].mode);
		expect_field(_metadata, text, id, "sleep", rings[i].sleep);
		expect_field(_metadata, text, id, "consumer", "unclaimed");
		expect_field(_metadata, text, id, "consumer_pid", "-");
		expect_number(_metadata, text, id, "drops", info_of(ring).loss.drops);
		expect_number(_metadata, text, id, "drops", !!(flags & SPSCRING_CREATE_DROP));
		free(text);
		close(ring);
	}
}

/* A name takes one field, whatever it has, and can be read back. */
TEST_F(list, names)
{
	static const struct { const char *name, *field; } names[] = {
		{ "two words", "two\\040words" }, { "back\\slash", "back\\134slash" },
		{ "\\040", "\\134040" }, { " ", "\\040" }, { "#1", "#1" },
		{ "exactly_thirty-two_bytes_of_name", "exactly_thirty-two_bytes_of_name" },
	};
	struct spscring_create want;
	char path[64], line[256], key[80];
	size_t i, found;
	FILE *f;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		want = *RING(.capacity = 1, .element_size = 1);
		memcpy(want.name, names[i].name, strnlen(names[i].name, sizeof(want.name)));
		fd = spscring_open(&want);
		ASSERT_GE(fd, 0);
		EXPECT_STREQ(names[i].field, field_now(info_of(fd).id, "name"));
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		snprintf(key, sizeof(key), "spscring-name:\t%s\n", names[i].field);
		f = fopen(path, "r");
		for (found = 0; f && fgets(line, sizeof(line), f);)
			found += !strcmp(line, key);
		fclose(f);
		EXPECT_EQ(1, found);
		close(fd);
	}
}

/* fdinfo has the same columns and values; each is one word. */
TEST_F(list, fdinfo)
{
	char path[64], line[256], name[64], value[128], more[8], *text = list_text();
	const int fds[] = { self->ring, self->in, self->out };
	static const char * const roles[] = { "none", "producer", "consumer" };
	size_t i, k, n;
	int words;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fds[i]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		for (n = 0; fgets(line, sizeof(line), f);) {
			if (strncmp(line, "spscring-", 9))
				continue;
			words = sscanf(line, "spscring-%63[^:]:%127s %7s", name, value, more);
			EXPECT_EQ(2, words)
				TH_LOG("%s", line);
			for (k = 0; name[k]; k++)
				if (name[k] == '-')
					name[k] = '_';
			n++;
			if (strcmp(name, "role"))
				expect_field(_metadata, text, self->id, name, value);
			else
				EXPECT_STREQ(roles[i], value);
		}
		fclose(f);
		EXPECT_EQ(ARRAY_SIZE(columns) + 1, n);
	}
	free(text);
}

/* ----------------------------------------------------------------- holders */

/* A child that runs @step until this process closes the pipe, which is its stdin. */
static pid_t fork_held(int *hold, void (*step)(int fd), int fd)
{
	int both[2];
	char byte;
	pid_t pid;

	if (pipe2(both, O_CLOEXEC))
		return -1;
	pid = fork_child();
	if (!pid) {
		close(both[1]);
		step(fd);
		_exit(read(both[0], &byte, 1));
	}
	close(both[0]);
	*hold = both[1];
	return pid;
}

static void claims(int ring)
{
	if (claim_end(ring, SPSCRING_PRODUCER, 0) < 0)
		_exit(1);
}

static void maps(int end)
{
	static struct spscring_producer p;

	if (map_producer(end, &p, NULL))
		_exit(1);
}

static void writes(int end)
{
	if (write(end, &(__u64){ 1 }, 8) != 8)
		_exit(1);
}

static int release(pid_t pid, int *hold)
{
	close_fd(hold);
	return wait_child(pid);
}

/* The list names the process that claimed an end, until nobody holds it. */
TEST_F(list, claimed_by)
{
	pid_t pid;
	int hold;

	close_fd(&self->in);
	EXPECT_STREQ("dead", field_now(self->id, "producer"));
	EXPECT_STREQ("-", field_now(self->id, "producer_pid"));
	EXPECT_STREQ(decimal(getpid()), field_now(self->id, "consumer_pid"));
	pid = fork_held(&hold, claims, self->ring);
	ASSERT_GT(pid, 0);
	EXPECT_TRUE(field_becomes(self->id, "producer", "held"));
	EXPECT_STREQ(decimal(pid), field_now(self->id, "producer_pid"));
	EXPECT_STREQ("2", field_now(self->id, "producer_generation"));
	EXPECT_EQ(0, release(pid, &hold));
	EXPECT_TRUE(field_becomes(self->id, "producer", "dead"));
	EXPECT_STREQ("-", field_now(self->id, "producer_pid"));
}

/* Of several processes that have an end's fd it names the one that last mapped or wrote it. */
TEST_F(list, used_by)
{
	void (*steps[])(int) = { maps, writes };
	char me[24];
	size_t i;
	pid_t pid;
	int hold;

	snprintf(me, sizeof(me), "%d", getpid());
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		EXPECT_STREQ(me, field_now(self->id, "producer_pid"));
		pid = fork_held(&hold, steps[i], self->in);
		ASSERT_GT(pid, 0);
		EXPECT_TRUE(field_becomes(self->id, "producer_pid", decimal(pid)));
		EXPECT_EQ(0, release(pid, &hold));
		/* the end is held by this process, which has not used it since */
		EXPECT_STREQ("-", field_now(self->id, "producer_pid"));
		EXPECT_STREQ("held", field_now(self->id, "producer"));
		writes(self->in);
	}
	EXPECT_STREQ(me, field_now(self->id, "producer_pid"));
	/* who has shut an end down holds it until the close */
	EXPECT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_STREQ(me, field_now(self->id, "producer_pid"));
	close_fd(&self->in);
	EXPECT_STREQ("-", field_now(self->id, "producer_pid"));
}

/* In another pid namespace the list has that namespace's numbers. */
TEST_F(list, pid_namespace)
{
	char *text;
	int fd, err;
	pid_t pid;

	fd = open(LIST, O_RDONLY | O_CLOEXEC);
	close_fd(&self->in);
	pid = fork_child();
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(100);
		pid = fork();
		if (pid)
			_exit(wait_child(pid));
		if (claim_end(self->ring, SPSCRING_PRODUCER, 0) < 0)
			_exit(1);
		text = list_read_rest(fd, 4096);
		if (strcmp(list_field(text, self->id, "producer_pid"), "1"))
			_exit(2);
		_exit(strcmp(list_field(text, self->id, "consumer_pid"), "-") ? 3 : 0);
	}
	err = wait_child(pid);
	close(fd);
	if (err == 100)
		SKIP(return, "this kernel has no pid namespaces");
	EXPECT_EQ(0, err);
}

/* The ring is a user's whose uid made it, whoever opened the device. */
TEST_F(list, uid)
{
	int fd = device_open();
	pid_t pid;

	ASSERT_GE(fd, 0);
	pid = fork_child();
	if (!pid) {
		if (setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY))
			_exit(1);
		_exit(-do_ioctl(fd, SPSCRING_CREATE, RING(.capacity = 1, .element_size = 1)));
	}
	EXPECT_EQ(0, wait_child(pid));
	EXPECT_STREQ(decimal(SOMEBODY), field_now(info_of(fd).id, "uid"));
	close(fd);
}

/* Nobody but root may read the list. */
TEST_F(list, for_root_only)
{
	struct stat st;
	pid_t pid;

	ASSERT_EQ(0, stat(LIST, &st));
	EXPECT_EQ(0400, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	pid = fork_child();
	if (!pid) {
		if (setgroups(0, NULL) || setgid(SOMEBODY) || setuid(SOMEBODY))
			_exit(1);
		_exit(open(LIST, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
	}
	EXPECT_EQ(EACCES, wait_child(pid));
}

/* ------------------------------------------------------- rings without an fd */

/* A ring that only a mapping keeps is there, until that is gone as well. */
TEST_F(list, kept_by_a_mapping)
{
	struct spscring_mapping map;
	struct spscring_producer p;

	ASSERT_EQ(0, map_producer(self->in, &p, &map));
	close_ends(&self->ring, &self->in, &self->out);
	EXPECT_STREQ("held", field_now(self->id, "producer"));
	EXPECT_STREQ(decimal(getpid()), field_now(self->id, "producer_pid"));
	EXPECT_STREQ("dead", field_now(self->id, "consumer"));
	spscring_unmap(&map);
	EXPECT_STREQ("(none)", field_now(self->id, "producer"));
}

/* A user's ring that only kernel code keeps, and holds an end of. */
TEST_F(list, kept_by_the_kernel)
{
	struct spscring_peer_start start = {
		.op = SPSCRING_PEER_PACED, .cpu = -1, .batch = 1, .gap_ns = 1000000,
	};
	int peer;

	SKIP_WITHOUT_PEER();
	close_fd(&self->in);
	peer = open(SPSCRING_PEER_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(peer, 0);
	start.ring_fd = self->ring;
	ASSERT_EQ(0, do_ioctl(peer, SPSCRING_PEER_START, &start));
	close_ends(&self->ring, &self->in, &self->out);
	EXPECT_STREQ("user", field_now(self->id, "owner"));
	EXPECT_STREQ("held", field_now(self->id, "producer"));
	EXPECT_STREQ("kernel", field_now(self->id, "producer_pid"));
	EXPECT_STREQ("-", field_now(self->id, "consumer_pid"));
	close(peer);
	EXPECT_STREQ("(none)", field_now(self->id, "owner"));
}

/* A driver's ring, of which each user holds an end in turn. */
TEST_F(list, of_a_driver)
{
	unsigned long long id;
	char *text;
	int fd;

	LOAD_OR_SKIP("spscring_driver", "");
	text = list_text();
	id = list_id_of(text, "driver");
	EXPECT_GT(id, self->id);
	expect_field(_metadata, text, id, "owner", "driver");
	expect_field(_metadata, text, id, "uid", "-");
	expect_field(_metadata, text, id, "producer", "held");
	expect_field(_metadata, text, id, "producer_pid", "kernel");
	expect_field(_metadata, text, id, "consumer", "unclaimed");
	expect_field(_metadata, text, id, "consumer_pid", "-");
	free(text);
	fd = open("/dev/spscring-driver", O_RDWR | O_CLOEXEC);
	EXPECT_STREQ("held", field_now(id, "consumer"));
	EXPECT_STREQ(decimal(getpid()), field_now(id, "consumer_pid"));
	/* the driver goes, and its user keeps the ring */
	EXPECT_EQ(0, unload("spscring_driver"));
	EXPECT_STREQ("dead", field_now(id, "producer"));
	EXPECT_STREQ("-", field_now(id, "producer_pid"));
	EXPECT_STREQ("held", field_now(id, "consumer"));
	close(fd);
	EXPECT_STREQ("(none)", field_now(id, "owner"));
}

/* A ring that no user can reach. */
TEST_F(list, private)
{
	unsigned long long id;
	char *text;

	LOAD_OR_SKIP("spscring_loop", "");
	text = list_text();
	id = list_id_of(text, "loop\\040private");
	EXPECT_GT(id, self->id);
	expect_field(_metadata, text, id, "owner", "private");
	expect_field(_metadata, text, id, "uid", "-");
	expect_field(_metadata, text, id, "capacity", "16");
	expect_field(_metadata, text, id, "producer", "unclaimed");
	free(text);
	EXPECT_EQ(0, unload("spscring_loop"));
	EXPECT_STREQ("(none)", field_now(id, "owner"));
}

/* --------------------------------------------------------------- many rings */

#define MANY		10000
#define SPARE_FDS	100

/* How often each of the processes beside this one has opened and closed a ring. */
struct churn {
	__u64 rings;
	char pad[120];
};

FIXTURE(many)
{
	int n, fds[MANY];
	unsigned long long ids[MANY];
	struct rlimit before;
	struct churn *churn;
	pid_t pids[2];
};

#define many_t		FIXTURE_DATA(many)

FIXTURE_SETUP(many)
{
	const struct rlimit more = { MANY + SPARE_FDS, MANY + SPARE_FDS };

	SKIP_WITHOUT_DEVICE();
	if (access(LIST, R_OK))
		SKIP(return, LIST ": %s; is debugfs mounted?", strerror(errno));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &self->before));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &more));
	self->churn = shared_memory(2 * sizeof(*self->churn));
	ASSERT_NE(MAP_FAILED, self->churn);
}

FIXTURE_TEARDOWN(many)
{
	int i;

	for (i = 0; i < 2 && self->pids[i]; i++) {
		kill(self->pids[i], SIGKILL);
		wait_child(self->pids[i]);
	}
	for (i = 0; i < self->n; i++)
		close_fd(&self->fds[i]);
	setrlimit(RLIMIT_NOFILE, &self->before);
}

static void make_rings(struct __test_metadata *_metadata, many_t *self, int n)
{
	for (; self->n < n; self->n++) {
		self->fds[self->n] = spscring_open(RING(.capacity = 1, .element_size = 1));
		ASSERT_GE(self->fds[self->n], 0)
			TH_LOG("ring %d", self->n);
		self->ids[self->n] = info_of(self->fds[self->n]).id;
	}
}

/* Rings open and close, and ends are claimed, all the time. */
static void churn_for_ever(struct churn *churn)
{
	int ring, in, out, err;

	while (true) {
		err = open_ends(RING(.capacity = 1, .element_size = 1), &ring, &in, &out);
		if (err)
			_exit(1);
		close_ends(&ring, &in, &out);
		WRITE_ONCE(churn->rings, churn->rings + 1);
	}
}

static __u64 churned(const many_t *self)
{
	return READ_ONCE(self->churn[0].rings) + READ_ONCE(self->churn[1].rings);
}

/*
 * How many of the rings from @first on are in the list, each once; or -1 if the ids do not count
 * up.  Both go up, so one pass is enough.
 */
static int count_of(const char *text, const many_t *self, int first)
{
	unsigned long long id, last = 0;
	const char *line = text;
	int i = first, n = 0;

	while ((line = strchr(line, '\n')) && *++line) {
		id = strtoull(line, NULL, 10);
		if (id <= last)
			return -1;
		last = id;
		while (i < self->n && self->ids[i] < id)
			i++;
		n += i < self->n && self->ids[i] == id;
	}
	return n;
}

/* Each ring is listed once, whatever other rings come and go while the list is read. */
TEST_F(many, all)
{
	struct patience p = {};
	__u64 before = 0;
	int i, reads = 0;
	char *text;

	make_rings(_metadata, self, MANY);
	for (i = 0; i < 2; i++) {
		self->pids[i] = fork_child();
		if (!self->pids[i])
			churn_for_ever(&self->churn[i]);
	}
	/* count a read only if the others have worked meanwhile */
	do {
		before = churned(self);
		text = list_text();
		ASSERT_NE(NULL, text);
		ASSERT_EQ(MANY, count_of(text, self, 0));
		free(text);
		reads += churned(self) >= before + 10;
	} while (reads < 3 && patient(&p, churned(self)));
	EXPECT_EQ(3, reads);
}

/* A reader that pauses finds its place again when the rings around it are gone. */
TEST_F(many, vanish)
{
	const int most = 900, rings = 1000;
	int fd = open(LIST, O_RDONLY | O_CLOEXEC), i, shown;
	char begin[65536], *rest, *whole;
	size_t n = 0;
	long got;

	make_rings(_metadata, self, rings);
	ASSERT_GE(fd, 0);
	while (n < sizeof(begin) / 2 && (got = read(fd, begin + n, 1000)) > 0)
		n += got;
	begin[n] = 0;
	/* those that were read, those around the place, and more */
	for (i = 0; i < most; i++)
		close_fd(&self->fds[i]);
	rest = list_read_rest(fd, 3000);
	ASSERT_NE(NULL, rest);
	whole = malloc(n + strlen(rest) + 1);
	sprintf(whole, "%s%s", begin, rest);
	shown = count_of(whole, self, 0);
	EXPECT_GE(shown, rings - most);
	EXPECT_LT(shown, most);
	EXPECT_EQ(rings - most, count_of(whole, self, most));
	free(whole);
	free(rest);
	close(fd);
}

/* The text is the same however small the pieces are, and from the start again. */
TEST_F(list, pieces)
{
	static const size_t pieces[] = { 1, 7, 100, 5000 };
	int fd = open(LIST, O_RDONLY | O_CLOEXEC);
	char *text = list_text(), *again;
	size_t i;

	ASSERT_GE(fd, 0);
	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		again = list_read_rest(fd, pieces[i]);
		EXPECT_STREQ(text, again);
		free(again);
	}
	free(text);
	close(fd);
}

/* ------------------------------------------------------------- used_bytes */

/* used_bytes counts the memory of users' rings, and cannot be written. */
TEST_F(list, used_bytes)
{
	const long long before = read_number(USED_BYTES);
	const __u64 memory = info_of(self->ring).geometry.memory;
	struct stat st;
	int ring;

	EXPECT_GE(before, memory);
	ring = spscring_open(RING(.capacity = 1 << 20, .element_size = 8));
	ASSERT_GE(ring, 0);
	EXPECT_EQ(before + info_of(ring).geometry.memory, read_number(USED_BYTES));
	close(ring);
	EXPECT_EQ(before, read_number(USED_BYTES));
	/* a driver's ring counts for nobody */
	LOAD_OR_SKIP("spscring_driver", "");
	EXPECT_EQ(before, read_number(USED_BYTES));
	EXPECT_EQ(0, unload("spscring_driver"));
	ASSERT_EQ(0, stat(USED_BYTES, &st));
	EXPECT_EQ(0444, st.st_mode & 07777);
}

TEST_HARNESS_MAIN
