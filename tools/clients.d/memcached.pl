#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# memcached.pl PORT: give memcached work through eight connections, each from a
# process of its own; check every value that it gives back; print the counts.

use strict;
use warnings;
use IO::Socket::INET;

my $port = shift;

sub value {
	my ($who, $i) = @_;
	return sprintf("%d/%d ", $who, $i) x (1 + $i * 37 % 90 +
	    ($i % 50 == 0 ? 9000 : 0));
}

sub work {
	my $who = shift;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die $!;
	my $bad = 0;
	for my $round (1 .. 2) {
		for my $i (0 .. 1499) {
			my $v = value($who, $i + $round);
			print $s "set k$who.$i 0 0 ", length $v, "\r\n$v\r\n";
			$bad++ unless <$s> eq "STORED\r\n";
			next unless $i % 4 == 0;
			print $s "delete k$who.", int($i / 2), "\r\n";
			<$s>;
		}
		for my $i (0 .. 1499) {
			print $s "get k$who.$i\r\n";
			my $head = <$s>;
			next if $head eq "END\r\n";
			my ($len) = $head =~ /^VALUE \S+ 0 (\d+)/ or die $head;
			my $v;
			read $s, $v, $len;
			<$s>;
			<$s>;
			$bad++ unless $v eq value($who, $i + $round);
		}
	}
	return $bad > 255 ? 255 : $bad;
}

my @pids;
for my $who (1 .. 8) {
	my $pid = fork;
	exit work($who) if $pid == 0;
	push @pids, $pid;
}
for my $pid (@pids) {
	waitpid $pid, 0;
	die "wrong values: $?\n" if $? != 0;
}
my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die $!;
print $s "stats\r\n";
while (<$s>) {
	last if /^END/;
	print "$1 $2\n"
	    if /^STAT (curr_items|get_hits|get_misses|evictions|bytes) (\d+)/;
}
