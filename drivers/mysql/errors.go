package mysql

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"net"
	"strings"

	upstream "github.com/go-sql-driver/mysql"
)

const (
	connectionRefused = "08001"
	connectionLost    = "08006"
)

// SQLState returns the SQLSTATE for an error of the server or of a connection,
// wrapped or not. A context's error has none: it is what it is.
func (d *mysqlDriver) SQLState(err error) string {
	var e *upstream.MySQLError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ""
	case errors.As(err, &e):
		return stateOf(e)
	}
	for _, c := range clientErrors {
		if errors.Is(err, c.err) {
			return c.state
		}
	}
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return connectionRefused
	case !errors.As(err, &op):
		return ""
	case op.Op == "dial":
		return connectionRefused
	}
	return connectionLost
}

// clientErrors are those that upstream makes itself.
var clientErrors = []struct {
	err   error
	state string
}{
	{driver.ErrBadConn, connectionLost},
	{upstream.ErrInvalidConn, connectionLost},
	{upstream.ErrMalformPkt, "08P01"},
	{upstream.ErrPktSync, "08P01"},
	{upstream.ErrPktSyncMul, "08P01"},
	{upstream.ErrOldProtocol, connectionRefused},
	{upstream.ErrNoTLS, connectionRefused},
	{upstream.ErrUnknownPlugin, "28000"},
	{upstream.ErrCleartextPassword, "28000"},
	{upstream.ErrNativePassword, "28000"},
	{upstream.ErrOldPassword, "28000"},
	{upstream.ErrPktTooLarge, "54000"},
	{upstream.ErrBusyBuffer, "XX000"},
}

// stateOf prefers what is known of the error's number to the state that the
// server sends with it, which is HY000 ("general error") for most of what was
// added since MySQL 4.1, and 42000 for much else.
func stateOf(e *upstream.MySQLError) string {
	sent := strings.TrimRight(string(e.SQLState[:]), "\x00")
	for _, t := range told {
		if t.number == e.Number && strings.Contains(e.Message, t.text) {
			return t.state
		}
	}
	// MariaDB's number for a CHECK is another error of MySQL's.
	if e.Number == 4025 && sent == "23000" {
		return "23514"
	}
	if state, ok := states[e.Number]; ok {
		return state
	}
	return sent
}

// told are numbers that stand for several errors. The texts are no words of the
// message, which depend on the server's language, but what is put in there.
var told = []struct {
	number uint16
	text   string
	state  string
}{
	{1290, "read-only", "25006"}, // the option that prevents the statement
	{1290, "read_only", "25006"},
	{1030, " 28 ", "53100"}, // the error number of the operating system
	{1026, " 28 ", "53100"},
	{1005, " 150 ", "42830"}, // that of the storage engine
	{1305, "SAVEPOINT ", "3B001"},
}

// states has the numbers for which the server sends no state, or one that says
// less. They are those of both MySQL 8 and MariaDB unless it is said otherwise;
// numbers that mean different errors are left out. Where the standard has no
// state, it is PostgreSQL's.
var states = map[uint16]string{
	// constraints
	1022: "23505", // ER_DUP_KEY
	1062: "23505", // ER_DUP_ENTRY
	1169: "23505", // ER_DUP_UNIQUE
	1586: "23505", // ER_DUP_ENTRY_WITH_KEY_NAME
	1761: "23505", // ER_FOREIGN_DUPLICATE_KEY_WITH_CHILD_INFO
	1762: "23505", // ER_FOREIGN_DUPLICATE_KEY_WITHOUT_CHILD_INFO
	1859: "23505", // ER_DUP_UNKNOWN_IN_INDEX
	1216: "23503", // ER_NO_REFERENCED_ROW
	1217: "23503", // ER_ROW_IS_REFERENCED
	1451: "23503", // ER_ROW_IS_REFERENCED_2
	1452: "23503", // ER_NO_REFERENCED_ROW_2
	1701: "23503", // ER_TRUNCATE_ILLEGAL_FK
	1834: "23503", // ER_FK_CANNOT_DELETE_PARENT
	3730: "23503", // ER_FK_CANNOT_DROP_PARENT, MySQL
	1048: "23502", // ER_BAD_NULL_ERROR
	1263: "23502", // ER_WARN_NULL_TO_NOTNULL
	1364: "23502", // ER_NO_DEFAULT_FOR_FIELD
	3819: "23514", // ER_CHECK_CONSTRAINT_VIOLATED, MySQL
	1369: "44000", // ER_VIEW_CHECK_FAILED

	// locks and transactions
	1213: "40P01", // ER_LOCK_DEADLOCK, which the server calls 40001
	1614: "40P01", // ER_XA_RBDEADLOCK
	3058: "40P01", // ER_USER_LOCK_DEADLOCK
	1020: "40001", // ER_CHECKREAD: with MariaDB's innodb_snapshot_isolation
	1015: "55P03", // ER_CANT_LOCK
	1205: "55P03", // ER_LOCK_WAIT_TIMEOUT
	1689: "55P03", // ER_LOCK_ABORTED
	3572: "55P03", // ER_LOCK_NOWAIT, MySQL
	1192: "25001", // ER_LOCK_OR_ACTIVE_TRANSACTION
	1036: "25006", // ER_OPEN_AS_READONLY
	1207: "25006", // ER_READ_ONLY_TRANSACTION
	1836: "25006", // ER_READ_ONLY_MODE
	1874: "25006", // ER_INNODB_READ_ONLY

	// ended statements and connections
	1317: "57014", // ER_QUERY_INTERRUPTED
	1969: "57014", // ER_STATEMENT_TIMEOUT, MariaDB
	3024: "57014", // ER_QUERY_TIMEOUT, MySQL
	1053: "57P01", // ER_SERVER_SHUTDOWN
	1927: "57P01", // ER_CONNECTION_KILLED, MariaDB
	3169: "57P01", // ER_SESSION_WAS_KILLED, MySQL

	// who may do what
	1044: "42501", // ER_DBACCESS_DENIED_ERROR
	1095: "42501", // ER_KILL_DENIED_ERROR
	1142: "42501", // ER_TABLEACCESS_DENIED_ERROR
	1143: "42501", // ER_COLUMNACCESS_DENIED_ERROR
	1227: "42501", // ER_SPECIFIC_ACCESS_DENIED_ERROR
	1345: "42501", // ER_VIEW_NO_EXPLAIN
	1370: "42501", // ER_PROCACCESS_DENIED_ERROR
	1410: "42501", // ER_CANT_CREATE_USER_WITH_GRANT
	1419: "42501", // ER_BINLOG_CREATE_ROUTINE_NEED_SUPER
	1820: "42501", // ER_MUST_CHANGE_PASSWORD
	1129: "28000", // ER_HOST_IS_BLOCKED
	1130: "28000", // ER_HOST_NOT_PRIVILEGED
	1862: "28000", // ER_MUST_CHANGE_PASSWORD_LOGIN
	3118: "28000", // ER_ACCOUNT_HAS_BEEN_LOCKED, MySQL

	// limits
	1021: "53100", // ER_DISK_FULL
	1114: "53100", // ER_RECORD_FILE_FULL
	1037: "53200", // ER_OUTOFMEMORY
	1038: "53200", // ER_OUT_OF_SORTMEMORY
	1041: "53200", // ER_OUT_OF_RESOURCES
	1206: "53200", // ER_LOCK_TABLE_FULL
	1040: "53300", // ER_CON_COUNT_ERROR
	1203: "53300", // ER_TOO_MANY_USER_CONNECTIONS
	1135: "53000", // ER_CANT_CREATE_THREAD
	1226: "53400", // ER_USER_LIMIT_REACHED
	1461: "53400", // ER_MAX_PREPARED_STMT_COUNT_REACHED
	1637: "53400", // ER_TOO_MANY_CONCURRENT_TRXS
	1069: "54011", // ER_TOO_MANY_KEYS
	1070: "54011", // ER_TOO_MANY_KEY_PARTS
	1117: "54011", // ER_TOO_MANY_FIELDS
	1104: "54000", // ER_TOO_BIG_SELECT
	1116: "54000", // ER_TOO_MANY_TABLES
	1118: "54000", // ER_TOO_BIG_ROWSIZE
	1153: "54000", // ER_NET_PACKET_TOO_LARGE
	1301: "54000", // ER_WARN_ALLOWED_PACKET_OVERFLOWED
	1390: "54023", // ER_PS_MANY_PARAM
	1436: "54001", // ER_STACK_OVERRUN_NEED_MORE
	1456: "54001", // ER_SP_RECURSION_LIMIT
	3636: "54001", // ER_CTE_MAX_RECURSION_DEPTH, MySQL

	// names
	1008: "3D000", // ER_DB_DROP_EXISTS
	1049: "3D000", // ER_BAD_DB_ERROR
	1243: "26000", // ER_UNKNOWN_STMT_HANDLER
	1824: "42P01", // ER_FK_CANNOT_OPEN_PARENT
	1072: "42703", // ER_KEY_COLUMN_DOES_NOT_EXIST
	1128: "42883", // ER_FUNCTION_NOT_DEFINED
	1305: "42883", // ER_SP_DOES_NOT_EXIST
	1582: "42883", // ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT
	1630: "42883", // ER_FUNC_INEXISTENT_NAME_COLLISION
	1091: "42704", // ER_CANT_DROP_FIELD_OR_KEY
	1094: "42704", // ER_NO_SUCH_THREAD
	1115: "42704", // ER_UNKNOWN_CHARACTER_SET
	1141: "42704", // ER_NONEXISTING_GRANT
	1147: "42704", // ER_NONEXISTING_TABLE_GRANT
	1176: "42704", // ER_KEY_DOES_NOT_EXITS
	1193: "42704", // ER_UNKNOWN_SYSTEM_VARIABLE
	1273: "42704", // ER_UNKNOWN_COLLATION
	1286: "42704", // ER_UNKNOWN_STORAGE_ENGINE
	1360: "42704", // ER_TRG_DOES_NOT_EXIST
	1007: "42P04", // ER_DB_CREATE_EXISTS
	1060: "42701", // ER_DUP_FIELDNAME
	1110: "42701", // ER_FIELD_SPECIFIED_TWICE
	1061: "42710", // ER_DUP_KEYNAME
	1359: "42710", // ER_TRG_ALREADY_EXISTS
	1826: "42710", // ER_FK_DUP_NAME
	1066: "42712", // ER_NONUNIQ_TABLE
	1304: "42723", // ER_SP_ALREADY_EXISTS

	// statements that make no sense
	1052: "42702", // ER_NON_UNIQ_ERROR, which the server calls 23000
	1111: "42803", // ER_INVALID_GROUP_FUNC_USE
	1288: "42809", // ER_NON_UPDATABLE_TABLE
	1347: "42809", // ER_WRONG_OBJECT
	1348: "42809", // ER_NONUPDATEABLE_COLUMN
	1471: "42809", // ER_NON_INSERTABLE_TABLE
	1215: "42830", // ER_CANNOT_ADD_FOREIGN
	1822: "42830", // ER_FK_NO_INDEX_PARENT
	3780: "42830", // ER_FK_INCOMPATIBLE_COLUMNS, MySQL
	1093: "42601", // ER_UPDATE_TABLE_USED
	1136: "42601", // ER_WRONG_VALUE_COUNT_ON_ROW
	1221: "42601", // ER_WRONG_USAGE
	1222: "42601", // ER_WRONG_NUMBER_OF_COLUMNS_IN_SELECT
	1241: "42601", // ER_OPERAND_COLUMNS

	// values
	1172: "21000", // ER_TOO_MANY_ROWS
	1231: "22023", // ER_WRONG_VALUE_FOR_VAR
	1298: "22023", // ER_UNKNOWN_TIME_ZONE
	1265: "22018", // WARN_DATA_TRUNCATED, an error in strict mode
	1366: "22018", // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
	1411: "22007", // ER_WRONG_VALUE_FOR_TYPE

	// what the server cannot do, or not any more
	1178: "0A000", // ER_CHECK_NOT_IMPLEMENTED
	1235: "0A000", // ER_NOT_SUPPORTED_YET
	1289: "0A000", // ER_FEATURE_DISABLED
	1295: "0A000", // ER_UNSUPPORTED_PS
	1004: "58030", // ER_CANT_CREATE_FILE
	1023: "58030", // ER_ERROR_ON_CLOSE
	1024: "58030", // ER_ERROR_ON_READ
	1026: "58030", // ER_ERROR_ON_WRITE
	1194: "XX001", // ER_CRASHED_ON_USAGE
	1195: "XX001", // ER_CRASHED_ON_REPAIR
	1877: "XX001", // ER_TABLE_CORRUPT
	1034: "XX002", // ER_NOT_KEYFILE
	1035: "XX002", // ER_OLD_KEYFILE
	1712: "XX002", // ER_INDEX_CORRUPT
	1815: "XX000", // ER_INTERNAL_ERROR
}
