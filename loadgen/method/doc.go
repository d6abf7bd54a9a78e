// Package method makes journeys of any gRPC method, without generated code.
//
//	Source ──Resolve──> Method ──┐
//	 reflection or .proto        ├──Journey──> loadgen.JourneySpec
//	JSON text ──ParseData──> Data┘
//
// Data may hold templates, as in {"id": "{{.Seq}}"}: what they give is a pure
// function of the schedule's seed and the number of the request. Data without
// templates is encoded once and its bytes are shared by all calls.
//
// A Script is a file of several journeys, each of one or more calls.
//
// What is wrong with an input is said in one line, before anything is sent.
package method
