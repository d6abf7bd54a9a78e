// Package benign asks of discovery policies whether they do harm where nothing
// is wrong: over deploys, scale-downs and true zeros that are what they look
// like. A guard that doubts the registry has a price if it is wrong to; this is
// where it is paid.
//
// It plays a cluster in virtual time, exactly and repeatably, on the very code
// that routers run (discovery.Core). All arms see the same operations, the same
// delays and the same requests:
//
//	plan ── what the registry says, and who really answers, when
//	  └─▶ router ── one arm's core, its sources, and a data plane that tries
//	                one address after another until one answers
//	        └─▶ figures ── each request held against what keep-last made of it
//
// What it cannot show is what guards are for; that is what scenarios do.
package benign
