# SPDX-License-Identifier: BSD-2-Clause
#
# Strings, hashes and arrays in threads, with the collector at work, forked
# children, and a heap that is compacted.

require 'digest'

def work(seed, n)
  h = Hash.new { |hash, key| hash[key] = [] }
  n.times do |i|
    h["k#{i * seed % 4999}"] << ('y' * (i % 211)) + i.to_s
    h.delete("k#{i * 7 % 4999}") if i % 5 == 0
    GC.start if i % 9000 == 0
  end
  text = h.sort.map { |k, v| "#{k}:#{v.reverse.join('|')}" }.join("\n")
  text = text.gsub(/y{20,}/) { |m| m.length.to_s }.encode('UTF-16LE')
  Digest::SHA256.hexdigest(text)
end

puts work(13, 60_000)
puts((1..6).map { |s| Thread.new { work(s, 20_000) } }.map(&:value))
GC.compact if GC.respond_to?(:compact)
puts work(29, 20_000)
3.times do |i|
  r, w = IO.pipe
  pid = fork { r.close; w.puts work(i + 2, 5_000); w.close; exit!(0) }
  w.close
  puts r.read
  Process.wait(pid)
  raise "child: #{$?}" unless $?.success?
end
