/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Buffers outside the heap, compressed and hashed, and objects inside it, in
 * the main thread and in workers.
 */
'use strict';
const { Worker, isMainThread, parentPort, workerData } =
    require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

function work(seed)
{
	const hash = crypto.createHash('sha256');
	const kept = [];

	for (let i = 0; i < 1500; i++) {
		const b = Buffer.alloc(1 + i * seed % 60000, String(i));
		kept.push(b);
		if (kept.length > 50)
			hash.update(kept.splice(i % 50, 1)[0]);
		if (i % 20 === 0) {
			const z = zlib.deflateSync(b, { level: 1 });
			if (!zlib.inflateSync(z).equals(b))
				throw new Error('deflate');
			hash.update(z);
		}
	}
	const map = new Map();
	for (let i = 0; i < 60000; i++)
		map.set('k' + i * seed % 7919, { i, s: 'x'.repeat(i % 50) });
	hash.update(JSON.stringify([...map].sort()));
	return (hash.digest('hex'));
}

if (isMainThread) {
	console.log(work(17));
	const all = [1, 2, 3, 4, 5, 6].map(s => new Promise((done, failed) => {
		const w = new Worker(__filename, { workerData: s });
		w.on('message', done);
		w.on('error', failed);
	}));
	Promise.all(all).then(r => console.log(r.join('\n')));
} else
	parentPort.postMessage(work(workerData));
