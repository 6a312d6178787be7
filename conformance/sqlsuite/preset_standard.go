package sqlsuite

// standardPreset is what most databases understand. It lacks what each writes
// in its own way.
var standardPreset = preset{
	placeholder: questionMark,
	queries: map[Query]string{
		CreateKV:    `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, v VARCHAR(1000))`,
		Drop:        `DROP TABLE {{table}}`,
		AddColumn:   `ALTER TABLE {{table}} ADD COLUMN extra VARCHAR(100)`,
		InsertKV:    `INSERT INTO {{table}} (id, v) VALUES ({{1}}, {{2}})`,
		SelectKV:    `SELECT id, v FROM {{table}} WHERE id = {{1}}`,
		SelectAll:   `SELECT id, v FROM {{table}} ORDER BY id`,
		SelectStar:  `SELECT * FROM {{table}} ORDER BY id`,
		CountKV:     `SELECT COUNT(*) FROM {{table}}`,
		UpdateKV:    `UPDATE {{table}} SET v = {{1}} WHERE id = {{2}}`,
		UpdateAll:   `UPDATE {{table}} SET v = {{1}}`,
		DeleteKV:    `DELETE FROM {{table}} WHERE id = {{1}}`,
		DeleteAll:   `DELETE FROM {{table}} WHERE id IS NOT NULL`,
		CreateTyped: `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, i BIGINT, f DOUBLE PRECISION, b BOOLEAN, s TEXT, x BLOB, t TIMESTAMP WITH TIME ZONE, c VARCHAR(20), d DECIMAL(10, 2), r INTEGER NOT NULL DEFAULT 7)`,
		InsertTyped: `INSERT INTO {{table}} (id, {{column}}) VALUES ({{1}}, {{2}})`,
		SelectTyped: `SELECT {{column}} FROM {{table}} WHERE id = {{1}}`,

		FindTyped:      `SELECT id FROM {{table}} WHERE {{column}} = {{1}}`,
		SelectTypedAll: `SELECT id, i, f, b, s, x, t, c, d, r FROM {{table}} ORDER BY id`,
		SelectMax:      `SELECT MAX({{column}}) FROM {{table}}`,

		SelectOne:   `SELECT 1 AS one`,
		SelectNamed: `SELECT 1 AS "First Column", 2 AS dup, 3 AS dup`,
		TwoSets:     `SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3; SELECT 4 AS b, 'five' AS c`,
		EmptySet:    `SELECT 1 AS a WHERE 1 = 0; SELECT 1 AS b`,
		SetThenFail: `SELECT 1 AS one; SELECT v FROM keyway_no_such_table`,
		EchoTwo:     `SELECT CAST({{1}} AS VARCHAR(1000)) AS a, CAST({{2}} AS VARCHAR(1000)) AS b`,

		BadSyntax:  `SELEC 1 FORM nowhere`,
		Empty:      ``,
		Comment:    `-- nothing but a comment`,
		TwoInserts: `INSERT INTO {{table}} (id, v) VALUES (1, 'one'); INSERT INTO {{table}} (id, v) VALUES (2, 'two')`,
		BeginSQL:   `BEGIN`,

		EnableDeferred: ``,
		CreateDeferred: `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES {{table}} (id) DEFERRABLE INITIALLY DEFERRED)`,
		InsertDeferred: `INSERT INTO {{table}} (id, parent) VALUES ({{1}}, 424242)`,
		InsertRoot:     `INSERT INTO {{table}} (id) VALUES ({{1}})`,
		CountDeferred:  `SELECT COUNT(*) FROM {{table}}`,
	},
}
