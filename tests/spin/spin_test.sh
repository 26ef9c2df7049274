#
# SPDX-License-Identifier: BSD-2-Clause
#
# The protocols between threads, model-checked exhaustively by spin.  A model
# must come through the whole search without an error; each of its broken
# twins must be found out.

# analyse mode model define ... : builds and runs a verifier; result in pan.out
analyse()
{
	local mode model flags args

	mode=${1}
	model=$(atf_get_srcdir)/${2}
	shift 2
	case ${mode} in
	safety)
		flags="-DNOCLAIM -DSAFETY"
		args="-m100000 -w24"
		;;
	liveness)
		flags="-DNFAIR=6"
		args="-a -f -m1000000 -w24"
		;;
	esac
	atf_check -o ignore -e ignore spin "${@}" -a "${model}"
	atf_check -o ignore -e ignore cc ${opt:--O2} ${flags} -o pan pan.c
	# An unbounded search would hide behind a time limit: say so.
	timeout 240 ./pan ${args} >pan.out 2>&1 ||
	    atf_fail "pan: exit status ${?}: $(tail -n 3 pan.out)"
}

sound()
{
	analyse "${@}"
	cat pan.out
	grep -q 'errors: 0' pan.out || atf_fail "${*}: errors found"
	! grep -qi 'search not completed' pan.out ||
	    atf_fail "${*}: search not completed"
	! grep -q 'max search depth too small' pan.out ||
	    atf_fail "${*}: search not exhaustive"
	# A model that does nothing has no errors either.
	local states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
	[ "$(printf '%.0f' "${states}")" -ge 10000 ] ||
	    atf_fail "${*}: only ${states} states"
}

broken()
{
	# Found within a moment: the compiler takes longer.
	opt=-O0 analyse safety "${@}"
	grep -Eq 'assertion violated|invalid end state' pan.out ||
	    atf_fail "${*}: the broken twin was not found out"
}

describe()
{
	atf_set "descr" "${1}"
	atf_set "require.progs" "spin cc timeout"
	atf_set "timeout" "300"
}

atf_test_case remote
remote_head()
{
	describe "No slab closes under a late push, no freed slot is lost"
}
remote_body()
{
	sound safety remote.pml
}

atf_test_case remote_ends
remote_ends_head()
{
	describe "Every slab whose slots are all freed gets closed"
}
remote_ends_body()
{
	sound liveness remote.pml -DNF=2
}

atf_test_case remote_broken
remote_broken_head()
{
	describe "Without owed == 0 the remote protocol fails"
}
remote_broken_body()
{
	broken remote.pml -DBROKEN
}

atf_test_case handover
handover_head()
{
	describe "Nothing is stranded in the inbox of an arena without threads"
}
handover_body()
{
	sound safety handover.pml
}

atf_test_case handover_ends
handover_ends_head()
{
	describe "Exits and pushes come to an end"
}
handover_ends_body()
{
	sound liveness handover.pml
}

atf_test_case handover_broken
handover_broken_head()
{
	describe "The hand-over fails without each of its precautions"
}
handover_broken_body()
{
	local i

	for i in 1 2 3 4; do
		broken handover.pml -DBROKEN=${i}
	done
}

atf_test_case fork
fork_head()
{
	describe "At the fork nobody is inside; no deadlock"
}
fork_body()
{
	sound safety fork.pml
}

atf_test_case fork_ends
fork_ends_head()
{
	describe "Forkers and slow paths come to an end"
}
fork_ends_body()
{
	sound liveness fork.pml
}

atf_test_case fork_broken
fork_broken_head()
{
	describe "The fork protocol fails without each of its precautions"
}
fork_broken_body()
{
	local i

	for i in 1 2 3 4 5 6 7 8; do
		broken fork.pml -DBROKEN=${i}
	done
}

atf_test_case keeper
keeper_head()
{
	describe "No deadline is slept through, by one keeper or two"
}
keeper_body()
{
	sound safety keeper.pml
	sound safety keeper.pml -DNKEEP=2 -DNARM=1
	sound safety keeper.pml -DNTICK=1 -DNARM=1
}

atf_test_case keeper_switch
keeper_switch_head()
{
	describe "Keepers are there just if they are wanted, in a child too"
}
keeper_switch_body()
{
	sound safety keeper.pml -DSWITCH
	sound safety keeper.pml -DCHILD
}

atf_test_case keeper_ends
keeper_ends_head()
{
	describe "A keeper with nothing to do goes to sleep"
}
keeper_ends_body()
{
	sound liveness keeper.pml -DDUE -DNARM=1
}

atf_test_case keeper_broken
keeper_broken_head()
{
	describe "The keepers' protocol fails without each of its precautions"
}
keeper_broken_body()
{
	local i

	for i in 1 2 3 4 5 7; do
		broken keeper.pml -DBROKEN=${i}
	done
	broken keeper.pml -DBROKEN=6 -DDUE -DNKEEP=2 -DNARM=1
	for i in 8 9 10 11; do
		broken keeper.pml -DSWITCH -DBROKEN=${i}
	done
	for i in 12 13; do
		broken keeper.pml -DCHILD -DBROKEN=${i}
	done
}

atf_init_test_cases()
{
	atf_add_test_case remote
	atf_add_test_case remote_ends
	atf_add_test_case remote_broken
	atf_add_test_case handover
	atf_add_test_case handover_ends
	atf_add_test_case handover_broken
	atf_add_test_case fork
	atf_add_test_case fork_ends
	atf_add_test_case fork_broken
	atf_add_test_case keeper
	atf_add_test_case keeper_switch
	atf_add_test_case keeper_ends
	atf_add_test_case keeper_broken
}
