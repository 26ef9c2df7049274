# SPDX-License-Identifier: BSD-2-Clause
#
# lines.pl sum FILE: what lines_plugin.c wrote, in one line: calls, locked
# operations and lines of the library, the same of the rest.
# lines.pl sites FILE LIBRARY N: the N places of the library, or of what it
# called, where most lines move.
# lines.pl table RESULTS, json RESULTS: of lines that tools/bench has put
# together from such sums, workload, threads and allocator before them.

use strict;
use warnings;

# FILE's calls, and its places: module, offset, and the four counts.
sub counts {
	my ($file) = @_;
	my ($calls, @places);

	open(my $f, '<', $file) or die "bench: cannot read $file: $!\n";
	while (<$f>) {
		my @field = split;
		if ($field[0] eq 'calls') {
			$calls = $field[1];
		} else {
			push @places, \@field;
		}
	}
	return ($calls, @places);
}

sub sum {
	my ($calls, @places) = counts(@_);
	my @sum = (0) x 4;

	for my $p (@places) {
		$sum[$_] += $p->[2 + $_] for 0 .. 3;
	}
	return "$calls $sum[1] $sum[0] $sum[3] $sum[2]\n";
}

# The segment's offset in the file and its address.
sub segment {
	my ($library) = @_;

	for (`readelf -lW '$library'`) {
		return (hex $1, hex $2)
		    if /LOAD\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+).* R E /;
	}
	die "bench: no code in $library\n";
}

# Functions and lines, the innermost first.
sub where {
	my ($library, $address) = @_;
	my @out = `addr2line -f -s -i -e '$library' $address`;
	my @names;

	chomp @out;
	while (my ($name, $line) = splice(@out, 0, 2)) {
		$line =~ s/ \(discriminator .*//;
		push @names, "$name $line";
	}
	return join(' < ', @names);
}

sub sites {
	my ($file, $library, $n) = @_;
	my ($calls, @places) = counts($file);
	my ($offset, $address) = segment($library);

	@places = sort { $b->[2] <=> $a->[2] || $b->[3] <=> $a->[3] } @places;
	for my $p (@places[0 .. ($n < @places ? $n : @places) - 1]) {
		my ($module, $at, $lines, $locked) = @$p;
		my $name = $module eq $library ? where($library,
		    sprintf '%#x', hex($at) - $offset + $address) :
		    $module =~ s,.*/,,r . " $at";
		printf "%8.1f %8.1f  %s\n", 1000 * $lines / $calls,
		    1000 * $locked / $calls, $name;
	}
}

# The results in their order, and those by workload, allocator and threads.
sub results {
	my ($file) = @_;
	my (@all, %by, @rows, @threads, %seen);

	open(my $f, '<', $file) or die "bench: cannot read $file: $!\n";
	while (<$f>) {
		next if /^#/;
		my %r;
		@r{qw(workload threads allocator objects locked lines
		    program_locked program_lines)} = split;
		push @all, \%r;
		push @threads, $r{threads} unless $seen{$r{threads}}++;
		push @rows, [$r{workload}, $r{allocator}]
		    unless $seen{"$r{workload} $r{allocator}"}++;
		$by{$r{workload}}{$r{allocator}}{$r{threads}} = \%r;
	}
	return (\@all, \%by, \@rows, \@threads);
}

sub table {
	my (undef, $by, $rows, $threads) = results(@_);

	printf '%-7s%-11s', '', 'threads';
	printf '%18s', $_ for @$threads;
	printf "\n%-7s%-11s", '', 'for 1,000';
	print '  lock lines prog.' for @$threads;
	print "\n";
	for my $row (@$rows) {
		my ($w, $a) = @$row;
		printf '%-7s%-11s', $w, $a;
		for my $n (@$threads) {
			my $r = $by->{$w}{$a}{$n};
			printf '%6.0f%6.0f%6.0f', map 1000 * $r->{$_} /
			    $r->{objects}, qw(locked lines program_lines);
		}
		print "\n";
	}
}

sub json {
	my ($all) = results(@_);

	print "[\n", join(",\n", map {
		my $r = $_;
		'  {' . join(', ', map "\"$_\": " . ($r->{$_} =~ /^\d+$/ ?
		    $r->{$_} : "\"$r->{$_}\""), sort keys %$r) . '}'
	} @$all), "\n]\n";
}

my %do = (sum => sub { print sum(@_) }, sites => \&sites, table => \&table,
    json => \&json);
my $do = $do{shift(@ARGV) // ''} or die "usage: lines.pl sum | sites | " .
    "table | json FILE ...\n";
$do->(@ARGV);
