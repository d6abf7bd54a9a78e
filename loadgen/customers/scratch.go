package customers

import (
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/types/known/timestamppb"

	"breakbank/loadgen"
	bankv1 "breakbank/proto/bank/v1"
)

// scratch is what a visit builds its requests with and reads answers into. It
// stays with the visit's memory and is filled anew by each.
type scratch struct {
	authorise  bankv1.AuthoriseRequest
	authorised bankv1.AuthoriseResponse
	receive    bankv1.ReceiveInRequest
	received   bankv1.ReceiveResponse
	headers    [1]hpack.HeaderField
}

func scratchOf(v *loadgen.Visit) *scratch {
	if s, ok := v.Scratch.(*scratch); ok {
		return s
	}
	s := &scratch{}
	s.authorise.TransmittedAt = &timestamppb.Timestamp{}
	v.Scratch = s
	return s
}
