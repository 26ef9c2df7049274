# SPDX-License-Identifier: BSD-2-Clause
#
# generate.pl c | smt | ps: what cc1, z3 and ghostscript are given.

use strict;
use warnings;

# Functions with loops, switches and structures, over the system's headers.
sub c {
	print "#include <$_.h>\n" for qw(stdio stdlib string math time);
	for my $i (1 .. 200) {
		print "struct s$i { int a[", $i % 9 + 1, "]; double d; ",
		    "struct s$i *next; };\n",
		    "int f$i(struct s$i *p, int n)\n{\n\tint r = $i;\n",
		    "\tfor (int i = 0; i < n; i++) {\n\t\tswitch (i % 7) {\n";
		for my $j (0 .. 6) {
			print "\t\tcase $j: r += p->a[i % ", $i % 9 + 1, "] * ",
			    $i + $j, " ^ (r >> $j); p->d += sqrt(r + $j.5);",
			    " break;\n";
		}
		print "\t\t}\n\t\tif (p->next != NULL && r % ", $i % 5 + 2,
		    ")\n\t\t\tp = p->next;\n\t}\n\treturn (r", $i > 1 ?
		    " + f" . ($i - 1) . "((void *)p, n - 1)" : '', ");\n}\n";
	}
}

# Nine pigeons and eight holes, beside a chain of bit-vector sums.
sub smt {
	my ($pigeons, $holes) = (9, 8);
	print "(set-logic QF_UFBV)\n";
	for my $p (1 .. $pigeons) {
		print "(declare-const p${p}_$_ Bool)\n" for 1 .. $holes;
		print '(assert (or', (map { " p${p}_$_" } 1 .. $holes), "))\n";
	}
	for my $h (1 .. $holes) {
		for my $p (1 .. $pigeons) {
			print "(assert (or (not p${p}_$h) (not p${_}_$h)))\n"
			    for $p + 1 .. $pigeons;
		}
	}
	print "(declare-const x0 (_ BitVec 32))\n";
	for my $i (1 .. 3000) {
		print "(declare-const x$i (_ BitVec 32))\n(assert (= x$i ",
		    '(bvadd (bvxor x', $i - 1, " #x", sprintf('%08x',
		    $i * 2654435761 % 2**32), ') (bvlshr x', int($i / 2),
		    " #x0000000", $i % 9, "))))\n";
	}
	print "(check-sat)\n";
}

# Forty pages of text, curves and fills.
sub ps {
	print "%!PS\n";
	for my $page (1 .. 40) {
		for my $i (1 .. 250) {
			my ($x, $y) = (($i * 97 + $page * 31) % 560,
			    ($i * 61 + $page * 17) % 760);
			print "/Times-Roman findfont ", 6 + $i % 13,
			    " scalefont setfont $x $y moveto ",
			    "(page $page, line $i) show\n",
			    ($i % 10) / 10, ' ', ($i % 7) / 7, " 0.5 setrgbcolor ",
			    "newpath $x $y moveto ", $x + 40, ' ', $y + 70, ' ',
			    $x + 90, ' ', $y - 30, ' ', $x + 20, ' ', $y + 10,
			    " curveto closepath ", $i % 2 ? 'fill' : 'stroke',
			    "\n";
		}
		print "showpage\n";
	}
}

my %what = (c => \&c, smt => \&smt, ps => \&ps);
($what{$ARGV[0] // ''} // die "usage: generate.pl c | smt | ps\n")->();
