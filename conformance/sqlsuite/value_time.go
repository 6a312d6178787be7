package sqlsuite

import (
	"fmt"
	"time"
)

// date is midday in UTC, and not a full minute.
func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 12, 34, 56, 0, time.UTC)
}

func sameInstant(want time.Time) func(time.Time) bool {
	return func(out time.Time) bool { return out.Equal(want) }
}

// valueTimeUTC has dates on both sides of changes to summer time, which a
// driver that reads wall clocks as local would move. The earliest is the first
// of a MySQL TIMESTAMP.
func valueTimeUTC(e *env) {
	s := e.shelf()
	for _, t := range []time.Time{
		date(2024, time.January, 15), date(2024, time.February, 29), date(2024, time.July, 15),
		time.Date(2024, time.March, 31, 1, 30, 0, 0, time.UTC), time.Date(2024, time.October, 27, 0, 30, 0, 0, time.UTC),
		time.Date(2024, time.December, 31, 23, 59, 59, 0, time.UTC), time.Unix(1, 0).UTC(),
	} {
		trip(s, "t", t, keep, sameInstant(t))
	}
}

// valueTimeLocation has the offsets that exist and the names that time.Parse
// and time.FixedZone make.
func valueTimeLocation(e *env) {
	s := e.shelf()
	for _, zone := range []struct {
		name   string
		offset time.Duration
	}{
		{"CET", time.Hour}, {"EST", -5 * time.Hour}, {"", 2 * time.Hour}, {"", 5*time.Hour + 45*time.Minute},
		{"", -9*time.Hour - 30*time.Minute}, {"+0545", 5*time.Hour + 45*time.Minute}, {"", 14 * time.Hour}, {"", 0},
	} {
		t := date(2024, time.January, 15).In(time.FixedZone(zone.name, int(zone.offset.Seconds())))
		trip(s, "t", t, keep, sameInstant(t))
	}
}

func valueTimeSubsecond(e *env) {
	s := e.shelf()
	for _, fraction := range []time.Duration{
		time.Millisecond, time.Microsecond, 123456 * time.Microsecond, 999999 * time.Microsecond, 500 * time.Millisecond,
	} {
		t := date(2024, time.January, 15).Add(fraction)
		trip(s, "t", t, keep, sameInstant(t))
	}
	t := date(2024, time.January, 15).Add(123456789 * time.Nanosecond)
	trip(s, "t", t, keep, func(out time.Time) bool { return out.Sub(t).Abs() < time.Microsecond })
}

// valueTimeMonotonic uses full seconds, so that the precision of the database
// does not matter.
func valueTimeMonotonic(e *env) {
	s := e.shelf()
	now := time.Now()
	now = now.Add(-time.Duration(now.Nanosecond())) // as Truncate would, but that takes the reading away
	trip(s, "t", now, keep, sameInstant(now))

	find := e.sql(FindTyped, "table", s.table, "column", "t")
	plainly := now.Round(0)
	rows, err := s.db.QueryContext(e.ctx(), find, plainly)
	e.Setup(err, "query %q", find)
	defer rows.Close()
	found := 0
	for rows.Next() {
		found++
	}
	e.Setup(rows.Err(), "read %q", find)
	if found != s.last {
		e.Errorf("%q with %s, the instant that was stored %d times with a monotonic clock reading (%s): wanted %d rows, found %d",
			find, show(plainly), s.last, fmt.Sprint(now), s.last, found)
	}
}

func valueTimeRange(e *env) {
	s := e.shelf()
	for _, t := range []time.Time{
		time.Unix(0, 0).UTC(), time.Unix(-1, 0).UTC(), date(1900, time.January, 1), date(1582, time.October, 10), {}, date(9999, time.December, 31),
	} {
		trip(s, "t", t, keepOrRefuse, sameInstant(t))
	}
}
