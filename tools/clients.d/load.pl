#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# Hashes, sorts, regular expressions and closures; then the same in threads,
# each with a copy of the whole interpreter, and in a forked child.

use strict;
use warnings;
use threads;
use Digest::SHA qw(sha256_hex);

sub work {
	my ($seed, $n) = @_;
	my (%h, @subs);
	for my $i (1 .. $n) {
		my $k = "k" . ($i * $seed % 7919);
		$h{$k} .= "$i,";
		push @{ $h{"list$k"} }, { n => $i, s => "x" x ($i % 97) };
		push @subs, sub { $i + $_[0] } if $i % 10 == 0;
		delete $h{"k" . ($i * 3 % 7919)} if $i % 4 == 0;
	}
	my $text = join "\n", map {
		my $v = $h{$_};
		"$_=" . (ref $v ? join "", map { "$_->{n}$_->{s}" } @$v : $v)
	} sort keys %h;
	$text =~ s/(\d+),(\d+)/$2;$1/g;
	my $sum = 0;
	$sum += $_->($seed) for @subs;
	return sha256_hex($text) . " $sum";
}

print work(17, 40000), "\n";
my @t = map { my $s = $_; threads->create(sub { work($s, 12000) }) } 1 .. 6;
print $_->join, "\n" for @t;
my $pid = open(my $child, "-|") // die $!;
if ($pid == 0) {
	print work(23, 10000), "\n";
	exit 0;
}
print <$child>;
close $child or die "child: $?";
