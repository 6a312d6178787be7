module github.com/keyway-go/keyway/internal/dbserver

go 1.26.0
