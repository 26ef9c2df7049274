# SPDX-License-Identifier: BSD-2-Clause
#
# page.pl RESULTS: an HTML page with plots, which needs nothing beside itself,
# from the JSON (or the raw results) of tools/bench.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use results;

my $data = results::load($ARGV[0] // die "usage: page.pl RESULTS\n");
my $sum = results::summary($data);
my @allocators = map { $_->{name} } @{$data->{allocators}};
my @workloads = grep { $sum->{$_->{name}} } @{$data->{workloads}};

# Ours comes first.
my @palette = map { "#$_" } qw(c8102e 00798c e09f1f 8c5a12 2e5fa3 7a4fa0 6f6f6f
    2a9d4a d65db1 111111);
my %colour;
@colour{@allocators} = map { $palette[$_ % @palette] } 0 .. $#allocators;

sub escape {
	my ($s) = @_;
	my %name = ('&' => 'amp', '<' => 'lt', '>' => 'gt', '"' => 'quot');
	$s =~ s/([&<>"])/&$name{$1};/g;
	return $s;
}

sub text {
	my ($x, $y, $anchor, $s) = @_;
	return sprintf qq{<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>\n},
	    $x, $y, $anchor, escape($s);
}

sub svg {
	my ($class, $width, $height, $label, $body) = @_;
	return sprintf qq{<svg class="%s" viewBox="0 0 %d %d" role="img" } .
	    qq{aria-label="%s">\n%s</svg>\n}, $class, $width, $height,
	    escape($label), $body;
}

sub number {
	my ($x) = @_;
	return sprintf $x >= 100 ? '%.0f' : $x >= 10 ? '%.1f' : '%.2f', $x;
}

# An allocator's figure over the least that anyone has in that workload.
sub relative {
	my ($who, $row, $key) = @_;
	my ($least) = sort { $a <=> $b }
	    grep { defined } map { $_->{$key} } values %$row;
	return undef unless $least && defined $row->{$who}{$key};
	return $row->{$who}{$key} / $least;
}

# The points of the scatter: of each workload, and their geometric mean.
sub points {
	my ($kind, $who) = @_;
	my @rows = map { $sum->{$_->{name}} }
	    grep { $_->{kind} eq $kind } @workloads;
	my @points = grep { defined $_->[0] && defined $_->[1] } map {
		[relative($who, $_, 'cpu'), relative($who, $_, 'rss')]
	    } @rows;
	return unless @points;
	return ([results::geometric(map { $_->[0] } @points),
	    results::geometric(map { $_->[1] } @points)], @points);
}

my ($left, $top, $wide, $high) = (50, 20, 560, 400);
my $most = 16;			# farther out, points lie on the rim

sub place {
	my ($p) = @_;
	my ($x, $y) = map { log($_ > $most ? $most : $_) / log $most } @$p;
	return ($left + $wide * $x, $top + $high * (1 - $y));
}

sub grid {
	my $s = '';
	for my $t (1, 1.2, 1.5, 2, 3, 4, 6, 8, 12, 16) {
		my ($x, $y) = place([$t, $t]);
		$s .= sprintf qq{<path class="grid" d="M%.1f %dV%dM%d %.1fH%d"} .
		    qq{/>\n}, $x, $top, $top + $high, $left, $y, $left + $wide;
		$s .= text($x, $top + $high + 18, 'middle', $t);
		$s .= text($left - 8, $y + 4, 'end', $t);
	}
	return $s . text($left + $wide / 2, $top + $high + 38, 'middle',
	    'CPU time, times the best') . text($left, $top - 7, 'start',
	    'peak RSS, times the leanest');
}

sub scatter {
	my ($kind) = @_;
	my ($small, $big, @labels) = ('', '');
	for my $who (reverse @allocators) {
		my ($mean, @points) = points($kind, $who) or next;
		$small .= sprintf qq{<circle cx="%.1f" cy="%.1f" r="3" } .
		    qq{fill="%s" fill-opacity="0.35"/>\n}, place($_),
		    $colour{$who} for @points;
		my ($x, $y) = place($mean);
		$big .= sprintf qq{<circle class="mean" cx="%.1f" cy="%.1f" } .
		    qq{r="8" fill="%s"/>\n}, $x, $y, $colour{$who};
		my $below = $y + 4;
		while (grep { abs($_->[0] - $x) < 70 &&
		    abs($_->[1] - $below) < 12 } @labels) {
			$below -= 4;
		}
		push @labels, [$x, $below];
		$big .= text($x + 11, $below, 'start', $who);
	}
	return svg('scatter', 700, 470, "time against memory, $kind",
	    grid() . $small . $big);
}

sub bars {
	my ($row, $key, $unit, $title) = @_;
	my @who = grep { $row->{$_} } @allocators;
	my ($largest) = sort { $b <=> $a } map { $row->{$_}{$key} // 0 } @who;
	my $y = 22;
	my $s = text(0, 12, 'start', $title);
	for my $who (@who) {
		my $value = $row->{$who}{$key};
		my $length = 165 * ($value // 0) / ($largest || 1);
		$s .= text(78, $y + 12, 'end', $who);
		$s .= sprintf qq{<rect class="bar" x="84" y="%d" } .
		    qq{width="%.1f" height="15" fill="%s"/>\n}, $y, $length,
		    $colour{$who};
		$s .= text(89 + $length, $y + 12, 'start',
		    defined $value ? number($value / $unit) : 'failed');
		$y += 19;
	}
	return svg('bars', 300, $y + 4, $title, $s);
}

# Resident memory over time, of the first run of each.
sub curves {
	my ($row) = @_;
	my @who = grep { $row->{$_}{series} } @allocators or return '';
	my @all = map { @{$row->{$_}{series}} } @who;
	my ($end) = sort { $b <=> $a } map { $_->[0] } @all;
	my ($peak) = sort { $b <=> $a } map { $_->[1] } @all;
	return '' unless $end && $peak;
	my $s = text(0, 12, 'start', 'RSS (MiB) over time (s), one run each');
	for my $i (0 .. 4) {
		my $y = 170 - 140 * $i / 4;
		$s .= sprintf qq{<path class="grid" d="M40 %.1fH600"/>\n}, $y;
		$s .= text(34, $y + 4, 'end',
		    sprintf '%.0f', $peak / 1024 * $i / 4);
		$s .= text(40 + 140 * $i, 188, 'middle',
		    sprintf '%.1f', $end / 1000 * $i / 4);
	}
	for my $who (reverse @who) {
		$s .= sprintf qq{<polyline class="curve" stroke="%s" } .
		    qq{points="%s"/>\n}, $colour{$who}, join ' ', map {
			sprintf '%.1f,%.1f', 40 + 560 * $_->[0] / $end,
			    170 - 140 * $_->[1] / $peak
		    } @{$row->{$who}{series}};
	}
	return svg('curves', 620, 196, 'resident memory over time', $s);
}

sub cell {
	my ($x, $limit) = @_;
	return '<td>-</td>' unless defined $x;
	return sprintf '<td class="%s">%.2f</td>',
	    $x > $limit ? 'over' : 'within', $x;
}

sub means {
	my ($kind) = @_;
	my $ours = results::ours($data) // return '';
	my $s = "<table>\n<tr><th>$ours over<th>CPU<th>least CPU<th>wall" .
	    "<th>peak RSS</tr>\n";
	for my $peer (undef, results::peers($data)) {
		$s .= '<tr><th>' . escape($peer // 'the best peer of each') .
		    '</th>' . join('', map { cell(results::mean($data, $sum,
		    $kind, $_, $peer), 1) } qw(cpu cpu_min wall rss)) .
		    "</tr>\n";
	}
	return "$s</table>\n";
}

sub details {
	my ($row) = @_;
	my %figures;
	$figures{$_}++ for map { keys %{$row->{$_}{figures} // {}} } keys %$row;
	my @figures = grep { !/\d$/ } sort keys %figures;
	my $s = '<table><tr><th>' . join('<th>', '', 'CPU s', 'spread',
	    'system', 'wall s', 'RSS MiB', 'faults', 'switches',
	    map { escape($_) } @figures) . "</tr>\n";
	for my $who (grep { $row->{$_} } @allocators) {
		my $r = $row->{$who};
		$s .= "<tr><th>$who</th>";
		if ($r->{failed}) {
			$s .= "<td>$r->{failed} of $r->{runs} failed</td>";
		} else {
			$s .= sprintf '<td>%.3f<td>%.0f %%<td>%.3f<td>%.3f' .
			    '<td>%.1f<td>%d<td>%d', @$r{qw(cpu spread system
			    wall)}, $r->{rss} / 1024, @$r{qw(faults switches)};
			$s .= '<td>' . number($r->{figures}{$_} // 0)
			    for @figures;
		}
		$s .= "</tr>\n";
	}
	return "<details><summary>All figures</summary>$s</table></details>\n";
}

sub card {
	my ($w) = @_;
	my $row = $sum->{$w->{name}};
	my $ours = '';
	for (['cpu', 'time'], ['rss', 'memory']) {
		my ($key, $what) = @$_;
		my $best = results::best($data, $row, $key);
		my $ratio = results::ratio($data, $row, $key, $best) // next;
		$ours .= sprintf '<span class="%s">%.2f</span> of the best %s' .
		    ' (%s). ', $ratio > 1.05 ? 'over' : 'within', $ratio,
		    $what, $best;
	}
	return '<section class="card"><h3>' . escape($w->{name}) . "</h3>\n" .
	    "<p class=\"ratio\">$ours</p><div class=\"pair\">" .
	    bars($row, 'cpu', 1, 'CPU seconds') .
	    bars($row, 'rss', 1024, 'peak RSS, MiB') . "</div>\n" .
	    curves($row) . '<p>' . escape($w->{text}) . "</p>\n" .
	    details($row) . "</section>\n";
}

sub header {
	my $m = $data->{meta};
	my $s = '<h1>dsmalloc beside its peers</h1><p>' .
	    escape(join ', ', grep { defined } $m->{date},
	    $m->{kernel} && "Linux $m->{kernel}", $m->{processor},
	    $m->{cpus} && "$m->{cpus} processors",
	    $m->{rounds} && "$m->{rounds} rounds") .
	    ". Medians; less is better everywhere.</p>\n<p class=\"legend\">";
	for my $a (@{$data->{allocators}}) {
		my ($version) = split ' ', $a->{version};
		$s .= "<span><i style=\"background:$colour{$a->{name}}\">" .
		    '</i>' . escape($a->{name} . ' ' . ($version // '')) .
		    '</span> ';
	}
	return "$s</p>\n";
}

my $style = join '', <DATA>;
print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n",
    '<meta name="viewport" content="width=device-width">', "\n",
    "<title>dsmalloc: benchmarks</title>\n<style>\n$style</style></head>\n",
    "<body>\n", header();
for my $kind (results::kinds($data)) {
	print '<h2>', $kind eq 'real' ? 'Real programs' : 'Synthetic workloads',
	    "</h2>\n", '<div class="overview"><div>', scatter($kind),
	    '<p>Large dots are geometric means over all workloads, small ones ',
	    'the workloads. Nearer to the lower left corner is better.</p>',
	    '</div><div>', means($kind), '<p>Geometric means of dsmalloc ',
	    "divided by the other.</p></div></div>\n<div class=\"cards\">\n";
	print card($_) for grep { $_->{kind} eq $kind } @workloads;
	print "</div>\n";
}
print "</body></html>\n";

__DATA__
body { font: 15px/1.45 "DejaVu Sans", "Helvetica Neue", Arial, sans-serif;
    color: #222; background: #f6f5f2; margin: 0 auto; padding: 24px;
    max-width: 1340px; }
h1 { margin: 0; } h2 { margin: 36px 0 12px; } h3 { margin: 0; }
.legend span { margin-right: 16px; white-space: nowrap; }
.legend i { display: inline-block; width: 12px; height: 12px;
    margin-right: 6px; border-radius: 2px; }
.overview { display: flex; flex-wrap: wrap; gap: 24px; background: #fff;
    border: 1px solid #ddd; padding: 16px; align-items: center; }
.overview > div { flex: 1 1 480px; min-width: 0; }
.cards { display: grid; gap: 16px; margin-top: 16px;
    grid-template-columns: repeat(auto-fill, minmax(min(100%, 600px), 1fr)); }
.card { background: #fff; border: 1px solid #ddd; padding: 16px;
    min-width: 0; }
.card p { font-size: 13px; color: #444; }
.pair { display: flex; gap: 12px; } .pair svg { flex: 1; min-width: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 12px; fill: #333; }
.scatter { max-width: 700px; } .mean { stroke: #fff; stroke-width: 1.5; }
.grid { stroke: #ddd; fill: none; stroke-width: 1; }
.curve { fill: none; stroke-width: 1.6; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 3px 9px; text-align: right; border-bottom: 1px solid #eee; }
th { font-weight: 600; } details { font-size: 13px; overflow-x: auto; }
.over { color: #a50f26; font-weight: 600; }
.within { color: #17692f; font-weight: 600; }
