package wire

import (
	"bytes"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// fuzzSeeds are conversations from which fuzzing begins: those of the tables
// that need no answer in between, and ordinary ones.
func fuzzSeeds() [][]byte {
	var seeds [][]byte
	say := func(f func(fr *http2.Framer, block func(...string) []byte)) {
		var out, block bytes.Buffer
		fr := http2.NewFramer(&out, nil)
		fr.AllowIllegalWrites = true
		enc := hpack.NewEncoder(&block)
		f(fr, func(pairs ...string) []byte {
			block.Reset()
			for _, f := range fieldsOf(pairs...) {
				_ = enc.WriteField(f) // to memory
			}
			return bytes.Clone(block.Bytes())
		})
		seeds = append(seeds, out.Bytes())
	}
	request := []string{":method", "POST", ":scheme", "http", ":path", "/a.B/C", ":authority", "b", "content-type", "application/grpc", "te", "trailers"}
	headers := func(id uint32, end bool, block []byte) http2.HeadersFrameParam {
		return http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: true}
	}
	say(func(fr *http2.Framer, block func(...string) []byte) { // unary, as a client
		_ = fr.WriteHeaders(headers(1, false, block(request...)))
		_ = fr.WriteData(1, true, []byte("\x00\x00\x00\x00\x01x"))
		_ = fr.WriteHeaders(headers(3, true, block(request...)))
		_ = fr.WriteWindowUpdate(0, 100)
		_ = fr.WriteRSTStream(3, http2.ErrCodeCancel)
	})
	say(func(fr *http2.Framer, block func(...string) []byte) { // and as a server
		_ = fr.WriteSettingsAck()
		_ = fr.WriteHeaders(headers(1, false, block(":status", "200", "content-type", "application/grpc")))
		_ = fr.WriteDataPadded(1, false, []byte("\x00\x00\x00\x00\x01x"), make([]byte, 10))
		_ = fr.WriteHeaders(headers(1, true, block("grpc-status", "0", "grpc-message", "ok")))
		_ = fr.WriteWindowUpdate(0, 1<<20)
		_ = fr.WriteWindowUpdate(5, 1<<20)
		_ = fr.WriteHeaders(headers(3, true, block(":status", "200", "grpc-status", "14")))
		_ = fr.WriteGoAway(3, http2.ErrCodeNo, []byte("bye"))
	})
	say(func(fr *http2.Framer, block func(...string) []byte) { // pieces
		b := block(append(request, "x-bin", "\xff\x00", "two", "1", "two", "2")...)
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:1], PadLength: 3, Priority: http2.PriorityParam{StreamDep: 1, Weight: 3}})
		_ = fr.WriteContinuation(1, false, nil)
		_ = fr.WriteContinuation(1, true, b[1:])
		_ = fr.WritePing(true, goodbyePing)
		_ = fr.WriteData(1, false, make([]byte, 5000))
		_ = fr.WriteData(1, true, nil)
	})
	say(func(fr *http2.Framer, block func(...string) []byte) { // settings
		_ = fr.WriteSettings(
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20},
			http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
		_ = fr.WriteHeaders(headers(1, false, block(request...)))
		_ = fr.WriteData(1, false, make([]byte, 100))
		_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		_ = fr.WriteWindowUpdate(1, 1<<31-1)
	})
	say(func(fr *http2.Framer, block func(...string) []byte) { // mistakes
		_ = fr.WriteHeaders(headers(1, false, block(append(request, "Capital", "x", "connection", "close", "te", "gzip")...)))
		_ = fr.WriteHeaders(headers(3, false, block(request[2:]...)))
		_ = fr.WriteData(1, false, []byte("x"))
		_ = fr.WriteWindowUpdate(3, 0)
		_ = fr.WritePriority(9, http2.PriorityParam{StreamDep: 9})
		_ = fr.WriteRawFrame(0xbe, 0xff, 7, []byte("later"))
		_ = fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: block(request...), EndHeaders: true})
	})
	say(func(fr *http2.Framer, _ func(...string) []byte) { // compression
		_ = fr.WriteHeaders(headers(1, true, []byte{0x3f, 0xe1, 0x1f, 0x82, 0x86, 0x44, 1, '/', 0x40, 1, 'a', 1, 'b', 0xbe, 0xbe}))
		_ = fr.WriteHeaders(headers(3, true, []byte{0x20, 0x82, 0x86, 0x84, 0x3f, 0xe1, 0x1f}))
		_ = fr.WriteHeaders(headers(5, true, []byte{0x80}))
	})
	return seeds
}
