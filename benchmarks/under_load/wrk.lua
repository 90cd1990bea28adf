-- Sends the requests of a file in turn, and counts the responses by status. Each line holds names and values of header
-- fields, with tabs between. The last line of the output is JSON.
local requests, sent = {}, 0
statuses = {}

local threads = {}
function setup(thread)
   threads[#threads + 1] = thread
end

function init(args)
   for line in io.lines(args[1]) do
      local headers = {}
      for name, value in line:gmatch("([^\t]+)\t([^\t]+)") do
         headers[name] = value
      end
      requests[#requests + 1] = wrk.format("GET", "/", headers)
   end
end

function request()
   sent = sent % #requests + 1
   return requests[sent]
end

function response(status)
   statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency)
   local counts = {}
   for _, thread in ipairs(threads) do
      for status, count in pairs(thread:get("statuses")) do
         counts[#counts + 1] = string.format('"%d": %d', status, count)
      end
   end
   local errors = summary.errors
   print(string.format(
      '\n{"requests": %d, "microseconds": %d, "p50": %.1f, "p99": %.1f, "failed": %d, "statuses": {%s}}',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.timeout, table.concat(counts, ", ")
   ))
end
