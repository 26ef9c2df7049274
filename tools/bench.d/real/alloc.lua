-- SPDX-License-Identifier: BSD-2-Clause
--
-- Tables, closures and strings, under Lua's own collector.

local turns = tonumber(arg[1])
local seed, total, kept = 1, 0, {}
for turn = 1, turns do
	local words, tree = {}, nil
	for i = 1, 40000 do
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		words[#words + 1] = "w" .. seed % 30000
		tree = { left = tree and tree.right, right = tree,
		    key = seed, show = function() return seed + i end }
		if i % 50 == 0 then
			tree = nil
		end
	end
	table.sort(words)
	local text = table.concat(words, " ")
	for word in text:gmatch("%d+") do
		total = total + #word
	end
	kept[turn % 4] = words
end
os.exit(total > 0)
