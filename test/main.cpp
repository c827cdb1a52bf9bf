// test/main.cpp: the test runner.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#define BOOST_TEST_MODULE asio_uring
#include "environment.hpp"
#include <boost/test/unit_test.hpp>

#include <boost/test/tree/observer.hpp>
#include <unistd.h>

// A test that hangs is ended by SIGALRM, which Boost.Test reports with the test's name.
struct watchdog : boost::unit_test::test_observer
{
  watchdog() { boost::unit_test::framework::register_observer(*this); }
  ~watchdog() { boost::unit_test::framework::deregister_observer(*this); }
  void test_unit_start(const boost::unit_test::test_unit& unit) override
  {
    if (unit.p_type == boost::unit_test::TUT_CASE) ::alarm(90 * slowness());
  }
  void test_unit_finish(const boost::unit_test::test_unit&, unsigned long) override { ::alarm(0); }
};

BOOST_TEST_GLOBAL_FIXTURE(watchdog);

#ifdef __SANITIZE_THREAD__
// Asio frees an executor that threads share after a fence, and ThreadSanitizer ignores fences.
extern "C" const char* __tsan_default_suppressions() { return "race:any_executor_base::destroy_shared\n"; }
#endif
