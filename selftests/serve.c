// SPDX-License-Identifier: GPL-2.0
/*
 * Ends of rings from a server at a path: who connects gets an end, or why not.  It needs no device.
 */
#include <dirent.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "selftest.h"

/* The library calls this one: it looks for a file first. */
static const char *sought;
static int found;

int listen(int fd, int backlog)
{
	if (sought)
		found = access(sought, F_OK) ? errno : 0;
	return (int)syscall(SYS_listen, fd, backlog);
}

FIXTURE(serve)
{
	char folder[32];
	char path[64];
	int server;
};

FIXTURE_SETUP(serve)
{
	snprintf(self->folder, sizeof(self->folder), "/tmp/spscring.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->folder));
	snprintf(self->path, sizeof(self->path), "%s/socket", self->folder);
	self->server = spscring_serve(self->path, 0600);
	ASSERT_GE(self->server, 0);
}

FIXTURE_TEARDOWN(serve)
{
	close_fd(&self->server);
	unlink(self->path);
	rmdir(self->folder);
}

TEST_F(serve, hands_an_end_to_each)
{
	struct spscring_peer peer = {};
	int ring = spscring_open_memfd(RING(.capacity = 8, .element_size = 8)), i, connection;
	struct spscring_consumer c;
	pid_t children[2];
	__u64 v;

	ASSERT_GE(ring, 0);
	for (i = 0; i < 2; i++) {
		__u32 role = i ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
		int end;

		children[i] = fork_child();
		if (!children[i]) {
			struct spscring_producer p;
			int err;

			close_ends(&ring, &ring, &self->server);
			end = spscring_connect(self->path);
			if (role == SPSCRING_PRODUCER) {
				v = 77;
				err = spscring_map_producer(end, &p, 8, 0, NULL);
				_exit(err || spscring_push(&p, &v) ||
				      spscring_shutdown_producer(&p));
			}
			err = spscring_map_consumer(end, &c, 8, 0, NULL);
			if (!err)
				err = spscring_wait_elements(&c, 1, -1);
			if (!err)
				err = spscring_pop(&c, &v);
			/* the producer may be between its push and its shutdown */
			_exit(err || v != 77 || spscring_wait_elements(&c, 1, -1) != -ESHUTDOWN);
		}
		connection = spscring_accept(self->server, &peer);
		ASSERT_GE(connection, 0);
		EXPECT_EQ(children[i], peer.pid);
		EXPECT_EQ(geteuid(), peer.uid);
		EXPECT_EQ(getegid(), peer.gid);
		EXPECT_EQ(FD_CLOEXEC, fcntl(connection, F_GETFD));
		end = spscring_claim(ring, role, 8, 0);
		ASSERT_GE(end, 0);
		EXPECT_EQ(0, spscring_send_fd(connection, end));
		close(end);
		close(connection);
		EXPECT_EQ(0, i ? wait_child(children[0]) | wait_child(children[1]) : 0);
	}
	close(ring);
}

/* Fork a child that connects.  Its exit status is the errno. */
static pid_t connector(const char *path)
{
	pid_t child = fork_child();

	if (!child)
		_exit(-spscring_connect(path) & 0xff);
	return child;
}

TEST_F(serve, says_why_not)
{
	pid_t child = connector(self->path);
	int connection = spscring_accept(self->server, NULL);

	ASSERT_GE(connection, 0);
	EXPECT_EQ(-EINVAL, spscring_refuse(connection, 0));
	EXPECT_EQ(-EINVAL, spscring_refuse(connection, EBUSY));
	EXPECT_EQ(-EINVAL, spscring_refuse(connection, -256));
	EXPECT_EQ(0, spscring_refuse(connection, -EDQUOT));
	EXPECT_EQ(EDQUOT, wait_child(child));
	/* nobody reads any more */
	EXPECT_EQ(-EPIPE, spscring_refuse(connection, -EDQUOT));
	close(connection);

	child = connector(self->path);
	connection = spscring_accept(self->server, NULL);
	close(connection);
	EXPECT_EQ(ENODATA, wait_child(child));
}

TEST_F(serve, is_one_at_a_path)
{
	struct stat file;
	int other;

	ASSERT_EQ(0, stat(self->path, &file));
	EXPECT_EQ(0600, file.st_mode & 0777);
	EXPECT_EQ(-EADDRINUSE, spscring_serve(self->path, 0600));
	close_fd(&self->server);
	/* its file is still there, and stale */
	EXPECT_EQ(-ECONNREFUSED, spscring_connect(self->path));
	other = spscring_serve(self->path, 0666 & ~0022);
	ASSERT_GE(other, 0);
	ASSERT_EQ(0, stat(self->path, &file));
	EXPECT_EQ(0644, file.st_mode & 0777);
	EXPECT_EQ(-EADDRINUSE, spscring_serve(self->path, 0600));
	close(other);
}

/* Of many servers that find a stale file, one gets the path. */
TEST_F(serve, is_one_of_many)
{
	pid_t children[8];
	int i, gate[2], served = 0;

	close_fd(&self->server);
	ASSERT_EQ(0, pipe(gate));
	for (i = 0; i < 8; i++) {
		children[i] = fork_child();
		if (!children[i]) {
			char byte;

			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			i = spscring_serve(self->path, 0600);
			if (i >= 0)
				pause();	/* killed below */
			_exit(i == -EADDRINUSE ? 1 : 2);
		}
	}
	close(gate[1]);
	close(gate[0]);
	for (i = 0; i < 7; i++) {
		int status, k;
		pid_t pid = wait(&status);

		EXPECT_EQ(1, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
		for (k = 0; k < 8; k++)
			if (children[k] == pid)
				children[k] = 0;
	}
	for (i = 0; i < 8; i++)
		if (children[i]) {
			served++;
			kill(children[i], SIGKILL);
			EXPECT_EQ(-SIGKILL, wait_child(children[i]));
		}
	EXPECT_EQ(1, served);
}

/* Whoever may read the folder can lock it, and does not keep a server from starting by that. */
TEST_F(serve, starts_in_a_locked_folder)
{
	int folder = open(self->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_GE(folder, 0);
	ASSERT_EQ(0, flock(folder, LOCK_EX));
	close_fd(&self->server);
	self->server = spscring_serve(self->path, 0600);
	EXPECT_GE(self->server, 0);
	close(folder);
}

TEST_F(serve, refuses_what_is_no_socket)
{
	char path[80], longest[109];
	int fd, server;

	snprintf(path, sizeof(path), "%s/file", self->folder);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EADDRINUSE, spscring_serve(path, 0600));
	EXPECT_EQ(0, access(path, F_OK));
	EXPECT_EQ(-ECONNREFUSED, spscring_connect(path));
	unlink(path);
	EXPECT_EQ(-ENOENT, spscring_connect(path));
	EXPECT_EQ(-ENOENT, spscring_connect(""));
	snprintf(path, sizeof(path), "%s/none/socket", self->folder);
	EXPECT_EQ(-ENOENT, spscring_serve(path, 0600));
	memset(longest, 'x', sizeof(longest));
	longest[108] = 0;
	EXPECT_EQ(-ENAMETOOLONG, spscring_connect(longest));
	longest[101] = 0;
	EXPECT_EQ(-ENAMETOOLONG, spscring_serve(longest, 0600));
	longest[100] = 0;
	ASSERT_EQ(0, chdir(self->folder));
	server = spscring_serve(longest, 0600);
	EXPECT_GE(server, 0);
	close_fd(&server);
	EXPECT_EQ(0, unlink(longest));
	close(fd);
}

/* Who connects to a socket that does not listen yet is refused: till then there is no file. */
TEST_F(serve, listens_before_it_has_its_path)
{
	close_fd(&self->server);
	ASSERT_EQ(0, unlink(self->path));
	sought = self->path;
	self->server = spscring_serve(self->path, 0600);
	ASSERT_GE(self->server, 0);
	EXPECT_EQ(ENOENT, found);
	EXPECT_EQ(0, access(self->path, F_OK));
}

/* Of what it has done in the folder nothing else is left. */
TEST_F(serve, leaves_one_file)
{
	struct dirent *entry;
	DIR *folder = opendir(self->folder);

	ASSERT_NE(NULL, folder);
	EXPECT_EQ(-EADDRINUSE, spscring_serve(self->path, 0600));
	while ((entry = readdir(folder)))
		EXPECT_TRUE(*entry->d_name == '.' || !strcmp(entry->d_name, "socket"))
			TH_LOG("%s", entry->d_name);
	closedir(folder);
}

TEST_F(serve, need_not_wait)
{
	ASSERT_EQ(0, fcntl(self->server, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, spscring_accept(self->server, NULL));
}

TEST_HARNESS_MAIN
