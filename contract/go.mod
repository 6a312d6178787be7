module github.com/keyway-go/keyway/contract

go 1.26
