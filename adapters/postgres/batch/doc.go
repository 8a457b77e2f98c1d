// Package batch runs concurrent requests together. While one batch is running, new requests wait
// and form the next batch. A single request runs immediately. Under load, several requests share a
// batch, and the cost per request is lower.
//
// The package holds the mechanism only: queueing, limits, cancellation, and recovery from failed
// and stalled batches. The caller supplies the function that runs a batch.
package batch
