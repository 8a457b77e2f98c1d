// Package batch runs concurrent requests together. While one batch is running, new requests wait
// and form the next batch. A lone request runs immediately; under load, requests share a batch, so
// the cost per request falls.
//
// The package holds the mechanism only: queueing, limits, cancellation, and recovery from failed
// and stalled batches. The caller supplies the function that runs a batch.
package batch
