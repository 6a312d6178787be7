package sqlsuite

import (
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// columns is a statement with a ColumnConverter that takes strings alone.
type columns struct {
	driver.Stmt
	want int
}

func (c columns) NumInput() int { return c.want }

func (c columns) ColumnConverter(int) driver.ValueConverter { return c }

func (columns) ConvertValue(v any) (driver.Value, error) {
	switch v := v.(type) {
	case string:
		return "converted " + v, nil
	case bool:
		return int8(1), nil
	}
	return nil, errors.New("no string")
}

// Arguments are converted as database/sql's ccChecker converts them.
func TestConvertForColumn(t *testing.T) {
	for name, c := range map[string]struct {
		want    int
		ordinal int
		in, out any
		fault   string
	}{
		"a value":                    {1, 1, "x", "converted x", ""},
		"a Valuer":                   {1, 1, label("x"), "converted label:x", ""},
		"a nil Valuer":               {1, 1, (*label)(nil), nil, "no string"},
		"a Valuer that fails":        {1, 1, label(""), nil, "has no value"},
		"what the column refuses":    {1, 1, int64(1), nil, "no string"},
		"what is no value then":      {1, 1, true, nil, "no driver.Value"},
		"one too many":               {1, 2, label("x"), label("x"), ""},
		"where the number is open":   {-1, 2, "x", "converted x", ""},
		"where no argument is known": {0, 1, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			nv := driver.NamedValue{Ordinal: c.ordinal, Value: c.in}
			err := convertArg(nil, columns{want: c.want}, &nv)
			if c.fault != "" {
				assert.ErrorContains(t, err, c.fault)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, c.out, nv.Value)
		})
	}
}
