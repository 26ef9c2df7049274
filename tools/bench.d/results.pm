# SPDX-License-Identifier: BSD-2-Clause
#
# results.pm: reads what tools/bench wrote, and sums it up.
#
# The raw form is lines "WORKLOAD ALLOCATOR USER SYSTEM WALL RSS FAULTS SWITCHES
# STATUS [KEY=VALUE...]", one a run, and before them comments: "# KEY VALUE",
# "# allocator NAME peer|ours|also VERSION", "# workload NAME KIND SOURCE" or
# "# workload NAME KIND - TEXT".
#
# JSON has the same in: meta {KEY: VALUE}, allocators [{name, role, version}],
# workloads [{name, kind, text}] and runs [{workload, allocator, user, system,
# wall (seconds), rss (KiB), faults, switches, status, figures {KEY: VALUE},
# series [[ms, KiB]...]}].

package results;

use strict;
use warnings;
use FindBin;
use JSON::PP;

my @columns = qw(user system wall rss faults switches status);

sub median {
	my @s = sort { $a <=> $b } @_;
	return @s % 2 ? $s[@s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2;
}

# The paragraph at the top of a workload's source, which lies beside this file,
# or the text after "- " in place of one.
sub paragraph {
	my ($source) = @_;
	return $1 if $source =~ /^- (.*)/;
	open my $f, '<', "$FindBin::Bin/$source" or return '';
	local $/;
	my $text = <$f>;
	return '' unless $text =~ /^ \*\n((?: \* .*\n)+)/m;
	$text = $1;
	$text =~ s/^ \* //gm;
	$text =~ s/\n/ /g;
	$text =~ s/^\S[^:]*:\s*//;
	return ucfirst $text =~ s/\s+$//r;
}

sub comment {
	my ($data, $key, $value) = @_;
	if ($key eq 'allocator') {
		my ($name, $role, $version) = split ' ', $value, 3;
		push @{$data->{allocators}}, { name => $name, role => $role,
		    version => $version // '' };
	} elsif ($key eq 'workload') {
		my ($name, $kind, $source) = split ' ', $value, 3;
		push @{$data->{workloads}}, { name => $name, kind => $kind,
		    text => paragraph($source // '') };
	} else {
		$data->{meta}{$key} = $value;
	}
}

sub run {
	my ($line) = @_;
	my ($workload, $allocator, @f) = split ' ', $line;
	my %run = (workload => $workload, allocator => $allocator);
	@f = (0, 0, 0, 0, 0, 0, 2) if @f < @columns;	# could not be measured
	@run{@columns} = map { $_ + 0 } splice @f, 0, @columns;
	$run{figures} = {};
	for (@f) {
		my ($key, $value) = split /=/, $_, 2;
		if ($key eq 'rss') {
			$run{series} = [map { [map { $_ + 0 } split /:/] }
			    split /,/, $value];
		} else {
			$run{figures}{$key} = $value + 0;
		}
	}
	return \%run;
}

# Either form, from a file's name.
sub load {
	my ($name) = @_;
	open my $f, '<', $name or die "bench: cannot read $name\n";
	my @lines = <$f>;
	if (@lines && $lines[0] =~ /^\s*\{/) {
		my $data = eval { JSON::PP->new->decode(join '', @lines) };
		die "bench: $name is not what tools/bench writes\n"
		    unless ref $data eq 'HASH' && $data->{runs};
		return $data;
	}
	my $data = { meta => {}, allocators => [], workloads => [],
	    runs => [] };
	for (@lines) {
		chomp;
		if (/^#\s+(\S+)\s+(.*)/) {
			comment($data, $1, $2);
		} elsif (/\S/) {
			push @{$data->{runs}}, run($_);
		}
	}
	return $data;
}

sub json {
	my ($data) = @_;
	return JSON::PP->new->canonical->encode($data) . "\n";
}

# {WORKLOAD}{ALLOCATOR}: medians of the runs, or only "failed" and "status".
sub summary {
	my ($data) = @_;
	my (%runs, %sum);
	push @{$runs{$_->{workload}}{$_->{allocator}}}, $_
	    for @{$data->{runs}};
	for my $w (keys %runs) {
		$sum{$w}{$_} = one($runs{$w}{$_}) for keys %{$runs{$w}};
	}
	return \%sum;
}

sub one {
	my ($runs) = @_;
	my @bad = grep { $_->{status} != 0 } @$runs;
	return { runs => scalar @$runs, failed => scalar @bad,
	    status => $bad[0]{status} } if @bad;
	my %s = (runs => scalar @$runs, failed => 0);
	for my $key (qw(system wall rss faults switches)) {
		$s{$key} = median(map { $_->{$key} } @$runs);
	}
	my @cpu = sort { $a <=> $b } map { $_->{user} + $_->{system} } @$runs;
	$s{cpu} = median(@cpu);
	$s{cpu_min} = $cpu[0];
	$s{spread} = 100 * ($cpu[-1] - $cpu[0]) / ($s{cpu} || 1);
	for my $key (keys %{$runs->[0]{figures}}) {
		$s{figures}{$key} =
		    median(map { $_->{figures}{$key} // 0 } @$runs);
	}
	$s{series} = $runs->[0]{series};
	return \%s;
}

sub ours {
	my ($data) = @_;
	return (map { $_->{name} } grep { $_->{role} eq 'ours' }
	    @{$data->{allocators}})[0];
}

sub peers {
	my ($data) = @_;
	return map { $_->{name} } grep { $_->{role} eq 'peer' }
	    @{$data->{allocators}};
}

sub kinds {
	my ($data) = @_;
	my %seen;
	return grep { !$seen{$_}++ } map { $_->{kind} } @{$data->{workloads}};
}

# The peer with the least of a key in one workload's row of the summary.
sub best {
	my ($data, $row, $key) = @_;
	my @n = sort { $row->{$a}{$key} <=> $row->{$b}{$key} }
	    grep { defined $row->{$_}{$key} } peers($data);
	return $n[0];
}

# Our figure divided by a peer's; undef when there is none of either.
sub ratio {
	my ($data, $row, $key, $peer) = @_;
	my $ours = ours($data);
	return undef unless defined $ours && defined $peer;
	my ($a, $b) = map { $row->{$_}{$key} } $ours, $peer;
	return defined $a && $b ? $a / $b : undef;
}

sub geometric {
	my @r = grep { defined && $_ > 0 } @_;
	my $sum = 0;
	$sum += log for @r;
	return @r ? exp($sum / @r) : undef;
}

# The geometric mean of a kind's ratios to one peer, or to the best of each.
sub mean {
	my ($data, $sum, $kind, $key, $peer) = @_;
	return geometric(map {
		my $row = $sum->{$_->{name}};
		ratio($data, $row, $key, $peer // best($data, $row, $key));
	    } grep { $_->{kind} eq $kind && $sum->{$_->{name}} }
	    @{$data->{workloads}});
}

1;
