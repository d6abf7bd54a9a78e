package method

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"time"

	"breakbank/loadgen"
)

// values is what a template can ask for: the fields of its dot. The numbers,
// strings and rows are a pure function of what the schedule draws from (its seed
// and its load's name), the number of the request, its step within the journey and the purpose; a retry sends the same
// once more.
type values struct {
	options *DataOptions
	seed    uint64
	seq     int
	step    int
	message int
	at      time.Time
	pcg     rand.PCG
	scratch []byte
}

// purpose keeps draws apart, so that more of one do not move those of another.
type purpose uint64

const (
	forData purpose = iota + 1
	forMetadata
	forRow
	forThink
)

// of makes them the values of a visit's step.
func (v *values) of(visit *loadgen.Visit, step int) {
	v.seed, v.seq = visit.Schedule.Drawn, visit.Schedule.First+visit.Seq
	v.step, v.at = step, visit.Intended
}

// begin starts over for a request.
func (v *values) begin(p purpose) {
	v.message = 0
	v.seedFor(p, uint64(v.seq)<<8|uint64(v.step&0xff))
}

func (v *values) seedFor(p purpose, which uint64) {
	v.pcg.Seed(scramble(v.seed+uint64(p)), scramble(which))
}

// scramble is the finaliser of SplitMix64 (Steele, Lea and Flood 2014): it makes
// neighbours into strangers.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below draws evenly from 0 to n-1, 0 standing for 2^64 (Lemire 2019).
func (v *values) below(n uint64) uint64 {
	if n == 0 {
		return v.pcg.Uint64()
	}
	hi, lo := bits.Mul64(v.pcg.Uint64(), n)
	if lo < n {
		for tooLow := -n % n; lo < tooLow; {
			hi, lo = bits.Mul64(v.pcg.Uint64(), n)
		}
	}
	return hi
}

// Seq is the number of the request, from 0; of a load after a warm-up it goes on
// with the warm-up's.
func (v *values) Seq() int { return v.seq }

// Message is how many messages of the stream came before the data's first, each
// time that the data is gone through: with one message of data, its number.
func (v *values) Message() int { return v.message }

// Worker is the number of the worker that sends, from 0.
func (v *values) Worker() int { return v.options.Worker }

// Random is a whole number from low to high, each as likely as the others.
func (v *values) Random(low, high int64) (int64, error) {
	if low > high {
		return 0, fmt.Errorf("there is no number from %d to %d", low, high)
	}
	return low + int64(v.below(uint64(high)-uint64(low)+1)), nil
}

// RandomFloat is a number from low up to, but not including, high.
func (v *values) RandomFloat(low, high float64) (float64, error) {
	if !(low < high) || math.IsInf(high-low, 0) {
		return 0, fmt.Errorf("there is no number from %v to %v", low, high)
	}
	unit := (float64(v.pcg.Uint64()>>12) + 0.5) * 0x1p-52
	return low + float64(unit*(high-low)), nil
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// randomStringMax bounds RandomString: a message has 4 MB by gRPC's default.
	randomStringMax = 16 << 20
)

// RandomString is length letters and digits.
func (v *values) RandomString(length int) (string, error) {
	text, err := v.appendString(nil, length)
	return string(text), err
}

func (v *values) appendString(dst []byte, length int) ([]byte, error) {
	if length < 0 || length > randomStringMax {
		return dst, fmt.Errorf("a string of %d letters: say 0 to %d", length, randomStringMax)
	}
	for range length {
		dst = append(dst, letters[v.below(uint64(len(letters)))])
	}
	return dst, nil
}

// Choice is one of its arguments.
func (v *values) Choice(of ...any) (any, error) {
	if len(of) == 0 {
		return nil, errors.New("there is nothing to choose from")
	}
	return of[v.below(uint64(len(of)))], nil
}

// UUID is a random UUID (RFC 9562, version 4).
func (v *values) UUID() string { return string(v.appendUUID(nil)) }

func (v *values) appendUUID(dst []byte) []byte {
	hi := v.pcg.Uint64()&^0xf000 | 0x4000
	lo := v.pcg.Uint64()&^(3<<62) | 2<<62
	dst = appendHex(dst, hi>>32, 8)
	dst = appendHex(append(dst, '-'), hi>>16, 4)
	dst = appendHex(append(dst, '-'), hi, 4)
	dst = appendHex(append(dst, '-'), lo>>48, 4)
	return appendHex(append(dst, '-'), lo, 12)
}

func appendHex(dst []byte, x uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, "0123456789abcdef"[x>>(4*i)&0xf])
	}
	return dst
}

// Time is when the request was due, in RFC 3339 and UTC.
func (v *values) Time() string { return string(v.appendTime(nil)) }

func (v *values) appendTime(dst []byte) []byte {
	return v.at.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// TimeUnix is the same in seconds since 1970, TimeUnixNano in nanoseconds.
func (v *values) TimeUnix() int64 { return v.at.Unix() }

// TimeUnixNano is when the request was due, in nanoseconds since 1970.
func (v *values) TimeUnixNano() int64 { return v.at.UnixNano() }

// CSV is a column of the request's row. All that a request asks for is of one
// row, and so is all of one visit of several steps.
func (v *values) CSV(column string) (string, error) {
	i, err := v.options.Table.column(column)
	if err != nil {
		return "", err
	}
	return v.cell(i), nil
}

func (v *values) cell(column int) string {
	rows := v.options.Table.rows
	if !v.options.RandomRows {
		return rows[v.seq%len(rows)][column]
	}
	saved := v.pcg
	v.seedFor(forRow, uint64(v.seq))
	row := v.below(uint64(len(rows)))
	v.pcg = saved
	return rows[row][column]
}

// appender appends a value to dst.
type appender func(v *values, dst []byte) ([]byte, error)

// field is one thing to ask for. build makes it an appender without reflection,
// where its arguments are constants; it may say no by nil, and then
// text/template calls the method of the same name.
type field struct {
	name, usage, about string
	build              func(args []constant, o *DataOptions) appender
}

// fields is all that there is to ask for.
var fields = [...]field{
	{"Seq", ".Seq", "the number of the request, from 0, or from the warm-up's last on", number(func(v *values) int64 { return int64(v.seq) })},
	{"Message", ".Message", "the number of the message in its stream, from 0", number(func(v *values) int64 { return int64(v.message) })},
	{"Worker", ".Worker", "the number of the worker, from 0", number(func(v *values) int64 { return int64(v.options.Worker) })},
	{"Random", ".Random 1 100", "a whole number, both ends included", buildRandom},
	{"RandomFloat", ".RandomFloat 0.5 2.5", "a number", buildRandomFloat},
	{"RandomString", ".RandomString 12", "letters and digits", buildRandomString},
	{"Choice", `.Choice "a" "b"`, "one of these", buildChoice},
	{"UUID", ".UUID", "a random UUID, version 4", text((*values).appendUUID)},
	{"Time", ".Time", "when the request is due, in RFC 3339", text((*values).appendTime)},
	{"TimeUnix", ".TimeUnix", "the same in seconds since 1970", number((*values).TimeUnix)},
	{"TimeUnixNano", ".TimeUnixNano", "the same in nanoseconds since 1970", number((*values).TimeUnixNano)},
	{"CSV", `.CSV "column"`, "a column of the request's row of the CSV file", buildCSV},
}

// Templates is what data and metadata may ask for, each with what it is, for a
// manual.
func Templates() (usages, abouts []string) {
	for i := range fields {
		usages, abouts = append(usages, "{{"+fields[i].usage+"}}"), append(abouts, fields[i].about)
	}
	return usages, abouts
}

// constant is an argument that is written out in a template.
type constant struct {
	text     string // what it prints
	whole    int64
	number   float64
	isText   bool
	isWhole  bool
	isNumber bool
}

func number(of func(v *values) int64) func([]constant, *DataOptions) appender {
	return func(args []constant, _ *DataOptions) appender {
		if len(args) != 0 {
			return nil
		}
		return func(v *values, dst []byte) ([]byte, error) { return strconv.AppendInt(dst, of(v), 10), nil }
	}
}

func text(of func(v *values, dst []byte) []byte) func([]constant, *DataOptions) appender {
	return func(args []constant, _ *DataOptions) appender {
		if len(args) != 0 {
			return nil
		}
		return func(v *values, dst []byte) ([]byte, error) { return of(v, dst), nil }
	}
}

func buildRandom(args []constant, _ *DataOptions) appender {
	if len(args) != 2 || !args[0].isWhole || !args[1].isWhole {
		return nil
	}
	return func(v *values, dst []byte) ([]byte, error) {
		n, err := v.Random(args[0].whole, args[1].whole)
		return strconv.AppendInt(dst, n, 10), err
	}
}

func buildRandomFloat(args []constant, _ *DataOptions) appender {
	if len(args) != 2 || !args[0].isNumber || !args[1].isNumber {
		return nil
	}
	return func(v *values, dst []byte) ([]byte, error) {
		x, err := v.RandomFloat(args[0].number, args[1].number)
		return fmt.Append(dst, x), err
	}
}

func buildRandomString(args []constant, _ *DataOptions) appender {
	if len(args) != 1 || !args[0].isWhole {
		return nil
	}
	return func(v *values, dst []byte) ([]byte, error) { return v.appendString(dst, int(args[0].whole)) }
}

func buildChoice(args []constant, _ *DataOptions) appender {
	for _, a := range args {
		if !a.isText && !a.isWhole {
			return nil
		}
	}
	if len(args) == 0 {
		return nil
	}
	return func(v *values, dst []byte) ([]byte, error) {
		return append(dst, args[v.below(uint64(len(args)))].text...), nil
	}
}

func buildCSV(args []constant, o *DataOptions) appender {
	if len(args) != 1 || !args[0].isText {
		return nil
	}
	column, err := o.Table.column(args[0].text)
	if err != nil {
		return nil
	}
	return func(v *values, dst []byte) ([]byte, error) { return append(dst, v.cell(column)...), nil }
}
