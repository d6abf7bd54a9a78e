package router

import (
	"encoding/base64"
	"time"

	orcav3 "github.com/cncf/xds/go/xds/data/orca/v3"
	"google.golang.org/protobuf/proto"

	"breakbank/platform/router/balance"
	"breakbank/platform/rpc"
)

// readLoad reads what an instance says of itself in a trailer (gRFC A51, ORCA
// per-request reports): binary metadata, base64 with or without padding. What
// cannot be read says nothing.
func readLoad(value string) (took time.Duration, load balance.Load, ok bool) {
	raw, err := base64.RawStdEncoding.DecodeString(trimPadding(value))
	if err != nil {
		return 0, balance.Load{}, false
	}
	return parseLoad(raw)
}

// largestLoad is beyond anything that an instance can truly say.
const largestLoad = 1e9

func parseLoad(raw []byte) (took time.Duration, load balance.Load, ok bool) {
	var report orcav3.OrcaLoadReport
	if proto.Unmarshal(raw, &report) != nil {
		return 0, balance.Load{}, false
	}
	utilization := report.GetApplicationUtilization()
	if utilization <= 0 {
		utilization = report.GetCpuUtilization()
	}
	for _, v := range []float64{
		utilization, report.GetRpsFractional(), report.GetEps(),
		report.GetNamedMetrics()[rpc.LatencyMetric], report.GetNamedMetrics()[rpc.InFlightMetric],
	} {
		if !(v >= 0) || v > largestLoad {
			return 0, balance.Load{}, false // what it says cannot be
		}
	}
	took = time.Duration(report.GetNamedMetrics()[rpc.LatencyMetric] * float64(time.Millisecond))
	return took, balance.Load{
		QPS: report.GetRpsFractional(), EPS: report.GetEps(), Utilization: utilization,
		InFlight: int(report.GetNamedMetrics()[rpc.InFlightMetric]),
	}, true
}

func trimPadding(value string) string {
	for len(value) > 0 && value[len(value)-1] == '=' {
		value = value[:len(value)-1]
	}
	return value
}
