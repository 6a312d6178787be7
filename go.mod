module github.com/keyway-go/keyway

go 1.26

require github.com/keyway-go/keyway/contract v0.0.0-00010101000000-000000000000

require (
	github.com/Masterminds/semver/v3 v3.5.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/rogpeppe/go-internal v1.16.0 // indirect
	github.com/spf13/cobra v1.10.2 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
)

replace github.com/keyway-go/keyway/contract => ./contract
