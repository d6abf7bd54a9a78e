package customers

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"breakbank/loadgen"
	"breakbank/loadgen/transport"
)

// grpcReplyMaxBytes bounds what is kept of an answer, prefix included; those of
// the edges are below 100 bytes.
const grpcReplyMaxBytes = 16 << 10

// callGRPC fills in a call of a message.
func callGRPC(v *loadgen.Visit, c *transport.Call, head *transport.Head, target int, request proto.Message) error {
	c.Head, c.Target, c.Shard, c.ReplyMax = head, target, int(v.Arrival.Customer), grpcReplyMaxBytes
	b, err := transport.AppendMessage(c.Buffer(), func(b []byte) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(b, request)
	})
	if err != nil {
		return err
	}
	c.SetRequest(b)
	return nil
}

// readGRPC reads an answer. ok says whether reply holds it; else the decision
// stands.
func readGRPC(v *loadgen.Visit, c *transport.Call, reply proto.Message) (d loadgen.Decision, ok bool) {
	if c.Code != codes.OK {
		return loadgen.Refused(v.Spec.Write, loadgen.CodeName(c.Code), c.Message), false
	}
	message, ok := c.ReplyMessage()
	if !ok {
		return loadgen.Garbled(v.Spec.Write, loadgen.CodeLost, "an answer without a message"), false
	}
	if err := proto.Unmarshal(message, reply); err != nil {
		return loadgen.Garbled(v.Spec.Write, loadgen.CodeLost, "the answer cannot be read: "+err.Error()), false
	}
	return loadgen.Decision{}, true
}

// codeOK is the code of what went well and has no other.
var codeOK = loadgen.CodeName(codes.OK)
