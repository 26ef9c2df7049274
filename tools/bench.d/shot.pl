# SPDX-License-Identifier: BSD-2-Clause
#
# shot.pl SCREENSHOT.png DOM.html: what the sample's page must show.  The
# screenshot has each allocator's colour, as much of it as bars make, and text
# on a ground that is mostly white; the browser's own account of the page has
# every plot's elements.  Says what is missing, one line each.

use strict;
use warnings;
use Compress::Zlib;

my $bad = 0;

sub expect($$) {
	my ($true, $what) = @_;
	return if $true;
	print STDERR "bench: the page has no $what\n";
	$bad = 1;
}

sub slurp {
	my ($name) = @_;
	open my $f, '<:raw', $name or die "bench: cannot read $name\n";
	local $/;
	return scalar <$f>;
}

sub paeth {
	my ($a, $b, $c) = @_;
	my ($p, $q, $r) = (abs($b - $c), abs($a - $c), abs($a + $b - 2 * $c));
	return $p <= $q && $p <= $r ? $a : $q <= $r ? $b : $c;
}

# Undoes a row's filter, in place; $n is the bytes of a pixel.
sub unfilter {
	my ($kind, $row, $above, $n) = @_;
	for my $i (0 .. $#$row) {
		my $a = $i >= $n ? $row->[$i - $n] : 0;
		my $b = $above->[$i] // 0;
		my $c = $i >= $n ? $above->[$i - $n] // 0 : 0;
		my $guess = $kind == 0 ? 0 : $kind == 1 ? $a : $kind == 2 ? $b :
		    $kind == 3 ? int(($a + $b) / 2) : paeth($a, $b, $c);
		$row->[$i] = ($row->[$i] + $guess) & 255;
	}
}

# How many pixels have each colour, and how many there are.
sub colours {
	my ($png) = @_;
	my ($at, $idat, %count) = (8, '');
	my ($width, $height, $depth, $type) = unpack 'x16 N2 C2', $png;
	die "bench: not the PNG that was expected\n"
	    unless $depth == 8 && ($type == 2 || $type == 6);
	while ($at < length $png) {
		my ($length, $name) = unpack "x$at N a4", $png;
		$idat .= substr $png, $at + 8, $length if $name eq 'IDAT';
		$at += 12 + $length;
	}
	my $raw = uncompress($idat) // die "bench: a broken PNG\n";
	my $n = $type == 2 ? 3 : 4;
	my $above = [];
	for my $y (0 .. $height - 1) {
		my ($kind, @row) = unpack 'C*',
		    substr $raw, $y * ($width * $n + 1), $width * $n + 1;
		unfilter($kind, \@row, $above, $n);
		for (my $i = 0; $i < @row; $i += $n) {
			$count{$row[$i] << 16 | $row[$i + 1] << 8 |
			    $row[$i + 2]}++;
		}
		$above = \@row;
	}
	return (\%count, $width * $height);
}

sub occurrences {
	my ($text, $pattern) = @_;
	my $n = () = $text =~ /$pattern/g;
	return $n;
}

my ($count, $pixels) = colours(slurp($ARGV[0]));
my $dom = slurp($ARGV[1]);
my %legend = reverse $dom =~ /background:(#\w{6})"><\/i>(\w+)/g;
for my $who (qw(dsmalloc thin wide)) {
	my $n = $count->{hex substr $legend{$who} // '#', 1} // 0;
	expect($n > 2000, "bars of ${who}'s colour ($n pixels)");
}
expect(($count->{0xffffff} // 0) > $pixels / 4, 'white cards');
expect(keys %$count > 100, 'text (antialiased)');
my $scatter = join '', $dom =~ /<svg class="scatter".*?<\/svg>/gs;
expect(occurrences($scatter, '<circle class="mean"') == 5,
    'dot for each mean in its plot');
expect(occurrences($dom, '<rect class="bar"[^>]* width="\d*[1-9]') == 16,
    'bar for each figure');
expect(occurrences($dom, '<polyline class="curve"[^>]*points="\d') == 3,
    'curve for each allocator');
expect($dom =~ />0\.88<\/span> of the best time \(wide\)/ &&
    $dom =~ />1\.14<\/span> of the best memory \(thin\)/,
    'right ratio of a workload');
expect($dom =~ /the best peer of each<\/th><td class="over">1\.07/ &&
    $dom =~ /thin<\/th><td class="within">0\.69/, 'right geometric mean');
expect($dom =~ />failed</, 'word of what failed');
expect($dom =~ /What decides is/, "workload's own text");
expect(occurrences($dom, '(?:src|href)=|url\(') == 0,
    'freedom from other files');
exit $bad;
