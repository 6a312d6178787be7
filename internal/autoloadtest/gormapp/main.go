// An application made with GORM: an order book in the database of its argument.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	_ "modernc.org/sqlite"
)

// Customer is a table.
type Customer struct {
	// ID is set by the database.
	ID uint
	// Name is who it is.
	Name string `gorm:"uniqueIndex"`
	// Orders are loaded on demand.
	Orders []Order
}

// Order is a table.
type Order struct {
	// ID is set by the database.
	ID uint
	// CustomerID is whose it is.
	CustomerID uint
	// Item and Cents are what was bought for how much.
	Item  string
	Cents int64
	// Note is "" or NULL.
	Note *string
}

func main() {
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(dsn string) error {
	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: dsn}, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&Customer{}, &Order{}); err != nil {
		return err
	}
	note := "a gift"
	ada := Customer{Name: "Ada", Orders: []Order{{Item: "loom", Cents: 12_500}, {Item: "cards", Cents: 300, Note: &note}}}
	if err := db.Create(&ada).Error; err != nil {
		return err
	}
	fmt.Println("created", ada.ID, ada.Orders[1].ID)
	fmt.Println("twice:", db.Create(&Customer{Name: "Ada"}).Error)
	change := errors.New("a change of mind")
	fmt.Println("undone:", db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(&Order{}).Where("item = ?", "loom").Update("cents", 1).Error; err != nil {
			return err
		}
		return change
	}))
	var found []Customer
	if err := db.Preload("Orders", func(tx *gorm.DB) *gorm.DB { return tx.Order("cents") }).Find(&found).Error; err != nil {
		return err
	}
	for _, c := range found {
		for _, o := range c.Orders {
			fmt.Println(c.Name, o.Item, o.Cents, o.Note != nil && *o.Note == note)
		}
	}
	var sum int64
	if err := db.Model(&Order{}).Select("sum(cents)").Scan(&sum).Error; err != nil {
		return err
	}
	fmt.Println("sum", sum, "tables", db.Migrator().HasTable("orders"), db.Migrator().HasTable("bills"))
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
