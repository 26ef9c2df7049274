# SPDX-License-Identifier: BSD-2-Clause
#
# report.pl OURS < RESULTS: the table of tools/bench.  A line of RESULTS is
# "WORKLOAD ALLOCATOR USER SYSTEM WALL RSS FAULTS SWITCHES STATUS".

use strict;
use warnings;

my $ours = shift // 'dsmalloc';
my (%runs, @workloads, @allocators, %seen, %cpu, %min, %rss);

sub median {
	my @s = sort { $a <=> $b } @_;
	return @s % 2 ? $s[@s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2;
}

while (<STDIN>) {
	next if /^#/;
	my ($w, $who, $user, $sys, @f) = split;
	push @workloads, $w unless $seen{"w $w"}++;
	push @allocators, $who unless $seen{"a $who"}++;
	push @{$runs{$w}{$who}}, [$user + $sys, $sys, @f];
}

printf "%-10s %-10s %7s %7s %7s %7s %7s %8s %9s %9s\n", 'workload',
    'allocator', 'cpu s', 'min', 'spread', 'system', 'wall s', 'RSS MiB',
    'faults', 'switches';
for my $w (@workloads) {
	for my $who (@allocators) {
		my @r = @{$runs{$w}{$who} // []} or next;
		if (my @bad = grep { $_->[6] != 0 } @r) {
			printf "%-10s %-10s FAILED %d of %d runs, status %d\n",
			    $w, $who, scalar @bad, scalar @r, $bad[0][6];
			next;
		}
		my @c = sort { $a <=> $b } map { $_->[0] } @r;
		my @m = map { my $i = $_; median(map { $_->[$i] } @r) } 0 .. 5;
		$cpu{$w}{$who} = $m[0];
		$min{$w}{$who} = $c[0];
		$rss{$w}{$who} = $m[3];
		printf "%-10s %-10s %7.3f %7.3f %6.0f%% %7.3f %7.3f %8.1f " .
		    "%9d %9d\n", $w, $who, $m[0], $c[0],
		    100 * ($c[-1] - $c[0]) / ($m[0] || 1), $m[1], $m[2],
		    $m[3] / 1024, $m[4], $m[5];
	}
	print "\n";
}

sub best {
	my ($table) = @_;
	my @n = sort { $table->{$a} <=> $table->{$b} }
	    grep { $_ ne $ours } keys %$table;
	return @n ? $n[0] : undef;
}

sub ratio {
	my ($table, $best) = @_;
	return '-' unless defined $table->{$ours} && $table->{$best};
	return sprintf '%.2f', $table->{$ours} / $table->{$best};
}

# Where others use the machine too, the minimum says more than the median.
my (%log, $count);
printf "%-10s %-24s %-24s %-24s\n", '', 'best median, cpu s',
    'best minimum, cpu s', 'leanest, MiB';
for my $w (@workloads) {
	my $ours_too = defined $cpu{$w}{$ours};
	next unless defined best($cpu{$w});
	printf '%-10s', $w;
	for (['median', $cpu{$w}, 1], ['min', $min{$w}, 1],
	    ['rss', $rss{$w}, 1024]) {
		my ($key, $table, $unit) = @$_;
		my $best = best($table);
		printf ' %-9s%7.*f %6s ', $best, $unit == 1 ? 3 : 1,
		    $table->{$best} / $unit, ratio($table, $best);
		$log{$key} += log($table->{$ours} / $table->{$best})
		    if $ours_too;
	}
	print "\n";
	$count++ if $ours_too;
}
printf "%-10s %23.2f  %23.2f  %23.2f\n", "$ours, mean",
    map { exp($log{$_} / $count) } qw(median min rss) if $count;
