# SPDX-License-Identifier: BSD-2-Clause
#
# Threads and forked children that build, serialise and drop data.

import collections
import hashlib
import json
import os
import pickle
import threading
import zlib


def build(seed, n):
    words = ["w%d" % (i * seed % 9973) * (1 + i % 5) for i in range(n)]
    count = collections.Counter(words)
    tree = {w: {"n": c, "l": list(range(c)), "s": w[::-1]}
            for w, c in count.items()}
    text = json.dumps(tree, sort_keys=True)
    again = json.loads(text)
    assert again == tree
    blob = zlib.compress(pickle.dumps(sorted(again.items()), protocol=4))
    assert pickle.loads(zlib.decompress(blob)) == sorted(tree.items())
    return hashlib.sha256(text.encode()).hexdigest()


def grow():
    a = bytearray()
    for i in range(20000):
        a += b"%d," % i
        if i % 1000 == 0:
            a = a[len(a) // 2:]
    return hashlib.sha256(a).hexdigest()


results = {}


def work(seed):
    results[seed] = [build(seed * 100 + i, 6000) for i in range(3)] + [grow()]


threads = [threading.Thread(target=work, args=(s,)) for s in range(1, 9)]
for t in threads:
    t.start()
for i in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if build(3, 500) == build(3, 500) else 1)
    assert os.waitpid(pid, 0)[1] == 0
for t in threads:
    t.join()
for seed in sorted(results):
    print(seed, *results[seed])
