package fault

// VerifyNoLeak is for tests from outside.
var VerifyNoLeak = verifyNoLeak
