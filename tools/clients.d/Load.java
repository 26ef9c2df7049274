/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Threads that allocate in and beside the heap: buffers of the system's
 * malloc, compression, strings.
 */
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Load {
	static long
	work(int seed) throws Exception
	{
		CRC32 crc = new CRC32();
		List<ByteBuffer> kept = new ArrayList<>();
		HashMap<String, String> map = new HashMap<>();

		for (int i = 0; i < 600; i++) {
			ByteBuffer b = ByteBuffer.allocateDirect(1 +
			    (int)((long)i * seed * 769 % 40000));
			while (b.hasRemaining())
				b.put((byte)(b.position() * seed + i));
			b.flip();
			kept.add(b);
			if (kept.size() > 60)
				crc.update(kept.remove(i % 60));
			if (i % 10 == 0)
				pack(crc, kept.get(kept.size() - 1).duplicate());
			for (int j = 0; j < 50; j++)
				map.put("k" + (long)i * j * seed % 2003,
				    "v".repeat(j) + i);
		}
		crc.update(String.valueOf(map.hashCode()).getBytes());
		return (crc.getValue());
	}

	static void
	pack(CRC32 crc, ByteBuffer b) throws Exception
	{
		byte[] in = new byte[b.remaining()], out, back;
		Deflater d = new Deflater(6);
		Inflater f = new Inflater();
		int n;

		b.get(in);
		out = new byte[in.length + 1000];
		d.setInput(in);
		d.finish();
		n = d.deflate(out);
		d.end();
		back = new byte[in.length];
		f.setInput(out, 0, n);
		if (f.inflate(back) != in.length ||
		    !java.util.Arrays.equals(in, back))
			throw new Exception("inflate");
		f.end();
		crc.update(out, 0, n);
	}

	public static void
	main(String[] args) throws Exception
	{
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> all = new ArrayList<>();

		for (int i = 1; i <= 24; i++) {
			final int seed = i;
			all.add(pool.submit((Callable<Long>)() -> work(seed)));
		}
		for (Future<Long> f : all)
			System.out.println(f.get());
		pool.shutdown();
	}
}
