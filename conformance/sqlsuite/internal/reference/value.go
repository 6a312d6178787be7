package reference

import (
	"bytes"
	"database/sql/driver"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a column.
type kind string

// The kinds. A computed column without a declared type has the kind of its
// value.
const (
	kindInt     kind = "int"
	kindReal    kind = "real"
	kindBool    kind = "bool"
	kindText    kind = "text"
	kindBlob    kind = "blob"
	kindTime    kind = "time"
	kindDecimal kind = "decimal"
)

// traits are what the column type methods of Rows answer.
var traits = map[kind]struct {
	database string
	scan     reflect.Type
}{
	kindInt:     {"BIGINT", reflect.TypeFor[int64]()},
	kindReal:    {"DOUBLE", reflect.TypeFor[float64]()},
	kindBool:    {"BOOLEAN", reflect.TypeFor[bool]()},
	kindText:    {"TEXT", reflect.TypeFor[string]()},
	kindBlob:    {"BLOB", reflect.TypeFor[[]byte]()},
	kindTime:    {"TIMESTAMP", reflect.TypeFor[time.Time]()},
	kindDecimal: {"DECIMAL", reflect.TypeFor[string]()},
}

// column describes a column of a table or of a result.
type column struct {
	name        string
	kind        kind
	size, scale int64 // of text(size) and decimal(size, scale); 0 for none
	key         bool
	notNull     bool
	references  bool
	computed    bool // it is no table's
	fallback    driver.Value
}

func kindOf(v driver.Value) kind {
	switch v.(type) {
	case int64:
		return kindInt
	case float64:
		return kindReal
	case bool:
		return kindBool
	case []byte:
		return kindBlob
	case time.Time:
		return kindTime
	}
	return kindText
}

var decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// accept returns v as it is stored in a column of this kind: exactly the same
// value, in memory of its own, or an error.
func (c *conn) accept(col column, v driver.Value) (driver.Value, error) {
	v = c.distort(col, v)
	if b, ok := v.([]byte); v == nil || ok && b == nil {
		if col.notNull || col.key {
			return nil, fault("23502", "column %q may not be null", col.name)
		}
		return nil, nil
	}
	switch v := v.(type) {
	case int64:
		if col.kind == kindReal && int64(float64(v)) == v && v != math.MaxInt64 {
			return float64(v), nil
		}
		if col.kind == kindDecimal {
			return strconv.FormatInt(v, 10), nil
		}
	case []byte:
		if col.kind == kindBlob {
			if len(v) == 0 && c.broken("value/nil-vs-empty-bytes") {
				return nil, nil
			}
			if c.broken("args/not-retained") {
				return v, nil
			}
			return append([]byte{}, v...), nil
		}
	case string:
		return acceptText(col, v)
	case time.Time:
		if col.kind == kindTime {
			if text := v.String(); strings.Contains(text, " m=") && c.broken("value/time-monotonic") {
				return text, nil
			}
			return v.Round(0).UTC(), nil
		}
	}
	if kindOf(v) == col.kind {
		return v, nil
	}
	return nil, fault("22018", "column %q is %s and does not take a %T", col.name, col.kind, v)
}

func acceptText(col column, v string) (driver.Value, error) {
	switch {
	case col.kind == kindText && col.size > 0 && int64(len(v)) > col.size:
		return nil, fault("22001", "column %q takes %d bytes, not %d", col.name, col.size, len(v))
	case col.kind == kindText, col.kind == kindDecimal && decimal.MatchString(v):
		return v, nil
	case col.kind == kindBlob:
		return []byte(v), nil
	}
	return nil, fault("22018", "column %q is %s and does not take a string", col.name, col.kind)
}

// hand returns a value as it is given to the caller, who may keep and change
// it.
func hand(v driver.Value) driver.Value {
	if b, ok := v.([]byte); ok && b != nil {
		return append([]byte{}, b...)
	}
	return v
}

// compare orders two values of one column; nil comes first.
func compare(a, b driver.Value) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return order(a < b, a == b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return order(a < b, a == b)
		}
	case bool:
		if b, ok := b.(bool); ok {
			return order(!a && b, a == b)
		}
	case string:
		if b, ok := b.(string); ok {
			return order(a < b, a == b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return bytes.Compare(a, b)
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	}
	return order(a == nil && b != nil, a == nil && b == nil)
}

func order(less, same bool) int {
	switch {
	case same:
		return 0
	case less:
		return -1
	}
	return 1
}
