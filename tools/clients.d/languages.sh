# SPDX-License-Identifier: BSD-2-Clause
#
# Interpreters and virtual machines; sourced by tools/clients.  Each runs a
# program from this directory that allocates a lot, in several threads where
# the language has them, and prints what it has computed.

client python quick 60 'python3.[0-9]+' python3-minimal libpython3-stdlib
client_python()
{
	# Otherwise Python does its own small objects.
	PYTHONMALLOC=malloc under /usr/bin/python3 "$here/load.py" >result
}

# Python's own tests of what is hard on an allocator; the same ones pass.
client pytests full 900 'python3.[0-9]+' python3 libpython3.11-testsuite
client_pytests()
{
	python_tests test_threading test_fork1 test_subprocess \
	    test_multiprocessing_spawn
}

client pyquick quick 90 'python3.[0-9]+' python3 libpython3.11-testsuite
client_pyquick()
{
	python_tests test_fork1 test_thread test_threadsignals
}

# That some fail is between Python and the machine.  Those that do get a second
# chance, for some of them mind how busy it is.
python_tests()
{
	local again=() line
	regrtest once.xml "$@"
	while read -r line; do
		again+=(-m "${line% *}")
	done < <(/usr/bin/python3 "$here/junit.py" once.xml |
	    grep ' error$\| failure$')
	cp once.xml twice.xml
	[ ${#again[@]} -eq 0 ] || regrtest twice.xml "${again[@]}" "$@"
	/usr/bin/python3 "$here/junit.py" once.xml twice.xml >result
	[ "$(grep -c ' passed$' result)" -ge 10 ] ||
	    fail "hardly any test passed"
}

regrtest()
{
	local status=0
	under /usr/bin/python3 -m test --junit-xml "$@" || status=$?
	[ $status -eq 0 ] || [ $status -eq 2 ] || fail "python3: status $status"
}

client perl quick 60 perl perl
client_perl()
{
	under perl "$here/load.pl" >result
}

client ruby quick 60 'ruby3.[0-9]+' ruby
client_ruby()
{
	under ruby --disable-gems "$here/load.rb" >result
}

client php quick 60 'php8.[0-9]+' php-cli
client_php()
{
	# Otherwise PHP has an allocator of its own.
	USE_ZEND_ALLOC=0 under php -n "$here/load.php" >result
}

client node full 60 node nodejs
client_node()
{
	under node "$here/load.js" >result
}

# Compiled with the library as well.
client java full 120 "java javac" openjdk-17-jdk-headless
client_java()
{
	local bin
	bin=$(dirname "$(readlink -f "$(command -v javac)")")
	under "$bin/javac" -d . "$here/Load.java"
	under "$bin/java" -Xmx128m -cp . Load >result
}
