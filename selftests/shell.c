// SPDX-License-Identifier: GPL-2.0
/*
 * The device nodes of a driver's ring in a shell: redirections, pipes, dd, tee and read.
 *
 * SPSCRING_KO_DIR	where spscring_loop.ko is
 */
#include "stream.h"

FIXTURE(shell) {
	int in, out;
};

FIXTURE_VARIANT(shell) {
	const char *params;
	bool records;
};

/* A ring of bytes, like a pipe; and one in which each write is a record. */
FIXTURE_VARIANT_ADD(shell, bytes) { "element_size=1" };
FIXTURE_VARIANT_ADD(shell, records) { "element_size=0 flags=8", true };

FIXTURE_SETUP(shell)
{
	SKIP_WITHOUT_DEVICE();
	LOAD_OR_SKIP("spscring_loop", variant->params);
}

FIXTURE_TEARDOWN(shell)
{
	close_fd(&self->in);
	close_fd(&self->out);
	unload("spscring_loop");
}

static int sh(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Read pieces and check that they make up @want. */
static bool got(int fd, const char *want)
{
	size_t n = strlen(want), done = 0;
	char text[100];
	long ret;

	while (done < n) {
		ret = read(fd, text + done, sizeof(text) - done);
		if (ret <= 0)
			return false;
		done += ret;
	}
	return done == n && !memcmp(text, want, n);
}

/* Each command that writes into the node holds its end for as long as it runs. */
TEST_F(shell, into)
{
	self->out = open(LOOP_OUT, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->out, 0);
	EXPECT_EQ(0, sh("echo hello >" LOOP_IN));
	EXPECT_TRUE(got(self->out, "hello\n"));
	EXPECT_EQ(0, sh("printf 'an end' >>" LOOP_IN));
	EXPECT_TRUE(got(self->out, "an end"));
	EXPECT_EQ(0, sh("printf 'by dd' | dd of=" LOOP_IN " 2>/dev/null"));
	EXPECT_TRUE(got(self->out, "by dd"));
	EXPECT_EQ(0, sh("printf 'by cat' | cat >" LOOP_IN));
	EXPECT_TRUE(got(self->out, "by cat"));
	EXPECT_EQ(0, sh("{ echo one; echo two; } | tee " LOOP_IN " >/dev/null"));
	EXPECT_TRUE(got(self->out, "one\ntwo\n"));
}

/* Commands read from the node, until the stream ends. */
TEST_F(shell, out_of)
{
	self->in = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(5, write(self->in, "by dd", 5));
	ASSERT_EQ(5, write(self->in, "12345", 5));
	ASSERT_EQ(5, write(self->in, "67890", 5));
	ASSERT_EQ(10, write(self->in, "to the end", 10));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(0, sh("[ \"$(dd if=" LOOP_OUT " bs=5 count=1 2>/dev/null)\" = 'by dd' ]"));
	/* dd cannot seek here, so it reads and discards the bytes of skip= */
	EXPECT_EQ(0, sh("[ \"$(dd if=" LOOP_OUT " bs=5 skip=1 count=1 2>/dev/null)\" = 67890 ]"));
	EXPECT_EQ(0, sh("[ \"$(cat " LOOP_OUT ")\" = 'to the end' ]"));
	EXPECT_EQ(0, sh("text=$(cat <" LOOP_OUT ") && [ -z \"$text\" ]"));
}

/* bash finds that it cannot seek back, and therefore reads no further than a line. */
TEST_F(shell, lines)
{
	self->in = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(13, write(self->in, "one\ntwo\nthree", 13));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	/* bash reads byte by byte, which is too little room for a record: the record stays */
	if (variant->records) {
		EXPECT_EQ(1, sh("bash -c 'read -r a' <" LOOP_OUT " 2>/dev/null"));
		EXPECT_EQ(0, sh("[ $(cat <" LOOP_OUT " | wc -c) = 13 ]"));
		return;
	}
	EXPECT_EQ(0, sh("bash -c 'read -r a; read -r b; [ $a-$b-$(cat) = one-two-three ]' <"
			LOOP_OUT));
}

TEST_HARNESS_MAIN
