package sqlsuite

// mysqlPreset is for MySQL 8 and what MariaDB 10.6 shares with it. It lacks
// constraints that are checked at commit, and named parameters.
//
// SLEEP stands for work that takes long, since a server looks every few seconds
// whether the client of a sleeping statement is still there. A sleep that was
// interrupted gives 1, so that SlowExec then adds no row.
var mysqlPreset = preset{
	base:        "standard",
	placeholder: questionMark,
	queries: map[Query]string{
		CreateKV:   `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY AUTO_INCREMENT, v VARCHAR(1000)) ` + mysqlTable,
		InsertAuto: `INSERT INTO {{table}} (v) VALUES ({{1}})`,
		CreateTyped: `CREATE TABLE {{table}} (id INTEGER PRIMARY KEY, i BIGINT, f DOUBLE, b BOOLEAN, s LONGTEXT, x LONGBLOB,` +
			` t TIMESTAMP(6) NULL, c VARCHAR(20), d DECIMAL(10, 2), r INTEGER NOT NULL DEFAULT 7) ` + mysqlTable,

		SelectNamed: "SELECT 1 AS `First Column`, 2 AS dup, 3 AS dup",
		EchoTwo:     `SELECT CAST({{1}} AS CHAR(1000)) AS a, CAST({{2}} AS CHAR(1000)) AS b`,
		EmptySet:    `SELECT 1 AS a FROM DUAL WHERE 1 = 0; SELECT 1 AS b`,
		Series:      mysqlCount + ` SELECT n, ` + mysqlRow + ` FROM series WHERE n <= {{n}}`,
		SeriesThenFail: mysqlCount + ` SELECT CASE WHEN n > {{n}} THEN 9223372036854775807 + n ELSE n END AS n, ` + mysqlRow +
			` FROM series`,
		// Servers send their rows when they have filled a buffer, of 16 KiB.
		SeriesThenWait: mysqlCount + ` SELECT CASE WHEN n > {{n}} THEN SLEEP(600) ELSE n END AS n, ` + mysqlRow +
			`, REPEAT('.', 65536) AS filler FROM series`,

		SlowQuery: `SELECT SLEEP(600)`,
		SlowExec:  `INSERT INTO {{table}} (id) SELECT 1 FROM DUAL WHERE SLEEP(600) = 0`,

		CreateDeferred: ``,
		InsertDeferred: ``,
		InsertRoot:     ``,
		CountDeferred:  ``,

		SetSession: `SET @{{table}} = 1`,
		GetSession: `SELECT 1 FROM DUAL WHERE @{{table}} IS NOT NULL`,
		KillSelf:   `KILL CONNECTION_ID()`,
	},
}

// mariadbPreset is for MariaDB 10.6 and later. Its SlowExec sleeps before it
// locks the table, which can then be dropped at once.
var mariadbPreset = preset{
	base: "mysql",
	queries: map[Query]string{
		InsertReturning: `INSERT INTO {{table}} (id, v) VALUES ({{1}}, {{2}}) RETURNING id, v`,
		SlowExec:        `BEGIN NOT ATOMIC IF SLEEP(600) = 0 THEN INSERT INTO {{table}} (id) VALUES (1); END IF; END`,
		InsertThenKill:  `BEGIN NOT ATOMIC INSERT INTO {{table}} (id, v) VALUES ({{n}}, 'last'); KILL CONNECTION_ID(); END`,
	},
}

const (
	mysqlTable = `ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`

	// mysqlCount counts to {{n}} and one further, to 10000 at most. Servers stop
	// a recursion after 1000 rounds, hence the product of two.
	mysqlCount = `WITH RECURSIVE digit (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM digit WHERE d < 99),` +
		` series (n) AS (SELECT 100 * high.d + low.d + 1 FROM digit AS high, digit AS low` +
		` WHERE 100 * high.d + low.d <= {{n}} ORDER BY 1 LIMIT 10001)`
	mysqlRow = `CONCAT('row-', n) AS s, CAST(CONCAT('row-', n) AS BINARY) AS x`
)
