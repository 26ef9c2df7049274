<?php
/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arrays, strings, objects in cycles, regular expressions and serialisation.
 */

class Node
{
	public $next, $data;

	function __construct($next, $data)
	{
		$this->next = $next;
		$this->data = $data;
	}
}

function work($seed, $n)
{
	$h = [];
	for ($i = 0; $i < $n; $i++) {
		$k = "k" . ($i * $seed % 4999);
		$h[$k][] = str_repeat("z", $i % 190) . $i;
		if ($i % 5 == 0)
			unset($h["k" . ($i * 7 % 4999)]);
		if ($i % 100 == 0) {
			$a = new Node(null, $h[$k]);
			$a->next = new Node($a, $i);
		}
	}
	ksort($h);
	$text = serialize($h);
	if (unserialize($text) != $h)
		exit(1);
	$text = preg_replace_callback("/z{20,}/", function ($m) {
		return (strlen($m[0]));
	}, $text);
	return (hash("sha256", $text . json_encode($h)));
}

foreach ([3, 17, 29, 31] as $seed)
	echo work($seed, 40000), "\n";
