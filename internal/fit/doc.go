// Package fit finds the engine's weights from verdicts on cases of known cause.
//
// The model is the engine's own: a suspect's score is its prior and the sum of
// weight times strength over its evidence; probabilities are a softmax of the
// scores divided by the temperature. What is made small is
//
//	mean over sets of (mean over cases of -ln P(right)) + ridge/2 * |w - start|²
//
// where P(right) is the probability that it is any of the right suspects, or, if
// the engine did not list the cause, that it is unknown. Each set counts the same,
// however many cases it has; one of which no cause is listed does not count.
//
// What is promised: the same cases give the same numbers, to the last bit; no
// weight changes its sign; weights of terms that the cases cannot teach keep
// their start, among them all terms that only suspects of kinds have that no case
// was caused by. What is not: that the engine, given the new weights, lists the
// same suspects for a case; the strengths are those that it told with the start.
package fit
