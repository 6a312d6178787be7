package sqlsuite

//lint:file-ignore SA1019 drivers that implement only the old interfaces are tested too

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// positional drops the names of arguments, for the interfaces without context.
func positional(ctx context.Context, named []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(named))
	for i, nv := range named {
		if nv.Name != "" {
			return nil, errors.New("the driver has no method that takes named arguments")
		}
		values[i] = nv.Value
	}
	return values, ctx.Err()
}

// named converts arguments as database/sql does for a statement, or for a text
// that is not prepared if st is nil.
func (c *conn) named(st driver.Stmt, args []any) ([]driver.NamedValue, error) {
	var out []driver.NamedValue
	for _, arg := range args {
		nv := driver.NamedValue{Ordinal: len(out) + 1, Value: arg}
		if na, ok := arg.(sql.NamedArg); ok {
			nv.Name, nv.Value = na.Name, na.Value
		}
		switch err := convertArg(c.Conn, st, &nv); err {
		case nil:
			out = append(out, nv)
		case driver.ErrRemoveArgument:
		default:
			return nil, fmt.Errorf("converting argument %d (%T): %w", nv.Ordinal, arg, err)
		}
	}
	if st != nil {
		if want := st.NumInput(); want != -1 && want != len(out) {
			return nil, fmt.Errorf("the statement expects %d arguments, got %d", want, len(out))
		}
	}
	return out, nil
}

// convertArg asks, until one of them does not skip: the statement's or else the
// connection's NamedValueChecker, the statement's ColumnConverter, the default.
func convertArg(ci driver.Conn, st driver.Stmt, nv *driver.NamedValue) error {
	checker, ok := st.(driver.NamedValueChecker)
	if !ok {
		checker, ok = ci.(driver.NamedValueChecker)
	}
	if ok {
		if err := checker.CheckNamedValue(nv); err != driver.ErrSkip {
			return err
		}
	}
	if cc, ok := st.(driver.ColumnConverter); ok { //nolint:staticcheck // database/sql still calls it
		return convertForColumn(cc, st.NumInput(), nv)
	}
	return convertByDefault(nv)
}

// convertForColumn is what database/sql's ccChecker does. An argument beyond
// those that the statement wants is left to those who count.
func convertForColumn(cc driver.ColumnConverter, want int, nv *driver.NamedValue) error { //nolint:staticcheck // database/sql still calls it
	index := nv.Ordinal - 1
	if want >= 0 && want <= index {
		return nil
	}
	if _, ok := nv.Value.(driver.Valuer); ok {
		if err := convertByDefault(nv); err != nil {
			return err
		}
	}
	value, err := cc.ColumnConverter(index).ConvertValue(nv.Value)
	if err != nil {
		return err
	}
	if !driver.IsValue(value) {
		return fmt.Errorf("the ColumnConverter converted %T to %T, which is no driver.Value", nv.Value, value)
	}
	nv.Value = value
	return nil
}

// convertByDefault converts as for a driver that says nothing of arguments; of a
// Valuer it takes the value.
func convertByDefault(nv *driver.NamedValue) error {
	value, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if err == nil {
		nv.Value = value
	}
	return err
}
