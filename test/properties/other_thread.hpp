// test/properties/other_thread.hpp: a thread that runs given functions while the others wait.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_PROPERTIES_OTHER_THREAD_HPP
#define ASIO_URING_TEST_PROPERTIES_OTHER_THREAD_HPP

#include <functional>
#include <semaphore>
#include <thread>

class other_thread
{
public:
  ~other_thread()
  {
    run(nullptr);
    thread_.join();
  }
  void run(std::function<void()> task)
  {
    task_ = std::move(task);
    begin_.release();
    end_.acquire();
  }

private:
  void work()
  {
    for (bool more = true; more;) {
      begin_.acquire();
      more = task_ != nullptr;
      if (more) task_();
      end_.release();
    }
  }

  std::function<void()> task_;
  std::binary_semaphore begin_{0}, end_{0};
  std::thread thread_{[this] { work(); }};
};

#endif // ASIO_URING_TEST_PROPERTIES_OTHER_THREAD_HPP
