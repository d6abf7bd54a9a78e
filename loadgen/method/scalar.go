package method

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// written appends the text that a node's pieces give.
func written(n *node) (appender, error) {
	if n.kind != '"' || len(n.pieces) == 0 {
		return nil, errNoPlan
	}
	pieces := n.pieces
	return func(v *values, dst []byte) (_ []byte, err error) {
		for i := range pieces {
			if pieces[i].value == nil {
				dst = append(dst, pieces[i].literal...)
			} else if dst, err = pieces[i].value(v, dst); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}, nil
}

// encode appends the encoding of a scalar that is written as text, after its
// tag. Zero says that it is the value which a field has that is not there.
type encode func(text, dst []byte) (_ []byte, zero bool, err error)

// planScalar plans a scalar field. What it does not take exactly as protojson
// writes it, it leaves to protojson.
func planScalar(f protoreflect.FieldDescriptor, n *node) (appender, error) {
	of, err := written(n)
	if err != nil {
		return nil, err
	}
	text := f.Kind() == protoreflect.StringKind
	if text && !n.bare && (f.HasPresence() || f.IsList()) {
		return delimited(f.Number(), of), nil
	}
	wire, how := encodeOf(f, n.bare)
	if how == nil {
		return nil, errNoPlan
	}
	tag := protowire.AppendTag(nil, f.Number(), wire)
	always := f.HasPresence() || f.IsList()
	return func(v *values, dst []byte) ([]byte, error) {
		given, err := of(v, v.scratch[:0])
		v.scratch = given
		if err != nil {
			return dst, err
		}
		before := len(dst)
		dst, zero, err := how(given, append(dst, tag...))
		if zero && !always {
			dst = dst[:before]
		}
		return dst, err
	}, nil
}

// encodeOf is how a kind is encoded.
func encodeOf(f protoreflect.FieldDescriptor, bare bool) (protowire.Type, encode) {
	switch kind := f.Kind(); kind {
	case protoreflect.StringKind:
		if bare {
			return 0, nil
		}
		return protowire.BytesType, func(text, dst []byte) ([]byte, bool, error) {
			return protowire.AppendBytes(dst, text), len(text) == 0, nil
		}
	case protoreflect.BytesKind:
		if bare {
			return 0, nil
		}
		return protowire.BytesType, encodeBytes
	case protoreflect.BoolKind:
		if !bare {
			return 0, nil
		}
		return protowire.VarintType, encodeBool
	case protoreflect.EnumKind:
		if bare {
			return protowire.VarintType, signed(32, varint)
		}
		values := f.Enum().Values()
		return protowire.VarintType, func(text, dst []byte) ([]byte, bool, error) {
			value := values.ByName(protoreflect.Name(text))
			if value == nil {
				return dst, false, errNotPlanned
			}
			return protowire.AppendVarint(dst, uint64(int64(value.Number()))), value.Number() == 0, nil
		}
	case protoreflect.Int32Kind:
		return protowire.VarintType, signed(32, varint)
	case protoreflect.Int64Kind:
		return protowire.VarintType, signed(64, varint)
	case protoreflect.Sint32Kind:
		return protowire.VarintType, signed(32, zigzag)
	case protoreflect.Sint64Kind:
		return protowire.VarintType, signed(64, zigzag)
	case protoreflect.Sfixed32Kind:
		return protowire.Fixed32Type, signed(32, fixed32)
	case protoreflect.Sfixed64Kind:
		return protowire.Fixed64Type, signed(64, fixed64)
	case protoreflect.Uint32Kind:
		return protowire.VarintType, unsigned(32, varint)
	case protoreflect.Uint64Kind:
		return protowire.VarintType, unsigned(64, varint)
	case protoreflect.Fixed32Kind:
		return protowire.Fixed32Type, unsigned(32, fixed32)
	case protoreflect.Fixed64Kind:
		return protowire.Fixed64Type, unsigned(64, fixed64)
	case protoreflect.FloatKind:
		return protowire.Fixed32Type, encodeFloat
	case protoreflect.DoubleKind:
		return protowire.Fixed64Type, encodeDouble
	}
	return 0, nil
}

func varint(dst []byte, x int64) []byte { return protowire.AppendVarint(dst, uint64(x)) }
func zigzag(dst []byte, x int64) []byte {
	return protowire.AppendVarint(dst, protowire.EncodeZigZag(x))
}
func fixed32(dst []byte, x int64) []byte { return protowire.AppendFixed32(dst, uint32(x)) }
func fixed64(dst []byte, x int64) []byte { return protowire.AppendFixed64(dst, uint64(x)) }

func signed(bits int, to func([]byte, int64) []byte) encode {
	return func(text, dst []byte) ([]byte, bool, error) {
		if !isWhole(text) {
			return dst, false, errNotPlanned
		}
		x, err := strconv.ParseInt(string(text), 10, bits)
		if err != nil {
			return dst, false, errNotPlanned
		}
		return to(dst, x), x == 0, nil
	}
}

func unsigned(bits int, to func([]byte, int64) []byte) encode {
	return func(text, dst []byte) ([]byte, bool, error) {
		if !isWhole(text) {
			return dst, false, errNotPlanned
		}
		x, err := strconv.ParseUint(string(text), 10, bits)
		if err != nil {
			return dst, false, errNotPlanned
		}
		return to(dst, int64(x)), x == 0, nil
	}
}

// isWhole says that a text is a whole number as JSON writes it, without
// exponent or leading zeros.
func isWhole(text []byte) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	if len(text) == 0 || text[0] == '0' && len(text) > 1 {
		return false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func encodeDouble(text, dst []byte) ([]byte, bool, error) {
	x, err := parseFloat(text, 64)
	return protowire.AppendFixed64(dst, math.Float64bits(x)), math.Float64bits(x) == 0, err
}

func encodeFloat(text, dst []byte) ([]byte, bool, error) {
	x, err := parseFloat(text, 32)
	return protowire.AppendFixed32(dst, math.Float32bits(float32(x))), math.Float32bits(float32(x)) == 0, err
}

func parseFloat(text []byte, bits int) (float64, error) {
	if len(text) == 0 || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid(text) {
		return 0, errNotPlanned
	}
	x, err := strconv.ParseFloat(string(text), bits)
	if err != nil || text[len(text)-1] < '0' || text[len(text)-1] > '9' { // white space at the end
		return 0, errNotPlanned
	}
	return x, nil
}

func encodeBool(text, dst []byte) ([]byte, bool, error) {
	switch string(text) {
	case "true":
		return append(dst, 1), false, nil
	case "false":
		return append(dst, 0), true, nil
	}
	return dst, false, errNotPlanned
}

func encodeBytes(text, dst []byte) ([]byte, bool, error) {
	n := base64.StdEncoding.DecodedLen(len(text))
	decoded := make([]byte, n)
	n, err := base64.StdEncoding.Strict().Decode(decoded, text)
	if err != nil {
		return dst, false, errNotPlanned
	}
	return protowire.AppendBytes(dst, decoded[:n]), n == 0, nil
}

// planWellKnown plans the messages that JSON writes as one value: times, and
// the wrappers of scalars.
func planWellKnown(d protoreflect.MessageDescriptor, n *node) (appender, error) {
	switch d.FullName() {
	case "google.protobuf.Timestamp":
		return planTimestamp(n)
	case "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue",
		"google.protobuf.Int32Value", "google.protobuf.Int64Value", "google.protobuf.UInt32Value", "google.protobuf.UInt64Value",
		"google.protobuf.FloatValue", "google.protobuf.DoubleValue":
		return planScalar(d.Fields().ByNumber(1), n)
	}
	return nil, errNoPlan
}

// planTimestamp plans a time in RFC 3339, as in "2017-10-27T14:00:00Z".
func planTimestamp(n *node) (appender, error) {
	of, err := written(n)
	if err != nil || n.bare {
		return nil, errNoPlan
	}
	return func(v *values, dst []byte) ([]byte, error) {
		given, err := of(v, v.scratch[:0])
		v.scratch = given
		if err != nil {
			return dst, err
		}
		const longest = len("2006-01-02T15:04:05.999999999Z") // longer is left to protojson
		at, err := time.Parse(time.RFC3339Nano, string(given))
		if err != nil || len(given) > longest || given[len(given)-1] != 'Z' || at.Year() < 1 {
			return dst, errNotPlanned
		}
		if s := at.Unix(); s != 0 {
			dst = protowire.AppendVarint(protowire.AppendTag(dst, 1, protowire.VarintType), uint64(s))
		}
		if ns := at.Nanosecond(); ns != 0 {
			dst = protowire.AppendVarint(protowire.AppendTag(dst, 2, protowire.VarintType), uint64(ns))
		}
		return dst, nil
	}, nil
}
