# SPDX-License-Identifier: BSD-2-Clause
#
# Dictionaries, lists, strings and objects of many sizes, in generations.

import json
import sys


class Node:
    def __init__(self, key, value):
        self.key = key
        self.value = value
        self.children = []


def generation(seed, count):
    table = {}
    for i in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        node = Node("key%d" % seed, "v" * (seed % 200))
        node.children.append((i, seed, float(seed)))
        table[node.key] = node
    return table


def digest(table):
    rows = [{"key": n.key, "value": n.value, "children": n.children}
            for n in table.values() if len(n.value) % 3 == 0]
    return len(json.loads(json.dumps(rows)))


kept = []
total = 0
for turn in range(int(sys.argv[1])):
    table = generation(turn + 1, 20000)
    total += digest(table)
    kept.append(dict(list(table.items())[::10]))
    if len(kept) > 4:
        kept.pop(0)
    text = ",".join(sorted(table))
    total += len(text.split(","))
if total == 0:
    sys.exit(1)
