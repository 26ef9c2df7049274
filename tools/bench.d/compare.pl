# SPDX-License-Identifier: BSD-2-Clause
#
# compare.pl A B: what changed between two results of tools/bench, for each
# allocator that both have; a change of time counts when it is beyond both
# runs' spread.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use results;

die "usage: compare.pl A B\n" unless @ARGV == 2;
my ($old, $new) = map { results::load($_) } @ARGV;
my ($a, $b) = map { results::summary($_) } $old, $new;
my %ratios;

sub mark {
	my ($x, $y) = @_;
	my $change = 100 * abs($y->{cpu} / ($x->{cpu} || 1) - 1);
	my $spread = $x->{spread} > $y->{spread} ? $x->{spread} : $y->{spread};
	return '' if $x->{runs} < 2 || $y->{runs} < 2;
	return '' if $change <= $spread || $change < 2;
	return $y->{cpu} > $x->{cpu} ? ' slower' : ' faster';
}

sub compare {
	my ($w, $who) = @_;
	my ($x, $y) = ($a->{$w}{$who}, $b->{$w}{$who});
	return unless $x && $y;
	if ($x->{failed} || $y->{failed}) {
		printf "%-15s %-10s failed %d, then %d runs\n", $w, $who,
		    $x->{failed}, $y->{failed};
		return;
	}
	printf '%-15s %-10s', $w, $who;
	for (['cpu', 1, 3], ['cpu_min', 1, 3], ['rss', 1024, 1],
	    ['faults', 1, 0]) {
		my ($key, $unit, $digits) = @$_;
		my $ratio = $y->{$key} / ($x->{$key} || 1);
		push @{$ratios{$who}{$key}}, $ratio;
		printf ' %8.*f %8.*f %5.2f', $digits, $x->{$key} / $unit,
		    $digits, $y->{$key} / $unit, $ratio;
	}
	print mark($x, $y), "\n";
}

printf "%-15s %-10s %-23s %-23s %-23s %-23s\n", '', '', ' cpu s',
    ' least cpu s', ' RSS MiB', ' page faults';
for my $w (map { $_->{name} } @{$new->{workloads}}) {
	compare($w, $_) for map { $_->{name} } @{$new->{allocators}};
}
for my $who (map { $_->{name} } @{$new->{allocators}}) {
	next unless $ratios{$who};
	printf "%-26s", "$who, mean";
	printf ' %23.3f', results::geometric(@{$ratios{$who}{$_}})
	    for qw(cpu cpu_min rss faults);
	print "\n";
}
