// Package access says how a command finds a running platform: by a context
// file, as kubectl does. A context is a name for the address of a control API,
// with the token that it wants.
//
// The file is YAML:
//
//	current: compose
//	contexts:
//	  - name: compose
//	    control: 127.0.0.1:7017
//	    token: 9f86d081884c7d65…
//	    edges:                    # only where they are reached elsewhere than they say
//	      a1: {cardnet: 127.0.0.1:7101, gateway: 127.0.0.1:7102}
//
// It holds a secret: it is written for its owner alone.
package access
