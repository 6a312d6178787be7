module github.com/keyway-go/keyway/internal/hotupdate

go 1.26.0

require (
	github.com/keyway-go/keyway v0.0.0-00010101000000-000000000000
	github.com/keyway-go/keyway/contract v0.0.0-00010101000000-000000000000
	github.com/keyway-go/keyway/drivers/postgres v0.0.0-00010101000000-000000000000
	github.com/keyway-go/keyway/drivers/sqlite v0.0.0-00010101000000-000000000000
	github.com/keyway-go/keyway/internal/dbserver v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/Masterminds/semver/v3 v3.5.0 // indirect
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.0.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	modernc.org/libc v1.77.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
	modernc.org/sqlite v1.60.1 // indirect
)

replace (
	github.com/keyway-go/keyway => ../..
	github.com/keyway-go/keyway/contract => ../../contract
	github.com/keyway-go/keyway/drivers/postgres => ../../drivers/postgres
	github.com/keyway-go/keyway/drivers/sqlite => ../../drivers/sqlite
	github.com/keyway-go/keyway/internal/dbserver => ../dbserver
)
