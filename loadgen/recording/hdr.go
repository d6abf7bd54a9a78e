package recording

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// HdrHistogram's V2 encoding: a header of 40 bytes, big endian, and the counts,
// which is what packed holds; compressed, it is preceded by a cookie and its
// length, and is in base64 where it is text.
//
// Source: HdrHistogram, AbstractHistogram.encodeIntoByteBuffer and
// encodeIntoCompressedByteBuffer.
const (
	hdrCookie           = 0x1c849303 | 0x10
	hdrCompressedCookie = 0x1c849304 | 0x10
	hdrHeadBytes        = 40
)

// coder encodes histograms one after the other. The zero coder is ready.
type coder struct {
	zip *zlib.Writer
	out bytes.Buffer
}

// encode encodes a histogram on the grid, compressed and in base64.
func (c *coder) encode(p packed) (string, error) {
	head := make([]byte, 0, hdrHeadBytes)
	head = binary.BigEndian.AppendUint32(head, hdrCookie)
	head = binary.BigEndian.AppendUint32(head, uint32(len(p)))
	head = binary.BigEndian.AppendUint32(head, 0) // how far the counts are rotated
	head = binary.BigEndian.AppendUint32(head, histogramDigits)
	head = binary.BigEndian.AppendUint64(head, histogramMinNs)
	head = binary.BigEndian.AppendUint64(head, histogramMaxNs)
	head = binary.BigEndian.AppendUint64(head, math.Float64bits(1)) // the ratio of integers to values

	c.out.Reset()
	c.out.Write(make([]byte, 8))
	if c.zip == nil {
		c.zip = zlib.NewWriter(&c.out)
	} else {
		c.zip.Reset(&c.out)
	}
	for _, bytes := range [][]byte{head, []byte(p)} {
		if _, err := c.zip.Write(bytes); err != nil {
			return "", err
		}
	}
	if err := c.zip.Close(); err != nil {
		return "", err
	}
	all := c.out.Bytes()
	binary.BigEndian.PutUint32(all, hdrCompressedCookie)
	binary.BigEndian.PutUint32(all[4:], uint32(len(all)-8))
	return base64.StdEncoding.EncodeToString(all), nil
}

// histogram is the library's histogram with the same counts.
func (p packed) histogram() *hdrhistogram.Histogram {
	counts := make([]int64, gridSteps)
	for step, n := range p.all {
		counts[step] = n
	}
	return hdrhistogram.Import(&hdrhistogram.Snapshot{
		LowestTrackableValue: histogramMinNs, HighestTrackableValue: histogramMaxNs,
		SignificantFigures: histogramDigits, Counts: counts,
	})
}

// top is the highest value that there may be, 0 where there is none.
func (p packed) top() (ns int64) {
	for step := range p.all {
		ns = stepTop(step)
	}
	return ns
}
