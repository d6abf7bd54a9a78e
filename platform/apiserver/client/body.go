package client

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
)

// maxBodyBytes bounds what is read of one response: 1,000 services with ten
// endpoints each are a few megabytes.
const maxBodyBytes = 64 << 20

// decode undoes the encoding of a response's body. The client asks for none,
// but what stands between it and the API server may choose one.
func decode(resp *http.Response) error {
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return nil
	case "gzip":
		resp.Body = &gzipBody{compressed: resp.Body}
		resp.ContentLength = -1
		return nil
	default:
		return fmt.Errorf("the answer is encoded as %q, which was not asked for", encoding)
	}
}

// gzipBody starts to read when it is read: the first bytes of a watch may be
// long in coming.
type gzipBody struct {
	compressed io.ReadCloser
	plain      *gzip.Reader
}

func (b *gzipBody) Read(p []byte) (int, error) {
	if b.plain == nil {
		plain, err := gzip.NewReader(b.compressed)
		if err != nil {
			return 0, err
		}
		b.plain = plain
	}
	return b.plain.Read(p)
}

func (b *gzipBody) Close() error { return b.compressed.Close() }

// readBody reads all of a response. One that is too large is an error, not
// half an answer.
func readBody(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= maxBodyBytes {
		body.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(io.LimitReader(resp.Body, maxBodyBytes+1)); err != nil {
		return nil, err
	}
	if body.Len() > maxBodyBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxBodyBytes)
	}
	return body.Bytes(), nil
}
