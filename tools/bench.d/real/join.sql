-- SPDX-License-Identifier: BSD-2-Clause
--
-- 500,000 rows in memory: inserted, indexed, joined, partly deleted.
PRAGMA cache_size = -400000;
CREATE TABLE item (id INTEGER PRIMARY KEY, part INTEGER, name TEXT, v REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
    WHERE i < 500000)
INSERT INTO item SELECT i, (i * 7919) % 5000, 'item ' || (i * 104729) % 1000003,
    i * 0.5 FROM n;
CREATE INDEX item_part ON item (part);
CREATE TABLE part AS SELECT part AS id, count(*) AS items, max(name) AS name
    FROM item GROUP BY part;
CREATE INDEX part_id ON part (id);
SELECT count(*), sum(length(i.name)), max(p.name) FROM item i
    JOIN part p ON p.id = i.part WHERE p.items > 10 AND i.v > 1000;
DELETE FROM item WHERE part % 2 = 0;
SELECT count(*) FROM (SELECT name FROM item ORDER BY name LIMIT 50000);
