# SPDX-License-Identifier: BSD-2-Clause
#
# junit.py FILE: one line for each test of a regrtest run, and how it ended.

import sys
import xml.etree.ElementTree

lines = []
for case in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    kinds = [child.tag for child in case]
    how = next((k for k in ("error", "failure", "skipped") if k in kinds),
               "passed")
    lines.append("%s %s" % (case.get("name"), how))
print("\n".join(sorted(lines)))
