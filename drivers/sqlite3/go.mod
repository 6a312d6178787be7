module github.com/keyway-go/keyway/drivers/sqlite3

go 1.26.0

require (
	github.com/keyway-go/keyway/contract v0.0.0-00010101000000-000000000000
	github.com/mattn/go-sqlite3 v1.14.52
)

replace github.com/keyway-go/keyway/contract => ../../contract
