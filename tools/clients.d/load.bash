#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Strings, arrays, expansions, functions and subshells.

declare -A words
list=()
text=
for ((i = 0; i < 20000; i++)); do
	key=k$((i * 7919 % 1009))
	words[$key]+=$i,
	list+=("$key-$i")
	((i % 7)) || unset "words[k$((i % 1009))]"
	((i % 100)) || list=("${list[@]:50}")
	text+=${list[-1]:0:3}
done
printf '%s\n' "${!words[@]}" "${words[@]}" | sort | sha256sum
text=${text//k1/<>}
echo "${#text} ${#list[@]} ${text:5000:20} ${text##*<}"

deep()
{
	local a=$1 b=("${list[@]:$1:20}")
	((a == 0)) || deep $((a - 1))
	echo "${b[*]^^}"
}
deep 200 | sha256sum
for i in {1..40}; do
	x=$(for j in {1..20}; do echo "$i $j ${words[k$j]}"; done)
	echo "$x"
done | sha256sum
mapfile -t lines < <(seq 1 30000)
IFS=+
sum="${lines[*]}"
echo $((sum))
