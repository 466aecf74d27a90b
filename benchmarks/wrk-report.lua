-- One line that is easy to read by a program: bytes, requests, errors, microseconds.
function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status
  io.write(string.format("report %d %d %d %d\n", summary.bytes, summary.requests, failed, summary.duration))
end
