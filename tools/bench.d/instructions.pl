# SPDX-License-Identifier: BSD-2-Clause
#
# instructions.pl LIBRARY COUNTS DUMPS BASELINE [MODE]: adds up what callgrind
# saw executed inside LIBRARY for each pattern of COUNTS (the output of insn;
# pattern N is in the file DUMPS.N), and prints it per operation beside the
# budgets and the stored BASELINE.  MODE check: fails when a pattern has grown
# by more than 2 %; update: writes BASELINE anew; plain: ignores BASELINE.

use strict;
use warnings;

# The first budget is what is demanded of every version, the second the goal.
my %budget = (
	malloc64 => [20, 19],
	free64 => [20, 19],
	free_sized64 => [18, 18],
	calloc64 => [undef, 25],
	posix_memalign16 => [undef, 28],
	realloc_same_class => [undef, 25],
	malloc_usable_size => [undef, 10],
	burst64_in_order => [90, 70],
	burst64_random => [undef, 85],
	burst8k_in_order => [400, 130],
	malloc_free_200k => [600, 200],
	burst64_remote => [undef, 80],
);

my ($library, $counts, $dumps, $baseline, $mode) = (@ARGV, 'print');

# With positions and names not compressed: "ob=" changes the object, a line
# "LINE COST" is executed there, and the one after "calls=" is the callee's.
sub inside {
	my ($file) = @_;
	my ($ours, $skip, $sum) = (0, 0, 0);

	open(my $f, '<', $file) or die "bench: cannot read $file: $!\n";
	while (<$f>) {
		if (/^ob=(.*)$/) {
			$ours = $1 eq $library;
		} elsif (/^calls=/) {
			$skip = 1;
		} elsif (/^\d+ (\d+)$/) {
			$sum += $1 if $ours && !$skip;
			$skip = 0;
		}
	}
	return $sum;
}

my (@names, %now, %stored);
open(my $c, '<', $counts) or die "bench: cannot read $counts: $!\n";
while (<$c>) {
	my ($name, $n) = split;
	push @names, $name;
	$now{$name} = $n ? inside("$dumps." . @names) / $n : undef;
}
die "bench: callgrind saw nothing in $library\n"
    unless $now{malloc64};

if ($mode ne 'plain' && open(my $b, '<', $baseline)) {
	while (<$b>) {
		next if /^#/;
		my ($name, $value) = split;
		$stored{$name} = $value;
	}
} elsif ($mode eq 'check') {
	die "bench: no $baseline; tools/bench --instructions --update " .
	    "writes it\n";
}

sub show { defined $_[0] ? sprintf('%.1f', $_[0]) : '-' }

my $bad = 0;
printf "%-20s %9s %8s %8s %9s %8s\n", 'instructions', 'now', 'budget', 'goal',
    'stored', 'change';
for my $n (@names) {
	my ($v, $s) = ($now{$n}, $stored{$n});
	my ($limit, $goal) = @{$budget{$n} // []};
	my $note = '';
	$note .= ' over budget' if defined $v && defined $limit &&
	    $v > $limit + 0.05;
	if (defined $s && (!defined $v || $v > $s * 1.02)) {
		$note .= ' GROWN';
		$bad++;
	}
	printf "%-20s %9s %8s %8s %9s %8s%s\n", $n, show($v), show($limit),
	    show($goal), show($s), defined $s && defined $v ?
	    sprintf('%+.1f%%', 100 * ($v / $s - 1)) : '-', $note;
}

if ($mode eq 'update') {
	open(my $b, '>', $baseline) or die "bench: $baseline: $!\n";
	print $b "# Instructions an operation inside the library, by " .
	    "callgrind; written by\n# tools/bench --instructions --update.\n";
	printf $b "%-20s %.2f\n", $_, $now{$_}
	    for grep { defined $now{$_} } @names;
	close($b) or die "bench: $baseline: $!\n";
	print "written: $baseline\n";
}
if ($mode eq 'check' && $bad) {
	print "bench: $bad patterns have grown by more than 2 %; when that is " .
	    "meant,\nbench: run tools/bench --instructions --update\n";
	exit 1;
}
