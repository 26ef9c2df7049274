# SPDX-License-Identifier: BSD-2-Clause
#
# json.pl RESULTS: the JSON of tools/bench, from its raw results.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use results;

print results::json(results::load($ARGV[0] // die "usage: json.pl RESULTS\n"));
