// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit: exporting an end as a file descriptor or as a device node.
 */
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/fs.h>

#include "fixture.h"

static void export_fd(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct spscring_info info;
	int fd = spscring_export_fd(ring, SPSCRING_CONSUMER);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, spscring_export_fd(ring, SPSCRING_CONSUMER), -EBUSY);
	/* an endpoint fd is no ring fd */
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(fd)), -EPERM);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	spscring_get_info(ring, &info);
	KUNIT_EXPECT_EQ(test, info.consumer_state, SPSCRING_DEAD);
	fd = spscring_export_fd(ring, SPSCRING_CONSUMER);
	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(fd)), -EBADF);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(spscring_from_fd(-1)), -EBADF);
}

static int open_errno(const char *name, int flags)
{
	struct file *file = filp_open(name, flags, 0);

	if (IS_ERR(file))
		return PTR_ERR(file);
	put_now(file);
	return 0;
}

static void export_device(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);

	KUNIT_EXPECT_EQ(test, PTR_ERR(spscring_export_file(ring, 3)), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, 0, "spscring-kunit", 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, 3, "spscring-kunit", 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_PRODUCER,
						     "spscring-kunit-p", 0600), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_WRONLY), -EACCES);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit-p", O_RDONLY), -EACCES);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDONLY), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit-p", O_WRONLY), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDWR), 0);
	/* both names are free again when the ring is gone */
	ring = make_ring(test, 8, 8);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), -EEXIST);
}

/* A name that is invalid or in use is refused without a line in the log. */
static void export_names(struct kunit *test)
{
	static const struct {
		const char *name;
		int err;
	} names[] = {
		{ "", -EINVAL }, { ".", -EINVAL }, { "..", -EINVAL }, { "a/b", -EINVAL },
		{ "/a", -EINVAL }, { "a!b", -EINVAL }, { "a b", -EINVAL }, { "a\nb", -EINVAL },
		{ "\xe9", -EINVAL }, { "null", -EEXIST }, { "spscring", -EEXIST },
	};
	struct spscring *ring = make_ring(test, 8, 8);
	char *longest = kunit_kzalloc(test, NAME_MAX + 2, GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, longest);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_EQ_MSG(test, spscring_export_device(ring, SPSCRING_CONSUMER,
								 names[i].name, 0600),
				    names[i].err, "name \"%s\"", names[i].name);
	memset(longest, 'x', NAME_MAX + 1);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER, longest, 0600),
			-EINVAL);
	longest[NAME_MAX] = 0;
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER, longest, 0600), 0);
	/* the name must not be used as a kobject's format string */
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-%s%n", 0600), 0);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-%s%n", O_RDWR), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", S_IFBLK | 0600), -EINVAL);
	KUNIT_EXPECT_EQ(test, open_errno("/dev/spscring-kunit", O_RDWR), -ENOENT);
}

static umode_t node_mode(struct kunit *test, const char *name)
{
	struct file *file = filp_open(name, O_PATH, 0);
	umode_t mode = 0;

	KUNIT_EXPECT_FALSE(test, IS_ERR(file));
	if (IS_ERR(file))
		return 0;
	mode = file_inode(file)->i_mode;
	put_now(file);
	return mode;
}

static void export_mode(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);

	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0624), 0);
	KUNIT_EXPECT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit-0", 0), 0);
	KUNIT_EXPECT_EQ(test, node_mode(test, "/dev/spscring-kunit"), S_IFCHR | 0624);
	KUNIT_EXPECT_EQ(test, node_mode(test, "/dev/spscring-kunit-0"), S_IFCHR | 0600);
}

/* Once the ring is destroyed, the holder of an open node cannot open its inode again. */
static void export_gone(struct kunit *test)
{
	struct spscring *ring = make_ring(test, 8, 8);
	struct file *file, *again;

	KUNIT_ASSERT_EQ(test, spscring_export_device(ring, SPSCRING_CONSUMER,
						     "spscring-kunit", 0600), 0);
	file = filp_open("/dev/spscring-kunit", O_RDWR, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	/* this destroys the first ring */
	make_ring(test, 8, 8);
	again = dentry_open(&file->f_path, O_RDWR, current_cred());
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(again), -ENODEV);
	put_now(file);
}

static struct kunit_case export_cases[] = {
	KUNIT_CASE(export_fd),
	KUNIT_CASE(export_device),
	KUNIT_CASE(export_names),
	KUNIT_CASE(export_mode),
	KUNIT_CASE(export_gone),
	{}
};

static struct kunit_suite export_suite = {
	.name = "spscring_export",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = export_cases,
};

kunit_test_suite(export_suite);
