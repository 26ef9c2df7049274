# SPDX-License-Identifier: BSD-2-Clause
#
# Four threads, each with hashes, arrays and strings of its own.

turns = ARGV[0].to_i
threads = 4.times.map do |number|
	Thread.new do
		seed = number + 1
		kept = []
		total = 0
		turns.times do
			table = {}
			10_000.times do
				seed = (seed * 1103515245 + 12345) & 0x7fffffff
				table["key#{seed}"] = "v" * (seed % 200)
			end
			text = table.map { |k, v| "#{k}=#{v}" }.sort.join(",")
			total += text.split(",").size
			kept << table
			kept.shift if kept.size > 3
		end
		total
	end
end
exit(threads.map(&:value).sum > 0)
