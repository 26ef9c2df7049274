# SPDX-License-Identifier: BSD-2-Clause
#
# junit.py FILE...: one line for each test of a regrtest run, and how it ended;
# one that passed in any of the runs has passed.

import sys
import xml.etree.ElementTree

how = {}
for file in sys.argv[1:]:
    for case in xml.etree.ElementTree.parse(file).iter("testcase"):
        kinds = [child.tag for child in case]
        ended = next((k for k in ("error", "failure", "skipped")
                      if k in kinds), "passed")
        if how.get(case.get("name")) != "passed":
            how[case.get("name")] = ended
for name in sorted(how):
    print(name, how[name])
