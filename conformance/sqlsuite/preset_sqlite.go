package sqlsuite

// sqlitePreset is for SQLite 3.35 and later. A query that takes long counts in
// a recursive common table expression, which sqlite3_interrupt can stop; one
// that fails on its way takes the absolute value of the least integer.
var sqlitePreset = preset{
	base:        "standard",
	placeholder: questionMark,
	loose:       true,
	queries: map[Query]string{
		CreateKV:        `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, v TEXT)`,
		AddColumn:       `ALTER TABLE {{table}} ADD COLUMN extra TEXT`,
		InsertAuto:      `INSERT INTO {{table}} (v) VALUES ({{1}})`,
		InsertReturning: `INSERT INTO {{table}} (id, v) VALUES ({{1}}, {{2}}) RETURNING id, v`,
		CreateTyped:     `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, i BIGINT, f DOUBLE PRECISION, b BOOLEAN, s TEXT, x BLOB, t TIMESTAMP, c VARCHAR(20), d DECIMAL(10, 2), r INTEGER NOT NULL DEFAULT 7)`,
		EchoTwo:         `SELECT CAST({{1}} AS TEXT) AS a, CAST({{2}} AS TEXT) AS b`,
		EchoNamed:       `SELECT :second AS b, :first AS a`,

		Series: sqliteCount + ` SELECT n, 'row-' || n AS s, CAST('row-' || n AS BLOB) AS x FROM count LIMIT {{n}}`,
		SeriesThenFail: sqliteCount + ` SELECT CASE WHEN n > {{n}} THEN abs(-9223372036854775807 - 1) ELSE n END AS n,` +
			` 'row-' || n AS s, CAST('row-' || n AS BLOB) AS x FROM count LIMIT {{n}} + 1`,
		SeriesThenWait: sqliteCount + ` SELECT n, 'row-' || n AS s, CAST('row-' || n AS BLOB) AS x FROM count` +
			` WHERE n <= {{n}} OR n >= 10000000000 LIMIT {{n}} + 1`,

		SlowQuery: sqliteCount + ` SELECT n FROM count WHERE n >= 10000000000 LIMIT 1`,
		SlowExec:  `INSERT INTO {{table}} (id) ` + sqliteCount + ` SELECT n FROM count WHERE n >= 10000000000 LIMIT 1`,

		EnableDeferred: `PRAGMA foreign_keys = ON`,
		SetSession:     `CREATE TEMPORARY TABLE {{table}} (x INTEGER)`,
		GetSession:     `SELECT COUNT(*) FROM temp.{{table}}`,
	},
}

const sqliteCount = `WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count)`
