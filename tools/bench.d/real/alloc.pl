# SPDX-License-Identifier: BSD-2-Clause
#
# Words counted, sorted, joined and taken apart, in hashes of arrays.

use strict;
use warnings;

my ($turns) = @ARGV;
my ($seed, $total, @kept) = (1, 0);
for my $turn (1 .. $turns) {
	my (%seen, %by);
	for my $i (1 .. 40000) {
		$seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
		my $word = 'w' . ($seed >> 8) % 30000;
		$seen{$word}++;
		push @{$by{length $word}}, $word x (1 + $seed % 7);
	}
	my $text = join ' ', sort keys %seen;
	my @parts = map { scalar reverse } split / /, $text;
	$text =~ s/(\d+)/<$1>/g;
	$total += @parts + length $text;
	push @kept, \%by;
	shift @kept if @kept > 4;
}
exit($total > 0 ? 0 : 1);
