// SPDX-License-Identifier: MIT
/* Ends of rings for programs that connect to a UNIX socket at a path. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"

/* How many connections may wait for spscring_accept(). */
#define BACKLOG	64

/* How often to try to lock a folder, and the time between two tries, in us. */
#define LOCK_TRIES	100
#define LOCK_PAUSE	10000

static int address_of(const char *path, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int new_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* A new socket for streams, and the address that a path is. */
static int socket_for(const char *path, struct sockaddr_un *address)
{
	int err = address_of(path, address);

	return err ? err : new_socket(SOCK_STREAM);
}

static int connect_to(int fd, const struct sockaddr_un *address)
{
	int err;

	do
		err = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	while (err && errno == EINTR);
	return err ? -errno : 0;
}

/*
 * Remove a socket file whose server has gone.  Return: -EADDRINUSE it is there, or no socket.  A
 * datagram socket cannot connect to the server (-EPROTOTYPE), which would hand an end to it.
 */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat file;
	int fd, err;

	if (lstat(address->sun_path, &file))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EADDRINUSE;
	fd = new_socket(SOCK_DGRAM);
	if (fd < 0)
		return fd;
	err = connect_to(fd, address);
	close(fd);
	if (err != -ECONNREFUSED)
		return !err || err == -EPROTOTYPE ? -EADDRINUSE : err;
	return unlink(address->sun_path) ? -errno : 0;
}

/*
 * Lock a folder against other servers that start.  Whoever may read the folder can hold that lock
 * for ever, so after a second do without.
 */
static void lock_folder(int folder)
{
	int i;

	for (i = 0; i < LOCK_TRIES && flock(folder, LOCK_EX | LOCK_NB); i++)
		usleep(LOCK_PAUSE);
}

/* Bind a socket to another name in its folder, beginning with its own, and listen there. */
static int listen_beside(int fd, const struct sockaddr_un *address, struct sockaddr_un *beside)
{
	unsigned int number;
	int err;

	do {
		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -errno;
		*beside = *address;
		snprintf(beside->sun_path, sizeof(beside->sun_path), "%s.%06x",
			 address->sun_path, number & 0xffffff);
		err = bind(fd, (const struct sockaddr *)beside, sizeof(*beside)) ? -errno : 0;
	} while (err == -EADDRINUSE);
	if (!err && listen(fd, BACKLOG)) {
		err = -errno;
		unlink(beside->sun_path);
	}
	return err;
}

/*
 * Give a socket its path.  Who connects between bind() and listen() is refused, so it listens
 * before the path leads to it.  link(), unlike rename(), replaces no file.  The lock on the folder
 * keeps a second server from removing, as stale, the file that the first one has just made.
 */
static int serve_at(int fd, const struct sockaddr_un *address, mode_t mode)
{
	char copy[sizeof(address->sun_path)];
	struct sockaddr_un beside;
	int folder, err;

	strcpy(copy, address->sun_path);
	folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	lock_folder(folder);
	err = remove_stale(address);
	/* the file gets the socket's mode, so there is no time in which others may connect */
	if (!err && fchmod(fd, mode))
		err = -errno;
	if (!err)
		err = listen_beside(fd, address, &beside);
	if (!err) {
		if (link(beside.sun_path, address->sun_path))
			err = errno == EEXIST ? -EADDRINUSE : -errno;
		unlink(beside.sun_path);
	}
	close(folder);
	return err;
}

int spscring_serve(const char *path, uint32_t mode)
{
	struct sockaddr_un address;
	int fd, err;

	if (strlen(path) + sizeof(".123456") > sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket_for(path, &address);
	if (fd < 0)
		return fd;
	err = serve_at(fd, &address, mode);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int spscring_accept(int server, struct spscring_peer *peer)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	int fd;

	do
		fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	if (peer) {
		peer->pid = credentials.pid;
		peer->uid = credentials.uid;
		peer->gid = credentials.gid;
	}
	return fd;
}

int spscring_refuse(int connection, int err)
{
	const unsigned char message[2] = { FD_REFUSED, (unsigned char)-err };
	ssize_t sent;

	if (err >= 0 || err < -UINT8_MAX)
		return -EINVAL;
	do
		sent = send(connection, message, sizeof(message), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int spscring_connect(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_for(path, &address), err;

	if (fd < 0)
		return fd;
	err = connect_to(fd, &address);
	if (!err)
		err = spscring_recv_fd(fd);
	close(fd);
	return err;
}
