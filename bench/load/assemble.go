package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"breakbank/loadgen"
	"breakbank/loadgen/method"
	"breakbank/loadgen/transport"
)

// assembly is a resolved spec made ready to send.
type assembly struct {
	spec       Spec
	journeys   []loadgen.JourneySpec
	population loadgen.Population
	config     transport.Config
}

// assemble makes journeys and connections' configuration of a resolved spec. It
// asks nobody. worker is the number of the worker that sends.
func assemble(s Spec, worker int) (*assembly, error) {
	if s.Bank != nil {
		return assembleBank(s)
	}
	a := &assembly{spec: s}
	var err error
	if a.config.TLS, err = s.TLS.config(); err != nil {
		return nil, err
	}
	a.config.Targets = []transport.Target{{
		Name: s.scenario(), Addresses: s.Targets, Connections: max(s.Connections, DefaultConnections),
	}}
	if s.Journeys != nil {
		a.journeys, err = s.scriptJourneys(worker)
	} else {
		a.journeys, err = s.methodJourney(worker)
	}
	return a, err
}

// capS is for how long a journey may be under way, for the cap on them.
func (a *assembly) capS() float64 {
	if a.spec.Bank != nil {
		return a.spec.Bank.capS(a.journeys)
	}
	return capS
}

// methodJourney is the one journey of a method.
func (s *Spec) methodJourney(worker int) ([]loadgen.JourneySpec, error) {
	ms := s.Method
	m, err := method.FromDescriptorSet(ms.Descriptors, ms.Name)
	if err != nil {
		return nil, err
	}
	options, err := ms.dataOptions(worker)
	if err != nil {
		return nil, err
	}
	data, err := method.ParseData(m, ms.Data, options)
	if err != nil {
		return nil, err
	}
	metadata, err := method.ParseMetadata(s.Metadata, options)
	if err != nil {
		return nil, err
	}
	codes, err := method.ParseCodes(ms.Codes)
	if err != nil {
		return nil, err
	}
	journey, err := m.Journey(data, method.JourneyOptions{
		Authority: s.Authority, Metadata: metadata, Patience: s.deadline(), Write: ms.Write,
		Addresses: len(s.Targets), Requests: ms.Requests, ReplyMaxBytes: ms.ReplyMaxBytes,
		Check: method.Check{Codes: codes, MessagesMin: ms.MessagesMin},
	})
	return []loadgen.JourneySpec{journey}, err
}

// dataOptions are what the templates of a method draw from.
func (m *MethodSpec) dataOptions(worker int) (o method.DataOptions, err error) {
	o = method.DataOptions{RandomRows: m.RandomRows, Worker: worker}
	if len(m.Rows) > 0 {
		o.Table, err = method.ParseTable(m.RowsName, m.Rows)
	}
	return o, err
}

// scriptJourneys are those of a file.
func (s *Spec) scriptJourneys(worker int) ([]loadgen.JourneySpec, error) {
	script, err := method.ParseScript(s.Journeys.File, s.Journeys.Text)
	if err != nil {
		return nil, err
	}
	var methods []*method.Method
	for _, name := range script.Methods() {
		m, err := method.FromDescriptorSet(s.Journeys.Descriptors, name)
		if err != nil {
			return nil, err
		}
		methods = append(methods, m)
	}
	options := method.DataOptions{Worker: worker}
	metadata, err := method.ParseMetadata(s.Metadata, options)
	if err != nil {
		return nil, err
	}
	return script.Journeys(methods, method.ScriptOptions{
		Data: options, Authority: s.Authority, Metadata: metadata, Patience: s.deadline(), Addresses: len(s.Targets),
	})
}

// config reads the files of a TLS configuration; of no TLS it is nil.
func (t *TLSSpec) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CACert != "" {
		pem, err := os.ReadFile(t.CACert)
		if err != nil {
			return nil, fmt.Errorf("the authority's certificate: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the authority's certificate: %s holds no certificate in PEM form", t.CACert)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("a client's certificate and its key go together: give both or neither")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("the client's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
