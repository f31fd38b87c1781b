// SPDX-License-Identifier: MIT
// Two threads of one process, and a queue that both poll.
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <cstdio>
#include <thread>

struct order {
	std::uint64_t id;
	double price;
};

int main()
{
	constexpr std::uint64_t orders = 1000000;
	boost::lockfree::spsc_queue<order, boost::lockfree::capacity<4096>> queue;
	double sum = 0;

	std::thread producer([&] {
		for (std::uint64_t id = 1; id <= orders; id++)
			while (!queue.push(order{id, 0.5 * id}))
				std::this_thread::yield();
	});
	for (std::uint64_t id = 1; id <= orders; id++) {
		order next;

		while (!queue.pop(next))
			std::this_thread::yield();
		if (next.id != id)
			return 1;
		sum += next.price;
	}
	producer.join();
	std::printf("%.1f\n", sum);
}
