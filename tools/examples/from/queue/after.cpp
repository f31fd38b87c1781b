// SPDX-License-Identifier: MIT
// Two threads of one process, and a ring of which an end that has nothing to do sleeps.  The
// threads may as well be two processes.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <spscring.h>
#include <thread>

struct order {
	std::uint64_t id;
	double price;
};

static int check(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	std::fprintf(stderr, "%s: %s\n", what, spscring_strerror(0, ret));
	std::exit(1);
}

int main()
{
	constexpr std::uint64_t orders = 1000000;
	spscring_create want{};

	want.size = sizeof(want);
	want.capacity = 4096;
	want.element_size = sizeof(order);
	// in memory of this process's own; spscring_open() makes one by the module
	int ring = check("open", spscring_open_memfd(&want));
	int in = check("claim", spscring_claim(ring, SPSCRING_PRODUCER, sizeof(order), 0));
	int out = check("claim", spscring_claim(ring, SPSCRING_CONSUMER, sizeof(order), 0));
	double sum = 0;

	std::thread producer([&] {
		spscring_producer p;

		check("map", spscring_map_producer(in, &p, sizeof(order), 0, nullptr));
		for (std::uint64_t id = 1; id <= orders; id++) {
			const order next{id, 0.5 * static_cast<double>(id)};

			while (spscring_push_fixed(&p, &next, sizeof(next)) == -EAGAIN)
				check("wait", spscring_wait_room(&p, 1, -1));
		}
	});
	spscring_consumer c;

	check("map", spscring_map_consumer(out, &c, sizeof(order), 0, nullptr));
	for (std::uint64_t id = 1; id <= orders; id++) {
		order next;

		while (spscring_pop_fixed(&c, &next, sizeof(next)) == -EAGAIN)
			check("wait", spscring_wait_elements(&c, 1, -1));
		if (next.id != id)
			return 1;
		sum += next.price;
	}
	producer.join();
	std::printf("%.1f\n", sum);
}
