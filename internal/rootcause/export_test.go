package rootcause

// DefaultParams are the shipped numbers. Their package needs this one, so that
// only the tests outside can bring them in here.
var DefaultParams func() Params
