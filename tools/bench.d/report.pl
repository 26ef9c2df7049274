# SPDX-License-Identifier: BSD-2-Clause
#
# report.pl RESULTS: the tables of tools/bench, from its raw results or JSON.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use results;

my $data = results::load($ARGV[0] // die "usage: report.pl RESULTS\n");
my $sum = results::summary($data);
my @allocators = map { $_->{name} } @{$data->{allocators}};
my @workloads = grep { $sum->{$_->{name}} } @{$data->{workloads}};

sub line {
	my ($workload, $allocator, $s) = @_;
	return printf "%-15s %-10s FAILED %d of %d runs, status %d\n",
	    $workload, $allocator, @$s{qw(failed runs status)} if $s->{failed};
	printf "%-15s %-10s %7.3f %7.3f %6.0f%% %7.3f %7.3f %8.1f %9d %9d",
	    $workload, $allocator, @$s{qw(cpu cpu_min spread system wall)},
	    $s->{rss} / 1024, @$s{qw(faults switches)};
	for my $key (sort keys %{$s->{figures}}) {
		printf '  %s %.1f', $key, $s->{figures}{$key}
		    unless $key =~ /\d$/;	# one of a series
	}
	print "\n";
}

sub each_run {
	printf "%-15s %-10s %7s %7s %7s %7s %7s %8s %9s %9s\n", 'workload',
	    'allocator', 'cpu s', 'min', 'spread', 'system', 'wall s',
	    'RSS MiB', 'faults', 'switches';
	for my $w (map { $_->{name} } @workloads) {
		line($w, $_, $sum->{$w}{$_})
		    for grep { $sum->{$w}{$_} } @allocators;
		print "\n";
	}
}

sub show {
	my ($format, $value) = @_;
	return defined $value ? sprintf $format, $value : '-';
}

# Where others use the machine too, the minimum says more than the median.
sub each_best {
	printf "%-15s %-24s %-24s %-24s\n", '', 'best median, cpu s',
	    'best minimum, cpu s', 'leanest, MiB';
	for my $w (@workloads) {
		my $row = $sum->{$w->{name}};
		next unless results::best($data, $row, 'cpu');
		printf '%-15s', $w->{name};
		for my $key (qw(cpu cpu_min rss)) {
			my $best = results::best($data, $row, $key);
			my $rss = $key eq 'rss';
			printf ' %-9s%7.*f %6s ', $best, $rss ? 1 : 3,
			    $row->{$best}{$key} / ($rss ? 1024 : 1),
			    show('%.2f',
			    results::ratio($data, $row, $key, $best));
		}
		print "\n";
	}
}

# Geometric means of our figures over others'.
sub means {
	my $ours = results::ours($data) or return;
	my @others = results::peers($data) or return;
	for my $kind (results::kinds($data)) {
		printf "\n%-26s %8s %8s %8s %8s\n", "$ours, $kind: mean over",
		    'cpu', 'cpu min', 'wall', 'RSS';
		for my $peer (undef, @others) {
			printf '%-26s', $peer // 'the best of each workload';
			printf ' %8s', show('%.2f', results::mean($data, $sum,
			    $kind, $_, $peer)) for qw(cpu cpu_min wall rss);
			print "\n";
		}
	}
}

each_run();
each_best();
means();
