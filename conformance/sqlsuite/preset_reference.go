package sqlsuite

// referencePreset is for the driver in internal/reference, whose language is
// not SQL. It has every query that there is.
var referencePreset = preset{
	placeholder: dollar,
	queries: map[Query]string{
		CreateKV:        `create {{table}} (id int key, v text)`,
		Drop:            `drop {{table}}`,
		AddColumn:       `add {{table}} (extra text)`,
		InsertKV:        `insert {{table}} (id = {{1}}, v = {{2}})`,
		InsertAuto:      `insert {{table}} (v = {{1}})`,
		InsertReturning: `insert {{table}} (id = {{1}}, v = {{2}}) returning (id, v)`,
		SelectKV:        `select {{table}} (id, v) where id = {{1}}`,
		SelectAll:       `select {{table}} (id, v)`,
		SelectStar:      `select {{table}} (*)`,
		CountKV:         `count {{table}}`,
		UpdateKV:        `update {{table}} (v = {{1}}) where id = {{2}}`,
		UpdateAll:       `update {{table}} (v = {{1}})`,
		DeleteKV:        `delete {{table}} where id = {{1}}`,
		DeleteAll:       `delete {{table}}`,

		CreateTyped: `create {{table}} (id int key, i int, f real, b bool, s text, x blob, t time, c text(20),` +
			` d decimal(10, 2), r int notnull default 7)`,
		InsertTyped:    `insert {{table}} (id = {{1}}, {{column}} = {{2}})`,
		SelectTyped:    `select {{table}} ({{column}}) where id = {{1}}`,
		FindTyped:      `select {{table}} (id) where {{column}} = {{1}}`,
		SelectTypedAll: `select {{table}} (id, i, f, b, s, x, t, c, d, r)`,
		SelectMax:      `max {{table}} ({{column}})`,

		SelectOne:      `row (one = 1)`,
		SelectNamed:    `row ("First Column" = 1, dup = 2, dup = 3)`,
		EchoTwo:        `row (a text = {{1}}, b text = {{2}})`,
		EchoNamed:      `row (b text = :second, a text = :first)`,
		Series:         `series {{n}}`,
		SeriesThenFail: `series {{n}} then fail`,
		SeriesThenWait: `series {{n}} then wait`,
		TwoSets:        `row (a = 1) (a = 2) (a = 3); row (b = 4, c = 'five')`,
		EmptySet:       `row (a = 1) limit 0; row (b = 1)`,
		SetThenFail:    `row (one = 1); fail`,

		SlowQuery: `slowly series 1`,
		SlowExec:  `slowly insert {{table}} (id = 1, v = 'slow')`,

		BadSyntax:  `sellect everything`,
		Empty:      ``,
		Comment:    `-- nothing but a comment`,
		TwoInserts: `insert {{table}} (id = 1, v = 'one'); insert {{table}} (id = 2, v = 'two')`,

		BeginSQL:       `begin`,
		EnableDeferred: ``,
		CreateDeferred: `create {{table}} (id int key, parent int references)`,
		InsertDeferred: `insert {{table}} (id = {{1}}, parent = 424242)`,
		InsertRoot:     `insert {{table}} (id = {{1}})`,
		CountDeferred:  `count {{table}}`,

		SetSession:     `set {{table}} = 1`,
		GetSession:     `get {{table}}`,
		KillSelf:       `die`,
		InsertThenKill: `insert {{table}} (id = {{n}}, v = 'last'); die`,
	},
}
